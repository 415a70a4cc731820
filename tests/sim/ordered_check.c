/*
 * ordered_check: the apps, and the invariants of the sequencer.
 *
 * After each step: an app is given consecutive indices, except where a report says otherwise. With
 * commits: no two apps, of any process, get two messages under one index, and nothing diverges. A
 * follower whose log is its leader's gets the leader's messages.
 * At the end, when all faults have healed: live apps have the same message under each index (after
 * their reports), all have delivered the leader's last entry, and all entries that were appended
 * since all agreed are in all apps.
 */
#include "ordered.h"

#define LATE_NS (4 * NS_PER_SEC) /* all agree at least this long before the clients end */

/* ---- apps ---- */

static struct ordered_app *app_of(struct sim *sim, uint32_t pod)
{
    return &sim->options.ordered->pods[pod].app;
}

static void check_committed(struct sim *sim, uint32_t pod, uint64_t index, uint32_t message)
{
    uint32_t *committed = &sim->options.ordered->committed[index];

    if (*committed && *committed != message)
        sim_fail(sim, "index %llu: message %u was committed, pod %u gets %u",
                 (unsigned long long)index, *committed, pod, message);
    *committed = message;
}

/* A pod whose log is its leader's, and who gets an entry: the leader's app has the same, or none.
 */
static void check_with_leader(struct sim *sim, uint32_t pod, uint64_t index, uint32_t message)
{
    const struct ordered *ordered = sim->options.ordered;
    const struct sequencer *s = &ordered->pods[pod].sequencer;

    for (uint32_t i = 0; i < sim->pod_count; i++) {
        const struct ordered_pod *other = &ordered->pods[i];

        if (sim->pods[i].is_up && other->sequencer.self == s->source &&
            sequencer_is_leading(&other->sequencer) && other->sequencer.term == s->term &&
            s->normal_term == s->term && other->app.known[index] &&
            other->app.known[index] != message)
            sim_fail(sim, "index %llu: leader %u got message %u, pod %u gets %u",
                     (unsigned long long)index, i, other->app.known[index], pod, message);
    }
}

void ordered_app_take(struct sim *sim, uint32_t pod, uint64_t index, uint32_t message)
{
    struct ordered *ordered = sim->options.ordered;
    struct ordered_app *app = app_of(sim, pod);

    if (index != app->next || index >= ORDERED_INDICES) {
        sim_fail(sim, "pod %u: index %llu is delivered, expected %llu", pod,
                 (unsigned long long)index, (unsigned long long)app->next);
        return;
    }
    app->known[app->next++] = message;
    ordered->delivered++;
    if (index > ordered->delivered_last)
        ordered->delivered_last = index;
    if (ordered->commits)
        check_committed(sim, pod, index, message);
    check_with_leader(sim, pod, index, message);
}

static void diverge(struct sim *sim, uint32_t pod, const struct sequencer_report *report)
{
    struct ordered_app *app = app_of(sim, pod);

    sim->options.ordered->diverged += report->to - report->from + 1;
    if (sim->options.ordered->commits || report->to + 1 != app->next)
        sim_fail(sim, "pod %u: %llu to %llu diverged, next is %llu", pod,
                 (unsigned long long)report->from, (unsigned long long)report->to,
                 (unsigned long long)app->next);
    for (uint64_t index = report->from; index <= report->to && !sim->failed; index++)
        app->known[index] = 0;
    app->next = report->from;
}

void ordered_app_report(struct sim *sim, uint32_t pod, const struct sequencer_report *report)
{
    struct ordered_app *app = app_of(sim, pod);

    sim_trace(sim, "%u reports %s %llu to %llu", pod,
              report->type == SEQUENCER_JOINED    ? "joined"
              : report->type == SEQUENCER_MISSING ? "missing"
                                                  : "diverged",
              (unsigned long long)report->from, (unsigned long long)report->to);
    if (report->type == SEQUENCER_DIVERGED) {
        diverge(sim, pod, report);
    } else if (report->type == SEQUENCER_MISSING) {
        if (report->from != app->next || report->to < report->from)
            sim_fail(sim, "pod %u: %llu to %llu are missing, next is %llu", pod,
                     (unsigned long long)report->from, (unsigned long long)report->to,
                     (unsigned long long)app->next);
        sim->options.ordered->missing += report->to - report->from + 1;
        app->next = report->to + 1;
    } else {
        app->first = app->next = report->from;
    }
}

void ordered_app_restart(struct sim *sim, uint32_t pod)
{
    memset(app_of(sim, pod), 0, sizeof(struct ordered_app));
}

/* ---- the end ---- */

static void check_index(struct sim *sim, uint64_t index)
{
    uint32_t message = 0;

    for (uint32_t pod = 0; pod < sim->pod_count; pod++) {
        uint32_t known = sim->pods[pod].is_up ? app_of(sim, pod)->known[index] : 0;

        if (known && message && known != message)
            sim_fail(sim, "index %llu: messages %u and %u, at pod %u", (unsigned long long)index,
                     message, known, pod);
        message = known ? known : message;
    }
}

/* It has all entries that were appended since all agreed. */
static void check_pod(struct sim *sim, uint32_t index, uint32_t leader)
{
    const struct sequencer *s = &sim->options.ordered->pods[index].sequencer;
    const struct sequencer *leading = &sim->options.ordered->pods[leader].sequencer;
    const struct ordered_app *app = app_of(sim, index);
    uint64_t last = sequencer_last(leading);
    uint64_t from = sim->options.ordered->healed_first;

    if (s->delivered != last || s->term != leading->term)
        sim_fail(sim, "pod %u has delivered %llu of %llu, term %llu of %llu", index,
                 (unsigned long long)s->delivered, (unsigned long long)last,
                 (unsigned long long)s->term, (unsigned long long)leading->term);
    for (; from <= last && from < ORDERED_INDICES; from++) {
        if (!app->known[from])
            sim_fail(sim, "pod %u has not got index %llu, after all had healed", index,
                     (unsigned long long)from);
    }
}

/*
 * With commits, a leader waits until all listed members have acknowledged if no majority has a log. One
 * row may be of a dead pod that returned at another address before the first list was written: the
 * leader removes it after member.forget (docs/election.md, Limits), by a slow clock 73 s after the last
 * fault, and a run ends after 65 s. True if a sequencer still waited for such a row when the clients
 * ended, or shortly before.
 */
static bool has_waited(const struct sim *sim)
{
    return sim->options.ordered->waited_ns + ORDERED_CLIENTS_END_NS + LATE_NS > sim->ends_ns;
}

void ordered_check_end(struct sim *sim)
{
    int leader;

    if (!sim->options.ordered || sim->failed || !sim->agreed_ns)
        return;
    leader = sim_agreed_leader(sim);
    if (leader < 0 || !sequencer_is_leading(&sim->options.ordered->pods[leader].sequencer)) {
        if (!has_waited(sim))
            sim_fail(sim, "no pod's sequencer leads at the end");
        return;
    }
    for (uint64_t index = 1; index < ORDERED_INDICES; index++)
        check_index(sim, index);
    if (has_waited(sim))
        return;
    if (sim->options.ordered->healed_first == 0)
        sim_fail(sim, "no message was appended after all had healed");
    for (uint32_t pod = 0; pod < sim->pod_count && !sim->failed; pod++) {
        if (sim->pods[pod].is_up)
            check_pod(sim, pod, (uint32_t)leader);
    }
}
