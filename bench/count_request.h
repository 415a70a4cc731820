/*
 * count_request: a sender asks a sink for the number of datagrams of its run that have arrived,
 * for services that do not echo.
 *
 *   offset  bytes
 *        0  4      magic: "hlsQ" of the request, "hlsR" of the reply
 *        4  4      number of the request, returned in the reply
 *        8  8      run
 *       16  8      unique datagrams of that run so far (request: 0)
 *       24  8      zero
 *       32  8      checksum over bytes 0 to 31
 *
 * Request and reply both have 40 bytes, so that nothing is amplified, and every payload is longer.
 * A sink replies only if it has received datagrams of the run, a random 64-bit number.
 *
 * Threads: building and parsing are pure; asking blocks, one thread a socket.
 */
#ifndef BENCH_COUNT_REQUEST_H
#define BENCH_COUNT_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench.h"

#define COUNT_REQUEST_SIZE 40

struct count_request {
    bool is_reply;
    uint32_t number;
    uint64_t run;
    uint64_t unique;
};

void count_request_build(const struct count_request *q,
                         uint8_t ret_bytes[static COUNT_REQUEST_SIZE]);

/* False if the bytes are neither request nor reply, with *ret_request untouched. */
bool count_request_parse(const uint8_t *bytes, size_t length,
                         struct count_request *ret_request) BENCH_MUST_USE;

/*
 * Ask over a connected socket until two consecutive replies are equal: no more datagrams arrive.
 * Blocks for some 100 ms, at most some seconds. Returns 0, -ETIMEDOUT without any reply, or another
 * negative errno.
 */
int count_request_ask(int fd, uint64_t run, uint64_t *ret_unique) BENCH_MUST_USE;

#endif
