#include "data/app/app_elsewhere.h"

#include "headless/base/clock.h"
#include "headless/base/log.h"

static bool is_own_port(const struct config *config, uint16_t port)
{
    return port == config->data_port || port == config->relay_port || port == config->peer_port;
}

/* The value of app.reply_from with which this would be taken. */
static enum config_reply_from needed_for(const struct config *config, const struct address *app,
                                         const struct address *peer)
{
    if (address_equal(peer, app))
        return CONFIG_REPLY_FROM_SAME;
    if (is_own_port(config, peer->port))
        return CONFIG_REPLY_FROM_COUNT;
    if (address_equal_ip(peer, app))
        return CONFIG_REPLY_FROM_PORT;
    if (address_is_loopback(peer) || address_equal_ip(peer, &config->self))
        return CONFIG_REPLY_FROM_ANY;
    return CONFIG_REPLY_FROM_COUNT;
}

bool app_elsewhere_is_taken(const struct config *config, const struct address *app,
                            const struct address *peer)
{
    return address_equal(peer, app) || needed_for(config, app, peer) <= config->app_reply_from;
}

void app_elsewhere_log(const struct config *config, const struct address *app,
                       const struct address *peer)
{
    static const char *const advice[] = {
        [CONFIG_REPLY_FROM_PORT] = "app.reply_from port takes them, and sends the client's later "
                                   "datagrams there",
        [CONFIG_REPLY_FROM_ANY] = "bind the server to the address of app.target, or app.reply_from "
                                  "any takes them",
        [CONFIG_REPLY_FROM_COUNT] = "no setting takes them",
    };
    char from[ADDRESS_TEXT_MAX], target[ADDRESS_TEXT_MAX];

    log_warn_minutely("app_replies_elsewhere", clock_now_ns(),
                      "replies from %s are dropped (reason stranger), because app.target is %s: %s",
                      address_format(peer, from), address_format(app, target),
                      advice[needed_for(config, app, peer)]);
}
