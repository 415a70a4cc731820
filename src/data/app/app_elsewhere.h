/*
 * app_elsewhere: replies that do not come from app.target (app.reply_from).
 *
 * A server may reply from a port of its own for each client (TFTP), or, bound to the wildcard, from
 * the address that the kernel chooses. By default such replies are dropped (reason stranger) and
 * logged: every process of this machine or pod can send to the mux socket, and one that is taken for
 * the app could reply to a client in its place, and be sent the client's datagrams.
 *
 *   same   from app.target only
 *   port   from every port of its address; the client's later datagrams go to that port
 *   any    also from loopback and from the pod's own address; later datagrams go to app.target
 *
 * A session has one such port: the first from which it was answered. It goes back to app.target when
 * that port refuses a datagram (which is sent again), when app.target answers, and when it ends.
 * headlessd's own ports are never taken for the app's: its replies would come back as requests.
 *
 * Pure, except for the log.
 */
#ifndef DATA_APP_APP_ELSEWHERE_H
#define DATA_APP_APP_ELSEWHERE_H

#include "headless/config/config.h"

/* May this be a reply of the app? */
bool app_elsewhere_is_taken(const struct config *config, const struct address *app,
                            const struct address *peer);

/* The port for the next datagrams of a session (0: that of the app), after a reply that was taken. */
static inline uint16_t app_elsewhere_next_port(uint16_t port, const struct address *app,
                                               const struct address *peer)
{
    if (!address_equal_ip(peer, app))
        return port;
    if (peer->port == app->port)
        return 0;
    return port ? port : peer->port;
}

/* Log a reply that was not taken, at most once a minute. */
void app_elsewhere_log(const struct config *config, const struct address *app,
                       const struct address *peer);

#endif
