/* Checks of check.c: sources of the app's replies, and of the datagrams that it gets. */
#include <stdio.h>

#include "loader.h"

/* A session of any other app has a connected socket, which receives from app.target only. */
bool config_replies_need_loopback(const struct config *c, char why[static VALUE_WHY_MAX])
{
    char text[ADDRESS_TEXT_MAX];

    if (c->app_target.kind != CONFIG_APP_UDP || c->app_reply_from == CONFIG_REPLY_FROM_SAME ||
        (config_app_is_at_ipv4_loopback(c) && c->app_source == CONFIG_APP_SOURCE_SESSION))
        return false;
    (void)snprintf(why, VALUE_WHY_MAX,
                   "app.reply_from must be same unless app.target is on IPv4 loopback (is %s) and "
                   "app.source is session",
                   address_format(&c->app_target.address, text));
    return true;
}

/* From another host, replies to a client's address would go to the client itself. */
bool config_source_needs_local_app(const struct config *c, char why[static VALUE_WHY_MAX])
{
    const struct address *app = &c->app_target.address;
    bool is_udp = c->app_target.kind == CONFIG_APP_UDP;
    char text[ADDRESS_TEXT_MAX];

    if (c->app_source == CONFIG_APP_SOURCE_SESSION ||
        (is_udp && (address_is_loopback(app) || address_equal_ip(app, &c->self))))
        return false;
    (void)snprintf(why, VALUE_WHY_MAX,
                   "app.source client needs app.target udp:// at a loopback address or at self (is "
                   "%s)",
                   is_udp ? address_format(app, text) : "a built-in app");
    return true;
}
