#include "data/app/app_source.h"

#include <errno.h>

#include "data/app/udp_app.h"
#include "headless/base/log.h"
#include "headless/net/address_watch.h"
#include "headless/net/transparent.h"
#include "headless/secure/capabilities.h"

#define CAPABILITY_ADVICE                                                                       \
    "CAP_NET_ADMIN is missing. In Kubernetes: capabilities.add [NET_ADMIN] and runAsUser 0 in " \
    "the "                                                                                      \
    "container's securityContext, in a namespace with Pod Security level privileged; on "       \
    "OpenShift "                                                                                \
    "an SCC that allows both"

/* ---- start ---- */

static int refuse_start(int rc, const char *why)
{
    log_error("source_failed", "app.source client is not possible: %s", why);
    return rc;
}

int app_source_check(const struct config *config)
{
    char why[RETURN_PATH_WHY_MAX];
    const char *obstacle = udp_transparent_obstacle();

    if (config->app_source == CONFIG_APP_SOURCE_SESSION)
        return 0;
    if (!capabilities_has(CAP_NET_ADMIN))
        return refuse_start(-EPERM, CAPABILITY_ADVICE);
    if (!obstacle)
        return 0;
    (void)snprintf(why, sizeof(why), "%s must be 0, because a client could have this pod's address",
                   obstacle);
    return refuse_start(-EINVAL, why);
}

/* Has another socket of this pod the app's port? */
static bool shares_port(const struct config *config)
{
    uint16_t port = config->app_target.address.port;

    return port == config->data_port || port == config->relay_port || port == config->peer_port;
}

int app_source_open(const struct config *config, const uint16_t *ports, size_t count,
                    struct return_path *ret_path)
{
    const struct return_path_setup setup = {.app = config->app_target.address,
                                            .ports = ports,
                                            .port_count = count,
                                            .clients_max = config->app_max_sessions,
                                            .is_port_shared = shares_port(config)};
    char why[RETURN_PATH_WHY_MAX];
    int rc = return_path_open(&setup, ret_path, why);

    if (rc)
        return refuse_start(rc, why);
    rc = capabilities_drop(CAP_NET_ADMIN);
    if (rc)
        log_warn("source_capability", "cannot give up CAP_NET_ADMIN: %s", strerror(-rc));
    return 0;
}

/* ---- addresses ---- */

int app_source_open_watch(struct udp_app *udp)
{
    int fd = address_watch_open((enum address_family)udp->address.family);

    if (fd < 0)
        return fd;
    udp->address_watch = fd;
    return 0;
}

void app_source_watch(struct app *app)
{
    app->udp->address_changes += address_watch_take(app->udp->address_watch);
}

bool app_source_may_be(struct app *app, const struct address *client)
{
    struct udp_app *udp = app->udp;
    int rc = -EADDRINUSE;

    if (client->family == udp->address.family && !client->scope)
        rc = udp_check_source(&udp->probe, client);
    udp->is_no_source = rc == -EADDRINUSE;
    udp->open_error = udp->is_no_source ? 0 : -rc;
    return rc == 0;
}

bool app_source_may_stay(struct app *app, struct session *session)
{
    const struct udp_app *udp = app->udp;
    const struct address client = session_client(session, udp->address.family);

    if (session->source_checked == udp->address_changes)
        return true;
    if (!app_source_may_be(app, &client))
        return false;
    session->source_checked = udp->address_changes;
    return true;
}

/* ---- sessions ---- */

/* Another worker may have a session of this client, through another pod: the newest one gets the
 * replies, and keeps them when the other one ends. */
static void announce(const struct udp_app *udp, const struct session *session)
{
    const struct address client = session_client(session, udp->address.family);

    udp_transparent_announce(&udp->socket, &client, &udp->address, true);
}

void app_source_begin(struct app *app, struct session *session)
{
    session->source_checked = app->udp->address_changes; /* the caller has asked */
    announce(app->udp, session);
}

void app_source_renew(struct app *app, const struct session *session)
{
    uint32_t half = session_tick(app->replier->snapshot->settings.app_idle_ns / 2);

    if (!app->udp->has_other_workers || !session->is_open || !half)
        return;
    /* A session to which replies come is used by them: it has the client's replies. */
    if (session_tick(app->replier->now_ns) / half != session->used / half)
        announce(app->udp, session);
}

void app_source_end(struct app *app, const struct session *session)
{
    const struct udp_app *udp = app->udp;
    const struct address client = session_client(session, udp->address.family);

    if (udp->outbox.count)
        app_flush(app); /* its requests come first, which are to be answered */
    udp_transparent_announce(&udp->socket, &client, &udp->address, false);
}

void app_source_refuse(struct app *app, const struct address *client)
{
    char text[ADDRESS_TEXT_MAX];
    const char *why = client->family != app->udp->address.family
                          ? "the app has an address of the other family"
                          : "it is an address of this pod, or no unicast address of one machine";

    counters_drop(app->counters, DROP_source, 1);
    log_warn_minutely(
        "source_refused", app->replier->now_ns,
        "the client %s is dropped (reason source), because the app cannot see its address: "
        "%s",
        address_format(client, text), why);
}
