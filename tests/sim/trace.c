/* trace: prints each message and transition as a line. */
#include <stdio.h>

#include "sim.h"

static void print_time(const struct sim *sim)
{
    (void)printf("%11.6f ", (double)sim->now_ns / 1e9);
}

void sim_trace_message(const struct sim *sim, uint32_t pod, const char *what, uint32_t other,
                       const struct election_message *m)
{
    print_time(sim);
    (void)printf("%u %s %u %s term %llu list %llu.%u flags %x", pod, what, other,
                 election_message_name(m->type), (unsigned long long)m->term,
                 (unsigned long long)m->list.term, m->list.version, m->flags);
    if (m->wait_ns)
        (void)printf(" wait %.1f ms", (double)m->wait_ns / 1e6);
    if (m->lease_grant_ns)
        (void)printf(" grant %.0f ms", (double)m->lease_grant_ns / 1e6);
    (void)printf("\n");
}

void sim_trace_leadership(const struct sim *sim, uint32_t pod)
{
    const struct sim_pod *p = &sim->pods[pod];

    print_time(sim);
    (void)printf("%u == %s (by %s) term %llu leader %llu%s%s valid until %.6f, list "
                 "%llu.%u of %u\n",
                 pod, election_state_name(p->leadership.state),
                 election_cause_name(p->election.cause), (unsigned long long)p->leadership.term,
                 (unsigned long long)p->leadership.leader,
                 p->election.is_volatile ? " volatile" : "",
                 p->election.is_list_committed ? " committed" : "", (double)p->valid_until_ns / 1e9,
                 (unsigned long long)p->election.list.id.term, p->election.list.id.version,
                 p->election.list.count);
}

void sim_trace(const struct sim *sim, const char *format, ...)
{
    va_list arguments;

    if (!sim->options.trace)
        return;
    print_time(sim);
    va_start(arguments, format);
    (void)vprintf(format, arguments);
    va_end(arguments);
    (void)printf("\n");
}
