#include "data/app/app_source.h"

#include <errno.h>

#include "data/app/udp_app.h"
#include "headless/base/log.h"
#include "headless/net/transparent.h"
#include "headless/secure/capabilities.h"

#define CAPABILITIES_ADVICE                                                                      \
    "in Kubernetes: capabilities.add [NET_ADMIN, NET_RAW, NET_BIND_SERVICE] and runAsUser 0 in " \
    "the "                                                                                       \
    "container's securityContext, in a namespace with Pod Security level privileged; on "        \
    "OpenShift "                                                                                 \
    "an SCC that allows these capabilities"

#define BIND_TRIES 3

/* ---- start ---- */

static int refuse_start(int rc, const char *why)
{
    log_error("source_failed", "app.source client is not possible: %s", why);
    return rc;
}

static int check_environment(void)
{
    char why[RETURN_PATH_WHY_MAX];
    const char *obstacle = udp_transparent_obstacle();

    if (!capabilities_has(CAP_NET_ADMIN))
        return refuse_start(-EPERM, "CAP_NET_ADMIN is missing: " CAPABILITIES_ADVICE);
    if (!obstacle)
        return 0;
    (void)snprintf(why, sizeof(why), "%s must be 0, because a client could have this pod's address",
                   obstacle);
    return refuse_start(-EINVAL, why);
}

/* CAP_NET_RAW suffices for transparent sockets. */
static void give_up_capability(void)
{
    if (!capabilities_has(CAP_NET_BIND_SERVICE))
        log_debug("source_ports", "CAP_NET_BIND_SERVICE is missing: clients with a source port "
                                  "below net.ipv4.ip_unprivileged_port_start are dropped");
    if (!capabilities_has(CAP_NET_RAW))
        log_warn(
            "source_capability",
            "CAP_NET_RAW is missing: the process keeps CAP_NET_ADMIN in its place, which allows "
            "more than it needs");
    else if (capabilities_drop(CAP_NET_ADMIN) != 0)
        log_warn("source_capability", "cannot give up CAP_NET_ADMIN");
}

/* Has another socket of this pod the app's port? */
static bool shares_port(const struct config *config)
{
    uint16_t port = config->app_target.address.port;

    return port == config->data_port || port == config->relay_port || port == config->peer_port;
}

int app_source_open(const struct config *config, struct return_path *ret_path)
{
    const struct return_path_setup setup = {.app = config->app_target.address,
                                            .clients_max = config->app_max_sessions,
                                            .is_port_shared = shares_port(config)};
    char why[RETURN_PATH_WHY_MAX];
    int rc;

    *ret_path = (struct return_path){.nft_fd = -1};
    if (config->app_source == CONFIG_APP_SOURCE_SESSION)
        return 0;
    rc = check_environment();
    if (rc)
        return rc;
    rc = return_path_open(&setup, ret_path, why);
    if (rc)
        return refuse_start(rc, why);
    if (*why)
        log_warn("source_limited", "the app must reply from the address of app.target: %s", why);
    give_up_capability();
    return 0;
}

/* ---- sessions ---- */

static void share_own_sockets(const struct udp_app *udp, bool is_shared)
{
    for (size_t i = 0; i < udp->own_sockets; i++) {
        udp_share_address(&udp->data_sockets[i], is_shared);
        udp_share_address(&udp->relay_sockets[i], is_shared);
    }
}

/* A client may have the port of a wildcard socket of this process. It is shared for no longer than
 * this: other processes could take it. Another worker may end that, so try again. */
static int open_beside_own(const struct app *app, const struct address *client,
                           struct udp_socket *ret_socket)
{
    const struct udp_app *udp = app->udp;
    int rc = -EADDRINUSE;

    for (unsigned i = 0; rc == -EADDRINUSE && i < BIND_TRIES; i++) {
        share_own_sockets(udp, true);
        rc = udp_open_transparent(client, &udp->address, app->config->rcvbuf_bytes, ret_socket);
        share_own_sockets(udp, false);
    }
    return rc;
}

int app_source_begin(struct app *app, const struct address *client, struct udp_socket *ret_socket)
{
    struct udp_app *udp = app->udp;
    const struct config *config = app->config;
    int rc;

    if (client->scope)
        return -EADDRNOTAVAIL;
    rc = udp_open_transparent(client, &udp->address, config->rcvbuf_bytes, ret_socket);
    if (rc == -EADDRINUSE &&
        (client->port == config->data_port || client->port == config->relay_port))
        rc = open_beside_own(app, client, ret_socket);
    if (rc || !udp->signal_port)
        return rc;
    rc = udp_transparent_announce(ret_socket->fd, &udp->address, udp->signal_port, true);
    if (rc)
        udp_close(ret_socket);
    return rc;
}

void app_source_end(const struct udp_app *udp, int fd)
{
    if (udp->signal_port)
        (void)udp_transparent_announce(fd, &udp->address, udp->signal_port, false);
    udp_transparent_release(fd);
}

/* NULL: not an error of the client's address. */
static const char *text_of_error(const struct udp_app *udp, const struct address *client, int error)
{
    switch (error) {
    case -EADDRNOTAVAIL:
        if (client->family != udp->address.family)
            return "the app has an address of the other family";
        return "it is an address of this pod, or no unicast address of one machine";
    case -EADDRINUSE:
        return "a socket of this pod is bound to its port at every address: bind the app to the "
               "address of app.target";
    case -EACCES:
        return "its port is privileged: CAP_NET_BIND_SERVICE is missing";
    case -EPERM:
        return "CAP_NET_RAW is missing";
    default:
        return NULL;
    }
}

bool app_source_refuse(struct app *app, const struct address *client, int error)
{
    static _Thread_local struct log_limit limit = {.period_ns = 60 * NS_PER_SEC};
    const char *why = text_of_error(app->udp, client, error);
    char text[ADDRESS_TEXT_MAX];
    uint64_t suppressed;

    if (!why)
        return false;
    counters_drop(app->counters, DROP_source, 1);
    if (log_limit_pass(&limit, LOG_LEVEL_WARN, app->replier->now_ns, &suppressed))
        log_warn(
            "source_refused",
            "the client %s is dropped (reason source), because the app cannot see its address: "
            "%s (%llu more)",
            address_format(client, text), why, (unsigned long long)suppressed);
    return true;
}
