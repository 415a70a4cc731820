/*
 * order_world: some pods with an order each, a network between them that loses, delays and repeats,
 * leaders that come and go, and what each pod's app was given.
 *
 * What an app knows is a map from numbers to messages: its events are taken at their word. Two apps
 * must never know two messages under one number.
 */
#ifndef TESTS_ORDER_WORLD_H
#define TESTS_ORDER_WORLD_H

#include <criterion/criterion.h>
#include <stdlib.h>

#include "headless/data/order.h"

#define PODS     5
#define NUMBERS  20000 /* more than any run makes */
#define PACKETS  16384
#define DATAGRAM 1024

struct app_log {
    uint32_t known[NUMBERS]; /* by number: the message, 0: none */
    uint64_t next;           /* 0: nothing yet */
    uint64_t given, missing, diverged, joined;
    uint64_t run_from; /* of the process that writes now */
};

struct world;

struct pod {
    struct world *world;
    size_t index;
    struct order order;
    struct counters counters;
    struct leadership snapshot;
    uint64_t instance;
    bool is_alive;
    struct app_log app;
};

struct packet {
    uint64_t at_ns, sent_ns;
    size_t from, to;
    uint64_t instance, term; /* of the sender */
    bool is_run;
    struct order_run run;
    struct order_position position;
    size_t records, bytes;
    uint8_t record[DATAGRAM];
};

struct world {
    struct pod pods[PODS];
    struct packet *packets; /* PACKETS, unordered */
    size_t packet_count;
    uint64_t now_ns, random;
    unsigned loss, twice, late; /* percent */
    uint64_t last_ns[PODS][PODS];
    bool commits;
    size_t history_bytes;
    uint32_t message; /* the last that a client sent */
    uint64_t term;
    bool cuts[PODS][PODS];
    bool keeps_all; /* what any member has in its history, no other may be told to be missing */
};

static inline uint64_t draw(struct world *w, uint64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % below;
}

/* ---- what an order wants done ---- */

/* In order, but for some that come late. */
static inline uint64_t when(struct world *w, size_t from, size_t to)
{
    uint64_t at_ns = w->now_ns + (1 + draw(w, 10)) * NS_PER_MS / 10;

    if (draw(w, 100) < w->late)
        return at_ns + 3 * NS_PER_MS;
    if (at_ns <= w->last_ns[from][to])
        at_ns = w->last_ns[from][to] + 1;
    w->last_ns[from][to] = at_ns;
    return at_ns;
}

static inline void put(struct world *w, const struct packet *packet)
{
    unsigned copies = draw(w, 100) < w->twice ? 2 : 1;

    if (w->cuts[packet->from][packet->to])
        return;
    for (; copies > 0; copies--) {
        if (draw(w, 100) < w->loss)
            continue;
        cr_assert_lt(w->packet_count, PACKETS);
        w->packets[w->packet_count] = *packet;
        w->packets[w->packet_count].sent_ns = w->now_ns;
        w->packets[w->packet_count++].at_ns = when(w, packet->from, packet->to);
    }
}

static inline struct packet make_packet(const struct pod *pod, size_t to)
{
    return (struct packet){
        .from = pod->index, .to = to, .instance = pod->instance, .term = pod->order.term};
}

static inline void put_record(struct packet *packet, const struct record *record)
{
    packet->records++;
    packet->bytes += record_put_header(packet->record + packet->bytes, record);
    memcpy(packet->record + packet->bytes, record->payload, record->length);
    packet->bytes += record->length;
}

/* The last run to this pod, if it is still open for this one's message, as frames are. */
static inline struct packet *open_packet(struct world *w, const struct packet *wanted)
{
    for (size_t i = w->packet_count; i > 0; i--) {
        struct packet *packet = &w->packets[i - 1];

        if (packet->from != wanted->from || packet->to != wanted->to)
            continue;
        return packet->is_run && packet->sent_ns == w->now_ns && packet->term == wanted->term &&
                       packet->instance == wanted->instance &&
                       packet->run.until == wanted->run.until && packet->records > 0 &&
                       packet->run.first + packet->records == wanted->run.first &&
                       order_mark_equal(packet->run.mark, wanted->run.mark) &&
                       packet->bytes + RECORD_HEADER_MAX + 16 < DATAGRAM
                   ? packet
                   : NULL;
    }
    return NULL;
}

static inline void op_send(void *context, size_t member, const struct order_run *run,
                           const struct request *request)
{
    struct pod *pod = context;
    struct packet packet = make_packet(pod, member), *open;

    packet.is_run = true;
    packet.run = *run;
    open = request ? open_packet(pod->world, &packet) : NULL;
    if (request)
        put_record(open ? open : &packet, &request->record);
    if (!open)
        put(pod->world, &packet);
}

static inline void op_publish(void *context, const struct order_run *run,
                              const struct request *request)
{
    struct pod *pod = context;

    for (size_t i = 0; i < PODS; i++) {
        if (i != pod->index)
            op_send(context, i, run, request);
    }
}

static inline void op_tell_position(void *context, size_t member,
                                    const struct order_position *position)
{
    struct pod *pod = context;
    struct packet packet = make_packet(pod, member);

    packet.position = *position;
    put(pod->world, &packet);
}

static inline void op_deliver(void *context, const struct request *request)
{
    struct pod *pod = context;
    struct app_log *app = &pod->app;
    uint32_t message;

    memcpy(&message, request->record.payload, sizeof(message));
    cr_assert_lt(app->next, NUMBERS);
    app->known[app->next++] = message;
    app->given++;
    counters_add(&pod->counters, COUNTER_DELIVERED, 1);
}

/* None has it whom this one can reach, and who is known to be of the leader's mind. */
static inline void check_nobody_has(const struct pod *pod, uint64_t from, uint64_t to)
{
    const struct world *w = pod->world;

    for (size_t i = 0; i < PODS; i++) {
        const struct order *order = &w->pods[i].order;

        if (i == pod->index || !w->pods[i].is_alive || order->term != pod->order.term ||
            order->epoch != order->term || w->cuts[i][pod->index] || w->cuts[pod->index][i])
            continue;
        cr_assert(order->log.next <= from || order->log.first > to,
                  "pod %zu is told that %llu to %llu are missing, and %zu has %llu to %llu",
                  pod->index, (unsigned long long)from, (unsigned long long)to, i,
                  (unsigned long long)order->log.first, (unsigned long long)order->log.next - 1);
    }
}

static inline void op_report(void *context, const struct order_event *event)
{
    struct pod *pod = context;
    struct app_log *app = &pod->app;

    if (event->type == ORDER_MISSING && pod->world->keeps_all)
        check_nobody_has(pod, event->from, event->to);

    if (event->type == ORDER_JOINED) {
        app->next = app->run_from = event->from;
        app->joined++;
    } else if (event->type == ORDER_MISSING) {
        cr_assert_eq(event->from, app->next);
        app->next = event->to + 1;
        app->missing += event->to - event->from + 1;
    } else {
        cr_assert_eq(event->to + 1, app->next);
        for (uint64_t n = event->from; n <= event->to; n++)
            app->known[n] = 0;
        app->next = event->from;
        app->diverged += event->to - event->from + 1;
    }
}

static inline void op_flush(void *context)
{
    order_flush(&((struct pod *)context)->order);
}

static const struct order_ops world_ops = {.deliver = op_deliver,
                                           .publish = op_publish,
                                           .send = op_send,
                                           .tell_position = op_tell_position,
                                           .flush = op_flush,
                                           .report = op_report};

/* ---- pods ---- */

static inline struct address pod_address(size_t index)
{
    return (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, (uint8_t)(index + 1)}};
}

static inline void pod_start(struct world *w, size_t index)
{
    struct pod *pod = &w->pods[index];
    const struct order_setup setup = {.ops = &world_ops,
                                      .context = pod,
                                      .counters = &pod->counters,
                                      .self = w->random,
                                      .self_address = pod_address(index),
                                      .commits = w->commits,
                                      .history_bytes = w->history_bytes};

    pod->world = w;
    pod->index = index;
    pod->instance = w->random;
    pod->is_alive = true;
    pod->snapshot = (struct leadership){0};
    memset(&pod->counters, 0, sizeof(pod->counters));
    cr_assert_eq(order_init(&pod->order, &setup), 0);
    (void)draw(w, 2);
}

static inline void pod_kill(struct world *w, size_t index)
{
    order_fini(&w->pods[index].order);
    w->pods[index].is_alive = false;
}

static inline void begin(struct world *w, struct pod *pod)
{
    order_begin(&pod->order, w->now_ns);
}

/* This pod hears who leads, and which members there are. */
static inline void pod_hears(struct world *w, size_t index, size_t leader, uint64_t term)
{
    struct pod *pod = &w->pods[index];
    struct leadership *snapshot = &pod->snapshot;

    if (!pod->is_alive || term < snapshot->term)
        return;
    snapshot->term = term;
    snapshot->kind = index == leader ? LEADER_SELF : LEADER_MEMBER;
    snapshot->instance = w->pods[leader].instance;
    snapshot->votes_needed = PODS / 2 + 1;
    snapshot->member_count = PODS;
    for (size_t i = 0; i < PODS; i++)
        snapshot->members[i] = (struct member){.instance = w->pods[i].instance,
                                               .address = pod_address(i),
                                               .is_alive = w->pods[i].is_alive};
    begin(w, pod);
    order_take_snapshot(&pod->order, snapshot);
    order_flush(&pod->order);
}

static inline void all_hear(struct world *w, size_t leader)
{
    w->term++;
    for (size_t i = 0; i < PODS; i++)
        pod_hears(w, i, leader, w->term);
}

static inline void client_sends(struct world *w, size_t leader)
{
    struct pod *pod = &w->pods[leader];
    uint32_t message = ++w->message;
    struct request request = {
        .record = {.client = pod_address(99), .local = pod_address(0), .length = 4}};

    request.record.client.port = 5000;
    request.record.local.port = 12000;
    request.record.payload = (const uint8_t *)&message;
    begin(w, pod);
    if (pod->is_alive && order_is_leading(&pod->order))
        order_number(&pod->order, &request);
    order_flush(&pod->order);
}

/* ---- time ---- */

static inline void arrive(struct world *w, const struct packet *packet)
{
    struct pod *pod = &w->pods[packet->to];
    struct frame_reader reader = {.next = packet->record, .end = packet->record + packet->bytes};

    if (!pod->is_alive)
        return;
    begin(w, pod);
    if (packet->is_run)
        order_hear_run(&pod->order, packet->instance, packet->term, &packet->run, packet->records,
                       &reader);
    else
        order_hear_position(&pod->order, packet->instance, packet->term, &packet->position);
    if (draw(w, 3) == 0) /* a batch ends */
        order_flush(&pod->order);
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
            begin(w, pod);
            (void)order_tick(&pod->order);
            order_flush(&pod->order);
        }
    }
}

static inline void world_begin(struct world *w, uint64_t seed, bool commits, size_t history_bytes)
{
    memset(w, 0, sizeof(*w));
    w->packets = calloc(PACKETS, sizeof(*w->packets));
    cr_assert_not_null(w->packets);
    w->random = seed * 0x9e3779b97f4a7c15u | 1;
    w->now_ns = 100 * NS_PER_SEC;
    w->commits = commits;
    w->history_bytes = history_bytes;
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
