/* The main thread's side: create, join, start, stop, and its requests in between. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "supervisor_internal.h"

#define COMMANDS_PER_SECOND 50
#define REFUSALS_PER_SECOND 10
#define TENURE_NS           (5 * NS_PER_SEC) /* a leader stays this long before it transfers the lead */
#define LEAVE_POLL_NS       (5 * NS_PER_MS)

/* ---- settings ---- */

static struct supervisor_settings settings_of(const struct supervisor *supervisor,
                                              const struct config *config)
{
    struct supervisor_settings settings = {
        .hold_time_ns = config->hold_time_ns,
        .app_idle_ns = config->app_idle_ns,
        .reply_grace_ns = config->reply_grace_ns,
        .app_down = config->app_down,
        .stay_ns = config->drain_sessions == CONFIG_SESSIONS_STAY ? config->drain_time_ns : 0,
        .ingress_filter = ingress_filter_make(config),
        .control_accept = config_control(config, supervisor->config),
        .control_allow = config->control_allow,
        .leader_generation = config->leader_generation,
        .keyring = supervisor->keys,
    };

    memcpy(settings.leader, config->leader, sizeof(settings.leader));
    return settings;
}

void supervisor_reload(struct supervisor *supervisor, const struct config *config)
{
    supervisor->reloaded[supervisor->reload.writer_index] = settings_of(supervisor, config);
    triple_buffer_publish(&supervisor->reload);
    waker_wake(&supervisor->waker);
}

/* ---- create ---- */

static int watch_fd(struct supervisor *supervisor, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(supervisor->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_sleep(struct supervisor *supervisor)
{
    int rc;

    supervisor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (supervisor->epoll_fd < 0)
        return -errno;
    supervisor->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (supervisor->timer_fd < 0)
        return -errno;
    rc = waker_init(&supervisor->waker, true);
    if (!rc)
        rc = watch_fd(supervisor, supervisor->waker.event_fd);
    if (!rc)
        rc = watch_fd(supervisor, supervisor->timer_fd);
    if (!rc)
        rc = watch_fd(supervisor, supervisor->transport.socket.fd);
    if (!rc && supervisor->liveness.fd >= 0)
        rc = watch_fd(supervisor, supervisor->liveness.fd);
    return rc;
}

/* Not fatal: the interface may come up later, or IPv6 may still check the address for duplicates. */
static void warn_of_self(const struct config *config)
{
    char text[ADDRESS_TEXT_MAX];

    if (!udp_is_here(&config->self))
        log_error(
            "self_elsewhere",
            "self (POD_IP) is %s, which is no address of this machine or pod, so nothing can be "
            "sent from it: take POD_IP from status.podIP, or omit it",
            address_format_ip(&config->self, text));
}

static struct supervisor *allocate_supervisor(void)
{
    struct supervisor *supervisor = aligned_alloc(_Alignof(struct supervisor), sizeof(*supervisor));

    if (supervisor)
        memset(supervisor, 0, sizeof(*supervisor));
    return supervisor;
}

static void init_supervisor(struct supervisor *supervisor, const struct config *config)
{
    supervisor->config = config;
    supervisor->epoll_fd = supervisor->timer_fd = supervisor->waker.event_fd = -1;
    supervisor->transport.socket.fd = supervisor->liveness.fd = -1;
    supervisor->is_app_up = supervisor->is_moving = true;
    supervisor->commands = budget_make(NS_PER_SEC / COMMANDS_PER_SECOND, COMMANDS_PER_SECOND);
    supervisor->refusals = budget_make(NS_PER_SEC / REFUSALS_PER_SECOND, REFUSALS_PER_SECOND);
    supervisor->unauthorized = budget_make(NS_PER_SEC / REFUSALS_PER_SECOND, REFUSALS_PER_SECOND);
    sign_seen_init(&supervisor->seen, clock_real_s());
    sign_seen_init(&supervisor->named, clock_real_s());
    triple_buffer_init(&supervisor->reload);
    triple_buffer_init(&supervisor->report.past);
    (void)pthread_mutex_init(&supervisor->report.readers_lock, NULL);
    peers_init(&supervisor->peers, config);
}

int supervisor_create(const struct config *config, struct supervisor_keys *keys,
                      struct supervisor **ret_supervisor)
{
    struct supervisor *supervisor = allocate_supervisor();
    int rc;

    if (!supervisor) {
        log_error("supervisor_failed", "no memory");
        return -ENOMEM;
    }
    init_supervisor(supervisor, config);
    warn_of_self(config);
    supervisor_warn_unsealed(config);
    (void)supervisor_take_keys(supervisor, keys);
    supervisor->settings = settings_of(supervisor, config);
    rc = peer_transport_open(&supervisor->transport, config, &supervisor->counters);
    if (!rc) {
        liveness_open(&supervisor->liveness, config, &supervisor->transport,
                      &supervisor->election.list);
        rc = open_sleep(supervisor);
        if (rc)
            log_error("supervisor_failed", "cannot set up epoll, timer or eventfd: %s",
                      strerror(-rc));
    }
    if (rc)
        supervisor_destroy(supervisor);
    else
        *ret_supervisor = supervisor;
    return rc;
}

/* ---- join ---- */

static bool is_peer(const struct config *config, const char *text)
{
    struct address ip;
    bool is_ip = address_parse_ip(text, &ip) == 0;

    if (supervisor_is_self(config, text))
        return true;
    for (size_t i = 0; i < config->peers.count; i++) {
        const struct config_peer *peer = &config->peers.list[i];

        if (is_ip ? address_equal_ip(&peer->address, &ip) : strcmp(peer->name, text) == 0)
            return true;
    }
    return false;
}

/* Formats without frames need no headlessd at the leader: an address that is no peer is outside. */
static bool find_outside(const struct config *config, struct address *ret_outside)
{
    return config->relay_format != CONFIG_RELAY_FRAMED && config->leader[0] &&
           !is_peer(config, config->leader) && address_parse(config->leader, 0, ret_outside) == 0;
}

static struct election_member member_of(const char *name, const struct address *address)
{
    struct election_member member = {.address = *address};

    (void)snprintf(member.name.text, sizeof(member.name.text), "%s", name);
    return member;
}

static struct election_member member_of_text(const char *text)
{
    struct election_member member = {0};

    if (address_parse_ip(text, &member.address))
        (void)snprintf(member.name.text, sizeof(member.name.text), "%s", text);
    return member;
}

/* The peers, this pod included. */
static uint16_t count_expected(const struct config *config)
{
    char self[ADDRESS_TEXT_MAX];

    if (config->quorum_expect)
        return (uint16_t)config->quorum_expect;
    for (size_t i = 0; i < config->peers.count; i++) {
        if (address_equal_ip(&config->peers.list[i].address, &config->self))
            return (uint16_t)config->peers.count;
    }
    (void)address_format_ip(&config->self, self);
    return (uint16_t)(config->peers.count + 1);
}

static void fill_election_config(const struct supervisor *supervisor, uint64_t stored_term,
                                 struct election_config *ret_config)
{
    static const enum election_quorum quorums[] = {
        [CONFIG_QUORUM_AUTO] = ELECTION_QUORUM_AUTO,
        [CONFIG_QUORUM_MAJORITY] = ELECTION_QUORUM_MAJORITY,
        [CONFIG_QUORUM_NONE] = ELECTION_QUORUM_NONE,
    };
    const struct config *config = supervisor->config;
    const struct address self = address_with_port(config->self, 0);

    *ret_config = (struct election_config){
        .self = member_of(config->name, &self),
        .interval_ns = config->heartbeat_interval_ns,
        .misses = config->heartbeat_misses,
        .quorum = quorums[config->quorum],
        .expect = count_expected(config),
        .on_refused_fast = config->failover_on_refused == CONFIG_REFUSED_FAST,
        .holds_on_step_down = config->route != CONFIG_ROUTE_LEADER,
        .is_discovering = config_is_discovering(config),
        .forget_ns = config->member_forget_ns,
        .tenure_ns = TENURE_NS,
        .stored_term = stored_term,
        .generation = config->leader_generation,
        .has_lease = config->election == CONFIG_ELECTION_LEASE,
        .leader = member_of_text(config->leader),
    };
    ret_config->self.instance = data_plane_identity(supervisor->data_plane)->instance;
    ret_config->self.is_eligible = config->eligible;
    for (size_t i = 0; i < config->leader_list.count; i++)
        ret_config->order[ret_config->order_count++] =
            member_of(config->leader_list.list[i].name, &config->leader_list.list[i].address);
}

_Static_assert(WORKERS_MAX <= HANDSHAKE_NONCE_SPACES_MAX, "each worker has a nonce space");

/* A handshake sends the data threads' nonce counters. */
static uint8_t collect_nonce_spaces(struct supervisor *supervisor)
{
    return (uint8_t)data_plane_nonce_spaces(supervisor->data_plane, supervisor->nonce_spaces);
}

int supervisor_join(struct supervisor *supervisor, struct data_plane *data_plane)
{
    const struct config *config = supervisor->config;
    static struct election_config election_config; /* large; election_init copies it */
    uint64_t stored_term;
    int rc;

    supervisor->data_plane = data_plane;
    peer_transport_set_identity(&supervisor->transport, data_plane_identity(data_plane));
    handshake_set_nonce_spaces(&supervisor->transport.handshake, supervisor->nonce_spaces,
                               collect_nonce_spaces(supervisor));
    handshake_set_keys(&supervisor->transport.handshake, &supervisor->settings.keyring);
    peers_set_data_plane(&supervisor->peers, data_plane);
    rc = store_open(config, &supervisor->store, &stored_term);
    if (rc) {
        log_error("supervisor_failed", "cannot start the thread of store: %s", strerror(-rc));
        return rc;
    }
    fill_election_config(supervisor, stored_term, &election_config);
    election_init(&supervisor->election, &election_config, clock_now_ns());
    supervisor_publish_again(supervisor); /* the configured members, before there is a list */
    if (find_outside(config, &supervisor->outside)) {
        supervisor->facts.kind = LEADER_OUTSIDE;
        liveness_close(&supervisor->liveness);
        supervisor_publish_again(supervisor);
        log_info(
            "leader_outside",
            "leader: %s is outside the cluster: all requests go there; it is neither elected nor "
            "monitored",
            config->leader);
        return 0;
    }
    if (config_is_discovering(config) && !config->quorum_expect && config->peers.count == 0)
        log_warn("quorum_expect_unset",
                 "%s without quorum.expect: a pod that does not learn of the others at once leads "
                 "alone; "
                 "set quorum.expect to the number of pods",
                 config->discovery_dns[0] ? "discovery.dns" : "discovery.kubernetes");
    if (config->quorum_expect > 1 && !config_is_discovering(config) && config->peers.count == 0)
        log_warn("others_unnamed",
                 "quorum.expect is %u, and neither discovery.dns, discovery.kubernetes nor peers "
                 "names the other pods: set discovery.dns to the name of their headless Service",
                 (unsigned)config->quorum_expect);
    if (config->leader[0] && !is_peer(config, config->leader) && !config_is_discovering(config)) {
        supervisor->logged.is_leader_unknown = true;
        log_warn(
            "leader_unknown",
            "leader: \"%s\" (leader, LEADER_IP) is not a member, another pod will lead: list it in "
            "peers, as ADDRESS or NAME=ADDRESS",
            config->leader);
    }
    supervisor_warn_open_commands(supervisor);
    supervisor_feed_candidates(supervisor);
    supervisor_update_report(supervisor);
    return 0;
}

/* ---- start and stop ---- */

int supervisor_use_platform(struct supervisor *supervisor, struct platform *platform)
{
    int rc =
        slice_watch_open(&supervisor->slices, supervisor->config, platform, &supervisor->waker);

    if (rc) {
        log_error("supervisor_failed", "cannot watch the slices of discovery.kubernetes: %s",
                  strerror(-rc));
        return rc;
    }
    rc = supervisor_open_lease(supervisor, platform);
    if (rc)
        log_error("supervisor_failed", "cannot watch the Lease: %s", strerror(-rc));
    return rc ? rc : supervisor_open_kubernetes(supervisor, platform);
}

int supervisor_start(struct supervisor *supervisor)
{
    int rc = discovery_start(&supervisor->discovery, supervisor->config, &supervisor->waker);

    supervisor_start_lease(supervisor);
    if (!rc)
        rc = agent_start(&supervisor->agent, "supervisor", &supervisor_agent_ops, supervisor);
    return rc;
}

const struct agent *supervisor_find_stalled(const struct supervisor *supervisor,
                                            struct progress *progress, uint64_t now_ns)
{
    const struct agent *self = &supervisor->agent;
    const struct agent *stalled = progress_find_stalled(progress, supervisor->data_plane, now_ns);

    if (agent_is_started(self) &&
        progress_is_stalled(progress, PROGRESS_OTHER, self, SUPERVISOR_STALL_NS, now_ns) &&
        !stalled)
        stalled = self;
    return stalled;
}

static void send_request(struct supervisor *supervisor, unsigned request)
{
    (void)atomic_fetch_or_explicit(&supervisor->requests, request, memory_order_seq_cst);
    waker_wake(&supervisor->waker);
}

void supervisor_step_down(struct supervisor *supervisor)
{
    send_request(supervisor, SUPERVISOR_STEP_DOWN);
}

void supervisor_stop(struct supervisor *supervisor)
{
    const struct timespec poll = clock_to_timespec(LEAVE_POLL_NS);
    const struct config *config = supervisor->config;
    uint64_t limit_ns =
        clock_now_ns() + 4 * config->heartbeat_interval_ns * config->heartbeat_misses;

    if (agent_is_started(&supervisor->agent) && !address_is_set(&supervisor->outside)) {
        send_request(supervisor, SUPERVISOR_LEAVE);
        while (supervisor_state(supervisor) != ELECTION_OUT && clock_now_ns() < limit_ns)
            (void)nanosleep(&poll, NULL);
        limit_ns = clock_now_ns() + config->lease_timeout_ns;
        while (supervisor_is_sealing(supervisor) && clock_now_ns() < limit_ns)
            (void)nanosleep(&poll, NULL);
    }
    agent_stop(&supervisor->agent, NULL);
    discovery_stop(&supervisor->discovery);
    supervisor_refuse_waiting(supervisor);
}

void supervisor_destroy(struct supervisor *supervisor)
{
    if (!supervisor)
        return;
    store_close(supervisor->store);
    slice_watch_close(&supervisor->slices);
    supervisor_close_lease(supervisor);
    supervisor_close_kubernetes(supervisor);
    keyring_wipe(&supervisor->keys);
    keyring_wipe(&supervisor->settings.keyring);
    for (size_t i = 0; i < TRIPLE_BUFFER_VERSIONS; i++)
        keyring_wipe(&supervisor->reloaded[i].keyring);
    waker_fini(&supervisor->waker);
    liveness_close(&supervisor->liveness);
    peer_transport_close(&supervisor->transport);
    if (supervisor->timer_fd >= 0)
        (void)close(supervisor->timer_fd);
    if (supervisor->epoll_fd >= 0)
        (void)close(supervisor->epoll_fd);
    (void)pthread_mutex_destroy(&supervisor->report.readers_lock);
    free(supervisor);
}
