#include "headless/control/supervisor.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "headless/base/log.h"

#define COMMANDS_PER_SECOND 50
#define REFUSALS_PER_SECOND 10
#define PEER_BATCH          64

/* ---- the view ---- */

static enum view_leader leader_kind(const struct supervisor *supervisor)
{
    const struct claim *claim = &supervisor->claim;

    if (!address_is_set(&claim->leader))
        return VIEW_LEADER_NONE;
    if (claim->outside)
        return VIEW_LEADER_OUTSIDE;
    return address_equal_ip(&claim->leader, &supervisor->config->self) ? VIEW_LEADER_SELF
                                                                       : VIEW_LEADER_MEMBER;
}

/* Make the data threads see the claim. If no slot is free yet, the next slice tries again. */
static void publish(struct supervisor *supervisor)
{
    struct view_board *board = &supervisor->plane->board;
    const struct claim *claim = &supervisor->claim;
    struct view *draft = view_draft(board);

    supervisor->unpublished = draft == NULL;
    if (!draft)
        return;
    draft->term = claim->term;
    draft->kind = leader_kind(supervisor);
    draft->leader = claim->leader;
    memcpy(draft->leader_name, claim->name, sizeof(draft->leader_name));
    draft->cause = claim_cause_name(claim->cause);
    draft->previous_term = supervisor->previous_term;
    draft->previous_until_ns = supervisor->previous_until_ns;
    draft->hold_time_ns = supervisor->settings.hold_time_ns;
    draft->app_idle_ns = supervisor->settings.app_idle_ns;
    draft->accept_control = supervisor->settings.control_accept != CONFIG_CONTROL_NONE;
    view_publish(board, draft);
    plane_wake(supervisor->plane);
}

static void follow(struct supervisor *supervisor, const struct claim *claim)
{
    char before[ADDRESS_TEXT_MAX], after[ADDRESS_TEXT_MAX];

    if (!claim_supersedes(claim, &supervisor->claim))
        return;
    log_info("leader_changed", "leader %s (%s), term %llu, by %s; before: %s, term %llu",
             address_format_ip(&claim->leader, after), claim->name[0] ? claim->name : "unnamed",
             (unsigned long long)claim->term, claim_cause_name(claim->cause),
             address_format_ip(&supervisor->claim.leader, before),
             (unsigned long long)supervisor->claim.term);
    /* The old leader gave way on command: answers it has under way may still pass. */
    supervisor->previous_term = supervisor->claim.term;
    supervisor->previous_until_ns = clock_now_ns() + supervisor->settings.reply_grace_ns;
    supervisor->claim = *claim;
    publish(supervisor);
}

/* ---- commands ---- */

static void answer(struct supervisor *supervisor, const struct letter *letter, const char *text)
{
    size_t length = strlen(text);

    if (length <= letter->length)
        plane_send_answer(supervisor->plane, &letter->client, &letter->local, text, length);
}

static void refuse(struct supervisor *supervisor, const struct letter *letter, size_t counter,
                   const char *text)
{
    char client[ADDRESS_TEXT_MAX];

    counters_add(&supervisor->counters, counter, 1);
    if (!budget_take(&supervisor->refusals, clock_now_ns()))
        return;
    log_warn("command_refused", "leader \"%s\" asked for by %s: %.*s", letter->command.target,
             address_format(&letter->client, client), (int)strcspn(text, "\n"), text);
    answer(supervisor, letter, text);
}

static void confirm(struct supervisor *supervisor, const struct letter *letter)
{
    char text[32];

    counters_add(&supervisor->counters, COUNTER_CONTROL_OK, 1);
    (void)snprintf(text, sizeof(text), "ok %llu\n", (unsigned long long)supervisor->claim.term);
    answer(supervisor, letter, text);
}

static void carry_out(struct supervisor *supervisor, const struct letter *letter)
{
    struct claim claim;
    enum command_verdict verdict = command_decide(
        &letter->command, &letter->client, &supervisor->settings.control_allow, &supervisor->claim,
        view_current(&supervisor->plane->board), supervisor->plane->identity.instance, &claim);

    /* Only what may be done uses up the budget: who may not command must not silence who may. */
    if ((verdict == COMMAND_CLAIM || verdict == COMMAND_DONE) &&
        !budget_take(&supervisor->commands, clock_now_ns())) {
        counters_drop(&supervisor->counters, DROP_rate, 1);
        return;
    }
    switch (verdict) {
    case COMMAND_CLAIM:
        follow(supervisor, &claim);
        confirm(supervisor, letter);
        break;
    case COMMAND_DONE:
        confirm(supervisor, letter);
        break;
    case COMMAND_NO_MEMBER:
        refuse(supervisor, letter, COUNTER_CONTROL_NO_MEMBER, "no member\n");
        break;
    case COMMAND_NO_AUTH:
        refuse(supervisor, letter, COUNTER_CONTROL_NO_AUTH, "no auth\n");
        break;
    case COMMAND_BAD_TERM:
        refuse(supervisor, letter, COUNTER_CONTROL_BAD_TERM, "bad term\n");
        break;
    }
}

/* ---- settings ---- */

static struct supervisor_settings settings_of(const struct config *config)
{
    struct supervisor_settings settings = {
        .hold_time_ns = config->hold_time_ns,
        .app_idle_ns = config->app_idle_ns,
        .reply_grace_ns = config->reply_grace_ns,
        .control_accept = config->control_accept,
        .control_allow = config->control_allow,
        .leader_generation = config->leader_generation,
    };

    memcpy(settings.leader, config->leader, sizeof(settings.leader));
    return settings;
}

/* The claim that a configured leader makes; false when it names nobody that can lead. */
static bool configured_claim(const struct supervisor *supervisor, const char *leader,
                             struct claim *ret_claim)
{
    const struct view *view = view_current(&supervisor->plane->board);
    struct claim claim = {.term = supervisor->claim.term + 1,
                          .cause = CLAIM_YAML,
                          .issuer = supervisor->plane->identity.instance};
    const struct member *member = command_find_target(view, leader, &claim.rank);

    if (member) {
        claim.leader = member->address;
        memcpy(claim.name, member->name, sizeof(claim.name));
    } else if (supervisor->config->relay_format != CONFIG_RELAY_FRAMED &&
               address_parse(leader, 0, &claim.leader) == 0) {
        claim.outside = true;
    } else {
        log_warn("leader_unknown",
                 "leader: \"%s\" is not a member: list it in peers, as ADDRESS or NAME=ADDRESS",
                 leader);
        return false;
    }
    *ret_claim = claim;
    return true;
}

void supervisor_reload(struct supervisor *supervisor, const struct config *config)
{
    (void)pthread_mutex_lock(&supervisor->reload_lock);
    supervisor->reloaded = settings_of(config);
    supervisor->has_reload = true;
    (void)pthread_mutex_unlock(&supervisor->reload_lock);
    waker_wake(&supervisor->waker);
}

static bool take_reload(struct supervisor *supervisor)
{
    uint64_t generation = supervisor->settings.leader_generation;
    struct claim claim;
    bool taken;

    (void)pthread_mutex_lock(&supervisor->reload_lock);
    taken = supervisor->has_reload;
    if (taken)
        supervisor->settings = supervisor->reloaded;
    supervisor->has_reload = false;
    (void)pthread_mutex_unlock(&supervisor->reload_lock);
    if (!taken)
        return false;
    publish(supervisor);
    /* A changed leader in the file is a command only when its generation grew. */
    if (supervisor->settings.leader_generation > generation && supervisor->settings.leader[0] &&
        configured_claim(supervisor, supervisor->settings.leader, &claim) &&
        !address_equal(&claim.leader, &supervisor->claim.leader))
        follow(supervisor, &claim);
    return true;
}

/* ---- the agent ---- */

/* No peer messages are spoken yet: read and count, so that they cannot pile up. */
static size_t read_peers(struct supervisor *supervisor)
{
    uint8_t byte;
    size_t n = 0;

    while (n < PEER_BATCH && recv(supervisor->peer_socket.fd, &byte, 1, MSG_DONTWAIT) >= 0)
        n++;
    if (n)
        counters_add(&supervisor->counters, COUNTER_PEER_IGNORED, n);
    return n;
}

/*
 * A bounded number of commands, since letters come back while we read. While a view waits to be
 * published none is taken: its answer would come before its effect.
 */
static size_t read_mailbox(struct supervisor *supervisor, struct mailbox *mailbox)
{
    struct letter letter;
    size_t n = 0;

    while (n < MAILBOX_LETTERS && !supervisor->unpublished && mailbox_try_read(mailbox, &letter)) {
        carry_out(supervisor, &letter);
        n++;
    }
    return n;
}

static size_t supervisor_do_work(void *self)
{
    struct supervisor *supervisor = self;
    size_t done = read_peers(supervisor);

    done += take_reload(supervisor);
    if (supervisor->unpublished)
        publish(supervisor);
    for (size_t i = 0; i < supervisor->plane->worker_count; i++)
        done += read_mailbox(supervisor, &supervisor->plane->workers[i].mailbox);
    return done;
}

static bool has_input(struct supervisor *supervisor)
{
    if (supervisor->unpublished)
        return false; /* commands wait for it, and it is tried again in a millisecond */
    for (size_t i = 0; i < supervisor->plane->worker_count; i++) {
        if (!ring_is_empty(&supervisor->plane->workers[i].mailbox.out))
            return true;
    }
    return false;
}

static void supervisor_idle(void *self)
{
    struct supervisor *supervisor = self;
    int timeout_ms = supervisor->unpublished ? 1 : (int)(AGENT_IDLE_MAX_NS / NS_PER_MS);
    struct epoll_event events[4];

    waker_prepare(&supervisor->waker);
    if (has_input(supervisor)) {
        waker_cancel(&supervisor->waker);
        return;
    }
    (void)epoll_wait(supervisor->epoll_fd, events, 4, timeout_ms);
    waker_awake(&supervisor->waker);
}

static const struct agent_ops supervisor_agent_ops = {.do_work = supervisor_do_work,
                                                      .idle = supervisor_idle};

/* ---- open, join, start, stop ---- */

static int watch(struct supervisor *supervisor, int fd)
{
    struct epoll_event event = {.events = EPOLLIN};

    return epoll_ctl(supervisor->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int supervisor_open(struct supervisor *supervisor, const struct config *config)
{
    const struct udp_options options = {.rcvbuf_bytes = config->rcvbuf_bytes};
    const struct address at = address_with_port(config->bind, config->peer_port);
    char text[ADDRESS_TEXT_MAX];
    int rc;

    *supervisor = (struct supervisor){
        .config = config,
        .epoll_fd = -1,
        .peer_socket.fd = -1,
        .waker.event_fd = -1,
        .settings = settings_of(config),
        .commands = budget_make(NS_PER_SEC / COMMANDS_PER_SECOND, COMMANDS_PER_SECOND),
        .refusals = budget_make(NS_PER_SEC / REFUSALS_PER_SECOND, REFUSALS_PER_SECOND),
    };
    (void)pthread_mutex_init(&supervisor->reload_lock, NULL);
    rc = udp_open(&at, &options, &supervisor->peer_socket);
    if (rc) {
        log_error("bind_failed", "cannot bind %s (peer.port): %s%s", address_format(&at, text),
                  strerror(-rc), rc == -EADDRINUSE ? "; is another headlessd running here?" : "");
        supervisor_close(supervisor);
        return rc;
    }
    supervisor->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    rc = supervisor->epoll_fd < 0 ? -errno : waker_init(&supervisor->waker, true);
    if (!rc)
        rc = watch(supervisor, supervisor->waker.event_fd);
    if (!rc)
        rc = watch(supervisor, supervisor->peer_socket.fd);
    if (rc) {
        log_error("supervisor_failed", "cannot set up epoll or eventfd: %s", strerror(-rc));
        supervisor_close(supervisor);
    }
    return rc;
}

static void add_member(struct view *view, const char *name, const struct address *address)
{
    struct member *member = &view->members[view->member_count++];

    *member = (struct member){.address = address_with_port(*address, 0)};
    (void)snprintf(member->name, sizeof(member->name), "%s", name);
}

/* The members that the configuration names, in its order; this pod too, at the end if not listed.
 */
static void put_members(const struct supervisor *supervisor, struct view *view)
{
    const struct config *config = supervisor->config;
    bool listed = false;

    for (size_t i = 0; i < config->peers.count; i++) {
        const struct config_peer *peer = &config->peers.list[i];
        bool self = address_equal_ip(&peer->address, &config->self);

        add_member(view, self ? config->name : peer->name, &peer->address);
        if (self)
            view->members[view->member_count - 1].instance = supervisor->plane->identity.instance;
        listed |= self;
    }
    if (!listed) {
        add_member(view, config->name, &config->self);
        view->members[view->member_count - 1].instance = supervisor->plane->identity.instance;
    }
}

int supervisor_join(struct supervisor *supervisor, struct plane *plane)
{
    const struct config *config = supervisor->config;
    struct view *view;
    struct claim claim;

    supervisor->plane = plane;
    view = view_draft(&plane->board);
    if (!view)
        return -EBUSY; /* no reader runs yet: cannot be */
    put_members(supervisor, view);
    view_publish(&plane->board, view);
    if (config->leader[0]) {
        if (configured_claim(supervisor, config->leader, &claim))
            supervisor->claim = claim;
    } else if (view->member_count == 1) {
        supervisor->claim = (struct claim){.term = 1,
                                           .leader = config->self,
                                           .cause = CLAIM_ALONE,
                                           .issuer = plane->identity.instance};
        memcpy(supervisor->claim.name, config->name, sizeof(supervisor->claim.name));
        log_info("alone", "no peers are configured: this pod leads");
    } else {
        log_warn("no_leader", "no leader is configured: holding until a {\"leader\":...} message");
    }
    publish(supervisor);
    return 0;
}

int supervisor_start(struct supervisor *supervisor)
{
    return agent_start(&supervisor->agent, "supervisor", &supervisor_agent_ops, supervisor);
}

void supervisor_stop(struct supervisor *supervisor)
{
    agent_stop(&supervisor->agent, NULL);
}

void supervisor_close(struct supervisor *supervisor)
{
    waker_fini(&supervisor->waker);
    udp_close(&supervisor->peer_socket);
    if (supervisor->epoll_fd >= 0)
        (void)close(supervisor->epoll_fd);
    supervisor->epoll_fd = -1;
    (void)pthread_mutex_destroy(&supervisor->reload_lock);
}
