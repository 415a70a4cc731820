/*
 * app.down: refuse. While no pod's app is up, the kernel refuses clients at the data port, as it would
 * without headlessd: a resolver, for instance, then asks its next server at once.
 *
 * "No app is up" holds only under a valid leader, whose own app and the apps of all live eligible
 * members are down (election_has_no_app). It must last for hold.time: until then requests that are
 * held may reach an app that is only restarted. That bounds the rate of changes, too. An app that may
 * be up again, or a leader that is not valid, ends the refusal at once.
 *
 * Only for an app at a loopback address, which is checked without clients. An app on another host that
 * has not answered yet is checked by a held request, and refused clients send none. The same is true of
 * a loopback app where the kernel does not say what is at its port (udp_lookup.h): under a leader that
 * needs a request nobody is refused, and its heartbeats lack the flag NO_APP.
 */
#include <errno.h>

#include "supervisor_internal.h"

#define REFUSE_AFTER_MIN_NS NS_PER_SEC

bool supervisor_needs_request(const struct supervisor *supervisor)
{
    return supervisor->election.state == ELECTION_LEADER &&
           data_plane_needs_request(supervisor->data_plane);
}

static bool is_no_app_left(const struct supervisor *supervisor)
{
    return supervisor->settings.app_down == CONFIG_DOWN_REFUSE &&
           supervisor->config->receivers == 1 && !address_is_set(&supervisor->outside) &&
           address_is_loopback(&supervisor->config->app_target.address) &&
           election_has_no_app(&supervisor->election) && !supervisor_needs_request(supervisor);
}

static uint64_t refuse_after_ns(const struct supervisor *supervisor)
{
    uint64_t hold_ns = supervisor->settings.hold_time_ns;

    return hold_ns > REFUSE_AFTER_MIN_NS ? hold_ns : REFUSE_AFTER_MIN_NS;
}

static void log_refusal(bool is_refusing, int rc)
{
    if (rc == -ESHUTDOWN)
        return;
    if (rc)
        log_error("refusal_failed", "the data port cannot %s: %s",
                  is_refusing ? "refuse clients" : "accept clients again: restart the pod",
                  strerror(-rc));
    else if (is_refusing)
        log_warn("clients_refused",
                 "no pod's app has been up for hold.time: the data port refuses clients until one "
                 "is (app.down)");
    else
        log_info("clients_accepted", "the data port accepts datagrams again");
}

void supervisor_check_apps(struct supervisor *supervisor, uint64_t now_ns)
{
    bool is_refusing = false;

    data_plane_note_no_app(supervisor->data_plane, election_has_no_app(&supervisor->election));
    if (!is_no_app_left(supervisor))
        supervisor->no_app_since_ns = 0;
    else if (!supervisor->no_app_since_ns)
        supervisor->no_app_since_ns = now_ns;
    else
        is_refusing = now_ns >= supervisor->no_app_since_ns + refuse_after_ns(supervisor);
    if (is_refusing == supervisor->is_refusing)
        return;
    supervisor->is_refusing = is_refusing;
    log_refusal(is_refusing, data_plane_refuse_clients(supervisor->data_plane, is_refusing));
}
