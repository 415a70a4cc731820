/*
 * app_watch: finds out whether a UDP app takes datagrams, for its worker.
 *
 * Refusals come from the error queue of the mux socket, which names the session, or from a session's
 * own socket, by the reader. app_health.h judges them. What the kernel knows of the app's port
 * (net/udp_lookup.h) is used for apps of this machine or pod: then a check sends nothing, and no app
 * takes a check for its first client. Elsewhere a check is an empty datagram of the session that the
 * app answered last; if it never answered, a held request is the check (app_wants_trial). Where the
 * kernel had no way to the app, the check is to connect a socket (app_failure.h). app_check.c does it.
 *
 * Owner: its worker's thread, except the published health. Never blocks.
 */
#ifndef DATA_APP_APP_WATCH_H
#define DATA_APP_APP_WATCH_H

#include <stdatomic.h>

#include "data/app/app_health.h"
#include "data/app/session_number.h"
#include "headless/base/address.h"
#include "headless/net/udp_lookup.h"

struct app;
struct udp_app;

struct app_watch {
    struct app_judge judge;
    _Atomic uint32_t health; /* enum app_health, for other threads */
    /* It is not up, and only a request can find out whether it is again. */
    _Atomic bool needs_request;
    struct udp_lookup lookup;
    struct refused_clients clients;
    struct address taken_by;  /* the session address to which the app's socket was connected */
    uint32_t refused_number;  /* the session that was refused last */
    uint32_t answered_plus_1; /* the session that was answered last; 0: none */
    uint64_t answered_ns;
    uint64_t refused_ns;    /* of the last refusal */
    uint32_t open_in_a_row; /* app_health.h */
    uint64_t knock_ns;      /* of the last check while it is up */
    bool is_local;          /* the app's host is this machine or pod */
    bool is_cut;            /* not up, because there is no way to it: app_failure_look checks it */
};

void app_watch_init(struct app_watch *watch, const struct address *app_address, uint64_t fail_ns);
void app_watch_fini(struct app_watch *watch);

/* Take the refusals that are known by now. */
void app_watch_take(struct app *app);
/* Take the errors that wait at the socket of this session. */
void app_watch_take_socket(struct app *app, uint32_t number, int fd);

/* ---- for app_failure.c ---- */

/* Judged without the port: is this session alone not reached, or is the app? */
enum app_verdict app_watch_judge_session(const struct app *app, uint32_t number);
/* The app was not reached. is_cut: there is no way to it. */
void app_watch_hold_against(struct app *app, bool is_cut);

/* ---- for app_reader.c ---- */

/* An error of a session's own socket is one word of the reader's ring: its errno above its number. */
#define APP_ERROR_SHIFT 24
_Static_assert(SESSION_NUMBER_BITS <= APP_ERROR_SHIFT, "number and errno fit into 32 bits");

/* Publish the health. */
static inline void app_watch_publish(struct app_watch *watch)
{
    atomic_store_explicit(&watch->health, watch->judge.health, memory_order_relaxed);
}

static inline void app_watch_answered(struct app_watch *watch, uint32_t number, uint64_t now_ns)
{
    watch->answered_plus_1 = number + 1;
    watch->answered_ns = now_ns;
    watch->open_in_a_row = 0;
}

/* May a datagram of this session be sent to the app? */
static inline bool app_watch_may_send(struct app_watch *watch, uint32_t number, uint64_t now_ns)
{
    bool may_send =
        !watch->clients.count || refused_clients_may_send(&watch->clients, number, now_ns);

    watch->judge.was_tried |= may_send;
    return may_send;
}

#endif
