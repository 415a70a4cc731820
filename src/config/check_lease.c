/* Checks of check.c: election lease and its times. */
#include <inttypes.h>
#include <stdio.h>

#include "headless/base/clock.h"
#include "loader.h"

#define RENEWALS 6 /* in a duration, if lease.renew is auto (control/lease.c) */

/* leaseDurationSeconds is an integer. */
bool config_lease_has_fraction(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (c->lease_duration_ns % NS_PER_SEC == 0)
        return false;
    (void)snprintf(why, VALUE_WHY_MAX, "lease.duration is not a number of whole seconds");
    return true;
}

/* Otherwise one renewal that fails could end the leader's time. */
bool config_lease_renews_late(const struct config *c, char why[static VALUE_WHY_MAX])
{
    uint64_t renew_ns = c->lease_renew_ns ? c->lease_renew_ns : c->lease_duration_ns / RENEWALS;

    if (c->election != CONFIG_ELECTION_LEASE ||
        renew_ns + c->lease_timeout_ns <= c->lease_duration_ns / 2)
        return false;
    (void)snprintf(why, VALUE_WHY_MAX,
                   "lease.renew and lease.timeout together are %" PRIu64
                   " ms, more than half of lease.duration",
                   (renew_ns + c->lease_timeout_ns) / NS_PER_MS);
    return true;
}

/* A holder with fence: lease leads without a majority, which then could commit nothing. */
bool config_lease_needs_no_commit(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (c->election != CONFIG_ELECTION_LEASE || c->route != CONFIG_ROUTE_ORDERED ||
        c->ordered_commit == CONFIG_COMMIT_NONE)
        return false;
    (void)snprintf(why, VALUE_WHY_MAX,
                   "ordered.commit majority needs election peers: the Lease may name a leader "
                   "that lacks entries which a majority has");
    return true;
}
