#include "data/loop_guard.h"

#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/net/udp.h"

bool loop_guard_is_needed(const struct config *config)
{
    const struct address *app = &config->app_target.address;

    if (config->relay_format != CONFIG_RELAY_FRAMED)
        return true;
    return config->app_target.kind == CONFIG_APP_UDP &&
           (!address_is_loopback(app) || app->port == config->data_port);
}

static void log_loop(const struct record *record, const struct address *to)
{
    char target[ADDRESS_TEXT_MAX], client[ADDRESS_TEXT_MAX];

    log_warn_minutely(
        "forwarding_loop", clock_now_ns(),
        "a datagram from %s is dropped (reason ttl), because it came with TTL %u: most "
        "likely it came back several times, since %s, to which this pod sends (app.target "
        "or leader), %s",
        address_format(&record->client, client), record->ttl, address_format(to, target),
        udp_is_local(to) ? "is an address of this pod"
                         : "leads to a headlessd pod, maybe through a Service or NAT");
}

bool loop_guard_pass(const struct record *record, const struct address *to, uint8_t *ret_ttl)
{
    *ret_ttl = loop_guard_next(record->ttl);
    if (!*ret_ttl)
        log_loop(record, to);
    return *ret_ttl != 0;
}
