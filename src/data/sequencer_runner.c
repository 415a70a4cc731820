#include "data/sequencer_runner.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "data/worker.h"
#include "headless/base/log.h"

#define NOTICE_MAX 160

_Static_assert(MEMBERS_MAX <= SEQUENCER_MEMBERS_MAX, "a sequencer knows all members");

/* ---- entries to the app ---- */

static void deliver_entry(struct routing *routing, const struct log_entry *entry)
{
    struct request request = {.record = entry->record,
                              .term = entry->id.term,
                              .hops = 1,
                              .is_copy = !sequencer_owns(&routing->runner->sequencer, entry)};

    address_adopt_zone(&request.record.ingress, &routing->config->self);
    if (address_equal_ip(&request.record.ingress, &routing->config->self))
        request.record.ingress = (struct address){0};
    route_deliver(routing, &request);
}

static void deliver_entries(struct routing *routing, const struct sequencer_action *action)
{
    const struct entry_log *log = &routing->runner->sequencer.log;

    for (uint64_t index = action->entries.first; index < action->entries.end; index++)
        deliver_entry(routing, entry_log_at(log, index));
}

/* ---- frames to other pods ---- */

static struct relay_target target_of(const struct routing *routing, size_t index)
{
    const struct member *member = &routing->snapshot->leader.members[index];

    return (struct relay_target){
        .to = address_with_port(member->address, routing->config->relay_port),
        .instance = member->instance,
        .term = routing->runner->sequencer.term,
        .member_index = member->member_index};
}

static void send_entry(struct routing *routing, const struct sequencer_action *action,
                       uint64_t index)
{
    const struct sequencer *sequencer = &routing->runner->sequencer;
    const struct record *record =
        index < action->entries.end ? &entry_log_at(&sequencer->log, index)->record : NULL;
    union frame_body body;

    sequencer_make_range(sequencer, action, index, &body.range);
    if (action->type == SEQUENCER_PUBLISH) {
        relay_publish(&routing->relay, sequencer->term, &body, record);
    } else {
        const struct relay_target target = target_of(routing, action->member);

        relay_entries(&routing->relay, &target, &body, record);
    }
}

static void send_entries(struct routing *routing, const struct sequencer_action *action)
{
    uint64_t index = action->entries.first;

    do {
        send_entry(routing, action, index);
    } while (++index < action->entries.end);
}

static void send_ack(struct routing *routing, const struct sequencer_action *action)
{
    const struct relay_target target = target_of(routing, action->member);

    relay_ack(&routing->relay, &target, &action->ack);
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
static __attribute__((noinline, cold)) void report_to_app(struct routing *routing,
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
    if (routing->runner->notify.fd < 0)
        return;
    app_flush(&routing->app);
    rc = udp_tell(&routing->runner->notify, text, (size_t)length);
    counters_add(&routing->counters, rc ? COUNTER_NOTIFY_FAILED : COUNTER_NOTIFIED, 1);
}

/* ---- steps ---- */

static void execute_actions(struct routing *routing)
{
    const struct sequencer_actions *actions = &routing->runner->actions;

    for (size_t i = 0; i < actions->count; i++) {
        const struct sequencer_action *action = &actions->list[i];

        switch (action->type) {
        case SEQUENCER_DELIVER:
            deliver_entries(routing, action);
            break;
        case SEQUENCER_PUBLISH:
        case SEQUENCER_SEND:
            send_entries(routing, action);
            break;
        case SEQUENCER_SEND_ACK:
            send_ack(routing, action);
            break;
        case SEQUENCER_REPORT:
            report_to_app(routing, &action->report);
            break;
        }
    }
}

static void publish_numbers(struct sequencer_runner *runner)
{
    const struct sequencer *sequencer = &runner->sequencer;
    uint64_t last = sequencer_last(sequencer);

    atomic_store_explicit(&runner->waiting, last - sequencer->delivered, memory_order_relaxed);
    atomic_store_explicit(&runner->last, last, memory_order_relaxed);
    atomic_store_explicit(&runner->is_leading, sequencer_is_leading(sequencer),
                          memory_order_relaxed);
}

static void step(struct routing *routing, const struct sequencer_event *event)
{
    struct sequencer_runner *runner = routing->runner;

    while (!sequencer_step(&runner->sequencer, event, routing->now_ns, &runner->actions)) {
        execute_actions(routing);
        worker_flush(runner->worker); /* makes room in the log */
    }
    execute_actions(routing);
}

void sequencer_runner_take_snapshot(struct routing *routing)
{
    const struct leadership *leader = &routing->snapshot->leader;
    struct sequencer_member members[MEMBERS_MAX];
    const struct sequencer_membership membership = {
        .term = leader->term,
        .leader = leader->kind == LEADER_SELF     ? routing->identity->instance
                  : leader->kind == LEADER_MEMBER ? leader->instance
                                                  : 0,
        .votes_needed = leader->votes_needed,
        .splits_records = leader->splits_records,
        .member_count = leader->member_count,
        .members = members};
    const struct sequencer_event event = {.type = SEQUENCER_MEMBERSHIP, .membership = &membership};

    for (size_t i = 0; i < leader->member_count; i++)
        members[i] = (struct sequencer_member){.instance = leader->members[i].instance,
                                               .is_alive = leader->members[i].is_alive};
    step(routing, &event);
    routing->runner->generation = routing->snapshot->generation;
    routing->runner->needs_flush = true;
}

void sequencer_runner_append(struct routing *routing, const struct request *request)
{
    struct record record = request->record;
    const struct sequencer_event event = {.type = SEQUENCER_APPEND, .record = &record};

    if (!address_is_set(&record.ingress))
        record.ingress = address_with_port(routing->config->self, 0);
    step(routing, &event);
}

void sequencer_runner_take_frame(struct routing *routing, const struct frame_header *header,
                                 const union frame_body *body, size_t records,
                                 struct frame_reader *reader)
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
    step(routing, &event);
}

void sequencer_runner_flush(struct routing *routing)
{
    const struct sequencer_event event = {.type = SEQUENCER_FLUSH};

    step(routing, &event);
    publish_numbers(routing->runner);
}

bool sequencer_runner_must_adopt(const struct routing *routing)
{
    return routing->runner && !sequencer_is_leading(&routing->runner->sequencer);
}

bool sequencer_runner_tick(struct routing *routing)
{
    const struct sequencer_event event = {.type = SEQUENCER_TICK};
    bool is_due = sequencer_is_due(&routing->runner->sequencer, routing->now_ns);
    bool needs_flush = routing->runner->needs_flush;

    if (is_due)
        step(routing, &event);
    routing->runner->needs_flush = false;
    return is_due || needs_flush;
}

/* ---- begin and end ---- */

int sequencer_runner_init(struct routing *routing, struct worker *worker)
{
    const struct config *config = routing->config;
    const struct sequencer_setup setup = {.counters = &routing->counters,
                                          .self = routing->identity->instance,
                                          .commits =
                                              config->ordered_commit == CONFIG_COMMIT_MAJORITY,
                                          .log_bytes = config->ordered_history_bytes};
    const struct address any = {0};
    int rc;

    if (config->route != CONFIG_ROUTE_ORDERED)
        return 0;
    routing->runner = calloc(1, sizeof(*routing->runner));
    if (!routing->runner)
        return -ENOMEM;
    routing->runner->notify.fd = -1;
    routing->runner->worker = worker;
    rc = sequencer_init(&routing->runner->sequencer, &setup);
    if (!rc && config->app_notify.port)
        rc = udp_open_connected(&config->app_notify, &any, 0, &routing->runner->notify);
    return rc;
}

void sequencer_runner_fini(struct routing *routing)
{
    if (!routing->runner)
        return;
    sequencer_fini(&routing->runner->sequencer);
    udp_close(&routing->runner->notify);
    free(routing->runner);
    routing->runner = NULL;
}
