/*
 * Leader commands, leaving the list, and force.
 *
 * A command makes the leader step down in favour of the target, which asks for that itself; its
 * result is known with the next claim. Of a signed command the target is told by the supervisor
 * (supervisor_nominate.c), and only the target's request moves the leader. An instance that stops steps down at once and leaves the
 * list later, when its data plane has drained.
 */
#include "election_internal.h"

#define RESULT_WITHIN_NS (3 * NS_PER_SEC)

/* ---- commands ---- */

static bool is_target_alive(const struct election *e, uint16_t index)
{
    if (index == e->self_index)
        return true;
    if (e->state == ELECTION_LEADER)
        return election_may_be_alive(e, index);
    if (election_hears_leader(e))
        return election_bit(e->live, index);
    return e->list.members[index].instance != e->leader; /* no leader reports it */
}

static void send_transfer(struct election *e, uint64_t target)
{
    struct election_message m = election_make(e, ELECTION_TRANSFER);
    uint16_t index = election_find(e, target);

    m.leader = target;
    if (e->leader != election_self(e))
        election_send(e, &e->leader_address, e->leader, &m);
    if (target != election_self(e) && index != ELECTION_NOT_FOUND)
        election_send(e, &e->list.members[index].address, target, &m);
}

/* We are the target: ask the leader to step down; if it is silent, stand for election. */
static void accept_transfer(struct election *e)
{
    bool member = e->state == ELECTION_FOLLOWER || e->state == ELECTION_SUSPECT;

    if (!e->config.self.is_eligible || (!member && e->state != ELECTION_CANDIDATE))
        return;
    e->transfer_term = e->term;
    e->transfer_until_ns = e->now_ns + RESULT_WITHIN_NS;
    e->transfer_since_ns = e->now_ns;
}

static void pursue_transfer(struct election *e)
{
    bool late = e->now_ns >= e->heard_ns + e->interval_ns * 3 / 2 || !election_hears_leader(e);

    if (e->now_ns >= e->transfer_until_ns || e->term != e->transfer_term ||
        (e->state != ELECTION_FOLLOWER && e->state != ELECTION_SUSPECT))
        return;
    if (late && e->now_ns >= e->transfer_since_ns + 2 * e->interval_ns) {
        election_enter(e, ELECTION_CANDIDATE, ELECTION_BY_COMMAND);
        election_campaign_start(e, ELECTION_STAGE_PREVOTE, ELECTION_BY_COMMAND, 0);
        return;
    }
    if (e->now_ns >= e->transfer_sent_ns + e->interval_ns) {
        e->transfer_sent_ns = e->now_ns;
        send_transfer(e, election_self(e));
    }
    election_wake_at(e, e->transfer_sent_ns + e->interval_ns);
}

static void transfer_to(struct election *e, uint64_t target)
{
    uint16_t index = election_find(e, target);

    /* A target that has just started may not succeed yet; it asks again. */
    if (e->state == ELECTION_LEADER && index != ELECTION_NOT_FOUND &&
        election_may_succeed(e, index))
        election_step_down(e, target, ELECTION_BY_COMMAND);
}

void election_hear_transfer(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;

    if (m->term != e->term)
        return; /* of an earlier term: that command has its result already */
    if (m->leader == election_self(e))
        accept_transfer(e);
    else
        transfer_to(e, m->leader);
}

static void add_command(struct election *e, const struct election_event *event)
{
    if (e->command_count == ELECTION_COMMANDS_MAX) {
        election_result(e, event->token, ELECTION_NO_QUORUM);
        return;
    }
    e->commands[e->command_count++] =
        (struct election_pending){.token = event->token,
                                  .target = event->instance,
                                  .term = e->term,
                                  .until_ns = e->now_ns + RESULT_WITHIN_NS};
}

void election_command(struct election *e, const struct election_event *event)
{
    uint16_t index = election_find(e, event->instance);

    e->generation = election_max(e->generation, event->generation);
    if (event->instance == e->leader &&
        (e->state == ELECTION_LEADER ? e->now_ns < e->valid_until_ns : election_hears_leader(e))) {
        /* A repeated command is done, whatever if_term says. */
        election_result(e, event->token, ELECTION_OK);
    } else if (event->if_term && event->if_term != e->term) {
        election_result(e, event->token, ELECTION_BAD_TERM);
    } else if (index == ELECTION_NOT_FOUND) {
        election_result(e, event->token, ELECTION_NO_MEMBER);
    } else if (!e->list.members[index].is_eligible) {
        election_result(e, event->token, ELECTION_NOT_ELIGIBLE);
    } else if (!is_target_alive(e, index)) {
        election_result(e, event->token, ELECTION_NOT_ALIVE);
    } else if (event->is_nominated) {
        add_command(e, event);
    } else {
        add_command(e, event);
        transfer_to(e, event->instance);
        if (e->state == ELECTION_STEPPING_DOWN)
            return;
        send_transfer(e, event->instance);
        if (event->instance == election_self(e))
            accept_transfer(e);
    }
}

/* The next claim decides the result. False: not known yet. */
static bool finish_command(struct election *e, const struct election_pending *command)
{
    bool leads = e->leader && (e->leader != election_self(e) || e->state == ELECTION_LEADER);

    if (e->term > command->term && leads)
        election_result(e, command->token,
                        e->leader == command->target ? ELECTION_OK : ELECTION_BAD_TERM);
    else if (e->now_ns >= command->until_ns)
        election_result(e, command->token, ELECTION_NO_QUORUM);
    else
        return false;
    return true;
}

/* ---- stopping ---- */

/* A leader without a possible successor goes on leading, and tries again with each heartbeat. */
void election_stop(struct election *e)
{
    e->is_stopping = true;
    election_step_down_to_successor(e, ELECTION_BY_STOP);
}

void election_quit(struct election *e)
{
    if (e->is_leaving)
        return;
    election_stop(e);
    e->is_leaving = true;
    e->stop_ns = e->now_ns + 3 * e->detection_ns;
    e->leave_ns = 0;
}

void election_hear_leave(struct election *e, const struct election_event *event)
{
    uint16_t index = election_find(e, event->message->from);
    struct election_message go = election_make(e, ELECTION_LEAVE);

    if (e->is_leaving && event->message->from == e->leader) {
        election_campaign_stop(e);
        election_enter(e, ELECTION_OUT, ELECTION_BY_STOP);
        return;
    }
    if (e->state != ELECTION_LEADER || index == ELECTION_NOT_FOUND)
        return;
    if (election_is_list_at_minimum(e)) { /* it may leave, and its row stays */
        election_send(e, &event->from, event->message->from, &go);
        e->peers[index].has_left = true;
        return;
    }
    election_request_change(e, &(struct election_change){.type = ELECTION_REMOVE,
                                                         .is_graceful = true,
                                                         .member = e->list.members[index]});
    election_run_changes(e);
}

/* A live eligible member will succeed as soon as it may, or it leaves as well and needs a leader to
 * remove it. */
static bool is_leader_needed(const struct election *e)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        if (i != e->self_index && e->list.members[i].is_eligible && !e->peers[i].has_left &&
            election_may_be_alive(e, i))
            return true;
    }
    return false;
}

/* A follower asks the leader to remove it; an instance that stepped down waits for the next
 * leader. */
static void leave_tick(struct election *e)
{
    struct election_message leave = election_make(e, ELECTION_LEAVE);

    if (!election_is_member(e) || e->now_ns >= e->stop_ns ||
        (e->state == ELECTION_LEADER && !is_leader_needed(e))) {
        if (e->state == ELECTION_LEADER)
            election_lead_end(e);
        election_campaign_stop(e);
        election_enter(e, ELECTION_OUT, ELECTION_BY_STOP);
        return;
    }
    if (e->now_ns >= e->leave_ns &&
        (e->state == ELECTION_FOLLOWER || e->state == ELECTION_SUSPECT)) {
        election_send(e, &e->leader_address, e->leader, &leave);
        e->leave_ns = e->now_ns + e->interval_ns / 2;
    }
    if (e->leave_ns > e->now_ns)
        election_wake_at(e, e->leave_ns);
    election_wake_at(e, e->stop_ns);
}

/* ---- time ---- */

static void step_down_tick(struct election *e)
{
    if (e->now_ns < e->stepping_down_until_ns)
        election_wake_at(e, e->stepping_down_until_ns);
    else
        election_enter(e, ELECTION_FOLLOWER, ELECTION_BY_LIMIT);
}

void election_command_tick(struct election *e)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < e->command_count; i++) {
        if (finish_command(e, &e->commands[i]))
            continue;
        election_wake_at(e, e->commands[i].until_ns);
        e->commands[kept++] = e->commands[i];
    }
    e->command_count = kept;
    if (e->state == ELECTION_STEPPING_DOWN)
        step_down_tick(e);
    if (e->transfer_until_ns)
        pursue_transfer(e);
    if (e->is_leaving && e->state != ELECTION_OUT)
        leave_tick(e);
}

/* ---- force: documented as unsafe; removes every member that does not reply from the list ---- */

void election_force(struct election *e)
{
    if (e->state != ELECTION_ISOLATED && e->state != ELECTION_CANDIDATE &&
        e->state != ELECTION_SUSPECT && (e->state != ELECTION_JOINING || !election_draft_list(e)))
        return;
    for (uint16_t i = e->list.count; i-- > 0;) {
        bool silent = !e->peers[i].heard_ns || e->now_ns > e->peers[i].heard_ns + e->detection_ns;
        size_t after = (size_t)e->list.count - i - 1;

        if (i == e->self_index || !silent)
            continue;
        memmove(&e->list.members[i], &e->list.members[i + 1], after * sizeof(e->list.members[0]));
        memmove(&e->peers[i], &e->peers[i + 1], after * sizeof(e->peers[0]));
        e->list.count--;
        e->self_index = election_find(e, election_self(e));
    }
    e->list.wants_majority = false;
    e->list.is_forced = true;
    e->list.floor = 0;
    election_campaign_stop(e);
    e->campaign.flags = ELECTION_FLAG_TERM_SKIPPED;
    e->seen_term += ELECTION_TERM_SKIP;
    e->term = e->voted_term = e->seen_term;
    e->voted_for = e->leader = election_self(e);
    e->leader_address = e->config.self.address;
    e->claim_cause = ELECTION_BY_FORCE;
    e->is_term_skipped = true;
    election_former_end(e);
    election_enter(e, ELECTION_LEADER, ELECTION_BY_FORCE);
    election_lead_begin(e);
}
