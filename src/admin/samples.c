/* The list of all numbers that the admin port exposes: the counters, then the gauges. */
#include "admin/documents.h"
#include "headless/base/clock.h"

struct list {
    struct sample *samples;
    size_t count;
};

static void sample_add(struct list *list, enum sample_type type, struct counter_info info,
                       uint64_t value)
{
    list->samples[list->count++] = (struct sample){.type = type, .info = info, .value = value};
}

static void add_counter(struct list *list, const char *metric, uint64_t value, const char *help)
{
    sample_add(list, SAMPLE_COUNTER, (struct counter_info){metric, "", "", help}, value);
}

static void add_gauge(struct list *list, const char *metric, uint64_t value, const char *help)
{
    sample_add(list, SAMPLE_GAUGE, (struct counter_info){metric, "", "", help}, value);
}

static void sample_add_drops(struct list *list, const char *socket, uint64_t drops)
{
    static const char help[] = "Messages that the kernel dropped because the socket's receive "
                               "buffer was full. A GSO or GRO batch, up to 64 datagrams, counts as "
                               "one. Those of a session's own socket are added when the session "
                               "ends";

    sample_add(list, SAMPLE_COUNTER,
               (struct counter_info){"socket_drops_total", "socket", socket, help}, drops);
}

static void sample_add_counters(struct list *list, const struct admin_snapshot *snapshot)
{
    const struct data_plane_numbers *numbers = &snapshot->numbers;

    for (size_t i = 0; i < COUNTER_COUNT; i++)
        sample_add(list, SAMPLE_COUNTER, counter_describe(i), numbers->counters[i]);
    sample_add_drops(list, "data", numbers->data_kernel_drops);
    sample_add_drops(list, "multicast", numbers->group_kernel_drops);
    sample_add_drops(list, "relay", numbers->relay_kernel_drops);
    sample_add_drops(list, "app", numbers->app_kernel_drops);
    sample_add_drops(list, "peer", snapshot->peer_kernel_drops);
    add_counter(list, "app_socket_drops_total", numbers->app_socket_drops,
                "Datagrams that the kernel dropped at the app's own socket, because its receive "
                "buffer was full; 0 if the app is not at a loopback address or an address of this "
                "pod, or the kernel has no udp_diag");
}

static void add_rcvbuf(struct list *list, const char *socket, uint64_t bytes)
{
    static const char help[] = "Receive buffer that the kernel granted to one such socket";

    if (bytes)
        sample_add(list, SAMPLE_GAUGE,
                   (struct counter_info){"socket_rcvbuf_bytes", "socket", socket, help}, bytes);
}

/* A socket that is not open has no row. */
static void sample_add_sockets(struct list *list, const struct admin_snapshot *snapshot)
{
    add_rcvbuf(list, "data", snapshot->data_rcvbuf_bytes);
    add_rcvbuf(list, "multicast", snapshot->numbers.group_rcvbuf_bytes);
    add_rcvbuf(list, "relay", snapshot->relay_rcvbuf_bytes);
    add_rcvbuf(list, "app", snapshot->numbers.app_rcvbuf_bytes);
    add_rcvbuf(list, "peer", snapshot->peer_rcvbuf_bytes);
}

static void sample_add_leadership(struct list *list, const struct admin_snapshot *snapshot)
{
    add_gauge(list, "is_leader", admin_snapshot_is_leader(snapshot), "1 if this pod is the leader");
    add_gauge(list, "has_leader", admin_snapshot_has_leader(snapshot),
              "1 if this pod knows a valid leader, itself included");
    add_gauge(list, "has_configured_leader", snapshot->leadership->has_wanted_leader,
              "0 if the option leader names a pod, and that pod does not lead");
    add_gauge(list, "former_leader_serves",
              leadership_has_former(snapshot->leadership, snapshot->now_ns),
              "1 while requests go to the former leader first, whose app serves its sessions "
              "(drain.sessions)");
    add_gauge(list, "tos_carried", snapshot->leadership->carries_tos,
              "1 while the TOS byte of a datagram is carried between pods: every member reads it");
    add_gauge(list, "records_split", snapshot->leadership->splits_records,
              "1 while a record may continue in the next frame: every member reads that. 0: a "
              "datagram larger than a frame makes IP fragments between pods");
    add_gauge(
        list, "relay_confirms", snapshot->leadership->confirms,
        "1 while every member confirms kept requests and replies. 0: nothing is kept, whatever "
        "relay.confirm says");
    add_gauge(list, "term", snapshot->leadership->term,
              "Term of the leader; it grows with every change of leader");
}

/* The members of this pod's list, counted by the state in which it sees them. */
static void add_members(struct list *list, const struct admin_snapshot *snapshot)
{
    static const char help[] = "Members in this state as this pod sees them, itself included";
    uint64_t count[ELECTION_MEMBER_STATE_COUNT] = {0};

    for (size_t i = 0; i < snapshot->leadership->member_count; i++)
        count[admin_snapshot_member_state(snapshot, &snapshot->leadership->members[i])]++;
    for (size_t state = 0; state < ELECTION_MEMBER_STATE_COUNT; state++)
        sample_add(list, SAMPLE_GAUGE,
                   (struct counter_info){
                       "members", "state",
                       election_member_state_name((enum election_member_state)state), help},
                   count[state]);
}

/* Counters that stay 0 while everything works as designed. */
static void add_faults(struct list *list, const struct supervisor_report *report)
{
    add_counter(
        list, "term_leaps_refused_total",
        atomic_load_explicit(&report->leaps_refused, memory_order_relaxed),
        "Peer messages rejected because their term was more than 1000 above the highest seen");
    add_counter(list, "election_actions_lost_total",
                atomic_load_explicit(&report->actions_lost, memory_order_relaxed),
                "Peer messages not sent because one step of the election produced too many");
    add_counter(list, "election_forbidden_transitions_total",
                atomic_load_explicit(&report->forbidden_transitions, memory_order_relaxed),
                "State transitions that the election's table forbids; more than 0 is a bug");
}

static void add_keys(struct list *list, const struct supervisor_report *report)
{
    add_gauge(
        list, "keys", atomic_load_explicit(&report->keys, memory_order_relaxed),
        "Keys that this pod has; 0: messages from a member's address are accepted unauthenticated");
    add_gauge(list, "members_authenticated",
              atomic_load_explicit(&report->authenticated, memory_order_relaxed),
              "Instances that have proved by a handshake that they have one of these keys");
    add_gauge(
        list, "key_mismatch", atomic_load_explicit(&report->key_mismatches, memory_order_relaxed),
        "Addresses of peers whose messages cannot be verified: their keys differ from this pod's");
}

static void add_election(struct list *list, const struct admin_snapshot *snapshot)
{
    static const char help[] = "1 for the state of this pod's election, 0 for the others";
    const struct supervisor_report *report = snapshot->report;
    uint32_t present = atomic_load_explicit(&report->state, memory_order_relaxed);

    for (uint32_t state = 0; state < ELECTION_STATE_COUNT; state++)
        sample_add(list, SAMPLE_GAUGE,
                   (struct counter_info){"election_state", "state",
                                         election_state_name((enum election_state)state), help},
                   state == present);
    add_gauge(list, "election_votes_needed",
              atomic_load_explicit(&report->votes, memory_order_relaxed),
              "Votes needed to become leader, its own included; 1: no other vote is needed");
    add_gauge(
        list, "election_is_volatile",
        atomic_load_explicit(&report->is_volatile, memory_order_relaxed),
        "1 while this pod's vote state is volatile: since its start it was in no committed member "
        "list, and its votes count only for a first leader or in a skipped term");
    add_gauge(list, "members_alive", atomic_load_explicit(&report->alive, memory_order_relaxed),
              "Members that this pod believes to be alive, itself included");
    add_gauge(list, "peer_connections",
              atomic_load_explicit(&report->connections, memory_order_relaxed),
              "Open connections to peer.port/tcp between this pod and members: a follower's to its "
              "leader, a leader's from its followers");
    add_gauge(list, "members_with_own_name",
              atomic_load_explicit(&report->namesakes, memory_order_relaxed),
              "Other living members that have this pod's name");
    add_gauge(
        list, "order_differing_members",
        atomic_load_explicit(&report->differing, memory_order_relaxed),
        "Members whose route ordered or ordered.commit differs from this pod's; a leader compares "
        "all members, a follower its leader");
    add_gauge(list, "relay_unconfirmed",
              atomic_load_explicit(&report->unconfirmed, memory_order_relaxed),
              "Requests relayed to the current leader and not yet confirmed by its heartbeats");
    add_gauge(list, "hold_down_seconds",
              atomic_load_explicit(&report->hold_down_ns, memory_order_relaxed) / NS_PER_SEC,
              "Time for which this pod must have led before a failed app may cause another "
              "leadership transfer");
    add_faults(list, report);
    add_keys(list, report);
    sample_add(list, SAMPLE_SECONDS,
               (struct counter_info){"leader_gap_seconds", "", "",
                                     "Time without a valid leader on this pod at the last change"},
               atomic_load_explicit(&report->gap_ns, memory_order_relaxed));
}

const char *admin_snapshot_evidence(const struct admin_snapshot *snapshot,
                                    const struct supervisor_peer_report *peer)
{
    if (snapshot->config->failover_on_refused != CONFIG_REFUSED_FAST)
        return "none";
    return atomic_load_explicit(&peer->is_connected, memory_order_relaxed) ? "connection"
                                                                           : "refusal";
}

enum election_member_state admin_snapshot_member_state(const struct admin_snapshot *snapshot,
                                                       const struct member *member)
{
    if (member->member_index >= MEMBERS_MAX) /* configured, but not in a list yet */
        return member->instance == snapshot->identity->instance ? ELECTION_MEMBER_SELF
                                                                : ELECTION_MEMBER_DEAD;
    return (enum election_member_state)atomic_load_explicit(
        &snapshot->report->peers[member->member_index].state, memory_order_relaxed);
}

bool admin_snapshot_is_leader(const struct admin_snapshot *snapshot)
{
    return leadership_leads(snapshot->leadership, snapshot->now_ns);
}

bool admin_snapshot_has_leader(const struct admin_snapshot *snapshot)
{
    return snapshot->leadership->kind != LEADER_NONE &&
           snapshot->now_ns <
               atomic_load_explicit(&snapshot->leadership->valid_until_ns, memory_order_relaxed);
}

static void sample_add_order(struct list *list, const struct data_plane_numbers *numbers)
{
    add_gauge(list, "ordered_waiting", numbers->waiting,
              "Entries of the ordered log that were not delivered to the app yet");
    add_gauge(list, "ordered_last", numbers->sequencer_last,
              "Highest index of the ordered log that this pod has");
    add_gauge(list, "ordered_is_leading", numbers->sequencer_is_leading,
              "1 if this pod appends to the ordered log: it leads, and has learned the log");
}

static void add_config(struct list *list, const struct admin_snapshot *snapshot)
{
    add_gauge(list, "config_last_reload_successful", snapshot->last_reload_succeeded,
              "0 if the last reload of the configuration was rejected");
    add_gauge(list, "config_last_reload_success_timestamp_seconds", snapshot->config_loaded_s,
              "Time of the last successful load of the configuration; seconds since 1970");
    add_counter(list, "config_reloads_total", snapshot->reloads,
                "Reloads of the configuration, after SIGHUP or a change of its file, rejected ones "
                "included");
    add_counter(list, "config_reloads_refused_total", snapshot->reloads_refused,
                "Reloads rejected because the configuration had errors; nothing was changed");
}

static void add_admin(struct list *list, const struct admin_snapshot *snapshot)
{
    add_gauge(list, "event_streams", snapshot->event_streams, "Open /events streams");
    add_gauge(list, "admin_connections", snapshot->connections.open,
              "Open connections to the admin port, streams and this one included");
    add_counter(list, "admin_server_failures_total", snapshot->server_failures,
                "Failures of the HTTP server for want of descriptors, memory or epoll watches");
    add_counter(list, "admin_connections_shed_total", snapshot->connections.shed,
                "Connections to the admin port closed to make room for new ones");
    add_counter(
        list, "admin_connections_expired_total", snapshot->connections.expired,
        "Connections to the admin port closed because their request was not complete within "
        "5 s, or their response was not read within 30 s");
}

/* Of the requests only those that there were: most codes never occur. */
static void sample_add_platform(struct list *list, const struct platform_numbers *platform)
{
    static const char requests[] =
        "Requests to the API server that have ended, and watches opened; "
        "code: the status of the response, other, or none: no response";
    static const char restarts[] = "Watches of the API server that ended, and were opened again";

    for (size_t verb = 0; verb < PLATFORM_VERB_COUNT; verb++) {
        for (size_t code = 0; code < PLATFORM_CODES; code++) {
            if (!platform->requests[verb][code])
                continue;
            sample_add(list, SAMPLE_COUNTER,
                       (struct counter_info){"api_requests_total", "verb",
                                             platform_verb_name((enum platform_verb)verb),
                                             requests},
                       platform->requests[verb][code]);
            list->samples[list->count - 1].second_label = "code";
            list->samples[list->count - 1].second_value = platform_code_name(code);
        }
    }
    for (size_t why = 0; why < PLATFORM_RESTART_COUNT; why++)
        sample_add(list, SAMPLE_COUNTER,
                   (struct counter_info){"watch_restarts_total", "why",
                                         platform_restart_name((enum platform_restart)why),
                                         restarts},
                   platform->restarts[why]);
    add_gauge(list, "api_up", platform->is_up,
              "0 if the last request to the API server had no response, or one of a server in "
              "trouble");
    add_gauge(list, "token_age_seconds", platform->token_age_s,
              "Time since the file platform.token was written; 0: none was read");
}

static void add_log(struct list *list, const struct log_counts *log)
{
    static const char help[] = "Lines written to the log";
    static const char *const levels[LOG_LEVEL_COUNT] = {"error", "warn", "info", "debug"};

    for (size_t level = 0; level < LOG_LEVEL_COUNT; level++)
        sample_add(list, SAMPLE_COUNTER,
                   (struct counter_info){"log_lines_total", "level", levels[level], help},
                   log->written[level]);
    add_counter(list, "log_lines_suppressed_total", log->suppressed,
                "Lines not logged because of the rate limit of their place in the code");
    add_counter(list, "log_lines_failed_total", log->failed,
                "Lines that could not be written to standard error, or only in part");
    add_gauge(
        list, "log_lines_queued", log->queued,
        "Lines that standard error has not taken yet; when 64 are queued, later ones are lost");
}

/* The names are those of Prometheus' client libraries, which leave out unknown values as well. */
static void add_process(struct list *list, const struct admin_snapshot *snapshot)
{
    const struct process_usage *process = &snapshot->process;

    sample_add(
        list, SAMPLE_COUNTER_SECONDS,
        (struct counter_info){"process_cpu_seconds_total", "", "",
                              "CPU time used by all threads of the process, user and system"},
        process->cpu_ns);
    if (process->resident_bytes)
        add_gauge(list, "process_resident_memory_bytes", process->resident_bytes,
                  "Resident memory of the process");
    if (process->open_fds)
        add_gauge(list, "process_open_fds", process->open_fds, "Open file descriptors");
    if (process->max_fds)
        add_gauge(list, "process_max_fds", process->max_fds,
                  "Largest number of open file descriptors allowed (RLIMIT_NOFILE)");
    add_gauge(list, "process_start_time_seconds", snapshot->started_s,
              "Start time of the process; seconds since 1970");
}

size_t samples_list(const struct admin_snapshot *snapshot,
                    struct sample ret_samples[static SAMPLES_MAX])
{
    const struct data_plane_numbers *numbers = &snapshot->numbers;
    const struct ledger ledger = counters_ledger(numbers->counters, data_plane_inside(numbers));
    struct list list = {.samples = ret_samples};

    sample_add_counters(&list, snapshot);
    add_gauge(&list, "datagrams_held", numbers->held, "Requests in the hold queue");
    add_gauge(&list, "datagrams_kept", numbers->kept,
              "Requests that were relayed and are kept until they are confirmed, or replied to "
              "(relay.confirm)");
    add_gauge(&list, "datagrams_queued", numbers->queued,
              "Requests queued between a receiver and a worker thread");
    if (snapshot->config->route == CONFIG_ROUTE_ORDERED)
        sample_add_order(&list, numbers);
    add_gauge(&list, "sessions", numbers->sessions,
              "Open sessions with the app, one for each client and address to which it sends");
    add_gauge(
        &list, "app_up", numbers->is_app_up,
        "0 while the app refuses datagrams or cannot be reached; 1 otherwise, and for built-in "
        "apps");
    add_gauge(&list, "refusing_clients",
              atomic_load_explicit(&snapshot->report->is_refusing, memory_order_relaxed),
              "1 while the data port refuses clients, because no pod's app is up (app.down)");
    add_gauge(&list, "multicast_groups", numbers->groups, "Multicast groups joined");
    add_gauge(&list, "ledger_requests", (uint64_t)ledger.requests,
              "Requests received minus requests accounted for; 0 when idle");
    add_gauge(&list, "ledger_replies", (uint64_t)ledger.replies,
              "Replies received minus replies accounted for; 0 when idle");
    add_gauge(&list, "ledger_copies", (uint64_t)ledger.copies,
              "Copies made minus copies accounted for; 0 when idle");
    sample_add_sockets(&list, snapshot);
    sample_add_leadership(&list, snapshot);
    add_members(&list, snapshot);
    add_election(&list, snapshot);
    add_admin(&list, snapshot);
    add_config(&list, snapshot);
    if (snapshot->platform.is_on)
        sample_add_platform(&list, &snapshot->platform);
    if (snapshot->has_lease)
        list.count += samples_list_lease(snapshot, ret_samples + list.count);
    list.count += samples_list_kubernetes(snapshot, ret_samples + list.count);
    add_log(&list, &snapshot->log);
    add_gauge(&list, "confined", snapshot->confined, "1 if the seccomp filter is installed");
    add_gauge(&list, "uptime_seconds", snapshot->uptime_ns / NS_PER_SEC,
              "Seconds since the process started");
    add_process(&list, snapshot);
    sample_add(&list, SAMPLE_GAUGE,
               (struct counter_info){"build_info", "version", HEADLESS_VERSION,
                                     "Always 1; the version is the label"},
               1);
    return list.count;
}
