/* sequencer_checks: steps and checks that the sequencer's tests share. One world a test. */
#ifndef TESTS_SEQUENCER_CHECKS_H
#define TESTS_SEQUENCER_CHECKS_H

#include "sequencer_world.h"

#define KIB 1024u
#define MIB (1024 * KIB)

static struct world w;

static inline uint64_t delivered(size_t pod)
{
    return w.pods[pod].sequencer.delivered;
}

static inline void send_many(size_t leader, unsigned messages)
{
    for (unsigned i = 0; i < messages; i++) {
        client_sends(&w, leader);
        if (i % 8 == 7)
            pass(&w, 1);
    }
}

/* No two apps have two messages under one index. */
static inline void check_indices(void)
{
    for (uint64_t n = 1; n < INDICES; n++) {
        uint32_t message = 0;

        for (size_t i = 0; i < PODS; i++) {
            uint32_t known = w.pods[i].app.known[n];

            cr_assert(!known || !message || known == message, "index %llu: %u and %u, at pod %zu",
                      (unsigned long long)n, message, known, i);
            message = known ? known : message;
        }
    }
}

/* All live pods delivered the same entries, up to the last one. */
static inline void check_agreement(void)
{
    uint64_t last = 0;

    for (size_t i = 0; i < PODS; i++)
        last = w.pods[i].is_alive && delivered(i) > last ? delivered(i) : last;
    for (size_t i = 0; i < PODS; i++)
        cr_assert(!w.pods[i].is_alive || delivered(i) == last, "pod %zu has %llu of %llu", i,
                  (unsigned long long)delivered(i), (unsigned long long)last);
    check_indices();
}

static inline void isolate(size_t pod, bool is_cut)
{
    for (size_t i = 0; i < PODS; i++)
        w.cuts[i][pod] = w.cuts[pod][i] = is_cut;
}

static inline void begin_world(bool commits)
{
    world_begin(&w, 7, commits, MIB);
    all_learn(&w, 0);
    pass(&w, 10);
    cr_assert(sequencer_is_leading(&w.pods[0].sequencer));
}

/* Ten messages in a world with short logs. */
static inline void begin_short_world(void)
{
    world_begin(&w, 3, false, 64 * KIB);
    all_learn(&w, 0);
    pass(&w, 10);
    send_many(0, 10);
    pass(&w, 5);
}

/* Pod 0 is cut off, and all others follow pod 1. */
static inline void go_on_without_0(void)
{
    isolate(0, true);
    w.term++;
    for (size_t i = 1; i < PODS; i++)
        pod_learns_leader(&w, i, 1, w.term);
}

#endif
