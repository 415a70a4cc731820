#include "data/app/app_port.h"

#include <sys/socket.h>

#include "data/app/udp_app.h"

#define PEERS_MAX    16
#define DISCARD_PORT 9

/* The source of a session's datagrams; if it had its own socket and has ended, that of a client to
 * which no socket is connected. */
static struct address source_of(const struct udp_app *udp, uint32_t number)
{
    const struct session *session = sessions_by_number(&udp->sessions, number);
    struct address source = address_with_port(udp->address, DISCARD_PORT);
    struct sockaddr_storage sa;
    socklen_t length = sizeof(sa);

    if (udp->is_transparent)
        source = session ? session_client(session) : source;
    else if (udp->is_mux)
        source = address_with_port(session_number_to_address(number), udp->socket.local.port);
    else if (session && getsockname(session->fd, (struct sockaddr *)&sa, &length) == 0)
        address_from_sockaddr((struct sockaddr *)&sa, &source);
    return source;
}

/* Does a session live at the peer of the app's socket: of this process, or of another headlessd? */
static bool is_live_session(struct udp_app *udp, const struct address *peer)
{
    const struct session *session;

    if (udp->is_transparent) {
        session = udp_sessions_of(udp, peer);
        return session && session->is_open;
    }
    return (!udp->is_mux || session_number_of_address(peer) != SESSION_NUMBER_NONE) &&
           udp_lookup_receiver(&udp->watch.lookup, &udp->address, peer) == UDP_RECEIVER_FOUND;
}

static enum app_port look_for_peer(struct udp_app *udp)
{
    struct app_watch *watch = &udp->watch;
    struct address peers[PEERS_MAX];
    size_t count;

    if (address_is_set(&watch->taken_by) && is_live_session(udp, &watch->taken_by) &&
        udp_lookup_receiver(&watch->lookup, &watch->taken_by, &udp->address) == UDP_RECEIVER_FOUND)
        return APP_PORT_TAKEN; /* as before: spares the list of all sockets */
    count = udp_lookup_peers(&watch->lookup, &udp->address, PEERS_MAX, peers);
    for (size_t i = 0; i < count; i++) {
        if (is_live_session(udp, &peers[i])) {
            watch->taken_by = peers[i];
            return APP_PORT_TAKEN;
        }
    }
    watch->taken_by = count ? peers[0] : (struct address){0};
    return count ? APP_PORT_LOST : APP_PORT_CLOSED;
}

enum app_port app_port_look(struct udp_app *udp, uint32_t number)
{
    struct app_watch *watch = &udp->watch;
    const struct address source = source_of(udp, number);

    if (watch->lookup.fd < 0)
        return APP_PORT_UNKNOWN;
    switch (udp_lookup_receiver(&watch->lookup, &source, &udp->address)) {
    case UDP_RECEIVER_FOUND:
        return APP_PORT_OPEN;
    case UDP_RECEIVER_NONE:
        return look_for_peer(udp);
    default:
        return APP_PORT_UNKNOWN;
    }
}
