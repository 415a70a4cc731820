/*
 * pages: what the admin port says, rendered from one snapshot of the process.
 *
 * A snapshot is taken once a request; rendering then touches no thread, socket or clock. Counters
 * are read while the data threads run, so sums that must add up do so only at rest.
 *
 * Every number is one sample of one list (samples.c), which /metrics, /status and docs/metrics.md
 * all render: one row to add one. Histograms have a table of their own (base/distribution.h), one
 * row each, too. Pages are malloc'd; NULL when memory has run out.
 */
#ifndef HEADLESS_ADMIN_PAGES_H
#define HEADLESS_ADMIN_PAGES_H

#include <stdio.h>

#include "headless/admin/connections.h"
#include "headless/base/log.h"
#include "headless/base/process.h"
#include "headless/control/supervisor.h"

struct json_object;

#define READINESS_MAX 1024 /* bytes, with NUL */

struct admin_snapshot {
    const struct config *config;
    const struct identity *identity;
    const struct leader_snapshot *leadership;
    struct data_plane_numbers numbers; /* the supervisor's counters included */
    uint64_t data_rcvbuf_bytes, relay_rcvbuf_bytes, peer_rcvbuf_bytes, peer_kernel_drops;
    size_t event_streams;
    struct connection_counts connections;
    uint64_t now_ns, uptime_ns;
    uint64_t wall_ns;   /* now_ns as time of day: since 1970 */
    uint64_t started_s; /* since 1970 */
    bool last_reload_succeeded, confined;
    uint64_t config_loaded_s; /* since 1970 */
    uint64_t reloads, reloads_refused;
    struct log_counts log;
    const struct supervisor_report *report;
    struct json_object *options; /* name: value, of those not at their default; NULL: not known */
    struct {
        uint64_t relayed, received; /* requests, to this member and from it */
    } traffic[MEMBERS_MAX];         /* by place in the leadership */
    /* of a complete one only (admin/snapshot.h) */
    struct process_usage process;
    bool is_ready;
    char readiness[READINESS_MAX]; /* what /readyz says, without its newline */
};

/* Does this pod lead now? */
bool admin_snapshot_is_leader(const struct admin_snapshot *snapshot);
/* Does this pod know a leader that it may use now, itself or another? */
bool admin_snapshot_has_leader(const struct admin_snapshot *snapshot);

/* How a member seems to this pod. */
enum election_member_state admin_snapshot_member_state(const struct admin_snapshot *snapshot,
                                                       const struct member *member);

/* SECONDS: nanoseconds here and seconds, with a fraction, where it is shown. */
enum sample_type { SAMPLE_COUNTER, SAMPLE_COUNTER_SECONDS, SAMPLE_GAUGE, SAMPLE_SECONDS };

struct sample {
    enum sample_type type;
    struct counter_info info; /* metric without "headlessd_" */
    uint64_t value;           /* a gauge is an int64_t in these bits */
};

static inline bool sample_is_counter(const struct sample *sample)
{
    return sample->type == SAMPLE_COUNTER || sample->type == SAMPLE_COUNTER_SECONDS;
}

static inline bool sample_is_seconds(const struct sample *sample)
{
    return sample->type == SAMPLE_SECONDS || sample->type == SAMPLE_COUNTER_SECONDS;
}

#define SAMPLES_MAX (COUNTER_COUNT + 95)

/* Everything, the samples of one metric next to each other. Returns how many. */
size_t samples_list(const struct admin_snapshot *snapshot,
                    struct sample ret_samples[static SAMPLES_MAX]);

/* Prometheus' text format 0.0.4. */
char *page_metrics(const struct admin_snapshot *snapshot, size_t *ret_length);
/* One metric of it; header: its first sample, which brings HELP and TYPE. */
void metrics_put(FILE *out, const struct sample *sample, bool header);
/* A whole histogram. */
void metrics_put_histogram(FILE *out, enum distribution_id id, const struct distribution_sum *sum);

/* JSON, one line. */
char *page_leader(const struct admin_snapshot *snapshot, size_t *ret_length);
char *page_status(const struct admin_snapshot *snapshot, size_t *ret_length);

/* What the workers told of their sessions (data_plane_list_sessions). */
struct sessions_snapshot {
    const struct session_entry *entries; /* count, the newest first */
    size_t count;
    uint64_t total;   /* alive, also those that are not in entries */
    bool is_complete; /* all workers told theirs */
    uint64_t now_ns;
};
char *page_sessions(const struct sessions_snapshot *snapshot, size_t *ret_length);
/* HTML, for people: what page_status says, and no more. */
char *page_html(const struct admin_snapshot *snapshot, size_t *ret_length);

#endif
