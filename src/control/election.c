/*
 * The step: hands an event to the function that handles it, runs the timers of the state, and
 * publishes the result. Also the transition table, and what every other part uses.
 */
#include "election_internal.h"

#define HEALTH_MAX 8 /* intervals by which late timers delay our failure verdict, at most */

/* ---- the transition table; docs/election.md draws it ---- */

#define BY(cause)  (1u << ELECTION_BY_##cause)

static const uint32_t transitions[ELECTION_STATE_COUNT][ELECTION_STATE_COUNT] =
    {
        [ELECTION_JOINING] =
            {
                [ELECTION_FOLLOWER] = BY(LIST),
                [ELECTION_CANDIDATE] = BY(BOOTSTRAP),
                [ELECTION_LEADER] = BY(FORCE),
                [ELECTION_UNAUTHENTICATED] = BY(AUTH),
                [ELECTION_OUT] = BY(STOP),
            },
        [ELECTION_FOLLOWER] =
            {
                [ELECTION_SUSPECT] = BY(SILENCE) | BY(EVIDENCE),
                [ELECTION_CANDIDATE] = BY(STEP_DOWN) | BY(COMMAND),
                [ELECTION_JOINING] = BY(LIST) | BY(CLAIM),
                [ELECTION_OUT] = BY(STOP),
            },
        [ELECTION_SUSPECT] =
            {
                [ELECTION_FOLLOWER] = BY(CLAIM),
                [ELECTION_CANDIDATE] = BY(VERDICT) | BY(EVIDENCE) | BY(STEP_DOWN) | BY(COMMAND),
                [ELECTION_LEADER] = BY(FORCE),
                [ELECTION_JOINING] = BY(LIST) | BY(CLAIM),
                [ELECTION_UNAUTHENTICATED] = BY(AUTH),
                [ELECTION_OUT] = BY(STOP),
            },
        [ELECTION_CANDIDATE] =
            {
                [ELECTION_LEADER] = BY(VOTES) | BY(BOOTSTRAP) | BY(FORCE),
                [ELECTION_SEALING] = BY(VOTES) | BY(LEASE),
                [ELECTION_FOLLOWER] = BY(CLAIM),
                [ELECTION_SUSPECT] = BY(OWN_VOTE),
                [ELECTION_ISOLATED] = BY(NO_QUORUM),
                [ELECTION_JOINING] = BY(LIST) | BY(CLAIM) | BY(LIMIT) | BY(OWN_VOTE),
                [ELECTION_OUT] = BY(STOP),
            },
        [ELECTION_LEADER] =
            {
                [ELECTION_FOLLOWER] = BY(CLAIM) | BY(OWN_VOTE),
                [ELECTION_STEPPING_DOWN] = BY(STOP) | BY(COMMAND) | BY(APP) | BY(YIELD) | BY(LEASE),
                [ELECTION_ISOLATED] = BY(NO_QUORUM),
                [ELECTION_JOINING] = BY(CLAIM),
                [ELECTION_OUT] = BY(STOP),
            },
        [ELECTION_STEPPING_DOWN] =
            {
                [ELECTION_FOLLOWER] = BY(CLAIM) | BY(LIMIT),
                [ELECTION_JOINING] = BY(CLAIM) | BY(LIST),
                [ELECTION_OUT] = BY(STOP),
            },
        [ELECTION_ISOLATED] =
            {
                [ELECTION_FOLLOWER] = BY(CLAIM),
                [ELECTION_SUSPECT] = BY(OWN_VOTE),
                [ELECTION_CANDIDATE] = BY(QUORUM),
                [ELECTION_SEALING] = BY(VOTES) | BY(LEASE),
                [ELECTION_LEADER] = BY(FORCE),
                [ELECTION_JOINING] = BY(LIST) | BY(CLAIM),
                [ELECTION_OUT] = BY(STOP),
            },
        [ELECTION_UNAUTHENTICATED] =
            {
                [ELECTION_JOINING] = BY(AUTH),
                [ELECTION_SUSPECT] = BY(AUTH),
                [ELECTION_OUT] = BY(STOP),
            },
        [ELECTION_SEALING] =
            {
                [ELECTION_LEADER] = BY(VOTES) | BY(BOOTSTRAP),
                [ELECTION_CANDIDATE] = BY(LEASE),
                [ELECTION_FOLLOWER] = BY(CLAIM),
                [ELECTION_SUSPECT] = BY(OWN_VOTE),
                [ELECTION_JOINING] = BY(LIST) | BY(CLAIM) | BY(LEASE) | BY(OWN_VOTE),
                [ELECTION_OUT] = BY(STOP),
            },
};

bool election_allows(enum election_state from, enum election_state to, enum election_cause cause)
{
    return transitions[from][to] & 1u << cause;
}

void election_enter(struct election *e, enum election_state state, enum election_cause cause)
{
    if (e->state == state)
        return;
    if (!election_allows(e->state, state, cause)) {
        e->counts.forbidden_transitions++;
        e->forbidden = (uint16_t)(e->state << 12 | state << 8 | cause);
        return;
    }
    e->state = state;
    e->cause = cause;
    e->counts.transitions[state]++;
}

/* ---- functions that every part uses ---- */

void election_wake_at(struct election *e, uint64_t at_ns)
{
    e->deadline_ns = election_min(e->deadline_ns, at_ns);
}

uint64_t election_term_limit(const struct election *e)
{
    bool is_bound = e->term && e->state != ELECTION_ISOLATED;

    return is_bound ? e->seen_term + ELECTION_TERM_LEAP : ELECTION_TERM_MAX / 2;
}

bool election_note_term(struct election *e, uint64_t term)
{
    if (term <= e->seen_term)
        return true;
    if (term > election_term_limit(e)) {
        e->counts.leaps_refused++;
        return false;
    }
    e->seen_term = term;
    return true;
}

bool election_is_member(const struct election *e)
{
    return e->self_index < e->list.count;
}

bool election_has_list(const struct election *e)
{
    return e->list.count > 0 && e->list.id.term > 0;
}

/*
 * quorum: majority counts quorum.expect members at least, however many have left. Otherwise those
 * that left could return, find only each other, and form a second cluster.
 */
size_t election_needed_of(const struct election *e, uint16_t rows)
{
    size_t members = rows > e->list.floor ? rows : e->list.floor;

    if (e->config.has_lease) /* it counts instead of the expected members */
        return e->state == ELECTION_LEADER && e->lease.is_alone ? 1 : rows / 2u + 1;
    if (e->config.quorum == ELECTION_QUORUM_MAJORITY && members < e->config.expect &&
        !e->list.is_forced)
        members = e->config.expect;
    if (e->config.quorum == ELECTION_QUORUM_NONE ||
        (e->config.quorum == ELECTION_QUORUM_AUTO && !e->list.wants_majority))
        return 1;
    return members / 2 + 1;
}

size_t election_needed(const struct election *e)
{
    return election_needed_of(e, e->list.count);
}

/* ---- the step ---- */

void election_init(struct election *e, const struct election_config *config, uint64_t now_ns)
{
    uint64_t stored_term = config->stored_term <= ELECTION_TERM_MAX / 2 ? config->stored_term : 0;

    *e = (struct election){
        .config = *config,
        .state = ELECTION_JOINING,
        .now_ns = now_ns,
        .started_ns = now_ns,
        .deadline_ns = now_ns,
        .interval_ns = config->interval_ns,
        .detection_ns = config->interval_ns * config->misses,
        .seen_term = stored_term,
        .stored_term = stored_term,
        .generation = config->generation,
        .is_volatile = true,
        .is_app_up = true,
        .self_index = ELECTION_NOT_FOUND,
    };
    e->abstain_ns = now_ns + e->detection_ns;
}

typedef void hear_fn(struct election *e, const struct election_event *event);

static hear_fn *const hear[ELECTION_MESSAGE_COUNT] = {
    [ELECTION_DISCOVER] = election_hear_discover,
    [ELECTION_HELLO] = election_hear_hello,
    [ELECTION_HEARTBEAT] = election_hear_heartbeat,
    [ELECTION_ACK] = election_hear_ack,
    [ELECTION_LIST_REQUEST] = election_hear_list_request,
    [ELECTION_LIST_PAGE] = election_hear_list_page,
    [ELECTION_PROBE] = election_hear_probe,
    [ELECTION_ALIVE] = election_hear_alive,
    [ELECTION_PROBE_REQUEST] = election_hear_probe_request,
    [ELECTION_PROBE_REPORT] = election_hear_probe_report,
    [ELECTION_PREVOTE] = election_hear_vote_request,
    [ELECTION_PREVOTE_REPLY] = election_hear_vote_reply,
    [ELECTION_VOTE] = election_hear_vote_request,
    [ELECTION_VOTE_REPLY] = election_hear_vote_reply,
    [ELECTION_STEP_DOWN] = election_hear_step_down,
    [ELECTION_LEAVE] = election_hear_leave,
    [ELECTION_TRANSFER] = election_hear_transfer,
};

/*
 * The stored term is a hint. If the cluster was created again while this instance was away, it may
 * be so far above the cluster's terms that every member would reject its messages.
 */
static void forget_stale_hint(struct election *e, const struct election_message *m)
{
    uint64_t theirs = election_max(m->term, m->seen);

    if (!e->term && m->term && theirs < e->seen_term && e->seen_term - theirs > ELECTION_TERM_LEAP)
        e->seen_term = e->stored_term = theirs;
}

static void dispatch_message(struct election *e, const struct election_event *event)
{
    const struct election_message *m = event->message;
    uint16_t index;

    if (m->type >= ELECTION_MESSAGE_COUNT || !hear[m->type] || m->from == election_self(e) ||
        (m->to && m->to != election_self(e)))
        return;
    e->verified_ns = e->now_ns;
    if (m->from != e->leader)
        e->others_verified_ns = e->now_ns;
    index = election_find(e, m->from);
    if (index != ELECTION_NOT_FOUND)
        election_hear_member(e, index);
    e->generation = election_max(e->generation, m->generation);
    if (election_keep_apart(e, event))
        return;
    forget_stale_hint(e, m);
    hear[m->type](e, event);
}

static void dispatch_event(struct election *e, const struct election_event *event)
{
    switch (event->type) {
    case ELECTION_MESSAGE:
        dispatch_message(e, event);
        break;
    case ELECTION_CANDIDATES:
        election_set_candidates(e, event);
        break;
    case ELECTION_REFUSED:
        election_hear_refusal(e, event->instance);
        break;
    case ELECTION_CLOSED:
        election_hear_closed(e, event->instance);
        break;
    case ELECTION_CONNECT_REFUSED:
        election_hear_connect_refused(e, event->instance);
        break;
    case ELECTION_AUTH_FAILED:
        e->auth_failed_ns = e->now_ns;
        break;
    case ELECTION_APP:
        e->is_app_up = event->is_up;
        break;
    case ELECTION_COMMAND:
        election_command(e, event);
        break;
    case ELECTION_PROGRESS:
        e->is_stuck = !event->is_up;
        if (e->is_stuck)
            election_step_down_to_successor(e, ELECTION_BY_APP);
        break;
    case ELECTION_SESSIONS:
        election_set_sessions(e, event);
        break;
    case ELECTION_STOP:
        election_stop(e);
        break;
    case ELECTION_QUIT:
        election_quit(e);
        break;
    case ELECTION_FORCE:
        if (!e->config.has_lease)
            election_force(e);
        break;
    case ELECTION_LEASE:
        election_hear_lease(e, event->lease);
        break;
    case ELECTION_TICK:
    case ELECTION_EVENT_COUNT:
        break;
    }
}

/* Local health, as in Lifeguard: an instance whose own timers run late delays its failure
 * verdicts. */
static void measure_health(struct election *e)
{
    if (e->now_ns > e->deadline_ns + e->interval_ns / 2)
        e->health += e->health < HEALTH_MAX;
    else if (e->health)
        e->health--;
}

static void run_timers(struct election *e)
{
    switch (e->state) {
    case ELECTION_JOINING:
    case ELECTION_UNAUTHENTICATED:
        election_join_tick(e);
        break;
    case ELECTION_FOLLOWER:
    case ELECTION_SUSPECT:
        election_suspect_tick(e);
        break;
    case ELECTION_CANDIDATE:
    case ELECTION_SEALING:
    case ELECTION_ISOLATED:
        election_campaign_tick(e);
        break;
    case ELECTION_LEADER:
        election_campaign_tick(e);
        election_lead_tick(e);
        break;
    case ELECTION_STEPPING_DOWN:
    case ELECTION_OUT:
    case ELECTION_STATE_COUNT:
        break;
    }
    election_command_tick(e);
}

void election_step(struct election *e, const struct election_event *event, uint64_t now_ns,
                   struct election_actions *ret_actions)
{
    enum election_state before;

    ret_actions->count = 0;
    ret_actions->publishes = ret_actions->stores = false;
    if (e->state == ELECTION_OUT)
        return;
    e->now_ns = now_ns;
    e->out = ret_actions;
    if (event->type == ELECTION_TICK)
        measure_health(e);
    dispatch_event(e, event);
    do { /* a new state has timers of its own */
        before = e->state;
        e->deadline_ns = ELECTION_NEVER;
        run_timers(e);
        election_former_tick(e);
    } while (e->state != before);
    election_publish_leadership(e);
    e->out = NULL;
}
