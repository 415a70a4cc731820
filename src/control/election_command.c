#include "election_internal.h"

#define OUTCOME_WITHIN_NS (3 * NS_PER_SEC)

/* ---- commands ---- */

static bool is_alive(const struct election *e, uint16_t index)
{
    if (index == e->self_index)
        return true;
    if (e->state == ELECTION_LEADER)
        return election_may_be_alive(e, index);
    if (election_hears_leader(e))
        return election_bit(e->live, index);
    return e->list.members[index].instance != e->leader; /* nobody knows better */
}

static void tell_to_hand_over(struct election *e, uint64_t target)
{
    struct election_message m = election_make(e, ELECTION_TRANSFER);
    uint16_t index = election_find(e, target);

    m.leader = target;
    if (e->leader != election_self(e))
        election_send(e, &e->leader_address, e->leader, &m);
    if (target != election_self(e) && index != ELECTION_NOT_FOUND)
        election_send(e, &e->list.members[index].address, target, &m);
}

/* We are the target. The leader is told until it gives way; who cannot be reached is waited out. */
static void want_to_lead(struct election *e)
{
    bool member = e->state == ELECTION_FOLLOWER || e->state == ELECTION_SUSPECT;

    if (!e->config.self.is_eligible || (!member && e->state != ELECTION_CANDIDATE))
        return;
    e->wanted_term = e->term;
    e->wanted_until_ns = e->now_ns + OUTCOME_WITHIN_NS;
    e->wanted_ns = e->now_ns;
}

static void press(struct election *e)
{
    bool late = e->now_ns >= e->heard_ns + e->interval_ns * 3 / 2 || !election_hears_leader(e);

    if (e->now_ns >= e->wanted_until_ns || e->term != e->wanted_term ||
        (e->state != ELECTION_FOLLOWER && e->state != ELECTION_SUSPECT))
        return;
    if (late && e->now_ns >= e->wanted_ns + 2 * e->interval_ns) {
        election_enter(e, ELECTION_CANDIDATE, ELECTION_BY_COMMAND);
        election_campaign_start(e, ELECTION_STAGE_PREVOTE, ELECTION_BY_COMMAND, 0);
        return;
    }
    if (e->now_ns >= e->pressed_ns + e->interval_ns) {
        e->pressed_ns = e->now_ns;
        tell_to_hand_over(e, election_self(e));
    }
    election_wake_at(e, e->pressed_ns + e->interval_ns);
}

static void hand_over(struct election *e, uint64_t target)
{
    uint16_t index = election_find(e, target);

    /* Who is not willing yet, for it has just started, asks again. */
    if (e->state == ELECTION_LEADER && index != ELECTION_NOT_FOUND && election_is_willing(e, index))
        election_resign(e, target, ELECTION_BY_COMMAND);
}

void election_hear_hand_over(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;

    if (m->term != e->term)
        return; /* of a term that is over: that command has been overtaken */
    if (m->leader == election_self(e))
        want_to_lead(e);
    else
        hand_over(e, m->leader);
}

static void await(struct election *e, const struct election_event *event)
{
    if (e->command_count == ELECTION_COMMANDS_MAX) {
        election_result(e, event->token, ELECTION_NO_QUORUM);
        return;
    }
    e->commands[e->command_count++] =
        (struct election_pending){.token = event->token,
                                  .target = event->instance,
                                  .term = e->term,
                                  .until_ns = e->now_ns + OUTCOME_WITHIN_NS};
}

void election_command(struct election *e, const struct election_event *event)
{
    uint16_t index = election_find(e, event->instance);

    e->generation = election_max(e->generation, event->generation);
    if (event->instance == e->leader &&
        (e->state == ELECTION_LEADER ? e->now_ns < e->valid_until_ns : election_hears_leader(e))) {
        /* Whatever its condition: a command that is repeated finds it done. */
        election_result(e, event->token, ELECTION_OK);
    } else if (event->if_term && event->if_term != e->term) {
        election_result(e, event->token, ELECTION_BAD_TERM);
    } else if (index == ELECTION_NOT_FOUND || !e->list.members[index].is_eligible ||
               !is_alive(e, index)) {
        election_result(e, event->token, ELECTION_NO_MEMBER);
    } else {
        await(e, event);
        hand_over(e, event->instance);
        if (e->state == ELECTION_RESIGNING)
            return;
        tell_to_hand_over(e, event->instance);
        if (event->instance == election_self(e))
            want_to_lead(e);
    }
}

/* The outcome is the next claim: the target's, or another's. */
static bool is_list_committed(struct election *e, const struct election_pending *command)
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

/* A leader that finds nobody to take over goes on, and looks again with each heartbeat. */
void election_stop(struct election *e)
{
    e->is_stopping = true;
    election_give_way(e, ELECTION_BY_STOP);
}

void election_quit(struct election *e)
{
    if (e->is_leaving)
        return;
    election_stop(e);
    e->is_leaving = true;
    e->stop_ns = e->now_ns + 3 * e->detection_ns;
    e->leave_ns = 0;
    if (e->state == ELECTION_LEADER)
        election_enter(e, ELECTION_OUT, ELECTION_BY_STOP);
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
    if (election_keeps_entries(e)) { /* it may go: its entry waits for it */
        election_send(e, &event->from, event->message->from, &go);
        return;
    }
    election_request_change(e, ELECTION_REMOVE, true, &e->list.members[index]);
    election_run_changes(e);
}

/* A follower leaves the list before it goes; who resigned, once there is another leader. */
static void stop_tick(struct election *e)
{
    struct election_message leave = election_make(e, ELECTION_LEAVE);

    if (!election_is_member(e) || e->now_ns >= e->stop_ns) {
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

static void resign_tick(struct election *e)
{
    if (e->now_ns < e->resign_ns)
        election_wake_at(e, e->resign_ns);
    else
        election_enter(e, ELECTION_FOLLOWER, ELECTION_BY_LIMIT);
}

void election_command_tick(struct election *e)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < e->command_count; i++) {
        if (is_list_committed(e, &e->commands[i]))
            continue;
        election_wake_at(e, e->commands[i].until_ns);
        e->commands[kept++] = e->commands[i];
    }
    e->command_count = kept;
    if (e->state == ELECTION_RESIGNING)
        resign_tick(e);
    if (e->wanted_until_ns)
        press(e);
    if (e->is_leaving && e->state != ELECTION_OUT)
        stop_tick(e);
}

/* ---- force: documented as unsafe; whoever does not reply now is no longer in the list ---- */

void election_force(struct election *e)
{
    if (e->state != ELECTION_ISOLATED && e->state != ELECTION_CANDIDATE &&
        e->state != ELECTION_SUSPECT && (e->state != ELECTION_JOINING || !election_draft_all(e)))
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
    election_enter(e, ELECTION_LEADER, ELECTION_BY_FORCE);
    election_lead_begin(e);
}
