#include "admin/readiness.h"

#include <stdio.h>
#include <string.h>

#include "headless/base/clock.h"
#include "headless/base/utf8.h"
#include "headless/net/udp.h"
#include "headless/platform/report.h"

#define READINESS_STALL_NS (2 * NS_PER_SEC)

static uint32_t read_report(const _Atomic uint32_t *place)
{
    return atomic_load_explicit(place, memory_order_relaxed);
}

static struct admin_why copy_why(struct admin *admin)
{
    struct admin_why why;

    (void)pthread_mutex_lock(&admin->why_lock);
    why = admin->why;
    (void)pthread_mutex_unlock(&admin->why_lock);
    return why;
}

/* ---- the rules: true if one applies; text is then the line ---- */

static bool is_stopping(struct admin *admin, char text[static READINESS_MAX])
{
    (void)snprintf(text, READINESS_MAX, "stopping");
    return atomic_load_explicit(&admin->stopping, memory_order_relaxed);
}

/* The supervisor runs before the data threads, which may fail to start. */
static bool is_starting(struct admin *admin, char text[static READINESS_MAX])
{
    (void)snprintf(text, READINESS_MAX, "starting: the data threads do not run yet");
    return !atomic_load_explicit(&admin->serving, memory_order_relaxed);
}

static bool lacks_key(struct admin *admin, char text[static READINESS_MAX])
{
    const struct admin_why why = copy_why(admin);

    if (why.keys[0] && read_report(&supervisor_report(admin->supervisor)->keys) == 0)
        (void)snprintf(text, READINESS_MAX,
                       "key: %s (keys); without a key this pod cannot verify any other", why.keys);
    else
        (void)snprintf(
            text, READINESS_MAX,
            "key: no message from another pod can be verified: this pod has no key, or another "
            "than the other pods (keys; headlessctl key list)");
    return supervisor_state(admin->supervisor) == ELECTION_UNAUTHENTICATED;
}

/* Without its supervisor this pod has no valid leader soon, and holds requests; /livez waits longer. */
static bool is_stalled(struct admin *admin, char text[static READINESS_MAX])
{
    uint64_t ran_ns =
        atomic_load_explicit(&supervisor_report(admin->supervisor)->ran_ns, memory_order_relaxed);

    (void)snprintf(
        text, READINESS_MAX,
        "stalled: the supervisor thread has not run for 2 s: this pod needs more CPU, or "
        "programs of higher priority take it");
    return ran_ns && clock_now_ns() > ran_ns + READINESS_STALL_NS;
}

/* The end of the line tells what the API server refuses. */
static bool lacks_lease(struct admin *admin, char text[static READINESS_MAX])
{
    enum supervisor_lease_state state = supervisor_lease_state(admin->supervisor);

    if (state == SUPERVISOR_LEASE_COORDINATED)
        (void)snprintf(
            text, READINESS_MAX,
            "lease: Lease \"%s\" (lease.name) has spec.strategy, so the API server's own "
            "election may change it: remove strategy, or choose another Lease",
            admin->config->lease_name);
    else if (state == SUPERVISOR_LEASE_FOREIGN)
        (void)snprintf(
            text, READINESS_MAX,
            "lease: pods of another cluster than \"%.255s\" write Lease \"%s\" (lease.name): "
            "choose another Lease",
            admin->config->cluster, admin->config->lease_name);
    else
        (void)snprintf(text, READINESS_MAX,
                       "lease: the API server has not said who holds Lease \"%s\" (lease.name) yet",
                       admin->config->lease_name);
    return !supervisor_is_leader_outside(admin->supervisor) && state != SUPERVISOR_LEASE_NONE &&
           state != SUPERVISOR_LEASE_KNOWN;
}

/* With a leader outside the cluster there is no election to join. */
static bool has_joined(struct admin *admin, char text[static READINESS_MAX])
{
    (void)snprintf(text, READINESS_MAX, "ready");
    return supervisor_is_leader_outside(admin->supervisor) ||
           supervisor_state(admin->supervisor) != ELECTION_JOINING;
}

static bool is_elsewhere(struct admin *admin, char text[static READINESS_MAX])
{
    char self[ADDRESS_TEXT_MAX];

    (void)snprintf(text, READINESS_MAX,
                   "joining: self (POD_IP) is %s, which is no address of this pod: nothing can be "
                   "sent from it; take POD_IP from status.podIP, or leave it out",
                   address_format_ip(&admin->config->self, self));
    return !udp_is_here(&admin->config->self);
}

static bool knows_no_name(struct admin *admin, char text[static READINESS_MAX])
{
    const struct config *config = admin->config;

    (void)snprintf(
        text, READINESS_MAX,
        "joining: quorum.expect is %u, and neither discovery.dns, discovery.kubernetes nor "
        "peers names the other pods: set discovery.dns to the name of their headless Service",
        (unsigned)config->quorum_expect);
    return config->peers.count == 0 && !config_is_discovering(config);
}

/* An API server that refuses or is away is told at the end of the line. */
static bool finds_no_endpoint(struct admin *admin, char text[static READINESS_MAX])
{
    enum supervisor_slices state = supervisor_slices(admin->supervisor);

    if (state == SUPERVISOR_SLICES_EMPTY)
        (void)snprintf(
            text, READINESS_MAX,
            "joining: discovery.kubernetes: Service \"%s\" has no endpoint: does it exist "
            "in this pod's namespace, and does it select the pods?",
            admin->config->discovery_kubernetes);
    else
        (void)snprintf(
            text, READINESS_MAX,
            "joining: discovery.kubernetes: the API server has not named the endpoints of "
            "Service \"%s\" yet",
            admin->config->discovery_kubernetes);
    return state != SUPERVISOR_SLICES_NONE && state != SUPERVISOR_SLICES_CURRENT &&
           read_report(&supervisor_report(admin->supervisor)->known) == 0;
}

static bool finds_no_name(struct admin *admin, char text[static READINESS_MAX])
{
    const struct supervisor_report *report = supervisor_report(admin->supervisor);
    int failure = atomic_load_explicit(&report->lookup, memory_order_relaxed);

    (void)snprintf(text, READINESS_MAX,
                   "joining: discovery.dns: no address for \"%s\": %s; is that the name of the "
                   "pods' headless Service, and do network policies let DNS through?",
                   admin->config->discovery_dns, supervisor_lookup_reason(failure));
    return failure && read_report(&report->known) == 0;
}

static bool is_alone(struct admin *admin, char text[static READINESS_MAX])
{
    const struct config *config = admin->config;

    (void)snprintf(text, READINESS_MAX,
                   "joining: %s names no other pod, and quorum.expect is %u: start the others, or "
                   "correct the name or quorum.expect",
                   config->discovery_kubernetes[0] ? "discovery.kubernetes"
                   : config->discovery_dns[0]      ? "discovery.dns"
                                                   : "peers",
                   (unsigned)config->quorum_expect);
    return read_report(&supervisor_report(admin->supervisor)->known) == 0;
}

static bool finds_virtual(struct admin *admin, char text[static READINESS_MAX])
{
    (void)snprintf(
        text, READINESS_MAX,
        "joining: discovery.dns: \"%s\" has one address, which is not this pod's, and no "
        "pod replies from it: is that Service headless (clusterIP: None)?",
        admin->config->discovery_dns);
    return read_report(&supervisor_report(admin->supervisor)->is_virtual) == 1;
}

static bool is_kept_out(struct admin *admin, char text[static READINESS_MAX])
{
    bool has_lease = admin->config->election == CONFIG_ELECTION_LEASE;

    (void)snprintf(
        text, READINESS_MAX,
        "joining: other pods have election: %s, this one has %s, and together they might "
        "have two leaders: set the same in all pods, with all of them stopped "
        "(kubectl scale --replicas 0)",
        has_lease ? "peers" : "lease", has_lease ? "lease" : "peers");
    return read_report(&supervisor_report(admin->supervisor)->is_kept_out) == 1;
}

static bool finds_other_elector(struct admin *admin, char text[static READINESS_MAX])
{
    struct supervisor_lease_report lease;

    if (!supervisor_read_lease(admin->supervisor, &lease))
        return false;
    (void)snprintf(text, READINESS_MAX,
                   "joining: Lease \"%s\" (lease.name) is held by \"%s\", which no pod of this "
                   "cluster has written: no pod leads while that is renewed; end the program that "
                   "elects by this Lease, or choose another one",
                   admin->config->lease_name, lease.holder);
    return lease.exists && lease.holder[0] && !lease.is_ours;
}

static bool waits(struct admin *admin, char text[static READINESS_MAX])
{
    const struct supervisor_report *report = supervisor_report(admin->supervisor);

    (void)snprintf(
        text, READINESS_MAX,
        "joining: %u of %u other pods that peers and discovery name have replied, "
        "and none has added this pod to the member list: do %u and %u/udp pass between the pods "
        "(NetworkPolicy), and is quorum.expect the number of pods?",
        read_report(&report->answered), read_report(&report->known),
        (unsigned)admin->config->relay_port, (unsigned)admin->config->peer_port);
    return true;
}

/* ---- a refused configuration or unreadable keys ---- */

static void add_refused(struct admin *admin, bool is_ready, char text[static READINESS_MAX])
{
    const struct admin_why why = copy_why(admin);
    size_t length = strlen(text);

    if (why.reload[0] && !is_ready)
        (void)snprintf(text + length, READINESS_MAX - length,
                       "; the new configuration is refused: %s", why.reload);
    else if (!is_ready)
        return;
    else if (why.reload[0])
        (void)snprintf(text, READINESS_MAX,
                       "ready, with the previous configuration; the new one is refused: %s",
                       why.reload);
    else if (why.keys[0])
        (void)snprintf(text, READINESS_MAX, "ready, with the previous keys: %s (keys)", why.keys);
}

/* It serves: the others are found by DNS, or were found before. */
static void readiness_add_slices(struct admin *admin, bool is_ready,
                                 char text[static READINESS_MAX])
{
    size_t length = strlen(text);

    if (is_ready && supervisor_slices(admin->supervisor) == SUPERVISOR_SLICES_EMPTY)
        (void)snprintf(text + length, READINESS_MAX - length,
                       "; discovery.kubernetes: Service \"%s\" has no endpoint",
                       admin->config->discovery_kubernetes);
}

/* It serves: what names it in a command, and in leader_list, names the other one as well. */
static void add_namesake(struct admin *admin, bool is_ready, char text[static READINESS_MAX])
{
    size_t length = strlen(text);
    char address[ADDRESS_TEXT_MAX];
    struct address other;

    if (is_ready && supervisor_read_namesake(admin->supervisor, &other))
        (void)snprintf(text + length, READINESS_MAX - length,
                       "; the member at %s has the name of this pod, \"%s\", too: give each pod a "
                       "name of its own (name, POD_NAME)",
                       address_format_ip(&other, address), admin->config->name);
}

/* The API server refuses a request, or does not respond: then other pods may be unknown. */
static void add_api(struct admin *admin, char text[static READINESS_MAX])
{
    size_t length = strlen(text);
    char why[PLATFORM_WHY_MAX];

    if (platform_problem(admin->platform, why))
        (void)snprintf(text + length, READINESS_MAX - length, "; API server: %s", why);
}

/* The first rule that applies decides. */
static const struct rule {
    bool (*is_so)(struct admin *admin, char text[static READINESS_MAX]);
    bool is_ready;
} rules[] = {
    {is_stopping, false},       {is_starting, false},         {is_stalled, false},
    {lacks_key, false},         {lacks_lease, false},         {has_joined, true},
    {is_elsewhere, false},      {is_kept_out, false},         {knows_no_name, false},
    {finds_no_endpoint, false}, {finds_no_name, false},       {is_alone, false},
    {finds_virtual, false},     {finds_other_elector, false}, {waits, false},
};

bool readiness_tell(struct admin *admin, char text[static READINESS_MAX])
{
    const struct rule *rule = rules;

    while (!rule->is_so(admin, text))
        rule++; /* the last one always applies */
    add_refused(admin, rule->is_ready, text);
    readiness_add_slices(admin, rule->is_ready, text);
    add_namesake(admin, rule->is_ready, text);
    add_api(admin, text);
    text[utf8_trim(text, strlen(text))] = '\0'; /* it may be cut within a character */
    return rule->is_ready;
}
