/*
 * payload: the content of headless-bench's datagrams: the receiver identifies each one, times it,
 * and checks every byte.
 *
 *   offset  bytes
 *        0  4      magic "hlsB"
 *        4  1      version, 1
 *        5  1      zero
 *        6  2      length of the whole payload
 *        8  8      run: 64 random bits, drawn by the sender at its start
 *       16  2      flow: the sender's socket, from 0
 *       18  2      tag: the sender's own note, returned in the reply
 *       20  4      clock: identifies the machine whose clock intended_ns is of, 0 unknown
 *       24  8      sequence within the flow, from 0
 *       32  8      intended_ns: intended sending time (CLOCK_BOOTTIME of the sender)
 *       40  8      checksum over all other bytes
 *       48  ...    filler, a function of run, flow and sequence
 *
 * All numbers little-endian; smallest payload 48 bytes. The checksum is a 64-bit multiplicative
 * hash in which every step is a bijection of its word: damage within one aligned word is always
 * detected, other damage missed once in 2^64. It is no protection against forgery.
 *
 * Threads: pure functions, any thread. Nothing blocks, allocates or fails.
 */
#ifndef BENCH_PAYLOAD_H
#define BENCH_PAYLOAD_H

#include <stddef.h>
#include <stdint.h>

#define PAYLOAD_SIZE_MIN 48
#define PAYLOAD_SIZE_MAX 65507 /* the largest UDP payload over IPv4 */

struct payload {
    uint64_t run; /* never 0 */
    uint64_t sequence;
    uint64_t intended_ns;
    uint32_t clock;
    uint16_t flow;
    uint16_t tag;
};

enum payload_verdict {
    PAYLOAD_GOOD,    /* every byte is as it was built */
    PAYLOAD_CORRUPT, /* one of ours, but truncated, extended or altered */
    PAYLOAD_FOREIGN, /* none of ours */
};

/* Write a payload of length bytes (PAYLOAD_SIZE_MIN..PAYLOAD_SIZE_MAX). */
void payload_build(const struct payload *p, size_t length, uint8_t *ret_bytes);

/*
 * Check a received payload. A damaged one counts as ours when its magic or its run is intact; run
 * is the expected run, 0 for none. Fills *ret_payload for PAYLOAD_GOOD only (of any run).
 */
enum payload_verdict payload_check(const uint8_t *bytes, size_t length, uint64_t run,
                                   struct payload *ret_payload);

/* Identifier of this machine's clock: equal ones, not 0, have comparable times. Reads a file. */
uint32_t payload_clock(void);

/* The 64-bit mixer of SplitMix64, for sizes and seeds. */
uint64_t payload_mix(uint64_t x);

#endif
