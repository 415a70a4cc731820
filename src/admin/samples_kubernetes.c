/* The numbers of Events, of the annotation headlessd.io/wanted, and of the label of the leader's pod. */
#include "admin/documents.h"

static struct sample kubernetes_result(const char *metric, const char *result, uint64_t value,
                                       const char *help)
{
    return (struct sample){
        .type = SAMPLE_COUNTER, .info = {metric, "result", result, help}, .value = value};
}

static size_t list_events(const struct supervisor_kubernetes_report *report, struct sample *list)
{
    static const char events[] =
        "Kubernetes Events about the Lease; failed: the API server refused it or did not reply; "
        "limited: not sent, because there were too many, or after a refusal",
                      wanted[] = "Annotations headlessd.io/wanted that this pod removed from the "
                                 "Lease; taken: the pod that it names leads";
    size_t n = 0;

    for (size_t i = 0; i < PLATFORM_EVENTS_RESULT_COUNT; i++)
        list[n++] = kubernetes_result("lease_events_total",
                                      platform_events_result_name((enum platform_events_result)i),
                                      report->events.of[i], events);
    list[n++] = kubernetes_result("lease_wanted_total", "taken", report->wanted_taken, wanted);
    list[n++] = kubernetes_result("lease_wanted_total", "refused", report->wanted_refused, wanted);
    return n;
}

size_t samples_list_kubernetes(const struct admin_snapshot *snapshot,
                               struct sample ret_samples[static SAMPLES_OF_KUBERNETES])
{
    const struct supervisor_kubernetes_report *report = &snapshot->kubernetes;
    size_t n = 0;

    if (report->events.is_on)
        n = list_events(report, ret_samples);
    if (!report->label.is_on)
        return n;
    ret_samples[n++] = (struct sample){
        .type = SAMPLE_COUNTER,
        .info = {"role_label_failures_total", "", "",
                 "Attempts to write or remove a pod's label headlessd.io/role that failed"},
        .value = report->label.failures};
    ret_samples[n++] = (struct sample){
        .type = SAMPLE_GAUGE,
        .info = {"role_label", "", "",
                 "1 while this pod has the label headlessd.io/role=leader, as the API server has "
                 "confirmed (platform.role_label)"},
        .value = report->label.is_set};
    return n;
}
