/*
 * Two living members with one name: the election tells them apart by instance and address, but an
 * operator cannot. Each of them logs it once, with the other's address, and reports it.
 */
#include <stdio.h>

#include "supervisor_internal.h"

/* After a pod has returned at another address, a leader needs a detection time until it knows that
 * the process at the former address is dead, and the members until its next heartbeat. The time
 * begins again with each leader. */
#define SHARED_DETECTIONS 2

static uint32_t reported(const struct supervisor *supervisor)
{
    return atomic_load_explicit(&supervisor->report.namesakes, memory_order_relaxed);
}

static void report_namesake(struct supervisor *supervisor, const struct election_member *member,
                            uint32_t count)
{
    supervisor->namesake = member ? member->address : (struct address){0};
    supervisor_report_past(supervisor);
    atomic_store_explicit(&supervisor->report.namesakes, count, memory_order_relaxed);
}

static void log_namesake(struct supervisor *supervisor, const struct election_member *member,
                         uint32_t count)
{
    char text[ADDRESS_TEXT_MAX], more[32] = "";

    if (count > 1)
        (void)snprintf(more, sizeof(more), " (and %u more)", (unsigned)(count - 1));
    supervisor->logged.is_name_shared = true;
    log_warn("name_shared",
             "the member at %s%s has the name of this pod, \"%s\", too: no leader command and no "
             "leader option can name either of them; give each pod a name of its own (name, "
             "POD_NAME)",
             address_format_ip(&member->address, text), more, supervisor->config->name);
}

static void end_sharing(struct supervisor *supervisor)
{
    supervisor->name_shared.since_ns = 0;
    if (!supervisor->logged.is_name_shared)
        return;
    log_info("name_unique", "no other member has the name of this pod, \"%s\", any longer",
             supervisor->config->name);
    supervisor->logged.is_name_shared = false;
    report_namesake(supervisor, NULL, 0);
}

/* True once another member has had the name for long enough. */
static bool is_shared_for_long(struct supervisor *supervisor, uint64_t now_ns)
{
    const struct election *e = &supervisor->election;

    if (supervisor->name_shared.since_ns == 0 || supervisor->name_shared.term != e->term) {
        supervisor->name_shared.since_ns = now_ns;
        supervisor->name_shared.term = e->term;
    }
    return now_ns >= supervisor->name_shared.since_ns + SHARED_DETECTIONS * e->detection_ns;
}

void supervisor_check_names(struct supervisor *supervisor, uint64_t now_ns)
{
    const struct election *e = &supervisor->election;
    uint32_t count;
    uint16_t index = 0;

    if (!election_find_namesakes(e, &count, &index)) {
        supervisor->name_shared.since_ns = 0; /* a report stays */
        return;
    }
    if (count == 0) {
        end_sharing(supervisor);
        return;
    }
    if (!supervisor->logged.is_name_shared) {
        if (!is_shared_for_long(supervisor, now_ns))
            return;
        log_namesake(supervisor, &e->list.members[index], count);
    }
    if (reported(supervisor) != count)
        report_namesake(supervisor, &e->list.members[index], count);
}
