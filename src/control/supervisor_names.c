/*
 * Two living members with one name: the election tells them apart by instance and address, but an
 * operator cannot. Each of them logs it once, with the other's address, and reports it.
 */
#include <stdio.h>

#include "supervisor_internal.h"

/* After a pod has returned at another address, the leader needs a detection time until it knows that
 * the process at the former address is dead, and the members until its next heartbeat. */
#define SHARED_DETECTIONS 2

/* Another member with our name that may be alive, or NULL; *ret_count: how many there are. */
static const struct election_member *find_member_with_own_name(const struct supervisor *supervisor,
                                                               uint32_t *ret_count)
{
    const struct election *e = &supervisor->election;
    const struct election_member *found = NULL;

    *ret_count = 0;
    for (uint16_t i = 0; i < e->list.count && e->self_index < e->list.count; i++) {
        const struct election_member *member = &e->list.members[i];

        if (i == e->self_index || !member->name.text[0] || !election_may_be_alive(e, i) ||
            strcmp(member->name.text, e->config.self.name.text) != 0)
            continue;
        ++*ret_count;
        if (!found)
            found = member;
    }
    return found;
}

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

void supervisor_check_names(struct supervisor *supervisor, uint64_t now_ns)
{
    uint64_t wait_ns = SHARED_DETECTIONS * supervisor->election.detection_ns;
    uint32_t count;
    const struct election_member *member = find_member_with_own_name(supervisor, &count);

    if (!member) {
        supervisor->name_shared_since_ns = 0;
        if (supervisor->logged.is_name_shared)
            log_info("name_unique", "no other member has the name of this pod, \"%s\", any longer",
                     supervisor->config->name);
        supervisor->logged.is_name_shared = false;
    } else if (!supervisor->name_shared_since_ns) {
        supervisor->name_shared_since_ns = now_ns;
    }
    if (!member || now_ns < supervisor->name_shared_since_ns + wait_ns) {
        if (reported(supervisor))
            report_namesake(supervisor, NULL, 0);
        return;
    }
    if (!supervisor->logged.is_name_shared)
        log_namesake(supervisor, member, count);
    if (reported(supervisor) != count)
        report_namesake(supervisor, member, count);
}
