#include "headless/data/sequence.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/worker.h"
#include "headless/base/log.h"

#define NOTICE_MAX 160

_Static_assert(MEMBERS_MAX <= SEQUENCER_MEMBERS_MAX, "a sequencer knows all members");

/* ---- entries to the app ---- */

static void deliver_entry(struct worker *worker, const struct log_entry *entry)
{
    struct request request;

    request.record = entry->record;
    request.term = entry->id.term;
    request.hops = 1;
    request.is_copy = !sequencer_owns(&worker->sequence->sequencer, entry);
    request.is_multicast = false;
    if (address_equal_ip(&request.record.ingress, &worker->config->self))
        request.record.ingress = (struct address){0};
    route_deliver(worker, &request);
}

static void deliver_entries(struct worker *worker, const struct sequencer_action *action)
{
    const struct entry_log *log = &worker->sequence->sequencer.log;

    for (uint64_t index = action->entries.first; index < action->entries.end; index++)
        deliver_entry(worker, entry_log_at(log, index));
}

/* ---- frames to other pods ---- */

static struct relay_target target_of(const struct worker *worker, size_t index)
{
    const struct member *member = &worker->snapshot->members[index];

    return (struct relay_target){.to =
                                     address_with_port(member->address, worker->config->relay_port),
                                 .instance = member->instance,
                                 .term = worker->sequence->sequencer.term,
                                 .member_index = member->member_index};
}

static void send_entry(struct worker *worker, const struct sequencer_action *action, uint64_t index)
{
    const struct sequencer *sequencer = &worker->sequence->sequencer;
    const struct record *record =
        index < action->entries.end ? &entry_log_at(&sequencer->log, index)->record : NULL;
    struct entry_range range;

    sequencer_make_range(sequencer, action, index, &range);
    if (action->type == SEQUENCER_PUBLISH) {
        relay_publish(&worker->relay, sequencer->term, &range, record);
    } else {
        const struct relay_target target = target_of(worker, action->member);

        relay_entries(&worker->relay, &target, &range, record);
    }
}

static void send_entries(struct worker *worker, const struct sequencer_action *action)
{
    uint64_t index = action->entries.first;

    do {
        send_entry(worker, action, index);
    } while (++index < action->entries.end);
}

static void send_ack(struct worker *worker, const struct sequencer_action *action)
{
    const struct relay_target target = target_of(worker, action->member);

    relay_ack(&worker->relay, &target, &action->ack);
}

/* ---- reports ---- */

static const char *const report_words[] = {[SEQUENCER_JOINED] = "joined",
                                           [SEQUENCER_MISSING] = "missing",
                                           [SEQUENCER_DIVERGED] = "diverged"};

static void log_report(const struct sequencer_report *report)
{
    unsigned long long from = report->from, to = report->to, term = report->term;

    if (report->type == SEQUENCER_JOINED)
        log_info("order_joined", "the ordered log begins here with index %llu (term %llu)", from,
                 term);
    else if (report->type == SEQUENCER_MISSING)
        log_warn("order_missing",
                 "entries %llu to %llu of the ordered log are missing here: no member that replies "
                 "has them any longer; a longer ordered.history keeps more",
                 from, to);
    else
        log_warn("order_diverged",
                 "entries %llu to %llu that the app was given are not in the common log of term "
                 "%llu; its entries from %llu on follow",
                 from, to, term, from);
}

/* The app is given all earlier entries first: where app.notify is the app's own port, the report
 * comes in its place between them. */
static __attribute__((noinline, cold)) void report_to_app(struct worker *worker,
                                                          const struct sequencer_report *report)
{
    char text[NOTICE_MAX];
    int length = snprintf(text, sizeof(text),
                          "{\"order\":{\"event\":\"%s\",\"from\":%llu,\"to\":%llu,\"term\":%llu}}",
                          report_words[report->type], (unsigned long long)report->from,
                          (unsigned long long)(report->to ? report->to : report->from),
                          (unsigned long long)report->term);
    int rc;

    log_report(report);
    if (worker->sequence->notify.fd < 0)
        return;
    worker->app.ops->flush(&worker->app);
    rc = udp_tell(&worker->sequence->notify, text, (size_t)length);
    counters_add(&worker->counters, rc ? COUNTER_NOTIFY_FAILED : COUNTER_NOTIFIED, 1);
}

/* ---- steps ---- */

static void carry_out(struct worker *worker)
{
    const struct sequencer_actions *actions = &worker->sequence->actions;

    for (size_t i = 0; i < actions->count; i++) {
        const struct sequencer_action *action = &actions->list[i];

        switch (action->type) {
        case SEQUENCER_DELIVER:
            deliver_entries(worker, action);
            break;
        case SEQUENCER_PUBLISH:
        case SEQUENCER_SEND:
            send_entries(worker, action);
            break;
        case SEQUENCER_SEND_ACK:
            send_ack(worker, action);
            break;
        case SEQUENCER_REPORT:
            report_to_app(worker, &action->report);
            break;
        }
    }
}

static void publish_numbers(struct sequence *sequence)
{
    const struct sequencer *sequencer = &sequence->sequencer;
    uint64_t last = sequencer_last(sequencer);

    atomic_store_explicit(&sequence->waiting, last - sequencer->delivered, memory_order_relaxed);
    atomic_store_explicit(&sequence->last, last, memory_order_relaxed);
    atomic_store_explicit(&sequence->is_leading, sequencer_is_leading(sequencer),
                          memory_order_relaxed);
}

static void step(struct worker *worker, const struct sequencer_event *event)
{
    struct sequence *sequence = worker->sequence;

    while (!sequencer_step(&sequence->sequencer, event, worker->now_ns, &sequence->actions)) {
        carry_out(worker);
        worker_flush(worker); /* makes room in the log */
    }
    carry_out(worker);
}

void sequence_take_view(struct worker *worker)
{
    const struct leader_snapshot *snapshot = worker->snapshot;
    struct sequencer_member members[MEMBERS_MAX];
    const struct sequencer_membership membership = {
        .term = snapshot->term,
        .leader = snapshot->kind == LEADER_SELF     ? worker->identity->instance
                  : snapshot->kind == LEADER_MEMBER ? snapshot->leader_instance
                                                    : 0,
        .votes_needed = snapshot->votes_needed,
        .member_count = snapshot->member_count,
        .members = members};
    const struct sequencer_event event = {.type = SEQUENCER_MEMBERSHIP, .membership = &membership};

    for (size_t i = 0; i < snapshot->member_count; i++)
        members[i] = (struct sequencer_member){.instance = snapshot->members[i].instance,
                                               .is_alive = snapshot->members[i].is_alive};
    step(worker, &event);
    worker->sequence->generation = worker->generation;
    worker->sequence->needs_flush = true;
}

void sequence_append(struct worker *worker, const struct request *request)
{
    struct record record = request->record;
    const struct sequencer_event event = {.type = SEQUENCER_APPEND, .record = &record};

    if (!address_is_set(&record.ingress))
        record.ingress = address_with_port(worker->config->self, 0);
    step(worker, &event);
}

void sequence_take_frame(struct worker *worker, const struct frame_header *header,
                         const union frame_body *body, size_t records, struct frame_reader *reader)
{
    struct sequencer_event event = {.from = header->instance, .term = header->term};

    if (header->type == FRAME_ENTRIES) {
        event.type = SEQUENCER_ENTRIES;
        event.range = &body->range;
        event.records = records;
        event.reader = reader;
    } else {
        event.type = SEQUENCER_ACK;
        event.ack = &body->ack;
    }
    step(worker, &event);
}

void sequence_flush(struct worker *worker)
{
    const struct sequencer_event event = {.type = SEQUENCER_FLUSH};

    step(worker, &event);
    publish_numbers(worker->sequence);
}

bool sequence_tick(struct worker *worker)
{
    const struct sequencer_event event = {.type = SEQUENCER_TICK};
    bool is_due = sequencer_is_due(&worker->sequence->sequencer, worker->now_ns);
    bool needs_flush = worker->sequence->needs_flush;

    if (is_due)
        step(worker, &event);
    worker->sequence->needs_flush = false;
    return is_due || needs_flush;
}

/* ---- begin and end ---- */

int sequence_init(struct worker *worker)
{
    const struct config *config = worker->config;
    const struct sequencer_setup setup = {.counters = &worker->counters,
                                          .self = worker->identity->instance,
                                          .commits =
                                              config->ordered_commit == CONFIG_COMMIT_MAJORITY,
                                          .log_bytes = config->ordered_history_bytes};
    const struct address any = {0};
    int rc;

    if (config->route != CONFIG_ROUTE_ORDERED)
        return 0;
    worker->sequence = calloc(1, sizeof(*worker->sequence));
    if (!worker->sequence)
        return -ENOMEM;
    worker->sequence->notify.fd = -1;
    rc = sequencer_init(&worker->sequence->sequencer, &setup);
    if (!rc && config->app_notify.port)
        rc = udp_open_connected(&config->app_notify, &any, 0, &worker->sequence->notify);
    return rc;
}

void sequence_fini(struct worker *worker)
{
    if (!worker->sequence)
        return;
    sequencer_fini(&worker->sequence->sequencer);
    udp_close(&worker->sequence->notify);
    free(worker->sequence);
    worker->sequence = NULL;
}
