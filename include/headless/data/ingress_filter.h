/*
 * ingress_filter: which sources may send to the data port and to multicast groups, and how much
 * (data.allow, data.rate).
 *
 * The address is checked before the rate: a source that is not allowed takes no entry in the table of
 * the rate limiter. A refused datagram is counted under its reason, acl or rate. A GRO batch is
 * charged by the datagram, and as many as the rate allows pass, from the first on.
 *
 * The filter is part of the snapshot's settings, so that a reload changes it between two batches.
 * With both options off is_guarded is false, and nothing else is checked.
 *
 * Pure except for the table and its counters, which are the worker thread's. Never blocks.
 */
#ifndef HEADLESS_DATA_INGRESS_FILTER_H
#define HEADLESS_DATA_INGRESS_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "headless/config/config.h"

struct datagram;
struct rate_limiter;

/* The rate of each source (data.rate, data.burst). */
struct rate_limit {
    uint64_t period_ns; /* in which one token comes back; 0: no limit */
    uint64_t depth_ns;  /* in which an empty bucket is full: burst times period */
};

struct ingress_filter {
    bool is_guarded; /* there is an allow list or a rate */
    struct config_cidrs allow;
    struct rate_limit rule;
};

struct ingress_filter ingress_filter_make(const struct config *config);

/* Returns how many of a piece's datagrams pass, from the first on; the others are counted here. */
uint32_t ingress_filter_admit(const struct ingress_filter *ingress_filter,
                              struct rate_limiter *limiter, const struct datagram *piece,
                              uint64_t now_ns);

#endif
