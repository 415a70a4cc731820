/* sequencer_pod: a pod of sequencer_world.h: its network, its app, and its actions carried out. */
#ifndef TESTS_SEQUENCER_POD_H
#define TESTS_SEQUENCER_POD_H

#include <criterion/criterion.h>
#include <stdlib.h>

#include "headless/sequencer/sequencer.h"

#define PODS     5
#define INDICES  20000 /* more than any test makes */
#define PACKETS  16384
#define DATAGRAM 1024

struct app_log {
    uint32_t known[INDICES]; /* by index: the message, 0: none */
    uint64_t next;           /* 0: nothing yet */
    uint64_t given, missing, diverged, joined;
    uint64_t first_index; /* of the present process */
};

struct world;

struct pod {
    struct world *world;
    size_t index;
    struct sequencer sequencer;
    struct counters counters;
    struct sequencer_actions actions;
    struct {
        uint64_t term;
        bool leads;
    } snapshot;
    uint64_t instance;
    bool is_alive;
    struct app_log app;
};

struct packet {
    uint64_t at_ns, sent_ns;
    size_t from, to;
    uint64_t instance, term; /* of the sender */
    bool is_range;
    struct entry_range range;
    struct entry_ack ack;
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
    size_t log_bytes;
    uint32_t message; /* the last that a client sent */
    uint64_t term;
    bool cuts[PODS][PODS];
    bool keeps_all; /* no entry may be reported missing that a member still has */
};

static inline uint64_t draw(struct world *w, uint64_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random % below;
}

/* ---- actions ---- */

/* In order, except some that come late. */
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
        .from = pod->index, .to = to, .instance = pod->instance, .term = pod->sequencer.term};
}

static inline void put_record(struct packet *packet, const struct record *record)
{
    packet->records++;
    packet->bytes += record_put_header(packet->record + packet->bytes, record);
    memcpy(packet->record + packet->bytes, record->payload, record->length);
    packet->bytes += record->length;
}

/* The last range to this pod, if it is still open for this entry, as frames are. */
static inline struct packet *open_packet(struct world *w, const struct packet *wanted)
{
    for (size_t i = w->packet_count; i > 0; i--) {
        struct packet *packet = &w->packets[i - 1];

        if (packet->from != wanted->from || packet->to != wanted->to)
            continue;
        return packet->is_range && packet->sent_ns == w->now_ns && packet->term == wanted->term &&
                       packet->instance == wanted->instance &&
                       packet->range.reply_end == wanted->range.reply_end && packet->records > 0 &&
                       packet->range.first + packet->records == wanted->range.first &&
                       entry_id_equal(packet->range.id, wanted->range.id) &&
                       packet->bytes + RECORD_HEADER_MAX + 16 < DATAGRAM
                   ? packet
                   : NULL;
    }
    return NULL;
}

static inline void send_entry(struct pod *pod, size_t member, const struct sequencer_action *action,
                              uint64_t index)
{
    const struct record *record =
        index < action->entries.end ? &entry_log_at(&pod->sequencer.log, index)->record : NULL;
    struct packet packet = make_packet(pod, member), *open;

    packet.is_range = true;
    sequencer_make_range(&pod->sequencer, action, index, &packet.range);
    open = record ? open_packet(pod->world, &packet) : NULL;
    if (record)
        put_record(open ? open : &packet, record);
    if (!open)
        put(pod->world, &packet);
}

static inline void send_entries(struct pod *pod, const struct sequencer_action *action)
{
    uint64_t index = action->entries.first;

    do {
        for (size_t i = 0; i < PODS; i++) {
            if (action->type == SEQUENCER_SEND ? i == action->member : i != pod->index)
                send_entry(pod, i, action, index);
        }
    } while (++index < action->entries.end);
}

static inline void send_ack(struct pod *pod, const struct sequencer_action *action)
{
    struct packet packet = make_packet(pod, action->member);

    packet.ack = action->ack;
    put(pod->world, &packet);
}

static inline void deliver(struct pod *pod, uint64_t index)
{
    struct app_log *app = &pod->app;
    uint32_t message;

    memcpy(&message, entry_log_at(&pod->sequencer.log, index)->record.payload, sizeof(message));
    cr_assert_lt(app->next, INDICES);
    cr_assert_eq(app->next, index);
    app->known[app->next++] = message;
    app->given++;
    counters_add(&pod->counters, COUNTER_DELIVERED, 1);
}

/* No member has these entries that this one can reach and whose log is known to be the leader's. */
static inline void check_no_member_has(const struct pod *pod, uint64_t from, uint64_t to)
{
    const struct world *w = pod->world;

    for (size_t i = 0; i < PODS; i++) {
        const struct sequencer *s = &w->pods[i].sequencer;

        if (i == pod->index || !w->pods[i].is_alive || s->term != pod->sequencer.term ||
            s->normal_term != s->term || w->cuts[i][pod->index] || w->cuts[pod->index][i])
            continue;
        cr_assert(s->log.next <= from || s->log.first > to,
                  "pod %zu is told that %llu to %llu are missing, and %zu has %llu to %llu",
                  pod->index, (unsigned long long)from, (unsigned long long)to, i,
                  (unsigned long long)s->log.first, (unsigned long long)s->log.next - 1);
    }
}

static inline void apply_report(struct pod *pod, const struct sequencer_report *report)
{
    struct app_log *app = &pod->app;

    if (report->type == SEQUENCER_MISSING && pod->world->keeps_all)
        check_no_member_has(pod, report->from, report->to);

    if (report->type == SEQUENCER_JOINED) {
        app->next = app->first_index = report->from;
        app->joined++;
    } else if (report->type == SEQUENCER_MISSING) {
        cr_assert_eq(report->from, app->next);
        app->next = report->to + 1;
        app->missing += report->to - report->from + 1;
    } else {
        cr_assert_eq(report->to + 1, app->next);
        for (uint64_t n = report->from; n <= report->to; n++)
            app->known[n] = 0;
        app->next = report->from;
        app->diverged += report->to - report->from + 1;
    }
}

static inline void carry_out(struct pod *pod)
{
    for (size_t i = 0; i < pod->actions.count; i++) {
        const struct sequencer_action *action = &pod->actions.list[i];

        if (action->type == SEQUENCER_SEND_ACK)
            send_ack(pod, action);
        else if (action->type == SEQUENCER_REPORT)
            apply_report(pod, &action->report);
        else if (action->type != SEQUENCER_DELIVER)
            send_entries(pod, action);
        else
            for (uint64_t n = action->entries.first; n < action->entries.end; n++)
                deliver(pod, n);
    }
}

static inline void flush(struct pod *pod)
{
    const struct sequencer_event event = {.type = SEQUENCER_FLUSH};

    cr_assert(sequencer_step(&pod->sequencer, &event, pod->world->now_ns, &pod->actions));
    carry_out(pod);
}

static inline void step(struct pod *pod, const struct sequencer_event *event)
{
    while (!sequencer_step(&pod->sequencer, event, pod->world->now_ns, &pod->actions)) {
        carry_out(pod);
        flush(pod);
    }
    carry_out(pod);
}

static inline void take_entries(struct pod *pod, uint64_t from, uint64_t term,
                                const struct entry_range *range, size_t records,
                                struct frame_reader *reader)
{
    step(pod, &(struct sequencer_event){.type = SEQUENCER_ENTRIES,
                                        .from = from,
                                        .term = term,
                                        .range = range,
                                        .records = records,
                                        .reader = reader});
}

static inline void take_ack(struct pod *pod, uint64_t from, uint64_t term,
                            const struct entry_ack *ack)
{
    step(pod,
         &(struct sequencer_event){.type = SEQUENCER_ACK, .from = from, .term = term, .ack = ack});
}

static inline void tick(struct pod *pod)
{
    step(pod, &(struct sequencer_event){.type = SEQUENCER_TICK});
}

#endif
