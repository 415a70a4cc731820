/*
 * tape: datagrams in a file, one after the other: recorded by wiretap or made by forge, for hostile
 * to send. IPv4 only. Each is a struct tape_head and its payload, in this machine's byte order.
 */
#ifndef HEADLESS_TESTS_TAPE_H
#define HEADLESS_TESTS_TAPE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "headless/base/address.h"

#define TAPE_BYTES_MAX 1472 /* of a payload in an Ethernet frame */

struct tape_head {
    uint8_t source[4], target[4];
    uint16_t source_port, target_port, length;
};

struct tape_datagram {
    struct tape_head head;
    uint8_t payload[TAPE_BYTES_MAX];
};

static inline bool tape_write(FILE *file, const struct tape_datagram *datagram)
{
    return fwrite(&datagram->head, sizeof(datagram->head), 1, file) == 1 &&
           fwrite(datagram->payload, 1, datagram->head.length, file) == datagram->head.length;
}

static inline bool tape_read(FILE *file, struct tape_datagram *ret_datagram)
{
    struct tape_head *head = &ret_datagram->head;

    return fread(head, sizeof(*head), 1, file) == 1 && head->length <= TAPE_BYTES_MAX &&
           fread(ret_datagram->payload, 1, head->length, file) == head->length;
}

static inline struct address tape_address(const uint8_t ip[static 4], uint16_t port)
{
    struct address address = {.family = ADDRESS_V4, .port = port};

    memcpy(address.ip, ip, 4);
    return address;
}

#endif
