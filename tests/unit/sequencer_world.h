/*
 * sequencer_world: some pods with a sequencer each, a network between them that loses, delays and
 * repeats, changes of the leader, and the messages that each pod's app was given.
 *
 * An app is a map from indices to messages, and applies the reports that it gets. Two apps must
 * never have two messages under one index.
 */
#ifndef TESTS_SEQUENCER_WORLD_H
#define TESTS_SEQUENCER_WORLD_H

#include "sequencer_pod.h"

/* ---- pods ---- */

static inline struct address pod_address(size_t index)
{
    return (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, (uint8_t)(index + 1)}};
}

static inline void pod_start(struct world *w, size_t index)
{
    struct pod *pod = &w->pods[index];
    const struct sequencer_setup setup = {.counters = &pod->counters,
                                          .self = w->random,
                                          .commits = w->commits,
                                          .log_bytes = w->log_bytes};

    pod->world = w;
    pod->index = index;
    pod->instance = w->random;
    pod->is_alive = true;
    memset(&pod->snapshot, 0, sizeof(pod->snapshot));
    memset(&pod->counters, 0, sizeof(pod->counters));
    cr_assert_eq(sequencer_init(&pod->sequencer, &setup), 0);
    (void)draw(w, 2);
}

static inline void pod_kill(struct world *w, size_t index)
{
    sequencer_fini(&w->pods[index].sequencer);
    w->pods[index].is_alive = false;
}

/* This pod learns the leader and the members. */
static inline void pod_learns_leader(struct world *w, size_t index, size_t leader, uint64_t term)
{
    struct pod *pod = &w->pods[index];
    struct sequencer_member members[PODS];
    const struct sequencer_membership membership = {.term = term,
                                                    .leader = w->pods[leader].instance,
                                                    .votes_needed = PODS / 2 + 1,
                                                    .member_count = PODS,
                                                    .members = members};

    if (!pod->is_alive || term < pod->snapshot.term)
        return;
    pod->snapshot.term = term;
    pod->snapshot.leads = index == leader;
    for (size_t i = 0; i < PODS; i++)
        members[i] = (struct sequencer_member){.instance = w->pods[i].instance,
                                               .is_alive = w->pods[i].is_alive};
    step(pod, &(struct sequencer_event){.type = SEQUENCER_MEMBERSHIP, .membership = &membership});
    flush(pod);
}

static inline void all_learn(struct world *w, size_t leader)
{
    w->term++;
    for (size_t i = 0; i < PODS; i++)
        pod_learns_leader(w, i, leader, w->term);
}

static inline void client_sends(struct world *w, size_t leader)
{
    struct pod *pod = &w->pods[leader];
    uint32_t message = ++w->message;
    struct record record = {.client = pod_address(99), .local = pod_address(0), .length = 4};

    record.client.port = 5000;
    record.local.port = 12000;
    record.ingress = pod_address(leader);
    record.payload = (const uint8_t *)&message;
    if (pod->is_alive && sequencer_is_leading(&pod->sequencer))
        step(pod, &(struct sequencer_event){.type = SEQUENCER_APPEND, .record = &record});
    flush(pod);
}

/* ---- time ---- */

static inline void arrive(struct world *w, const struct packet *packet)
{
    struct pod *pod = &w->pods[packet->to];
    struct frame_reader reader = {.next = packet->record, .end = packet->record + packet->bytes};

    if (!pod->is_alive)
        return;
    if (packet->is_range)
        take_entries(pod, packet->instance, packet->term, &packet->range, packet->records, &reader);
    else
        take_ack(pod, packet->instance, packet->term, &packet->ack);
    if (draw(w, 3) == 0) /* a batch ends */
        flush(pod);
}

static inline void deliver_due(struct world *w)
{
    for (;;) {
        size_t due = w->packet_count;
        struct packet packet;

        for (size_t i = 0; i < w->packet_count; i++) {
            if (w->packets[i].at_ns <= w->now_ns &&
                (due == w->packet_count || w->packets[i].at_ns < w->packets[due].at_ns))
                due = i;
        }
        if (due == w->packet_count)
            return;
        packet = w->packets[due];
        w->packets[due] = w->packets[--w->packet_count];
        arrive(w, &packet);
    }
}

static inline void pass(struct world *w, unsigned ms)
{
    for (; ms > 0; ms--) {
        w->now_ns += NS_PER_MS;
        deliver_due(w);
        for (size_t i = 0; i < PODS; i++) {
            struct pod *pod = &w->pods[i];

            if (!pod->is_alive)
                continue;
            tick(pod);
            flush(pod);
        }
    }
}

static inline void world_begin(struct world *w, uint64_t seed, bool commits, size_t log_bytes)
{
    memset(w, 0, sizeof(*w));
    w->packets = calloc(PACKETS, sizeof(*w->packets));
    cr_assert_not_null(w->packets);
    w->random = seed * 0x9e3779b97f4a7c15u | 1;
    w->now_ns = 100 * NS_PER_SEC;
    w->commits = commits;
    w->log_bytes = log_bytes;
    for (size_t i = 0; i < PODS; i++)
        pod_start(w, i);
}

static inline void world_end(struct world *w)
{
    for (size_t i = 0; i < PODS; i++) {
        if (w->pods[i].is_alive)
            pod_kill(w, i);
    }
    free(w->packets);
}

static inline uint64_t drops(const struct pod *pod, enum drop_reason reason)
{
    uint64_t sum[COUNTER_COUNT] = {0};

    counters_collect(&pod->counters, sum);
    return sum[COUNTER_DROPPED + (size_t)reason];
}

#endif
