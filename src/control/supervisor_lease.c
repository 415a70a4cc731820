/* election lease: feeds lease_step, and the election with its news. docs/election.md, "With a Lease". */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "lease_driver.h"
#include "supervisor_internal.h"

#define REFRESH_NS (20 * NS_PER_SEC) /* the API server closes idle connections after 90 s */

struct sealing {
    struct lease lease;
    struct lease_actions actions;
    struct lease_driver driver;
    bool is_started;
    enum lease_by by; /* of the last write that takes the Lease, which may have had no reply yet */
    uint64_t differs_since_ns; /* the leader is not the holder; 0: it is, or there is none */
    _Atomic bool is_busy;      /* supervisor_is_sealing */

    struct supervisor_lease_report last;
    struct triple_buffer report; /* the supervisor writes, readers read with readers_lock */
    struct supervisor_lease_report reports[TRIPLE_BUFFER_VERSIONS];
};

/* ---- the report, and what is logged ---- */

static struct supervisor_lease_report lease_report_of(const struct lease *l)
{
    struct supervisor_lease_report report = {.term = l->seen.term,
                                             .transitions = l->seen.transitions,
                                             .duration_ns = l->seen.duration_ns,
                                             .changed_ns = l->changed_ns,
                                             .until_ns = l->told.until_ns,
                                             .fence = l->seen.fence,
                                             .exists = l->seen.exists,
                                             .is_ours = lease_is_ours(&l->seen),
                                             .is_held = l->told.held_term != 0,
                                             .is_failing = l->is_failing,
                                             .counts = l->counts};

    memcpy(report.holder, l->seen.holder, sizeof(report.holder));
    return report;
}

static void log_holding(const struct supervisor_lease_report *before,
                        const struct supervisor_lease_report *now, enum lease_by by)
{
    if (now->is_held && !before->is_held)
        log_info("lease_taken", "this pod holds the Lease: term %" PRIu64 ", by %s, after %s",
                 now->term, lease_by_name(by), before->holder[0] ? before->holder : "nobody");
    else if (before->is_held && !now->is_held && now->is_ours && !now->holder[0])
        log_info("lease_released", "this pod has released the Lease");
    else if (before->is_held && !now->is_held)
        log_warn("lease_lost", "the Lease has another holder, \"%s\"%s: this pod does not lead",
                 now->holder, now->is_ours ? "" : ", which no pod of this cluster has written");
}

/* The client logs the reason. */
static void log_renewals(const struct supervisor_lease_report *before,
                         const struct supervisor_lease_report *now)
{
    uint64_t now_ns = clock_now_ns();

    if (!now->is_held || now->is_failing == before->is_failing)
        return;
    if (!now->is_failing)
        log_info("lease_renewed", "the Lease can be renewed again");
    else
        log_warn("lease_failing",
                 "the Lease cannot be renewed: without a renewal this pod leads for %" PRIu64
                 " ms more",
                 now->until_ns > now_ns ? (now->until_ns - now_ns) / NS_PER_MS : 0);
}

static void publish_lease(struct supervisor *supervisor)
{
    struct sealing *s = supervisor->sealing;
    const struct lease *l = &s->lease;
    struct supervisor_lease_report report = lease_report_of(l);

    atomic_store_explicit(&s->is_busy,
                          l->verb != LEASE_NOTHING ||
                              (l->seen.exists && strcmp(l->seen.holder, l->holder) == 0),
                          memory_order_relaxed);
    log_holding(&s->last, &report, s->by);
    log_renewals(&s->last, &report);
    supervisor_tell_holding(supervisor, &s->last, &report, s->by);
    s->last = s->reports[s->report.writer_index] = report;
    triple_buffer_publish(&s->report);
}

/* ---- steps ---- */

static void run_lease(struct supervisor *supervisor, const struct lease_event *first)
{
    static const struct lease_event tick = {.type = LEASE_TICK};
    struct sealing *s = supervisor->sealing;
    const struct lease_event *event = first;
    struct election_lease news;
    bool has_news;

    do {
        lease_step(&s->lease, event, &supervisor->election, clock_now_ns(), &s->actions);
        if (s->lease.sent_by != LEASE_BY_NOTHING)
            s->by = s->lease.sent_by; /* a renewal may follow at once */
        has_news = s->actions.has_news;
        news = s->actions.news;
        if (has_news)
            supervisor_feed_election(
                supervisor, &(struct election_event){.type = ELECTION_LEASE, .lease = &news});
        if (s->actions.verb != LEASE_NOTHING)
            lease_driver_send(&s->driver, &s->actions);
        event = &tick;
    } while (has_news);
    publish_lease(supervisor);
}

static bool is_running(const struct supervisor *supervisor)
{
    return supervisor->sealing && supervisor->sealing->is_started;
}

void supervisor_run_lease(struct supervisor *supervisor)
{
    if (is_running(supervisor))
        run_lease(supervisor, &(struct lease_event){.type = LEASE_TICK});
}

/* A leader that is not the holder, for longer than any pod of election lease can lead so. */
static void check_leader(struct supervisor *supervisor, uint64_t now_ns)
{
    struct sealing *s = supervisor->sealing;
    uint64_t leader = supervisor->facts.leader;

    if (!leader || s->lease.is_failing || leader == s->lease.told.holder ||
        leader == s->lease.instance) {
        s->differs_since_ns = 0;
        return;
    }
    if (!s->differs_since_ns)
        s->differs_since_ns = now_ns;
    if (now_ns > s->differs_since_ns + s->lease.longest_ns)
        log_warn_minutely("lease_differs", now_ns,
                          "a pod leads that does not hold the Lease \"%s\": has it election peers, "
                          "or another lease.name? All pods need the same",
                          supervisor->config->lease_name);
}

static void observe_write(struct supervisor *supervisor, const struct lease_event *event)
{
    const struct lease *l = &supervisor->sealing->lease;

    if (event->type == LEASE_REPLY && event->outcome == LEASE_OK &&
        (l->verb == LEASE_PUT || l->verb == LEASE_POST))
        counters_observe(&supervisor->counters, DISTRIBUTION_LEASE, clock_now_ns() - l->sent_ns);
}

size_t supervisor_take_lease(struct supervisor *supervisor, uint64_t now_ns)
{
    struct lease_event event;
    size_t n = 0;

    if (!is_running(supervisor))
        return 0;
    for (; lease_driver_take(&supervisor->sealing->driver, &event); n++) {
        observe_write(supervisor, &event);
        run_lease(supervisor, &event);
    }
    if (now_ns >= supervisor->sealing->lease.deadline_ns)
        supervisor_run_lease(supervisor);
    check_leader(supervisor, now_ns);
    return n;
}

bool supervisor_has_lease_news(const struct supervisor *supervisor)
{
    return is_running(supervisor) && lease_driver_has_news(&supervisor->sealing->driver);
}

uint64_t supervisor_lease_deadline_ns(const struct supervisor *supervisor)
{
    return is_running(supervisor) ? supervisor->sealing->lease.deadline_ns : UINT64_MAX;
}

const struct lease *supervisor_lease(const struct supervisor *supervisor)
{
    return is_running(supervisor) ? &supervisor->sealing->lease : NULL;
}

struct lease_wanted *supervisor_lease_wanted(struct supervisor *supervisor)
{
    return lease_driver_wanted(&supervisor->sealing->driver);
}

void supervisor_renew_lease(struct supervisor *supervisor)
{
    supervisor->sealing->lease.is_due = true;
    supervisor_run_lease(supervisor);
}

/* ---- the main thread ---- */

int supervisor_open_lease(struct supervisor *supervisor, struct platform *platform)
{
    struct sealing *s;
    int rc;

    if (supervisor->config->election != CONFIG_ELECTION_LEASE)
        return 0;
    s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    triple_buffer_init(&s->report);
    rc = lease_driver_open(&s->driver, supervisor->config, platform, &supervisor->waker);
    if (rc)
        free(s);
    else
        supervisor->sealing = s;
    return rc;
}

void supervisor_close_lease(struct supervisor *supervisor)
{
    if (!supervisor->sealing)
        return;
    lease_driver_close(&supervisor->sealing->driver);
    free(supervisor->sealing);
    supervisor->sealing = NULL;
}

void supervisor_start_lease(struct supervisor *supervisor)
{
    const struct config *config = supervisor->config;
    const struct lease_config lease = {.duration_ns = config->lease_duration_ns,
                                       .renew_ns = config->lease_renew_ns,
                                       .refresh_ns = REFRESH_NS};

    if (!supervisor->sealing || address_is_set(&supervisor->outside))
        return;
    lease_init(&supervisor->sealing->lease, &lease, &supervisor->election.config, clock_now_ns());
    supervisor->sealing->is_started = true;
}

/* ---- readers: any thread ---- */

bool supervisor_is_sealing(const struct supervisor *supervisor)
{
    return is_running(supervisor) &&
           atomic_load_explicit(&supervisor->sealing->is_busy, memory_order_relaxed);
}

enum supervisor_lease_state supervisor_lease_state(const struct supervisor *supervisor)
{
    return supervisor->sealing ? lease_driver_state(&supervisor->sealing->driver)
                               : SUPERVISOR_LEASE_NONE;
}

bool supervisor_read_lease(struct supervisor *supervisor,
                           struct supervisor_lease_report *ret_report)
{
    struct sealing *s = supervisor->sealing;

    if (!s)
        return false;
    (void)pthread_mutex_lock(&supervisor->report.readers_lock);
    (void)triple_buffer_take(&s->report);
    *ret_report = s->reports[s->report.reader_index];
    (void)pthread_mutex_unlock(&supervisor->report.readers_lock);
    return true;
}
