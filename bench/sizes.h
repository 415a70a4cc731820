/*
 * sizes: the sizes of the datagrams: "100", "64-1400" (uniform), or a mix with weights,
 * "64:7,512:4,1400:1" (of 12 datagrams 7 have 64 bytes); the parts of a mix may be ranges.
 *
 * The size of a datagram is a function of 64 bits that the caller derives from seed, flow and
 * sequence, so that it can be computed again without having been stored. Pure functions.
 */
#ifndef BENCH_SIZES_H
#define BENCH_SIZES_H

#include <stdint.h>

#include "bench.h"

#define SIZES_PARTS_MAX 16

struct sizes {
    unsigned count;
    uint32_t total_weight;
    struct {
        uint32_t low, high;
        uint32_t weight_end; /* weights of all parts up to this one */
    } parts[SIZES_PARTS_MAX];
};

/* Returns NULL, or the error, with *ret_sizes untouched. */
const char *sizes_parse(const char *text, struct sizes *ret_sizes) BENCH_MUST_USE;

/* The size for these random bits. */
uint32_t sizes_pick(const struct sizes *sizes, uint64_t random);

#endif
