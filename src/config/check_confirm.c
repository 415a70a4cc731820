/* A check of check.c: relay.confirm and the number of threads. */
#include <stdio.h>

#include "loader.h"

bool config_replied_needs_one_worker(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (c->relay_confirm != CONFIG_CONFIRM_REPLIED || (c->workers ? c->workers : c->receivers) == 1)
        return false;
    (void)snprintf(why, VALUE_WHY_MAX,
                   "relay.confirm replied needs one thread that sees requests and replies: workers "
                   "1, or workers 0 with receivers 1");
    return true;
}
