/* The supervisor's thread: turns input into events, sleeps until the next deadline. */
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "supervisor_internal.h"

#define PEER_BATCH 64 /* messages per slice */

/* ---- other pods ---- */

/* Messages are accepted from addresses of members and of candidates that the configuration or DNS
 * names; with keys, also from addresses of pods that have proved to have one. */
static bool is_known_peer(struct supervisor *supervisor, const struct address *from)
{
    const struct election *e = &supervisor->election;

    for (uint16_t i = 0; i < e->list.count; i++) {
        if (address_equal_ip(&e->list.members[i].address, from))
            return true;
    }
    if (supervisor->transport.has_keys &&
        handshake_find_address(&supervisor->transport.handshake, from))
        return true;
    for (uint32_t i = 0; i < e->known_peer_count; i++) {
        if (address_equal_ip(&e->known_peers[i].member.address, from))
            return true;
    }
    return false;
}

/* Two fields of a heartbeat are for the supervisor, not for the election. */
static void learn_from_heartbeat(struct supervisor *supervisor,
                                 const struct election_message *message)
{
    if (message->from != supervisor->facts.leader)
        return;
    peers_confirm(&supervisor->peers, message->from, message->received);
    if (supervisor->facts.rcvbuf_bytes != message->rcvbuf_bytes) {
        supervisor->facts.rcvbuf_bytes = message->rcvbuf_bytes;
        supervisor_publish_again(supervisor);
    }
}

static void note_received(struct supervisor *supervisor, const struct election_message *message)
{
    uint64_t rtt_ns;

    if (peers_note_received(&supervisor->peers, message, clock_now_ns(), &rtt_ns))
        counters_observe(&supervisor->counters, DISTRIBUTION_HEARTBEAT, rtt_ns);
}

static void take_peer_message(struct supervisor *supervisor, const struct election_message *message,
                              const struct election_member *members, const struct address *from)
{
    const struct election_event event = {
        .type = ELECTION_MESSAGE, .message = message, .members = members, .from = *from};

    if (!is_known_peer(supervisor, from)) {
        counters_add(&supervisor->counters, COUNTER_PEER_STRANGER, 1);
        if (message->type == ELECTION_DISCOVER)
            discovery_request(&supervisor->discovery); /* a new pod, which DNS may name by now */
        return;
    }
    peers_auth_succeed(&supervisor->peers, from);
    supervisor_disprove_refusal(supervisor, message->from);
    if (message->type == ELECTION_NOMINATE) {
        supervisor_hear_nomination(supervisor, message, from);
        return;
    }
    note_received(supervisor, message);
    peers_learn_additions(&supervisor->peers, &supervisor->election.list, message);
    supervisor_feed(supervisor, &event);
    if (message->type == ELECTION_HEARTBEAT)
        learn_from_heartbeat(supervisor, message);
    supervisor_check_settings(supervisor, message);
    supervisor_check_election(supervisor);
}

static void note_verification(struct supervisor *supervisor, enum peer_transport_result result,
                              const struct address *from)
{
    bool is_handshake = result == PEER_TRANSPORT_HANDSHAKE;

    if (is_handshake && !handshake_other_keys_ns(&supervisor->transport.handshake, from))
        peers_auth_succeed(&supervisor->peers, from);
    else if ((is_handshake || result == PEER_TRANSPORT_UNVERIFIED) &&
             is_known_peer(supervisor, from))
        peers_auth_fail(&supervisor->peers, from, clock_now_ns());
}

static size_t read_peers(struct supervisor *supervisor)
{
    struct election_member members[ELECTION_PAGE];
    struct election_message message;
    struct address from;
    enum peer_transport_result result;
    size_t n;

    for (n = 0; n < PEER_BATCH; n++) {
        result = peer_transport_receive(&supervisor->transport, &message, members, &from);
        if (result == PEER_TRANSPORT_EMPTY)
            break;
        if (result == PEER_TRANSPORT_MESSAGE)
            take_peer_message(supervisor, &message, members, &from);
        else
            note_verification(supervisor, result, &from);
    }
    return n;
}

static size_t supervisor_take_refusals(struct supervisor *supervisor)
{
    uint64_t instance;
    size_t n = 0;

    for (; n < PEER_BATCH && peer_transport_take_refusal(&supervisor->transport, &instance); n++) {
        if (instance)
            supervisor_hear_refusal(supervisor, instance);
    }
    while (data_plane_take_refusal(supervisor->data_plane, &instance)) {
        supervisor_hear_refusal(supervisor, instance);
        n++;
    }
    return n;
}

/* The connection to the leader that this pod follows. */
static size_t run_liveness(struct supervisor *supervisor, uint64_t now_ns)
{
    static const enum election_event_type types[] = {
        [LIVENESS_CLOSED] = ELECTION_CLOSED, [LIVENESS_REFUSED] = ELECTION_CONNECT_REFUSED};
    const struct election *e = &supervisor->election;
    bool is_wanted = e->leader != supervisor->transport.instance && e->self_index < e->list.count &&
                     e->state != ELECTION_OUT;
    struct election_event event = {0};
    enum liveness_event what;
    size_t done;

    liveness_follow(&supervisor->liveness, is_wanted ? e->leader : 0, &e->leader_address);
    done = liveness_run(&supervisor->liveness, now_ns);
    what = liveness_take(&supervisor->liveness, &event.instance);
    if (what != LIVENESS_NOTHING) {
        event.type = types[what];
        supervisor_feed(supervisor, &event);
    }
    return done;
}

/* ---- our own state ---- */

static void check_app(struct supervisor *supervisor)
{
    bool is_up = data_plane_app_is_up(supervisor->data_plane);

    if (is_up == supervisor->is_app_up)
        return;
    supervisor->is_app_up = is_up;
    if (is_up)
        log_info("app_up", "the app counts as up again");
    else
        log_warn("app_down", "the app refuses datagrams or cannot be reached (app.target)");
    supervisor_feed(supervisor, &(struct election_event){.type = ELECTION_APP, .is_up = is_up});
}

/* Its app goes on with them after this pod has stepped down. */
static void check_sessions(struct supervisor *supervisor)
{
    struct election_event event = {.type = ELECTION_SESSIONS,
                                   .stay_ns = supervisor->settings.stay_ns};

    event.is_up = event.stay_ns && data_plane_has_sessions(supervisor->data_plane);
    if (event.is_up == supervisor->has_sessions && event.stay_ns == supervisor->stay_ns)
        return;
    supervisor->has_sessions = event.is_up;
    supervisor->stay_ns = event.stay_ns;
    supervisor_feed(supervisor, &event);
}

/*
 * A pod whose data threads are stuck must not lead. When no loop has run, the whole process may have
 * been paused: so a stall counts only if it is still there after PROGRESS_CHALLENGE_NS.
 */
static void check_progress(struct supervisor *supervisor, uint64_t now_ns)
{
    const struct agent *stalled =
        progress_find_stalled(&supervisor->progress, supervisor->data_plane, now_ns);
    bool is_moving = true;

    if (!stalled)
        supervisor->stalled_since_ns = 0;
    else if (!supervisor->stalled_since_ns)
        supervisor->stalled_since_ns = now_ns;
    else
        is_moving = now_ns < supervisor->stalled_since_ns + PROGRESS_CHALLENGE_NS;
    if (is_moving == supervisor->is_moving)
        return;
    supervisor->is_moving = is_moving;
    if (is_moving)
        log_info("threads_move", "all data threads make progress again");
    else
        log_error("threads_stuck", "%s makes no progress: this pod will not lead", stalled->name);
    supervisor_feed(supervisor,
                    &(struct election_event){.type = ELECTION_PROGRESS, .is_up = is_moving});
}

/* ---- requests of the main thread ---- */

static void take_reload(struct supervisor *supervisor)
{
    const enum config_control accepted = supervisor->settings.control_accept;

    if (!triple_buffer_take(&supervisor->reload))
        return;
    supervisor->settings = supervisor->reloaded[supervisor->reload.reader_index];
    supervisor->facts.settings++;
    supervisor->logged.is_leader_unknown = false;
    supervisor_choose_key(supervisor, &supervisor->facts);
    supervisor_publish_again(supervisor);
    if (supervisor->settings.control_accept != accepted)
        supervisor_warn_open_commands(supervisor);
    /*
     * A changed leader in the file is a command only when its generation is above the highest that
     * any pod has sent: the same file reaches some pods later than others, and later than commands.
     */
    if (supervisor->settings.leader_generation > supervisor->election.generation)
        supervisor_apply_wanted_leader(supervisor);
    supervisor_check_leader(supervisor);
}

static void feed_requests(struct supervisor *supervisor)
{
    unsigned requests = atomic_exchange_explicit(&supervisor->requests, 0, memory_order_seq_cst);

    if (requests & SUPERVISOR_STEP_DOWN)
        supervisor_feed(supervisor, &(struct election_event){.type = ELECTION_STOP});
    if (requests & SUPERVISOR_LEAVE)
        supervisor_feed(supervisor, &(struct election_event){.type = ELECTION_QUIT});
}

/* ---- the agent ---- */

static bool is_leaderless(const struct supervisor *supervisor, uint64_t now_ns)
{
    const struct leader_snapshot *snapshot =
        snapshot_current(data_plane_publisher(supervisor->data_plane));

    return snapshot->leader.kind == LEADER_NONE ||
           now_ns >= atomic_load_explicit(&snapshot->leader.valid_until_ns, memory_order_relaxed);
}

static size_t supervisor_do_work(void *self)
{
    struct supervisor *supervisor = self;
    uint64_t now_ns = clock_now_ns();
    size_t done;

    check_sessions(supervisor); /* before what makes this pod step down */
    done = read_peers(supervisor);
    /* After the messages: a heartbeat that arrived before the refusal does not refute it. */
    done += supervisor_take_refusals(supervisor);
    supervisor_check_refusal(supervisor);
    done += run_liveness(supervisor, now_ns);
    if (discovery_has_news(&supervisor->discovery) || slice_watch_has_news(&supervisor->slices)) {
        supervisor_feed_candidates(supervisor);
        done++;
    }
    take_reload(supervisor);
    if (supervisor->is_unpublished)
        supervisor_publish_again(supervisor);
    check_app(supervisor);
    check_progress(supervisor, now_ns);
    supervisor_check_keys(supervisor, now_ns);
    feed_requests(supervisor);
    done += supervisor_take_commands(supervisor);
    supervisor_repeat_nominations(supervisor, now_ns);
    done += supervisor_take_lease(supervisor, now_ns);
    if (clock_now_ns() >= supervisor->election.deadline_ns)
        supervisor_feed(supervisor, &(struct election_event){.type = ELECTION_TICK});
    discovery_set_fast(&supervisor->discovery, is_leaderless(supervisor, now_ns));
    supervisor_run_kubernetes(supervisor, now_ns);
    supervisor_check_apps(supervisor, now_ns);
    supervisor_log_leaderless(supervisor, now_ns);
    supervisor_log_virtual(supervisor, now_ns);
    supervisor_check_names(supervisor, now_ns);
    supervisor_update_report(supervisor);
    atomic_store_explicit(&supervisor->report.ran_ns, clock_now_ns(), memory_order_relaxed);
    return done;
}

static bool supervisor_has_input(struct supervisor *supervisor)
{
    if (supervisor->is_unpublished)
        return false; /* commands wait until it is published; the next attempt is in 1 ms */
    return data_plane_has_command(supervisor->data_plane) ||
           atomic_load_explicit(&supervisor->requests, memory_order_seq_cst) ||
           triple_buffer_has_news(&supervisor->reload) ||
           discovery_has_news(&supervisor->discovery) ||
           slice_watch_has_news(&supervisor->slices) || supervisor_has_lease_news(supervisor) ||
           supervisor_has_kubernetes_news(supervisor) ||
           data_plane_has_refusal(supervisor->data_plane) ||
           data_plane_app_is_up(supervisor->data_plane) != supervisor->is_app_up;
}

/* CLOCK_BOOTTIME, as clock_now_ns: it also advances while the machine is suspended. */
static void set_timer(struct supervisor *supervisor)
{
    uint64_t at_ns = supervisor->election.deadline_ns;
    uint64_t lease_ns = supervisor_lease_deadline_ns(supervisor);
    struct itimerspec when = {0};

    if (lease_ns < at_ns)
        at_ns = lease_ns;
    if (at_ns == supervisor->timer_ns || at_ns == UINT64_MAX)
        return;
    supervisor->timer_ns = at_ns;
    when.it_value = clock_to_timespec(at_ns);
    (void)timerfd_settime(supervisor->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void supervisor_idle(void *self)
{
    struct supervisor *supervisor = self;
    bool is_short = supervisor->is_unpublished || supervisor->refusal.instance;
    int timeout_ms = is_short ? 1 : (int)(AGENT_IDLE_MAX_NS / NS_PER_MS);
    struct epoll_event events[4];
    uint64_t expirations;

    set_timer(supervisor);
    waker_prepare(&supervisor->waker);
    if (supervisor_has_input(supervisor)) {
        waker_cancel(&supervisor->waker);
        return;
    }
    (void)epoll_wait(supervisor->epoll_fd, events, 4, timeout_ms);
    (void)!read(supervisor->timer_fd, &expirations, sizeof(expirations));
    waker_awake(&supervisor->waker);
}

const struct agent_ops supervisor_agent_ops = {.do_work = supervisor_do_work,
                                               .idle = supervisor_idle};
