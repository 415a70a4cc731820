/*
 * frame: one relay datagram between two pods, and the records inside it.
 *
 *   frame  = header (40 bytes) record*  [end record, padding]
 *
 *    0       2         3      4       5      6      8         16         24     32         40
 *    | magic | version | type | flags | hops | lane | cluster | instance | term | sequence |
 * records "hd"      1                              16     64         64        64      64  bits,
 * big endian
 *
 *   record = length(16) kind(8) zero(8) client local tag(64) [ingress] payload[length]
 *      kind 0 is the end record: everything after it is padding and is ignored.
 *      Bits of kind: RECORD_CLIENT_V6, RECORD_LOCAL_V6, RECORD_INGRESS (an ingress IP follows the
 *      tag, because this is the second hop and the frame's sender is not the ingress pod),
 *      RECORD_INGRESS_V6, and always RECORD_PRESENT.
 *      client: IP(4 or 16) port(16), IPv6 followed by scope(32).   local: IP port(16), no scope.
 *
 * The writer packs records into the caller's buffer; the reader checks the whole frame before it
 * gives out the first record, so a frame is taken whole or not at all. Bytes only: no socket, no
 * clock, no allocation. Any thread, never blocks. Parsers never read outside [data, data+length).
 */
#ifndef HEADLESS_WIRE_FRAME_H
#define HEADLESS_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/base/address.h"

#define FRAME_HEADER_BYTES 40
#define FRAME_VERSION      1
#define FRAME_HOPS_MAX     2
/* Fixed part, IPv6 client with scope, IPv6 local, tag, IPv6 ingress. */
#define RECORD_HEADER_MAX  (4 + 22 + 18 + 8 + 16)
#define RECORD_PAYLOAD_MAX 65507

enum frame_type { FRAME_DATA = 1, FRAME_REPLY = 2 };

enum record_kind {
    RECORD_END = 0,
    RECORD_PRESENT = 1,
    RECORD_CLIENT_V6 = 2,
    RECORD_LOCAL_V6 = 4,
    RECORD_INGRESS = 8,
    RECORD_INGRESS_V6 = 16,
};

struct frame_header {
    uint8_t type;      /* enum frame_type */
    uint8_t hops;      /* relays so far, this one included: 1 or 2 */
    uint16_t lane;     /* the sending thread of the sender; sequence counts per lane */
    uint64_t cluster;  /* frame_cluster_id of the cluster's name */
    uint64_t instance; /* of the sender */
    uint64_t term;     /* DATA: the sender's; REPLY: in which the request was delivered */
    uint64_t sequence; /* 1, 2, ... per (instance, lane, receiver) */
};

struct record {
    struct address client;  /* with port and scope */
    struct address local;   /* the address and port that the client spoke to */
    uint64_t tag;           /* the ingress pod's, over client and local */
    struct address ingress; /* IP, port 0; unset: the frame's sender is the ingress pod */
    const uint8_t *payload; /* inside the frame when read */
    uint16_t length;        /* bytes of payload, 0 is legal */
};

enum frame_verdict { FRAME_OK, FRAME_MALFORMED, FRAME_BAD_VERSION, FRAME_BAD_CLUSTER };

struct frame_reader {
    const uint8_t *next, *end;
};

/* 64 bits of BLAKE2b over the name: two clusters that meet on one network do not mix. */
uint64_t frame_cluster_id(const char *cluster);

/* Write the 40 bytes. */
void frame_put_header(uint8_t out[static FRAME_HEADER_BYTES], const struct frame_header *header);

/* Bytes of a record's header (without payload). */
size_t record_header_bytes(const struct record *record);

/* Write a record's header only (for a payload that another iovec carries); returns its bytes.
 * out has room for RECORD_HEADER_MAX. */
size_t record_put_header(uint8_t *out, const struct record *record);

/*
 * Check a whole frame: magic, version, cluster, type, hops 1..2, every record's lengths and kinds,
 * at least one record. On FRAME_OK fills header, the number of records, and a reader.
 */
enum frame_verdict frame_open(const uint8_t *data, size_t length, uint64_t cluster,
                              struct frame_header *ret_header, size_t *ret_records,
                              struct frame_reader *ret_reader);

/* The next record of an opened frame; false at its end. */
bool frame_next(struct frame_reader *reader, struct record *ret_record);

#endif
