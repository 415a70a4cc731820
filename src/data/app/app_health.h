/*
 * app_health: does the app take datagrams? Judged by the refusals (ICMP port unreachable) of its
 * sessions.
 *
 * One refusal does not say that the app is down. A server may connect its socket to its first
 * client (nc -u -l, openssl s_server -dtls -listen, socat): then the kernel refuses the datagrams of
 * every other client, while the first one is served. So app_health_judge weighs what is known:
 *
 *   port      the app takes no datagram of anybody: it is down. It is connected to a session that
 *             lives: only this client is refused. It takes datagrams of this client: the refusal is
 *             an old one, unless the next ones are refused as well.
 *   sessions  where the port cannot be looked up (an app on another host): only this client is
 *             refused if the app has just answered another one and the refused session is not the
 *             last one that it answered; otherwise the port is closed. A health check from the
 *             session that was answered last finds out whether the first verdict was wrong.
 *
 * A refusal against the app makes it suspect: its worker holds requests, and checks the app. It is
 * down after several refusals in a row, or when they have lasted for app.fail; it is up after a check
 * that was not refused. A reply is no proof: it may be the last one of a dead app.
 *
 * Pure: no socket, no clock. Owner: its worker's thread.
 */
#ifndef DATA_APP_APP_HEALTH_H
#define DATA_APP_APP_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum app_health { APP_UP, APP_SUSPECT, APP_DOWN };

/* The sockets at the app's port, for a datagram of the refused session. */
enum app_port {
    APP_PORT_UNKNOWN,
    APP_PORT_CLOSED, /* no socket takes it */
    APP_PORT_OPEN,   /* a socket takes it */
    APP_PORT_TAKEN,  /* connected to another session, whose socket lives */
    APP_PORT_LOST,   /* connected, but to nobody who is a session */
    APP_PORT_COUNT
};

struct app_evidence {
    enum app_port port;
    /* Refusals in short succession, each with an open port, since the app last answered. */
    uint32_t open_in_a_row;
    bool is_last_answered; /* the refused session is the one that was answered last */
    bool others_answered;  /* another session was answered lately */
};

enum app_verdict {
    APP_VERDICT_PASSED,  /* the refusal is an old one */
    APP_VERDICT_CLIENT,  /* the app refuses this client only */
    APP_VERDICT_REFUSES, /* the app refuses everybody */
    APP_VERDICT_COUNT
};

enum app_verdict app_health_judge(const struct app_evidence *evidence);

/* ---- state ---- */

struct app_judge {
    enum app_health health;
    uint64_t fail_ns;          /* app.fail */
    uint64_t refused_since_ns; /* 0: not refusing */
    uint32_t refused;          /* in a row, against the app */
    /* While it is not up: */
    uint64_t check_ns; /* time of the next health check */
    bool was_tried;    /* it was sent a datagram since the last check */
    bool was_refused;  /* and refused one */
    bool is_looked_up; /* the port's state decides, not datagrams */
};

/* The app has refused n datagrams. */
void app_judge_refusal(struct app_judge *judge, uint32_t n, uint64_t now_ns);
/* The app takes datagrams. */
void app_judge_up(struct app_judge *judge);

/* ---- clients that are refused while the app lives ---- */

#define REFUSED_CLIENTS   256
#define REFUSED_PERIOD_NS UINT64_C(1000000000)

struct refused_client {
    uint32_t number_plus_1; /* of its session; 0: unused */
    uint64_t tried_ns, refused_ns;
};

/*
 * By session number; two that share a row displace each other, so the second is tried more often
 * than once a period. Bounded, whatever clients do.
 */
struct refused_clients {
    size_t count; /* rows in use */
    struct refused_client rows[REFUSED_CLIENTS];
};

void refused_clients_add(struct refused_clients *clients, uint32_t number, uint64_t now_ns);
void refused_clients_clear(struct refused_clients *clients);

/*
 * May a datagram of this session be sent? One a period, and all once the app has taken one: then its
 * row is removed.
 */
bool refused_clients_may_send(struct refused_clients *clients, uint32_t number, uint64_t now_ns);

#endif
