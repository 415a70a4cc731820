/* A check of check.c: whether sessions may stay with a former leader. */
#include <stdio.h>

#include "loader.h"

bool config_sessions_may_not_stay(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (c->drain_sessions == CONFIG_SESSIONS_MOVE ||
        (c->route == CONFIG_ROUTE_LEADER && c->relay_format == CONFIG_RELAY_FRAMED))
        return false;
    (void)snprintf(
        why, VALUE_WHY_MAX,
        "drain.sessions stay needs route leader and relay.format framed: with the others "
        "a former leader cannot pass requests on");
    return true;
}
