/*
 * udp_app: state shared by the sending side (udp_app.c), its sessions (udp_app_sessions.c) and the
 * reading side (app_reader.c).
 */
#ifndef DATA_APP_UDP_APP_H
#define DATA_APP_UDP_APP_H

#include "data/app/app.h"
#include "data/app/app_watch.h"
#include "data/app/session.h"
#include "data/app/session_report.h"
#include "headless/wire/proxy.h"

struct udp_app {
    struct address address; /* of the app */
    bool has_both_kinds;    /* the app also gets requests while its pod does not lead */
    bool is_mux; /* one socket for all sessions: an IPv4 loopback app, or app.source client */
    bool is_transparent;      /* app.source client: that socket sends from the clients' addresses */
    bool has_other_workers;   /* is_transparent */
    int probe;                /* is_transparent: of udp_check_source */
    int address_watch;        /* is_transparent: of this pod's addresses */
    uint16_t address_changes; /* as often it has seen some */
    struct udp_socket
        socket; /* the mux socket; otherwise that of the session whose messages are in the outbox */
    uint32_t socket_number; /* that session, where each has its own socket */
    /* Why there is no session: the errno of opening its socket, or of asking for its client's address, or
     * 0; that address is none from which the app can be sent to. */
    int open_error;
    bool is_no_source;
    struct outbox outbox;
    /* Of the messages in the outbox, and the place of the last; NULL: app.proxy_protocol is none. */
    uint8_t (*proxy_headers)[PROXY_HEADER_MAX];
    size_t proxy_place;
    struct sessions sessions;
    struct session_report report;
    struct app_reader reader;
    struct app_watch watch;
};

/* ---- udp_app_sessions.c; the worker's thread ---- */

int udp_sessions_init(struct udp_app *udp, const struct config *config, size_t workers)
    __attribute__((warn_unused_result));
void udp_sessions_fini(struct udp_app *udp);

/* The session of a request: the one that its client has or had, or a new one. With a socket, if
 * each session has one. NULL: refused. The caller touches it. May flush the outbox. */
struct session *udp_sessions_take(struct app *app, const struct origin *origin, bool may_reply);

/* snapshot_is_settled, for this session. */
bool udp_sessions_is_settled(const struct app *app, const struct session *session);

/* Count a request for which there is no session, and log at most once a minute what to do. */
void udp_sessions_refuse(struct app *app);

/* The session of the client with this address and port, if is_transparent; of this address of
 * 127.128.0.0/9, otherwise. Or NULL. is_mux only. */
struct session *udp_sessions_of(struct udp_app *udp, const struct address *address);

/* The source of a session's datagrams, and where they go; is_mux only. */
void udp_sessions_route(const struct udp_app *udp, const struct session *session,
                        struct address *ret_source, struct address *ret_to);

/* Periodic: close the sessions that are idle. The outbox is empty. */
void udp_sessions_close_idle(struct app *app);

/* ---- app_reader.c ---- */

int app_reader_init(struct app_reader *reader, const struct config *config)
    __attribute__((warn_unused_result));
/* Close the socket of a session, in either thread; the drops of the kernel stay counted. */
void app_reader_close(struct app_reader *reader, int fd);
void app_reader_fini(struct app_reader *reader);

#endif
