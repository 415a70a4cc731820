/* The numbers of election lease. */
#include "admin/documents.h"
#include "headless/base/clock.h"

static struct sample lease_gauge(const char *metric, uint64_t value, const char *help)
{
    return (struct sample){.type = SAMPLE_GAUGE, .info = {metric, "", "", help}, .value = value};
}

static struct sample lease_counter(const char *metric, uint64_t value, const char *help)
{
    return (struct sample){.type = SAMPLE_COUNTER, .info = {metric, "", "", help}, .value = value};
}

static size_t list_takeovers(const struct lease_counts *counts, struct sample *list)
{
    static const char help[] = "Times that this pod took the Lease; by: nobody had held it, it was "
                               "not renewed for its duration, its holder gave it up, a majority "
                               "voted, its holder's process had ended";
    size_t n = 0;

    for (size_t by = LEASE_BY_NOTHING + 1; by < LEASE_BY_COUNT; by++)
        list[n++] = (struct sample){
            .type = SAMPLE_COUNTER,
            .info = {"lease_takeovers_total", "by", lease_by_name((enum lease_by)by), help},
            .value = counts->takeovers[by]};
    return n;
}

size_t samples_list_lease(const struct admin_snapshot *snapshot,
                          struct sample ret_samples[static SAMPLES_OF_LEASE])
{
    const struct supervisor_lease_report *lease = &snapshot->lease;
    uint64_t age_ns = lease->exists && snapshot->now_ns > lease->changed_ns
                          ? snapshot->now_ns - lease->changed_ns
                          : 0;
    uint64_t left_ns = lease->is_held && lease->until_ns > snapshot->now_ns
                           ? lease->until_ns - snapshot->now_ns
                           : 0;
    size_t n = 0;

    ret_samples[n++] =
        lease_counter("lease_transitions_total", lease->transitions,
                      "Changes of the Lease's holder, of all pods (spec.leaseTransitions)");
    ret_samples[n++] = lease_counter(
        "lease_conflicts_total", lease->counts.conflicts,
        "Writes of the Lease refused because it had changed, or was made or deleted meanwhile");
    n += list_takeovers(&lease->counts, ret_samples + n);
    ret_samples[n++] =
        lease_gauge("lease_held", lease->is_held, "1 while this pod holds the Lease");
    ret_samples[n++] = lease_gauge("lease_term", lease->term, "Term of the Lease's holder");
    ret_samples[n++] = lease_gauge("lease_fence", lease->fence == LEASE_FENCE_PEERS,
                                   "1 while the Lease's holder needs leases of a majority of the "
                                   "members as well (fence: peers)");
    ret_samples[n++] =
        (struct sample){.type = SAMPLE_SECONDS,
                        .info = {"lease_age_seconds", "", "",
                                 "Time since the Lease changed, as this pod saw it; it is renewed "
                                 "after lease.renew"},
                        .value = age_ns};
    ret_samples[n++] = (struct sample){
        .type = SAMPLE_SECONDS,
        .info = {"lease_left_seconds", "", "",
                 "Time for which this pod leads without another renewal; 0: it does "
                 "not hold the Lease"},
        .value = left_ns};
    return n;
}
