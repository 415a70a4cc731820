/*
 * documents: the responses of the admin port, rendered from one snapshot of the process. Private to
 * admin/.
 *
 * A snapshot is taken once for each request; rendering then uses no thread, socket or clock.
 * Counters are read while the data threads run, so sums that must add up do so only while no
 * datagram is under way.
 *
 * Every number is one sample of one list (samples.c), from which /metrics, /status and
 * docs/metrics.md are rendered: one row to add one. Histograms have one row each in a table of their
 * own (base/distribution.h). Documents are malloc'd; NULL: out of memory.
 */
#ifndef ADMIN_DOCUMENTS_H
#define ADMIN_DOCUMENTS_H

#include <stdio.h>

#include "headless/admin/connections.h"
#include "headless/base/log.h"
#include "headless/base/process.h"
#include "headless/control/supervisor.h"
#include "headless/platform/report.h"

struct json_object;

#define READINESS_MAX 1024 /* bytes, with NUL */

struct admin_snapshot {
    const struct config *config;
    const struct identity *identity;
    const struct leadership *leadership;
    const struct data_keys *keys;
    struct leader_history history;
    struct data_plane_numbers numbers; /* the supervisor's counters included */
    uint64_t data_rcvbuf_bytes, relay_rcvbuf_bytes, peer_rcvbuf_bytes, peer_kernel_drops;
    size_t event_streams;
    struct connection_counts connections;
    uint64_t server_failures;
    uint64_t now_ns, uptime_ns;
    uint64_t wall_ns;   /* now_ns as time of day: since 1970 */
    uint64_t started_s; /* since 1970 */
    bool last_reload_succeeded, confined;
    uint64_t config_loaded_s; /* since 1970 */
    uint64_t reloads, reloads_refused;
    struct log_counts log;
    struct platform_numbers platform;
    const struct platform *platform_client; /* NULL: no option needs the API server */
    bool has_lease;                         /* election lease */
    struct supervisor_lease_report lease;
    struct supervisor_kubernetes_report kubernetes;
    const struct supervisor_report *report;
    struct json_object *options; /* name: value of each that is not at its default; NULL: unknown */
    struct {
        uint64_t relayed, received; /* requests, to this member and from it */
    } traffic[MEMBERS_MAX];         /* by index in the leader snapshot */
    /* Only after admin_snapshot_complete (admin_snapshot.h). */
    struct process_usage process;
    bool is_ready;
    char readiness[READINESS_MAX]; /* the body of /readyz, without its newline */
};

/* Is this pod the leader now? */
bool admin_snapshot_is_leader(const struct admin_snapshot *snapshot);
/* Does this pod know a leader that is valid now, itself included? */
bool admin_snapshot_has_leader(const struct admin_snapshot *snapshot);

/* The state of a member as this pod sees it. */
enum election_member_state admin_snapshot_member_state(const struct admin_snapshot *snapshot,
                                                       const struct member *member);

/* The word for the way by which the end of a process is known before heartbeats are missing: the end of
 * this member at this pod, or at a leader its own end at this member. */
const char *admin_snapshot_evidence(const struct admin_snapshot *snapshot,
                                    const struct supervisor_peer_report *peer);

/* SECONDS: nanoseconds here, seconds with a fraction in the documents. */
enum sample_type { SAMPLE_COUNTER, SAMPLE_COUNTER_SECONDS, SAMPLE_GAUGE, SAMPLE_SECONDS };

struct sample {
    enum sample_type type;
    struct counter_info info;                /* metric without "headlessd_" */
    uint64_t value;                          /* a gauge is an int64_t in these bits */
    const char *second_label, *second_value; /* or NULL */
};

static inline bool sample_is_counter(const struct sample *sample)
{
    return sample->type == SAMPLE_COUNTER || sample->type == SAMPLE_COUNTER_SECONDS;
}

static inline bool sample_is_seconds(const struct sample *sample)
{
    return sample->type == SAMPLE_SECONDS || sample->type == SAMPLE_COUNTER_SECONDS;
}

#define SAMPLES_OF_PLATFORM   (PLATFORM_VERB_COUNT * PLATFORM_CODES + PLATFORM_RESTART_COUNT + 2)
#define SAMPLES_OF_LEASE      (LEASE_BY_COUNT + 7)
#define SAMPLES_OF_KUBERNETES (PLATFORM_EVENTS_RESULT_COUNT + 4)
#define SAMPLES_MAX \
    (COUNTER_COUNT + 98 + SAMPLES_OF_PLATFORM + SAMPLES_OF_LEASE + SAMPLES_OF_KUBERNETES)

/* All samples; those of one metric are neighbours. Returns their number. */
size_t samples_list(const struct admin_snapshot *snapshot,
                    struct sample ret_samples[static SAMPLES_MAX]);

/* Those of election lease, in samples_lease.c. */
size_t samples_list_lease(const struct admin_snapshot *snapshot,
                          struct sample ret_samples[static SAMPLES_OF_LEASE]);

/* Those of Events and of the label of the leader's pod, in samples_kubernetes.c. */
size_t samples_list_kubernetes(const struct admin_snapshot *snapshot,
                               struct sample ret_samples[static SAMPLES_OF_KUBERNETES]);

/* Prometheus' text format 0.0.4. */
char *admin_document_metrics(const struct admin_snapshot *snapshot, size_t *ret_length);
/* One line of it; header: with HELP and TYPE, for the first sample of a metric. */
void metrics_put(FILE *out, const struct sample *sample, bool header);
/* A whole histogram. */
void metrics_put_histogram(FILE *out, enum distribution_id id, const struct distribution_sum *sum);

/* JSON, one line. */
char *admin_document_leader(const struct admin_snapshot *snapshot, size_t *ret_length);
char *admin_document_status(const struct admin_snapshot *snapshot, size_t *ret_length);

/* The sessions that the workers reported (data_plane_list_sessions). */
struct sessions_snapshot {
    const struct session_entry *entries; /* count, the newest first */
    size_t count;
    uint64_t total;   /* open sessions, also those that are not in entries */
    bool is_complete; /* all workers reported theirs */
    uint64_t now_ns;
};
char *admin_document_sessions(const struct sessions_snapshot *snapshot, size_t *ret_length);

/* The HTML page, rendered from the object of admin_document_status. */
char *page_html(const struct admin_snapshot *snapshot, size_t *ret_length);

#endif
