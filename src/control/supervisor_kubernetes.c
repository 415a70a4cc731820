/*
 * For people and for other objects of the cluster, none of which the election waits for: Events about the Lease, its
 * annotation headlessd.io/wanted, and the label of the pod that leads.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lease_driver.h"
#include "role_label.h"
#include "supervisor_internal.h"

#define WANTED_TOKEN    (ELECTION_COMMANDS_MAX + 1) /* of an election command: none of a client's */
#define WANTED_AGAIN_NS NS_PER_SEC                  /* until the next write that removes it */

struct kubernetes {
    struct role_label *label;       /* NULL: platform.role_label is false */
    struct platform_events *events; /* NULL: election peers */
    char former[CONFIG_NAME_MAX];   /* the last other leader; "": none, or not known */
    char wanted[LEASE_NAME_MAX];    /* in the Lease; "": none */
    char target[LEASE_NAME_MAX];    /* of the handover under way */
    uint64_t ask_ns;                /* the next write that removes wanted */
    _Atomic uint64_t taken, refused;
};

/* ---- Events ---- */

static void post_event(struct supervisor *supervisor, bool is_warning, const char *reason,
                       const char *action, const char *note)
{
    const struct lease *lease = supervisor_lease(supervisor);
    const struct platform_event event = {.is_warning = is_warning,
                                         .reason = reason,
                                         .action = action,
                                         .uid = lease ? lease->seen.uid : "",
                                         .note = note};

    platform_events_post(supervisor->kubernetes->events, &event, clock_now_ns());
}

/* A handover has two pods, of which the next leader tells it. */
void supervisor_tell_holding(struct supervisor *supervisor,
                             const struct supervisor_lease_report *before,
                             const struct supervisor_lease_report *now, enum lease_by by)
{
    const char *name = supervisor->config->name;
    char note[PLATFORM_EVENTS_NOTE_MAX];

    if (now->is_held && !before->is_held) {
        (void)snprintf(note, sizeof(note), "%s leads: term %" PRIu64 ", by %s, after %s", name,
                       now->term, lease_by_name(by), before->holder[0] ? before->holder : "nobody");
        post_event(supervisor, false, "LeaderChanged", "TakeLease", note);
    } else if (before->is_held && !now->is_held && now->is_ours && !now->holder[0]) {
        (void)snprintf(note, sizeof(note), "%s has released the Lease: nobody leads", name);
        post_event(supervisor, false, "LeaseReleased", "ReleaseLease", note);
    } else if (before->is_held && !now->is_held && !now->is_ours) {
        (void)snprintf(note, sizeof(note),
                       "somebody has changed the Lease, its holder is \"%s\": %s does not lead",
                       now->holder, name);
        post_event(supervisor, true, "LeaseChanged", "StepDown", note);
    }
}

/* ---- the annotation headlessd.io/wanted ---- */

static void refuse_wanted(struct supervisor *supervisor, const char *text, const char *why)
{
    char note[PLATFORM_EVENTS_NOTE_MAX];

    (void)atomic_fetch_add_explicit(&supervisor->kubernetes->refused, 1, memory_order_relaxed);
    log_warn("wanted_refused", "headlessd.io/wanted: \"%s\" %s: the annotation was removed", text,
             why);
    (void)snprintf(note, sizeof(note), "headlessd.io/wanted: \"%.*s\" %s", 256, text, why);
    post_event(supervisor, true, "HandoverRefused", "RemoveWanted", note);
}

static void hand_over(struct supervisor *supervisor, const struct election_member *member)
{
    struct kubernetes *k = supervisor->kubernetes;
    char note[PLATFORM_EVENTS_NOTE_MAX];

    log_info("wanted_taken", "headlessd.io/wanted: \"%s\" is to lead", k->target);
    (void)snprintf(note, sizeof(note), "headlessd.io/wanted: %s hands over to %.*s",
                   supervisor->config->name, 256, k->target);
    post_event(supervisor, false, "HandoverRequested", "StepDown", note);
    supervisor_feed(supervisor, &(struct election_event){.type = ELECTION_COMMAND,
                                                         .instance = member->instance,
                                                         .token = WANTED_TOKEN});
}

/* It has been removed from the Lease: as a command of a client that may give one. */
static void obey_wanted(struct supervisor *supervisor, const char *text)
{
    const struct election *e = &supervisor->election;
    struct kubernetes *k = supervisor->kubernetes;
    size_t count;
    const struct election_member *member = command_find_target(e, text, &count);

    if (e->state != ELECTION_LEADER) {
        refuse_wanted(supervisor, text, "was read by a pod that no longer leads");
    } else if (!member) {
        refuse_wanted(supervisor, text, "is no member");
    } else if (count > 1) {
        refuse_wanted(supervisor, text, "is the name of several members");
    } else if (member->instance == e->leader) {
        (void)atomic_fetch_add_explicit(&k->taken, 1, memory_order_relaxed);
        log_info("wanted_taken", "headlessd.io/wanted: \"%s\" leads already", text);
    } else {
        (void)snprintf(k->target, sizeof(k->target), "%s", text);
        hand_over(supervisor, member);
    }
}

bool supervisor_take_wanted_reply(struct supervisor *supervisor,
                                  const struct election_action *action)
{
    static const char *const reasons[] = {
        [ELECTION_NO_MEMBER] = "is no member any more",
        [ELECTION_NOT_ALIVE] = "is not alive",
        [ELECTION_NOT_ELIGIBLE] = "may not lead (eligible, or its app is down)",
        [ELECTION_NO_QUORUM] = "did not become leader in time",
        [ELECTION_BAD_TERM] = "did not become leader, but another pod did",
    };

    if (action->token != WANTED_TOKEN)
        return false;
    if (action->reply == ELECTION_OK)
        (void)atomic_fetch_add_explicit(&supervisor->kubernetes->taken, 1, memory_order_relaxed);
    else
        refuse_wanted(supervisor, supervisor->kubernetes->target, reasons[action->reply]);
    return true;
}

/* The holder removes it first. Another pod leaves it to the holder, or to the next one. */
static void run_wanted(struct supervisor *supervisor, uint64_t now_ns)
{
    struct kubernetes *k = supervisor->kubernetes;
    struct lease_wanted *wanted = supervisor_lease_wanted(supervisor);
    const struct lease_wanted_news *news = lease_wanted_take(wanted);
    bool is_holder;

    if (news) {
        (void)snprintf(k->wanted, sizeof(k->wanted), "%s", news->is_removed ? "" : news->text);
        k->ask_ns = now_ns;
    }
    if (news && news->is_removed)
        obey_wanted(supervisor, news->text);
    is_holder = supervisor->election.state == ELECTION_LEADER &&
                supervisor_lease(supervisor)->told.held_term == supervisor->election.term;
    lease_wanted_ask(wanted, is_holder ? k->wanted : "");
    if (!is_holder || !k->wanted[0] || now_ns < k->ask_ns)
        return;
    k->ask_ns = now_ns + WANTED_AGAIN_NS;
    supervisor_renew_lease(supervisor);
}

/* ---- the label ---- */

static bool leads_now(const struct supervisor *supervisor, uint64_t now_ns)
{
    const struct leader_snapshot *snapshot =
        snapshot_current(data_plane_publisher(supervisor->data_plane));

    return snapshot->leader.kind == LEADER_SELF &&
           now_ns < atomic_load_explicit(&snapshot->leader.valid_until_ns, memory_order_relaxed);
}

/* The name in a record of ours of another pod: NAME_INSTANCE. 0: there is none. */
static int length_of_holder(const struct lease *lease)
{
    const char *holder, *end;

    if (!lease)
        return 0;
    holder = lease->seen.holder;
    end = strrchr(holder, '_');
    return end && lease_is_ours(&lease->seen) && lease_holder_instance(holder) != lease->instance
               ? (int)(end - holder)
               : 0;
}

/* By the pods, or by the Lease where this pod did not know it as a leader. */
static void note_former(struct supervisor *supervisor)
{
    struct kubernetes *k = supervisor->kubernetes;
    const struct lease *lease = supervisor_lease(supervisor);
    const struct peer *peer = NULL;
    int length = length_of_holder(lease);

    if (supervisor->facts.kind == LEADER_MEMBER)
        peer = peers_find(&supervisor->peers, supervisor->facts.leader);
    if (peer && peer->name.text[0])
        (void)snprintf(k->former, sizeof(k->former), "%s", peer->name.text);
    else if (length > 0)
        (void)snprintf(k->former, sizeof(k->former), "%.*s", length, lease->seen.holder);
}

void supervisor_run_kubernetes(struct supervisor *supervisor, uint64_t now_ns)
{
    struct kubernetes *k = supervisor->kubernetes;

    if (!k)
        return;
    if (supervisor_lease(supervisor))
        run_wanted(supervisor, now_ns);
    if (!k->label)
        return;
    note_former(supervisor);
    role_label_run(k->label, leads_now(supervisor, now_ns), k->former, now_ns);
}

bool supervisor_has_kubernetes_news(struct supervisor *supervisor)
{
    return supervisor->kubernetes && supervisor_lease(supervisor) &&
           lease_wanted_has_news(supervisor_lease_wanted(supervisor));
}

/* ---- open, close, report ---- */

int supervisor_open_kubernetes(struct supervisor *supervisor, struct platform *platform)
{
    const struct config *config = supervisor->config;
    const struct platform_events_about about = {.version = "coordination.k8s.io/v1",
                                                .kind = "Lease",
                                                .name = config->lease_name,
                                                .reporter = config->name};
    struct kubernetes *k = calloc(1, sizeof(*k));
    int rc;

    if (!k)
        return -ENOMEM;
    supervisor->kubernetes = k;
    rc = role_label_open(config, platform, &supervisor->waker, &k->label);
    if (!rc && config->election == CONFIG_ELECTION_LEASE)
        rc = platform_events_open(platform, &about, &k->events);
    return rc;
}

void supervisor_close_kubernetes(struct supervisor *supervisor)
{
    if (!supervisor->kubernetes)
        return;
    role_label_close(supervisor->kubernetes->label);
    platform_events_close(supervisor->kubernetes->events);
    free(supervisor->kubernetes);
    supervisor->kubernetes = NULL;
}

void supervisor_read_kubernetes(const struct supervisor *supervisor,
                                struct supervisor_kubernetes_report *ret_report)
{
    const struct kubernetes *k = supervisor->kubernetes;

    *ret_report = (struct supervisor_kubernetes_report){0};
    if (!k)
        return;
    ret_report->wanted_taken = atomic_load_explicit(&k->taken, memory_order_relaxed);
    ret_report->wanted_refused = atomic_load_explicit(&k->refused, memory_order_relaxed);
    platform_events_read(k->events, &ret_report->events);
    role_label_read(k->label, &ret_report->label);
}
