/*
 * udp_app: a UDP server as the app.
 *
 * An app on IPv4 loopback is reached by one socket for all clients: each session has its own source
 * address in 127.128.0.0/9, set per datagram by IP_PKTINFO, to which the app replies. No client
 * needs a descriptor or port of its own. This works unprivileged: all of 127/8 is local in every
 * network namespace, and SO_BINDTODEVICE needs no capability since Linux 5.7.
 *
 * For other apps (another host; IPv6 loopback, which is one address) each session has a connected
 * socket.
 *
 * Owner: its worker's thread, except for the reader. Blocking: as outbox_flush.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "data/app/udp_app.h"
#include "headless/base/log.h"

#define SESSION_NETWORK      UINT32_C(0x7f800000) /* 127.128.0.0 */
#define DESCRIPTORS_RESERVED 256

static struct address address_of_number(uint32_t number)
{
    uint32_t ip = htonl(SESSION_NETWORK + number);
    struct address address = address_any(ADDRESS_V4);

    memcpy(address.ip, &ip, sizeof(ip));
    return address;
}

static uint32_t number_of_address(const struct address *address)
{
    uint32_t ip;

    memcpy(&ip, address->ip, sizeof(ip));
    return ntohl(ip) - SESSION_NETWORK;
}

static void udp_app_flush(struct app *app)
{
    struct udp_app *udp = app->udp;

    if (udp->outbox.count)
        outbox_flush(&udp->outbox);
    /* Also set after a partial send, whose errno is lost. */
    if (udp->outbox.may_be_refused)
        app_reader_suspect(&udp->reader);
    udp->outbox.may_be_refused = false;
    relay_account(&udp->outbox, app->counters, COUNTER_DELIVERED, COUNTER_REPLIES_SENT);
}

/* ---- sessions ---- */

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

static void udp_app_close_session(struct app *app, struct session *session)
{
    if (session->fd >= 0)
        udp_app_close_fd(app->udp, session->fd);
    sessions_close(&app->udp->sessions, session);
}

static int udp_app_connect_session(struct app *app, struct session *session)
{
    struct udp_app *udp = app->udp;
    const struct address any = {0};
    struct udp_socket socket;
    struct epoll_event event = {.events = EPOLLIN};
    int rc = udp_open_connected(&udp->address, &any, app->config->rcvbuf_bytes, &socket);

    if (rc)
        return rc;
    event.data.u64 = (uint64_t)sessions_number(&udp->sessions, session) << 32 | (uint32_t)socket.fd;
    if (epoll_ctl(udp->reader.epoll_fd, EPOLL_CTL_ADD, socket.fd, &event) < 0) {
        rc = -errno;
        udp_close(&socket);
        return rc;
    }
    session->fd = socket.fd;
    return 0;
}

static struct session *udp_app_open_session(struct app *app, const struct origin *origin)
{
    struct udp_app *udp = app->udp;
    uint64_t now_ns = app->replier->now_ns;
    struct session *session;

    if (!sessions_has_room(&udp->sessions, now_ns)) {
        struct session *victim = sessions_victim(&udp->sessions, now_ns);

        if (!victim)
            return NULL;
        udp_app_flush(app); /* messages of this batch may use its PROXY header or socket */
        udp_app_close_session(app, victim);
        counters_add(app->counters, COUNTER_SESSIONS_EVICTED, 1);
    }
    session = sessions_open(&udp->sessions, origin, now_ns);
    if (!udp->is_mux && udp_app_connect_session(app, session) != 0) {
        sessions_close(&udp->sessions, session);
        return NULL;
    }
    if (app->config->app_proxy_protocol == CONFIG_PROXY_V2)
        session->proxy_bytes =
            (uint8_t)proxy_put_header(session->proxy, &origin->client, &origin->local);
    counters_add(app->counters, COUNTER_SESSIONS_OPENED, 1);
    return session;
}

static bool is_settled(const struct app *app, const struct session *session)
{
    return snapshot_is_settled(app->replier->snapshot, session->requested_ns, app->replier->now_ns);
}

/* ---- requests ---- */

static void send_to_app(struct app *app, struct session *session, const struct record *record)
{
    struct udp_app *udp = app->udp;
    struct outbox_message message = {.weight = 1, .account = OUTBOX_REQUESTS};
    struct address source;

    if (udp->is_mux) {
        source = address_of_number(sessions_number(&udp->sessions, session));
        message.to = &udp->address;
        message.from = &source;
    } else if (udp->socket.fd != session->fd) {
        udp_app_flush(app); /* an outbox sends to one socket */
        udp->socket.fd = session->fd;
    }
    if (session->proxy_bytes)
        message.parts[message.part_count++] = (struct iovec){session->proxy, session->proxy_bytes};
    message.parts[message.part_count++] = outbox_part(record->payload, record->length);
    outbox_add(&udp->outbox, &message);
}

static void udp_app_deliver(struct app *app, const struct request *request)
{
    const struct origin origin = request_origin(request);
    struct session *session = sessions_find(&app->udp->sessions, &origin);
    bool may_reply = app_may_reply(app, request);

    /* A reply of the app does not name its request: one session has only requests of one kind, until
     * those of the other kind have their replies. */
    if (!session || (session->may_reply != may_reply && !is_settled(app, session)))
        session = udp_app_open_session(app, &origin);
    if (!session) {
        counters_drop(app->counters, DROP_session_cap, 1);
        return;
    }
    if (session->proxy_bytes + request->record.length > UDP_PAYLOAD_MAX) {
        counters_drop(app->counters, DROP_oversize, 1);
        return;
    }
    session->origin.tag = origin.tag; /* the ingress pod may have been restarted */
    session->term = app_term_of(app, request);
    session->may_reply = may_reply;
    session->requested_ns = app->replier->now_ns;
    sessions_touch(&app->udp->sessions, session, true, app->replier->now_ns);
    send_to_app(app, session, &request->record);
}

bool udp_app_knows(const struct app *app, const struct request *request)
{
    const struct origin origin = request_origin(request);
    const struct session *session = sessions_find(&app->udp->sessions, &origin);

    return session && session->may_reply &&
           session->term == app->replier->snapshot->leader.former.term;
}

/* ---- replies ---- */

/* The term under which a datagram of the app leaves; 0: it is suppressed. A leader's app also pushes
 * to clients whose last request it received while another pod led. */
static uint64_t term_of_reply(const struct app *app, const struct session *session)
{
    if (app->replier->leads && is_settled(app, session))
        return app->replier->snapshot->leader.term;
    return session->may_reply ? session->term : 0;
}

static void udp_app_reply(struct app *app, const struct datagram *datagram)
{
    struct udp_app *udp = app->udp;
    uint32_t number =
        udp->is_mux ? number_of_address(&datagram->local) : (uint32_t)datagram->session;
    struct session *session = sessions_by_number(&udp->sessions, number);
    uint64_t term;

    counters_add(app->counters, COUNTER_REPLIES_FROM_APP, 1);
    if (!address_equal(&datagram->peer, &udp->address)) {
        counters_drop_reply(app->counters, DROP_stranger, 1);
        return;
    }
    if (!session) {
        counters_drop_reply(app->counters, DROP_session_gone, 1);
        return;
    }
    sessions_touch(&udp->sessions, session, false, app->replier->now_ns);
    term = term_of_reply(app, session);
    if (!term) {
        counters_add(app->counters, COUNTER_REPLIES_SUPPRESSED, 1);
        return;
    }
    reply_send(app->replier, &session->origin, term, datagram->payload, datagram->length);
}

static void udp_app_tick(struct app *app)
{
    struct udp_app *udp = app->udp;
    uint64_t idle_ns = app->replier->snapshot->settings.app_idle_ns;
    struct session *session;

    if (udp->reader.receiver.pair_count == 0) /* no reader thread */
        app_reader_tick(&udp->reader, app->replier->now_ns);
    /* Between slices the outbox is empty. Bounded: the next tick closes the rest. */
    for (unsigned i = 0; i < 1024; i++) {
        session = sessions_idle(&udp->sessions, idle_ns, app->replier->now_ns);
        if (!session)
            return;
        udp_app_close_session(app, session);
    }
}

/* ---- session report ---- */

static void fill_entry(const struct udp_app *udp, const struct session *session,
                       struct session_entry *entry)
{
    *entry = (struct session_entry){.client = session->origin.client,
                                    .asked = session->origin.local,
                                    .ingress = session->origin.ingress,
                                    .opened_ns = session->assigned_ns,
                                    .active_ns = session->used_ns,
                                    .requests = session->requests};
    if (udp->is_mux)
        entry->app = address_of_number(sessions_number(&udp->sessions, session));
}

void udp_app_report_sessions(struct app *app)
{
    const struct session *newest[SESSION_ENTRIES_MAX];
    struct udp_app *udp = app->udp;

    if (!session_report_is_wanted(&udp->report))
        return;
    udp->report.count = sessions_newest(&udp->sessions, SESSION_ENTRIES_MAX, newest);
    for (size_t i = 0; i < udp->report.count; i++)
        fill_entry(udp, newest[i], &udp->report.entries[i]);
    session_report_publish(&udp->report);
}

struct session_report *app_session_report(struct app *app)
{
    return app->udp ? &app->udp->report : NULL;
}

static void udp_app_close(struct app *app)
{
    struct udp_app *udp = app->udp;

    for (uint32_t i = 0; i < udp->sessions.capacity; i++) {
        if (udp->sessions.table && udp->sessions.table[i].in_use && udp->sessions.table[i].fd >= 0)
            (void)close(udp->sessions.table[i].fd);
    }
    app_reader_fini(&udp->reader);
    outbox_fini(&udp->outbox);
    sessions_fini(&udp->sessions);
    session_report_fini(&udp->report);
    if (udp->is_mux)
        udp_close(&udp->socket);
    free(udp);
    app->udp = NULL;
}

const struct app_ops udp_app_ops = {udp_app_deliver, udp_app_reply, udp_app_flush, udp_app_tick,
                                    udp_app_close};

/* ---- start ---- */

/* Sessions of one worker. With a descriptor each, RLIMIT_NOFILE bounds the sum over workers. */
static uint32_t session_limit(uint32_t wanted, bool is_mux, size_t workers)
{
    struct rlimit limit;

    if (!is_mux && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
        (void)getrlimit(RLIMIT_NOFILE, &limit);
        if (limit.rlim_cur < DESCRIPTORS_RESERVED + (rlim_t)wanted) {
            wanted = limit.rlim_cur > DESCRIPTORS_RESERVED + workers
                         ? (uint32_t)(limit.rlim_cur - DESCRIPTORS_RESERVED)
                         : (uint32_t)workers;
            log_warn("app_sessions_limited",
                     "app.max_sessions reduced to %u: RLIMIT_NOFILE allows no more sockets",
                     wanted);
        }
    }
    return (wanted + (uint32_t)workers - 1) / (uint32_t)workers;
}

static int open_mux(struct udp_app *udp, const struct config *config)
{
    const struct udp_options options = {.local_address = true,
                                        .loopback_only = true,
                                        .error_queue = true,
                                        .rcvbuf_bytes = config->rcvbuf_bytes};
    const struct address any = address_any(ADDRESS_V4);
    struct epoll_event event = {.events = EPOLLIN};
    int rc = udp_open_ipv4(&any, &options, &udp->socket);

    if (rc)
        return rc;
    event.data.u64 = (uint32_t)udp->socket.fd;
    return epoll_ctl(udp->reader.epoll_fd, EPOLL_CTL_ADD, udp->socket.fd, &event) < 0 ? -errno : 0;
}

int udp_app_init(struct app *app, size_t workers)
{
    const struct config *config = app->config;
    struct udp_app *udp = aligned_alloc(64, (sizeof(*udp) + 63) / 64 * 64);
    int rc;

    if (!udp)
        return -ENOMEM;
    memset(udp, 0, sizeof(*udp));
    app->udp = udp;
    udp->address = config->app_target.address;
    udp->is_mux = udp->address.family == ADDRESS_V4 && address_is_loopback(&udp->address);
    udp->socket = (struct udp_socket){
        .fd = -1, .family = udp->address.family == ADDRESS_V4 ? AF_INET : AF_INET6};
    rc = app_reader_init(&udp->reader, config, &udp->address);
    if (!rc && udp->is_mux)
        rc = open_mux(udp, config);
    if (!rc)
        rc = sessions_init(&udp->sessions,
                           session_limit(config->app_max_sessions, udp->is_mux, workers),
                           udp->is_mux);
    if (!rc)
        rc = session_report_init(&udp->report);
    if (!rc)
        rc = outbox_init(&udp->outbox, &udp->socket, config->batch, config->gso);
    if (rc)
        udp_app_close(app);
    return rc;
}

struct app_reader *app_reader(struct app *app)
{
    return app->udp ? &app->udp->reader : NULL;
}

uint64_t app_session_count(const struct app *app)
{
    return app->udp ? atomic_load_explicit(&app->udp->sessions.count, memory_order_relaxed) : 0;
}

const struct udp_socket *app_socket(const struct app *app)
{
    return app->udp && app->udp->is_mux ? &app->udp->socket : NULL;
}
