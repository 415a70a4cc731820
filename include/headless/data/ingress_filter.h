/*
 * ingress_filter: who may send to the data port and to multicast groups, and how much (data.allow,
 * data.rate).
 *
 * First the address, then the rate: who is not allowed in takes no place in the table of sources.
 * What is refused ends in the counter of its reason, acl or rate; a gro_batch is charged by the
 * datagram, and those at its front that the rate allows pass.
 *
 * The settings are part of the snapshot, so that a reload changes them between two batches. With both
 * options off is_guarded is false, and nobody asks further.
 *
 * Pure but for the table and its counters, which are the working thread's. Never blocks.
 */
#ifndef HEADLESS_DATA_INGRESS_FILTER_H
#define HEADLESS_DATA_INGRESS_FILTER_H

#include <stdbool.h>

#include "data/ingress/slab.h"
#include "headless/config/config.h"
#include "headless/data/rate_limiter.h"

struct ingress_filter {
    bool is_guarded; /* not everybody may send whatever he likes */
    struct config_cidrs allow;
    struct rate_limit rule;
};

struct ingress_filter ingress_filter_make(const struct config *config);

/* How many of a piece's datagrams may pass, from the first on; the others are counted here. */
uint32_t ingress_filter_admit(const struct ingress_filter *ingress_filter,
                              struct rate_limiter *limiter, const struct datagram *piece,
                              uint64_t now_ns);

#endif
