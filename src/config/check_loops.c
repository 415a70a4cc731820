/* Checks of check.c: no address to which this pod sends is one of its own sockets. */
#include <stdio.h>

#include "loader.h"

bool config_leader_address(const struct config *c, struct address *ret_address)
{
    return address_parse(c->leader, 0, ret_address) == 0;
}

/* Is this one of this pod's UDP sockets, so that a datagram sent there would loop? The addresses of
 * this machine are asked for each time: they may have changed at a reload. */
static bool is_own_socket(const struct config *c, const struct address *a)
{
    if (a->port != c->data_port && a->port != c->relay_port && a->port != c->peer_port)
        return false;
    return address_equal_ip(a, &c->self) || address_equal_ip(a, &c->bind) ||
           (address_is_any(&c->bind) && config_is_own_address(a));
}

bool config_leader_is_own_socket(const struct config *c, char why[static VALUE_WHY_MAX])
{
    struct address a;

    if (!config_leader_address(c, &a))
        return false;
    if (a.port == 0 && c->relay_format != CONFIG_RELAY_FRAMED && !address_equal_ip(&a, &c->self))
        a.port = c->data_port; /* the port that raw uses when none is given */
    if (!is_own_socket(c, &a))
        return false;
    (void)value_refuse(why, c->leader,
                       "is a port of this pod itself, datagrams would go in circles");
    return true;
}

bool config_app_is_own_socket(const struct config *c, char why[static VALUE_WHY_MAX])
{
    char text[ADDRESS_TEXT_MAX];

    if (c->app_target.kind != CONFIG_APP_UDP || !is_own_socket(c, &c->app_target.address))
        return false;
    (void)value_refuse(why, address_format(&c->app_target.address, text),
                       "is a port of this pod itself, datagrams would go in circles");
    return true;
}

bool config_notify_is_own_socket(const struct config *c, char why[static VALUE_WHY_MAX])
{
    char text[ADDRESS_TEXT_MAX];

    if (c->app_notify.port == 0 || !is_own_socket(c, &c->app_notify))
        return false;
    (void)value_refuse(
        why, address_format(&c->app_notify, text),
        "is a port of this pod itself, notifications would count as a client's datagrams");
    return true;
}
