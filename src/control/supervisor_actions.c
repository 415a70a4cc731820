/* Carries out the election's actions: store, publish, send, reply, in this order. */
#include <inttypes.h>

#include "supervisor_internal.h"

/* The election knows neither how many requests of that member have arrived, nor our buffer size, nor
 * how our app is checked. */
static void complete_heartbeat(struct supervisor *supervisor, struct election_message *message)
{
    if (supervisor_needs_request(supervisor))
        message->flags &= (uint16_t)~ELECTION_FLAG_NO_APP;
    message->received = peers_received(&supervisor->peers, message->to);
    message->rcvbuf_bytes = data_plane_relay_rcvbuf_bytes(supervisor->data_plane);
}

static void count_heartbeat(struct supervisor *supervisor, const struct election_message *message)
{
    if (peers_index(&supervisor->peers, message->to) == MEMBER_INDEX_NONE)
        return;
    counters_add(&supervisor->counters, COUNTER_HEARTBEATS_SENT, 1);
    counters_add(&supervisor->counters, COUNTER_HEARTBEATS_LOST,
                 peers_note_sent(&supervisor->peers, message));
}

static void send_one(struct supervisor *supervisor, const struct address *to,
                     struct election_message *message, const struct election_member *members)
{
    if (message->type == ELECTION_HEARTBEAT) {
        complete_heartbeat(supervisor, message);
        count_heartbeat(supervisor, message);
    }
    if (message->type == ELECTION_HEARTBEAT || message->type == ELECTION_ACK)
        message->flags |= supervisor->peers.flags;
    message->flags |=
        peers_addition_flags(message, &supervisor->election, (uint16_t)supervisor->facts.additions);
    peer_transport_send(&supervisor->transport, to, message, members);
}

static void send_to_list(struct supervisor *supervisor, struct election_action *action)
{
    const struct election_list *list = &supervisor->election.list;

    for (uint16_t i = 0; i < list->count; i++) {
        const struct election_member *member = &list->members[i];

        if (member->instance == data_plane_identity(supervisor->data_plane)->instance)
            continue;
        action->message.to = member->instance;
        send_one(supervisor, &member->address, &action->message, action->members);
    }
}

/* An instance that has left the list publishes no more: its data threads deliver or relay what still
 * arrives, for as long as the last snapshot is valid. */
static void supervisor_execute(struct supervisor *supervisor)
{
    struct election_actions *actions = &supervisor->actions;

    if (actions->stores)
        counters_add(&supervisor->counters, COUNTER_STORE_FAILED,
                     !store_save(supervisor->store, actions->stored_term));
    if (supervisor->election.state != ELECTION_OUT) {
        if (actions->publishes)
            supervisor->leadership = actions->leadership;
        supervisor_publish(supervisor);
    }
    for (size_t i = 0; i < actions->count; i++) {
        struct election_action *action = &actions->list[i];

        switch (action->type) {
        case ELECTION_SEND:
            send_one(supervisor, &action->to, &action->message, action->members);
            break;
        case ELECTION_SEND_ALL:
            send_to_list(supervisor, action);
            break;
        case ELECTION_RESULT:
            supervisor_reply(supervisor, action);
            break;
        }
    }
}

static void log_state(const struct supervisor *supervisor, enum election_state before)
{
    const struct election *e = &supervisor->election;

    log_debug("state_changed", "%s -> %s, by %s", election_state_name(before),
              election_state_name(e->state), election_cause_name(e->cause));
    if (e->state == ELECTION_ISOLATED)
        log_warn(
            "isolated",
            "no majority replies (%zu of %u members are needed): this pod no longer leads and "
            "holds requests. If the other pods are lost for good, run on this pod: headlessctl "
            "leader set %s --force",
            election_needed(e), (unsigned)e->list.count, supervisor->config->name);
    else if (before == ELECTION_ISOLATED)
        log_info("not_isolated", "a majority replies again, or another pod leads");
}

/* No member of this cluster sends such a term. */
static void log_term_leap(const struct supervisor *supervisor)
{
    static struct log_limit limit = {.period_ns = NS_PER_SEC};
    uint64_t suppressed;

    if (log_limit_pass(&limit, LOG_LEVEL_ERROR, clock_now_ns(), &suppressed))
        log_error("term_leap",
                  "rejected a term more than %d above the highest seen, %" PRIu64
                  ": another cluster with this name, or forged (%" PRIu64 " more)",
                  ELECTION_TERM_LEAP, supervisor->election.seen_term, suppressed);
}

static void count_evidence(struct supervisor *supervisor, const struct election_counts *before)
{
    const struct election_counts *now = &supervisor->election.counts;

    counters_add(&supervisor->counters, COUNTER_EVIDENCE_TOLD,
                 now->evidence_told - before->evidence_told);
    counters_add(&supervisor->counters, COUNTER_HINT_MEMBER, now->hints_told - before->hints_told);
    counters_add(&supervisor->counters, COUNTER_HINT_CONNECTION,
                 now->hints_closed - before->hints_closed);
}

void supervisor_feed_election(struct supervisor *supervisor, const struct election_event *event)
{
    enum election_state before = supervisor->election.state;
    struct election_counts counts = supervisor->election.counts;

    if (before == ELECTION_OUT || address_is_set(&supervisor->outside))
        return;
    election_step(&supervisor->election, event, clock_now_ns(), &supervisor->actions);
    if (supervisor->election.state != before)
        log_state(supervisor, before);
    if (supervisor->election.counts.leaps_refused != counts.leaps_refused)
        log_term_leap(supervisor);
    count_evidence(supervisor, &counts);
    supervisor_execute(supervisor);
}

void supervisor_feed(struct supervisor *supervisor, const struct election_event *event)
{
    supervisor_feed_election(supervisor, event);
    supervisor_run_lease(supervisor);
}
