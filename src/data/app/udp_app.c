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
#include <unistd.h>

#include "data/app/app_elsewhere.h"
#include "data/app/app_failure.h"
#include "data/app/app_source.h"
#include "data/app/udp_app.h"
#include "data/loop_guard.h"
#include "headless/base/log.h"
#include "headless/net/transparent.h"
#include "headless/wire/proxy.h"

/* A send took the pending error off the socket; the error queue still has it. */
static void note_refusal(struct app *app)
{
    struct udp_app *udp = app->udp;

    udp->outbox.may_be_refused = false;
    if (udp->is_mux)
        atomic_store_explicit(&udp->reader.has_errors, true, memory_order_relaxed);
    else
        app_watch_take_socket(app, udp->socket_number, udp->socket.fd);
}

static void note_failure(struct app *app)
{
    app_failure_send(app, app->udp->outbox.error_number);
    app->udp->outbox.error_number = 0;
}

static void udp_app_flush(struct app *app)
{
    struct udp_app *udp = app->udp;

    if (udp->outbox.count)
        outbox_flush(&udp->outbox);
    /* Also set after a partial send, whose errno is lost. */
    if (udp->outbox.may_be_refused)
        note_refusal(app);
    if (udp->outbox.error_number)
        note_failure(app);
    relay_account(&udp->outbox, app->counters, COUNTER_DELIVERED, COUNTER_REPLIES_SENT);
    counters_add(app->counters, COUNTER_SESSIONS_RESUMED, udp->sessions.resumed);
    udp->sessions.resumed = 0;
}

/* ---- requests ---- */

/* Write the PROXY header of a request, which stays until the flush. Returns its bytes. One place
 * more than the outbox has messages: a full one is flushed when the next message is added. */
static size_t write_proxy_header(struct udp_app *udp, const struct record *record)
{
    if (!udp->proxy_headers)
        return 0;
    udp->proxy_place = (udp->proxy_place + 1) % (udp->outbox.capacity + 1);
    return proxy_put_header(udp->proxy_headers[udp->proxy_place], &record->client, &record->local);
}

static void send_to_app(struct app *app, const struct session *session, const struct record *record,
                        size_t header_bytes, uint8_t ttl)
{
    struct udp_app *udp = app->udp;
    struct outbox_message message = {
        .weight = 1, .account = OUTBOX_REQUESTS, .tos = record->tos, .ttl = ttl};
    uint32_t number = sessions_number(&udp->sessions, session);
    struct address source, to;

    if (udp->is_mux) {
        udp_sessions_route(udp, session, &source, &to);
        message.to = &to;
        message.from = &source;
    } else if (udp->socket.fd != session->fd) {
        udp_app_flush(app); /* an outbox sends to one socket */
        udp->socket.fd = session->fd;
    }
    udp->socket_number = number;
    if (header_bytes)
        message.parts[message.part_count++] =
            outbox_part(udp->proxy_headers[udp->proxy_place], header_bytes);
    message.parts[message.part_count++] = outbox_part(record->payload, record->length);
    outbox_add(&udp->outbox, &message);
}

/* There is no session for a request: its client's address is no source, no socket, or no place in the table. */
static void refuse_request(struct app *app, const struct address *client)
{
    struct udp_app *udp = app->udp;

    if (udp->is_no_source)
        app_source_refuse(app, client);
    else if (udp->open_error)
        app_failure_open(app, udp->open_error);
    else
        udp_sessions_refuse(app);
    udp->is_no_source = false;
    udp->open_error = 0;
}

static void udp_app_deliver(struct app *app, const struct request *request)
{
    const struct origin origin = request_origin(request);
    bool may_reply = app_may_reply(app, request);
    size_t header_bytes = write_proxy_header(app->udp, &request->record);
    struct session *session;
    uint32_t number;
    uint8_t ttl = 0;

    if (request->record.ttl && !loop_guard_pass(&request->record, &app->udp->address, &ttl)) {
        counters_drop(app->counters, DROP_ttl, 1);
        return;
    }
    if (header_bytes + request->record.length > UDP_PAYLOAD_MAX) {
        counters_drop(app->counters, DROP_oversize, 1);
        return;
    }
    session = udp_sessions_take(app, &origin, may_reply);
    if (!session) {
        refuse_request(app, &origin.client);
        return;
    }
    number = sessions_number(&app->udp->sessions, session);
    if (!app_watch_may_send(&app->udp->watch, number, app->replier->now_ns)) {
        counters_drop(app->counters, DROP_app_refuses_client, 1);
        return;
    }
    session->tag = origin.tag; /* the ingress pod may have been restarted */
    session->term_low = (uint32_t)app_term_of(app, request);
    sessions_touch(&app->udp->sessions, session, true, app->replier->now_ns);
    send_to_app(app, session, &request->record, header_bytes, ttl);
}

bool udp_app_knows(const struct app *app, const struct request *request)
{
    const struct origin origin = request_origin(request);
    const struct session *session = sessions_find(&app->udp->sessions, &origin, true);
    const struct leadership *leadership = &app->replier->snapshot->leader;

    return session && session->is_open &&
           session_term(session, leadership->term) == leadership->former.term;
}

/* ---- replies ---- */

/* The term under which a datagram of the app leaves; 0: it is suppressed. A leader's app also pushes
 * to clients whose last request it received while another pod led. */
static uint64_t term_of_reply(const struct app *app, const struct session *session)
{
    uint64_t now = app->replier->snapshot->leader.term;

    if (app->replier->leads && udp_sessions_is_settled(app, session))
        return now;
    return session->may_reply ? session_term(session, now) : 0;
}

/* The port of the app's datagram is that of the client (nft_clients.h); the return path takes only
 * datagrams from the app's own port. */
static bool is_of_app(const struct app *app, const struct datagram *datagram)
{
    const struct udp_app *udp = app->udp;

    if (udp->is_transparent)
        return address_equal_ip(&datagram->peer, &udp->address);
    return app_elsewhere_is_taken(app->config, &udp->address, &datagram->peer);
}

static struct session *session_of_reply(struct udp_app *udp, const struct datagram *datagram)
{
    if (!udp->is_mux)
        return sessions_by_number(&udp->sessions, (uint32_t)datagram->session);
    const struct address at = address_with_port(datagram->local, datagram->peer.port);

    return udp_sessions_of(udp, &at);
}

/* A datagram of the app to an address that no client has. */
static void log_session_gone(const struct app *app, const struct datagram *datagram)
{
    char to[ADDRESS_TEXT_MAX];

    log_warn_minutely(
        "session_gone", app->replier->now_ns,
        "the app sent a datagram to %s, which no client has: it was dropped; the client's "
        "session has ended for another one, or the app knows it from before a restart",
        app->udp->is_mux ? address_format_ip(&datagram->local, to) : "a closed session");
}

static void udp_app_reply(struct app *app, const struct datagram *datagram)
{
    struct udp_app *udp = app->udp;
    struct session *session = session_of_reply(udp, datagram);
    struct origin origin;
    uint64_t term;

    counters_add(app->counters, COUNTER_REPLIES_FROM_APP, 1);
    if (!is_of_app(app, datagram)) {
        app_elsewhere_log(app->config, &udp->address, &datagram->peer);
        counters_drop_reply(app->counters, DROP_stranger, 1);
        return;
    }
    if (!session) {
        log_session_gone(app, datagram);
        counters_drop_reply(app->counters, DROP_session_gone, 1);
        return;
    }
    if (!udp->is_transparent)
        session->app_port =
            app_elsewhere_next_port(session->app_port, &udp->address, &datagram->peer);
    app_watch_answered(&udp->watch, sessions_number(&udp->sessions, session), app->replier->now_ns);
    sessions_touch(&udp->sessions, session, false, app->replier->now_ns);
    term = term_of_reply(app, session);
    if (!term) {
        counters_add(app->counters, COUNTER_REPLIES_SUPPRESSED, 1);
        return;
    }
    origin = sessions_origin(&udp->sessions, session);
    reply_send(app->replier, &(struct reply){.origin = &origin,
                                             .term = term,
                                             .payload = datagram->payload,
                                             .length = datagram->length,
                                             .tos = datagram->tos});
}

static void udp_app_tick(struct app *app)
{
    udp_sessions_close_idle(app); /* between slices the outbox is empty */
    if (app->udp->is_transparent)
        app_source_watch(app);
}

static void udp_app_close(struct app *app)
{
    struct udp_app *udp = app->udp;

    udp_sessions_fini(udp);
    app_watch_fini(&udp->watch);
    app_reader_fini(&udp->reader);
    outbox_fini(&udp->outbox);
    free(udp->proxy_headers);
    if (udp->is_mux)
        udp_close(&udp->socket);
    if (udp->probe >= 0)
        (void)close(udp->probe);
    if (udp->address_watch >= 0)
        (void)close(udp->address_watch);
    free(udp);
    app->udp = NULL;
}

const struct app_ops udp_app_ops = {udp_app_deliver, udp_app_reply, udp_app_flush, udp_app_tick,
                                    udp_app_close};

/* ---- start ---- */

static int open_mux(struct udp_app *udp, const struct config *config)
{
    const struct udp_options options = {.local_address = true,
                                        .tos = true,
                                        .loopback_only = true,
                                        .error_queue = true,
                                        .rcvbuf_bytes = config->rcvbuf_bytes};
    const struct address any = address_any(ADDRESS_V4);
    struct epoll_event event = {.events = EPOLLIN};
    int rc = udp->is_transparent
                 ? udp_open_transparent(&udp->address, config->rcvbuf_bytes, &udp->socket)
                 : udp_open_ipv4(&any, &options, &udp->socket);

    if (!rc)
        rc = udp_set_ttl(&udp->socket, LOOP_GUARD_TTL);
    if (rc)
        return rc;
    event.data.u64 = (uint32_t)udp->socket.fd;
    return epoll_ctl(udp->reader.epoll_fd, EPOLL_CTL_ADD, udp->socket.fd, &event) < 0 ? -errno : 0;
}

int udp_app_init(struct app *app, const struct app_setup *setup)
{
    const struct config *config = app->config;
    struct udp_app *udp = aligned_alloc(64, (sizeof(*udp) + 63) / 64 * 64);
    int rc;

    if (!udp)
        return -ENOMEM;
    memset(udp, 0, sizeof(*udp));
    app->udp = udp;
    udp->address = config->app_target.address;
    udp->is_transparent = config->app_source == CONFIG_APP_SOURCE_CLIENT;
    udp->is_mux = config_app_is_at_ipv4_loopback(config) || udp->is_transparent;
    udp->has_other_workers = setup->workers > 1;
    udp->probe = udp->address_watch = -1;
    udp->socket = (struct udp_socket){
        .fd = -1, .family = udp->address.family == ADDRESS_V4 ? AF_INET : AF_INET6};
    app_watch_init(&udp->watch, &udp->address, config->app_fail_ns);
    udp->reader.is_mux = udp->is_mux;
    rc = app_reader_init(&udp->reader, config);
    if (!rc && udp->is_mux)
        rc = open_mux(udp, config);
    if (!rc)
        rc = udp_sessions_init(udp, config, setup->workers);
    if (!rc && udp->is_transparent)
        rc = app_source_open_watch(udp);
    if (!rc)
        rc = outbox_init(&udp->outbox, &udp->socket, config->batch, config->gso);
    if (!rc && config->app_proxy_protocol == CONFIG_PROXY_V2) {
        udp->proxy_headers = malloc((config->batch + 1) * sizeof(*udp->proxy_headers));
        rc = udp->proxy_headers ? 0 : -ENOMEM;
    }
    if (rc)
        udp_app_close(app);
    return rc;
}

struct app_reader *app_reader(struct app *app)
{
    return app->udp ? &app->udp->reader : NULL;
}

const struct udp_socket *app_socket(const struct app *app)
{
    return app->udp && app->udp->is_mux ? &app->udp->socket : NULL;
}
