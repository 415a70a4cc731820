/*
 * The sessions of a UDP app: opened, found, closed, reported; and their sockets, where each has its
 * own. A resting session has no socket: its client gets another source port when it comes back.
 */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "data/app/app_source.h"
#include "data/app/session_list.h"
#include "data/app/udp_app.h"
#include "data/loop_guard.h"
#include "headless/base/log.h"

#define DESCRIPTORS_RESERVED 256
#define CLOSE_MAX            8192 /* idle sessions a tick: less than a millisecond */
#define CLOSE_CLIENTS_MAX    4096 /* where each is announced (app_source.h): some milliseconds */
#define CLOSE_SOCKETS_MAX    1024 /* where each has a socket */

static void udp_app_close_fd(struct udp_app *udp, int fd)
{
    /* The reader thread may be about to read the descriptor, so it closes it: a new session's
     * socket must not get the same number before. Without a reader thread, or when its ring is
     * full, close. */
    if (udp->reader.receiver.pair_count &&
        ring_try_stage(&udp->reader.closing, (void *)(intptr_t)fd))
        (void)ring_publish(&udp->reader.closing);
    else
        app_reader_close(&udp->reader, fd);
}

static void udp_app_close_socket(struct app *app, struct session *session)
{
    struct udp_app *udp = app->udp;

    if (udp->is_transparent)
        app_source_end(app, session);
    if (udp->is_mux || session->fd < 0)
        return;
    if (udp->socket.fd == session->fd) {
        app_flush(app); /* messages of this batch wait for it */
        udp->socket.fd = -1;
    }
    udp_app_close_fd(udp, session->fd);
    session->fd = -1;
}

static int open_session_socket(struct app *app, struct session *session)
{
    struct udp_app *udp = app->udp;
    const struct address any = {0};
    struct udp_socket socket;
    struct epoll_event event = {.events = EPOLLIN};
    int rc = udp_open_connected(&udp->address, &any, app->config->rcvbuf_bytes, &socket);

    if (rc)
        return rc;
    (void)udp_report_tos(&socket);
    rc = udp_keep_errors(&socket); /* without it refusals are lost (app_reader.c) */
    if (!rc)
        rc = udp_set_ttl(&socket, LOOP_GUARD_TTL); /* without it a circle would have no end */
    event.data.u64 = (uint64_t)sessions_number(&udp->sessions, session) << 32 | (uint32_t)socket.fd;
    if (!rc && epoll_ctl(udp->reader.epoll_fd, EPOLL_CTL_ADD, socket.fd, &event) < 0)
        rc = -errno;
    if (rc) {
        udp_close(&socket);
        return rc;
    }
    session->fd = socket.fd;
    return 0;
}

static int udp_app_connect_session(struct app *app, struct session *session)
{
    int rc = open_session_socket(app, session);

    app->udp->open_error = -rc;
    return rc;
}

static void log_eviction(const struct app *app)
{
    log_warn_minutely(
        "sessions_evicted", app->replier->now_ns,
        "new clients take the sessions of clients that were active within app.idle, of the "
        "longest silent first: there are more clients than app.max_sessions (%u)%s, or a "
        "flood of forged addresses",
        app->config->app_max_sessions, app->udp->is_mux ? "" : " or RLIMIT_NOFILE allows");
}

/* An open session that has to end for a new one. */
static void evict(struct app *app, struct session *session)
{
    counters_add(app->counters, COUNTER_SESSIONS_EVICTED, 1);
    if (session->kind != SESSION_SINGLE) {
        counters_add(app->counters, COUNTER_SESSIONS_EVICTED_IN_USE, 1);
        log_eviction(app);
    }
    if (app->udp->is_mux && !app->udp->is_transparent)
        return; /* its record is taken as it is */
    udp_app_close_socket(app, session);
    sessions_rest(&app->udp->sessions, session);
}

/* Close the session that has to be closed first, if no more sockets may be open. */
static void make_room_for_socket(struct app *app)
{
    struct sessions *sessions = &app->udp->sessions;

    if (!app->udp->is_mux && sessions_is_full(sessions))
        evict(app, sessions_least(sessions, app->replier->now_ns));
}

static struct session *udp_app_open_session(struct app *app, const struct origin *origin,
                                            bool may_reply)
{
    struct udp_app *udp = app->udp;
    uint64_t now_ns = app->replier->now_ns;
    struct session *session;

    if (udp->is_transparent && !app_source_may_be(app, &origin->client))
        return NULL;
    session = sessions_next(&udp->sessions, origin, now_ns);
    if (!session)
        return NULL;
    if (session->is_in_use && session->is_open)
        evict(app, session);
    make_room_for_socket(app);
    session = sessions_open(&udp->sessions, session, origin, may_reply, now_ns);
    if (!udp->is_mux && udp_app_connect_session(app, session) != 0) {
        sessions_drop(&udp->sessions, session);
        return NULL;
    }
    if (udp->is_transparent)
        app_source_begin(app, session);
    counters_add(app->counters, COUNTER_SESSIONS_OPENED, 1);
    return session;
}

bool udp_sessions_is_settled(const struct app *app, const struct session *session)
{
    uint64_t now_ns = app->replier->now_ns;

    return snapshot_is_settled(app->replier->snapshot,
                               session_requested_ns(session, now_ns) + SESSION_TICK_NS, now_ns);
}

/* A reply of the app does not name its request: a session has only requests of one kind, until those
 * of the other kind have their replies. */
static struct session *find_session(struct app *app, const struct origin *origin, bool may_reply)
{
    struct sessions *sessions = &app->udp->sessions;
    struct session *session = sessions_find(sessions, origin, may_reply);

    if (session && app->udp->is_transparent)
        session->may_reply = may_reply; /* one address for both kinds: the newest request decides */
    if (session || !app->udp->has_both_kinds)
        return session;
    session = sessions_find(sessions, origin, !may_reply);
    if (!session || !udp_sessions_is_settled(app, session))
        return NULL;
    session->may_reply = may_reply;
    return session;
}

/* False: the address of an open session's client has become one of this pod, and the session ends; or that
 * cannot be determined. */
static bool keep_source(struct app *app, struct session *session)
{
    if (app_source_may_stay(app, session))
        return true;
    if (app->udp->is_no_source) {
        udp_app_close_socket(app, session);
        sessions_rest(&app->udp->sessions, session);
    }
    return false;
}

/* Make a resting session able to get replies. */
static bool udp_app_reopen(struct app *app, struct session *session)
{
    struct udp_app *udp = app->udp;

    if (udp->is_transparent) {
        const struct address client = session_client(session, udp->address.family);

        if (!app_source_may_be(app, &client)) /* it is one of this pod since */
            return false;
        app_source_begin(app, session);
        return true;
    }
    make_room_for_socket(app);
    return udp_app_connect_session(app, session) == 0;
}

struct session *udp_sessions_take(struct app *app, const struct origin *origin, bool may_reply)
{
    struct udp_app *udp = app->udp;
    struct session *session = find_session(app, origin, may_reply);

    if (!session)
        return udp_app_open_session(app, origin, may_reply);
    if (udp->is_transparent) {
        if (session->is_open && !keep_source(app, session))
            return NULL;
        sessions_follow(&udp->sessions, session, origin);
        app_source_renew(app, session);
    }
    if (session->is_open || (udp->is_mux && !udp->is_transparent))
        return session;
    if (!udp_app_reopen(app, session))
        return NULL;
    /* Open from now on, because only open sessions have a socket: the caller may drop the request. */
    sessions_resume(&app->udp->sessions, session, app->replier->now_ns);
    return session;
}

/* A new client finds no place. */
void udp_sessions_refuse(struct app *app)
{
    counters_drop(app->counters, DROP_session_cap, 1);
    log_warn_minutely(
        "session_cap", app->replier->now_ns,
        "new clients are refused: all addresses that app.client_address hashed tries for "
        "them belong to other clients; lower app.max_sessions (%u), or use dealt",
        app->config->app_max_sessions);
}

void udp_sessions_close_idle(struct app *app)
{
    struct udp_app *udp = app->udp;
    uint64_t idle_ns = app->replier->snapshot->settings.app_idle_ns;
    unsigned close_max = udp->is_mux ? CLOSE_MAX : CLOSE_SOCKETS_MAX;

    if (udp->is_transparent)
        close_max = CLOSE_CLIENTS_MAX;
    /* Bounded: the next tick closes the rest. */
    for (unsigned i = 0; i < close_max; i++) {
        struct session *session = sessions_idle(&udp->sessions, idle_ns, app->replier->now_ns);

        if (!session)
            return;
        udp_app_close_socket(app, session);
        sessions_rest(&udp->sessions, session);
    }
}

/* ---- addresses ---- */

struct session *udp_sessions_of(struct udp_app *udp, const struct address *address)
{
    const struct origin origin = {.client = *address};

    if (udp->is_transparent)
        return sessions_find(&udp->sessions, &origin, true);
    return sessions_by_number(&udp->sessions, session_number_of_address(address));
}

void udp_sessions_route(const struct udp_app *udp, const struct session *session,
                        struct address *ret_source, struct address *ret_to)
{
    *ret_to = udp->address;
    if (udp->is_transparent) {
        *ret_source = session_client(session, udp->address.family);
        ret_to->port = ret_source->port;
        return;
    }
    *ret_source = session_number_to_address(sessions_number(&udp->sessions, session));
    if (session->app_port)
        ret_to->port = session->app_port;
}

/* ---- session report ---- */

static void fill_entry(const struct udp_app *udp, const struct session *session, uint64_t now_ns,
                       struct session_entry *entry)
{
    const struct origin origin = sessions_origin(&udp->sessions, session);

    *entry = (struct session_entry){.client = origin.client,
                                    .asked = origin.local,
                                    .ingress = origin.ingress,
                                    .opened_ns = session_time_ns(session->opened, now_ns),
                                    .active_ns = session_time_ns(session->used, now_ns),
                                    .requests = session->requests};
    if (udp->is_transparent)
        entry->app = origin.client;
    else if (udp->is_mux)
        entry->app = session_number_to_address(sessions_number(&udp->sessions, session));
}

void udp_app_report_sessions(struct app *app)
{
    const struct session *newest[SESSION_ENTRIES_MAX];
    struct udp_app *udp = app->udp;

    if (!session_report_is_wanted(&udp->report))
        return;
    udp->report.count = sessions_newest(&udp->sessions, SESSION_ENTRIES_MAX, newest);
    for (size_t i = 0; i < udp->report.count; i++)
        fill_entry(udp, newest[i], app->replier->now_ns, &udp->report.entries[i]);
    session_report_publish(&udp->report);
}

struct session_report *app_session_report(struct app *app)
{
    return app->udp ? &app->udp->report : NULL;
}

uint64_t app_session_count(const struct app *app)
{
    return app->udp ? atomic_load_explicit(&app->udp->sessions.count, memory_order_relaxed) : 0;
}

/* ---- start and end ---- */

/* Sessions of one worker that may be open with a socket each: RLIMIT_NOFILE bounds the sum over
 * workers. */
static uint32_t socket_limit(uint32_t wanted, size_t workers)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
        if (limit.rlim_cur < DESCRIPTORS_RESERVED + (rlim_t)wanted) {
            wanted = limit.rlim_cur > DESCRIPTORS_RESERVED + workers
                         ? (uint32_t)(limit.rlim_cur - DESCRIPTORS_RESERVED)
                         : (uint32_t)workers;
            log_warn(
                "app_sessions_limited",
                "at most %u of app.max_sessions are open at once: RLIMIT_NOFILE allows no more "
                "sockets",
                wanted);
        }
    }
    return (wanted + (uint32_t)workers - 1) / (uint32_t)workers;
}

int udp_sessions_init(struct udp_app *udp, const struct config *config, size_t workers)
{
    uint32_t all = config->app_max_sessions;
    struct sessions_setup setup = {.capacity = (all + (uint32_t)workers - 1) / (uint32_t)workers,
                                   .has_sockets = !udp->is_mux || udp->is_transparent,
                                   .is_by_client = udp->is_transparent};
    int rc;

    if (!setup.has_sockets && config->app_client_address == CONFIG_CLIENT_ADDRESS_HASHED) {
        setup.is_hashed = true;
        session_number_key(config->cluster, setup.number_key);
    }
    udp->has_both_kinds =
        config->route != CONFIG_ROUTE_LEADER || config->multicast_groups.count > 0;
    setup.open_max = udp->is_mux ? setup.capacity : socket_limit(all, workers);
    rc = sessions_init(&udp->sessions, &setup);
    return rc ? rc : session_report_init(&udp->report);
}

void udp_sessions_fini(struct udp_app *udp)
{
    for (uint32_t i = 0; !udp->is_mux && i < udp->sessions.used; i++) {
        const struct session *session = &udp->sessions.table[i];

        if (session->is_in_use && session->fd >= 0)
            (void)close(session->fd);
    }
    sessions_fini(&udp->sessions);
    session_report_fini(&udp->report);
}
