#include "headless/control/supervisor.h"

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "supervisor_internal.h"

#define PEER_BATCH 64 /* a slice */

/* ---- other pods ---- */

/* Without a key only addresses tell who may speak: members, and whom the configuration or DNS
 * names. */
static bool is_known(struct supervisor *supervisor, const struct address *from)
{
    const struct election *e = &supervisor->election;

    for (uint16_t i = 0; i < e->list.count; i++) {
        if (address_equal_ip(&e->list.members[i].address, from))
            return true;
    }
    if (supervisor->transport.has_keys &&
        handshake_find_address(&supervisor->transport.handshake, from))
        return true; /* it has proved to have a key */
    for (uint32_t i = 0; i < e->known_peer_count; i++) {
        if (address_equal_ip(&e->known_peers[i].member.address, from))
            return true;
    }
    return false;
}

/* What a heartbeat says to the driver. */
static void learn_from_heartbeat(struct supervisor *supervisor,
                                 const struct election_message *message)
{
    if (message->from != supervisor->facts.leader)
        return;
    roster_confirm(&supervisor->roster, message->from, message->received);
    if (supervisor->facts.rcvbuf_bytes != message->rcvbuf_bytes) {
        supervisor->facts.rcvbuf_bytes = message->rcvbuf_bytes;
        supervisor_publish_again(supervisor);
    }
}

static void feel_pulse(struct supervisor *supervisor, const struct election_message *message)
{
    uint16_t slot = roster_slot(&supervisor->roster, message->from);
    uint64_t rtt_ns;

    if (pulse_hear(&supervisor->pulse, slot, message, clock_now_ns(), &rtt_ns))
        counters_observe(&supervisor->counters, DISTRIBUTION_HEARTBEAT, rtt_ns);
}

static void take_message(struct supervisor *supervisor, const struct election_message *message,
                         const struct election_member *members, const struct address *from)
{
    const struct election_event event = {
        .type = ELECTION_MESSAGE, .message = message, .members = members, .from = *from};

    if (!is_known(supervisor, from)) {
        counters_add(&supervisor->counters, COUNTER_PEER_STRANGER, 1);
        if (message->type == ELECTION_DISCOVER)
            discovery_look(&supervisor->discovery); /* it may be new: DNS will tell */
        return;
    }
    key_watch_verify(&supervisor->key_watch, from);
    feel_pulse(supervisor, message);
    supervisor_feed(supervisor, &event);
    if (message->type == ELECTION_HEARTBEAT)
        learn_from_heartbeat(supervisor, message);
    supervisor_compare_order(supervisor, message);
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
            take_message(supervisor, &message, members, &from);
        else if (result == PEER_TRANSPORT_HANDSHAKE)
            key_watch_verify(&supervisor->key_watch, &from);
        else if (result == PEER_TRANSPORT_UNVERIFIED && is_known(supervisor, &from))
            supervisor_doubt(supervisor, &from);
    }
    return n;
}

static void hear_refusal(struct supervisor *supervisor, uint64_t instance)
{
    const struct election_event event = {.type = ELECTION_REFUSED, .instance = instance};

    counters_add(&supervisor->counters, COUNTER_PEER_REFUSED, 1);
    supervisor_feed(supervisor, &event);
}

static size_t take_refusals(struct supervisor *supervisor)
{
    uint64_t instance;
    size_t n = 0;

    for (; n < PEER_BATCH && peer_transport_take_refusal(&supervisor->transport, &instance); n++) {
        if (instance)
            hear_refusal(supervisor, instance);
    }
    while (data_plane_take_refusal(supervisor->data_plane, &instance)) {
        hear_refusal(supervisor, instance);
        n++;
    }
    return n;
}

/* ---- who may be there ---- */

void supervisor_tell_candidates(struct supervisor *supervisor)
{
    const struct config *config = supervisor->config;
    struct address list[CONFIG_PEERS_MAX + DISCOVERY_MAX];
    struct election_event event = {.type = ELECTION_CANDIDATES, .candidates = list};

    for (size_t i = 0; i < config->peers.count; i++)
        list[event.candidate_count++] = address_with_port(config->peers.list[i].address, 0);
    event.candidate_count += discovery_take(&supervisor->discovery, &list[event.candidate_count]);
    event.is_blind = config->discovery_dns[0] && !discovery_is_known(&supervisor->discovery);
    supervisor_feed(supervisor, &event);
}

/* ---- our own state ---- */

static void watch_app(struct supervisor *supervisor)
{
    bool is_up = data_plane_app_is_up(supervisor->data_plane);

    if (is_up == supervisor->is_app_up)
        return;
    supervisor->is_app_up = is_up;
    if (is_up)
        log_info("app_up", "the app takes datagrams again");
    else
        log_warn("app_down", "the app refuses datagrams (app.target)");
    supervisor_feed(supervisor, &(struct election_event){.type = ELECTION_APP, .is_up = is_up});
}

/*
 * A pod whose data threads are stuck must not lead. That their loops have not turned may only mean
 * that the whole process was paused: so they are looked at twice, with time in between for them.
 */
static void watch_progress(struct supervisor *supervisor, uint64_t now_ns)
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

/* ---- the main thread's wishes ---- */

static bool has_reload(struct supervisor *supervisor)
{
    bool has;

    (void)pthread_mutex_lock(&supervisor->reload_lock);
    has = supervisor->has_reload;
    (void)pthread_mutex_unlock(&supervisor->reload_lock);
    return has;
}

static void take_reload(struct supervisor *supervisor)
{
    const enum config_control accepted = supervisor->settings.control_accept;

    (void)pthread_mutex_lock(&supervisor->reload_lock);
    supervisor->settings = supervisor->reloaded;
    supervisor->has_reload = false;
    (void)pthread_mutex_unlock(&supervisor->reload_lock);
    supervisor->facts.settings++;
    supervisor->told.is_leader_unknown = false;
    supervisor_choose_key(supervisor, &supervisor->facts);
    supervisor_publish_again(supervisor);
    if (supervisor->settings.control_accept != accepted)
        supervisor_warn_of_open_commands(supervisor);
    /*
     * A changed leader in the file is a command only when its generation grew: above what anybody
     * has told of, for the same file reaches some pods later than others, and later commands.
     */
    if (supervisor->settings.leader_generation > supervisor->election.generation)
        supervisor_obey_settings(supervisor);
    supervisor_compare_leader(supervisor);
}

static void take_wishes(struct supervisor *supervisor)
{
    unsigned wishes = atomic_exchange_explicit(&supervisor->wishes, 0, memory_order_seq_cst);

    if (wishes & SUPERVISOR_RESIGN)
        supervisor_feed(supervisor, &(struct election_event){.type = ELECTION_STOP});
    if (wishes & SUPERVISOR_LEAVE)
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
    size_t done =
        take_refusals(supervisor); /* before the reads, which would report them as errors */

    done += read_peers(supervisor);
    if (discovery_is_news(&supervisor->discovery)) {
        supervisor_tell_candidates(supervisor);
        done++;
    }
    if (has_reload(supervisor))
        take_reload(supervisor);
    if (supervisor->is_unpublished)
        supervisor_publish_again(supervisor);
    watch_app(supervisor);
    watch_progress(supervisor, now_ns);
    supervisor_watch_keys(supervisor, now_ns);
    take_wishes(supervisor);
    done += supervisor_take_commands(supervisor);
    if (clock_now_ns() >= supervisor->election.deadline_ns)
        supervisor_feed(supervisor, &(struct election_event){.type = ELECTION_TICK});
    discovery_hurry(&supervisor->discovery, is_leaderless(supervisor, now_ns));
    supervisor_tell_waiting(supervisor, now_ns);
    supervisor_tell(supervisor);
    return done;
}

static bool has_input(struct supervisor *supervisor)
{
    if (supervisor->is_unpublished)
        return false; /* commands wait for it, and it is tried again in a millisecond */
    return data_plane_has_command(supervisor->data_plane) ||
           atomic_load_explicit(&supervisor->wishes, memory_order_seq_cst) ||
           has_reload(supervisor) || discovery_is_news(&supervisor->discovery) ||
           data_plane_has_refusal(supervisor->data_plane) ||
           data_plane_app_is_up(supervisor->data_plane) != supervisor->is_app_up;
}

/* The kernel counts as clock_now_ns does: also while the machine is suspended. */
static void set_timer(struct supervisor *supervisor)
{
    uint64_t at_ns = supervisor->election.deadline_ns;
    struct itimerspec when = {0};

    if (at_ns == supervisor->timer_ns || at_ns == UINT64_MAX)
        return;
    supervisor->timer_ns = at_ns;
    when.it_value = clock_to_timespec(at_ns);
    (void)timerfd_settime(supervisor->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void supervisor_idle(void *self)
{
    struct supervisor *supervisor = self;
    int timeout_ms = supervisor->is_unpublished ? 1 : (int)(AGENT_IDLE_MAX_NS / NS_PER_MS);
    struct epoll_event events[4];
    uint64_t expirations;

    set_timer(supervisor);
    waker_prepare(&supervisor->waker);
    if (has_input(supervisor)) {
        waker_cancel(&supervisor->waker);
        return;
    }
    (void)epoll_wait(supervisor->epoll_fd, events, 4, timeout_ms);
    (void)!read(supervisor->timer_fd, &expirations, sizeof(expirations));
    waker_awake(&supervisor->waker);
}

const struct agent_ops supervisor_agent_ops = {.do_work = supervisor_do_work,
                                               .idle = supervisor_idle};
