/* Every number that the admin port shows, as one list. */
#include "headless/admin/pages.h"
#include "headless/base/clock.h"

struct list {
    struct sample *samples;
    size_t count;
};

static void add(struct list *list, enum sample_type type, struct counter_info info, uint64_t value)
{
    list->samples[list->count++] = (struct sample){type, info, value};
}

static void add_counter(struct list *list, const char *metric, uint64_t value, const char *help)
{
    add(list, SAMPLE_COUNTER, (struct counter_info){metric, "", "", help}, value);
}

static void add_gauge(struct list *list, const char *metric, uint64_t value, const char *help)
{
    add(list, SAMPLE_GAUGE, (struct counter_info){metric, "", "", help}, value);
}

static void add_drops(struct list *list, const char *socket, uint64_t drops)
{
    static const char help[] = "Datagrams that the kernel dropped at a full socket; of sessions "
                               "with a socket each (apps elsewhere) when they end";

    add(list, SAMPLE_COUNTER, (struct counter_info){"socket_drops_total", "socket", socket, help},
        drops);
}

static void add_counters(struct list *list, const struct admin_snapshot *snapshot)
{
    const struct data_plane_numbers *numbers = &snapshot->numbers;

    for (size_t i = 0; i < COUNTER_COUNT; i++)
        add(list, SAMPLE_COUNTER, counter_describe(i), numbers->counters[i]);
    add_drops(list, "data", numbers->data_kernel_drops);
    add_drops(list, "multicast", numbers->group_kernel_drops);
    add_drops(list, "relay", numbers->relay_kernel_drops);
    add_drops(list, "app", numbers->app_kernel_drops);
    add_drops(list, "peer", snapshot->peer_kernel_drops);
}

static void add_rcvbuf(struct list *list, const char *socket, uint64_t bytes)
{
    static const char help[] = "Receive buffer of one socket, as the kernel granted it";

    if (bytes)
        add(list, SAMPLE_GAUGE,
            (struct counter_info){"socket_rcvbuf_bytes", "socket", socket, help}, bytes);
}

/* Those that there are. */
static void add_sockets(struct list *list, const struct admin_snapshot *snapshot)
{
    add_rcvbuf(list, "data", snapshot->data_rcvbuf_bytes);
    add_rcvbuf(list, "multicast", snapshot->numbers.group_rcvbuf_bytes);
    add_rcvbuf(list, "relay", snapshot->relay_rcvbuf_bytes);
    add_rcvbuf(list, "app", snapshot->numbers.app_rcvbuf_bytes);
    add_rcvbuf(list, "peer", snapshot->peer_rcvbuf_bytes);
}

static void add_leadership(struct list *list, const struct admin_snapshot *snapshot)
{
    add_gauge(list, "is_leader", admin_snapshot_is_leader(snapshot), "1 if this pod leads");
    add_gauge(list, "has_leader", admin_snapshot_has_leader(snapshot),
              "1 if this pod knows a leader");
    add_gauge(list, "has_configured_leader", snapshot->leadership->has_wanted_leader,
              "0 if another pod leads than the one that the configuration names");
    add_gauge(list, "term", snapshot->leadership->term,
              "Term of the leader; grows with every change");
}

/* Of the members of our list, by how they seem to us. */
static void add_members(struct list *list, const struct admin_snapshot *snapshot)
{
    static const char help[] = "Members, this pod included, by state as this pod sees it";
    uint64_t count[ELECTION_MEMBER_STATE_COUNT] = {0};

    for (size_t i = 0; i < snapshot->leadership->member_count; i++)
        count[admin_snapshot_member_state(snapshot, &snapshot->leadership->members[i])]++;
    for (size_t state = 0; state < ELECTION_MEMBER_STATE_COUNT; state++)
        add(list, SAMPLE_GAUGE,
            (struct counter_info){"members", "state",
                                  election_member_state_name((enum election_member_state)state),
                                  help},
            count[state]);
}

/* What should never grow. */
static void add_faults(struct list *list, const struct supervisor_report *report)
{
    add_counter(list, "term_leaps_refused_total",
                atomic_load_explicit(&report->leaps_refused, memory_order_relaxed),
                "Messages with a term too far above all that is known");
    add_counter(list, "election_actions_lost_total",
                atomic_load_explicit(&report->actions_lost, memory_order_relaxed),
                "Peer messages not sent because one step had too many");
    add_counter(list, "election_forbidden_transitions_total",
                atomic_load_explicit(&report->forbidden_transitions, memory_order_relaxed),
                "Transitions that the election's table does not allow: a bug");
}

static void add_keys(struct list *list, const struct supervisor_report *report)
{
    add_gauge(list, "keys", atomic_load_explicit(&report->keys, memory_order_relaxed),
              "Keys that this pod has; 0: whoever sends from a member's address is believed");
    add_gauge(list, "members_introduced",
              atomic_load_explicit(&report->authenticated, memory_order_relaxed),
              "Instances that have proved to have one of these keys");
    add_gauge(list, "key_mismatch",
              atomic_load_explicit(&report->key_mismatches, memory_order_relaxed),
              "Addresses of members from which nothing can be verified: other keys, or none");
}

static void add_election(struct list *list, const struct admin_snapshot *snapshot)
{
    static const char help[] = "1 for the state that this pod's part in the election is in";
    const struct supervisor_report *report = snapshot->report;
    uint32_t present = atomic_load_explicit(&report->state, memory_order_relaxed);

    for (uint32_t state = 0; state < ELECTION_STATE_COUNT; state++)
        add(list, SAMPLE_GAUGE,
            (struct counter_info){"election_state", "state",
                                  election_state_name((enum election_state)state), help},
            state == present);
    add_gauge(list, "election_votes_needed",
              atomic_load_explicit(&report->votes, memory_order_relaxed),
              "Votes that make a leader; 1: no quorum is wanted");
    add_gauge(
        list, "election_is_fresh", atomic_load_explicit(&report->is_volatile, memory_order_relaxed),
        "1 until this pod's votes count: it has just started, and its list is not settled yet");
    add_gauge(list, "members_alive", atomic_load_explicit(&report->alive, memory_order_relaxed),
              "Members that live, as far as this pod knows, itself included");
    add_gauge(
        list, "order_differing_members",
        atomic_load_explicit(&report->differing, memory_order_relaxed),
        "Members whose route ordered or ordered.commit is not as here: a leader knows of all, "
        "a follower of its leader");
    add_gauge(list, "relay_unconfirmed",
              atomic_load_explicit(&report->unconfirmed, memory_order_relaxed),
              "Datagrams handed to the present leader that its heartbeats did not confirm yet");
    add_gauge(list, "hold_down_seconds",
              atomic_load_explicit(&report->hold_down_ns, memory_order_relaxed) / NS_PER_SEC,
              "How long this pod has to lead before its app may make it hand over again");
    add_faults(list, report);
    add_keys(list, report);
    add(list, SAMPLE_SECONDS,
        (struct counter_info){
            "leader_gap_seconds", "", "",
            "How long there was no leader at the last change, as this pod saw it"},
        atomic_load_explicit(&report->gap_ns, memory_order_relaxed));
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
    return leader_snapshot_leads(snapshot->leadership, snapshot->now_ns);
}

bool admin_snapshot_has_leader(const struct admin_snapshot *snapshot)
{
    return snapshot->leadership->kind != LEADER_NONE &&
           snapshot->now_ns <
               atomic_load_explicit(&snapshot->leadership->valid_until_ns, memory_order_relaxed);
}

static void add_order(struct list *list, const struct data_plane_numbers *numbers)
{
    add_gauge(list, "ordered_waiting", numbers->waiting,
              "Numbered messages that the app was not given yet");
    add_gauge(list, "ordered_last", numbers->sequencer_last,
              "The highest number of the order here");
    add_gauge(list, "ordered_is_leading", numbers->sequencer_is_leading,
              "1 if this pod numbers: it leads, and has learned the order");
}

static void add_config(struct list *list, const struct admin_snapshot *snapshot)
{
    add_gauge(list, "config_last_reload_successful", snapshot->last_reload_succeeded,
              "0 if the last reload of the configuration was refused");
    add_gauge(list, "config_last_reload_success_timestamp_seconds", snapshot->config_loaded_s,
              "When the configuration was read with success, last; seconds since 1970");
    add_counter(list, "config_reloads_total", snapshot->reloads,
                "How often the configuration was read again: SIGHUP, or its file "
                "had changed");
    add_counter(list, "config_reloads_refused_total", snapshot->reloads_refused,
                "How often it had errors then, and nothing was changed");
}

static void add_admin(struct list *list, const struct admin_snapshot *snapshot)
{
    add_gauge(list, "event_streams", snapshot->event_streams, "Open streams of /events");
    add_gauge(list, "admin_connections", snapshot->connections.open,
              "Open connections to the admin port, this one and streams included");
    add_counter(list, "admin_connections_shed_total", snapshot->connections.shed,
                "Connections to the admin port closed because there were too many");
    add_counter(list, "admin_connections_expired_total", snapshot->connections.expired,
                "Connections to the admin port closed because their request was not "
                "whole within 5 s, or their answer not taken within 30 s");
}

static void add_log(struct list *list, const struct log_counts *log)
{
    static const char help[] = "Lines written to the log";
    static const char *const levels[LOG_LEVEL_COUNT] = {"error", "warn", "info", "debug"};

    for (size_t level = 0; level < LOG_LEVEL_COUNT; level++)
        add(list, SAMPLE_COUNTER,
            (struct counter_info){"log_lines_total", "level", levels[level], help},
            log->written[level]);
    add_counter(list, "log_lines_suppressed_total", log->suppressed,
                "Lines not logged because many of their kind had just been");
    add_counter(list, "log_lines_failed_total", log->failed,
                "Lines that standard error did not take, or not whole");
}

/* By the names of Prometheus' client libraries, which leave out what they do not know, too. */
static void add_process(struct list *list, const struct admin_snapshot *snapshot)
{
    const struct process_usage *process = &snapshot->process;

    add(list, SAMPLE_COUNTER_SECONDS,
        (struct counter_info){"process_cpu_seconds_total", "", "",
                              "CPU time that the process took, of all threads, user and system"},
        process->cpu_ns);
    if (process->resident_bytes)
        add_gauge(list, "process_resident_memory_bytes", process->resident_bytes,
                  "Memory of the process that is in RAM");
    if (process->open_fds)
        add_gauge(list, "process_open_fds", process->open_fds, "Open file descriptors");
    if (process->max_fds)
        add_gauge(list, "process_max_fds", process->max_fds,
                  "Most file descriptors that it may open (RLIMIT_NOFILE)");
    add_gauge(list, "process_start_time_seconds", snapshot->started_s,
              "When the process started; seconds since 1970");
}

size_t samples_list(const struct admin_snapshot *snapshot,
                    struct sample ret_samples[static SAMPLES_MAX])
{
    const struct data_plane_numbers *numbers = &snapshot->numbers;
    const struct ledger ledger = counters_ledger(numbers->counters, data_plane_inside(numbers));
    struct list list = {.samples = ret_samples};

    add_counters(&list, snapshot);
    add_gauge(&list, "datagrams_held", numbers->held, "Datagrams held for want of a leader");
    add_gauge(&list, "datagrams_queued", numbers->queued, "Datagrams between two threads");
    if (snapshot->config->route == CONFIG_ROUTE_ORDERED)
        add_order(&list, numbers);
    add_gauge(&list, "sessions", numbers->sessions, "Sessions towards the app");
    add_gauge(&list, "multicast_groups", numbers->groups, "Multicast groups joined");
    add_gauge(&list, "ledger_requests", (uint64_t)ledger.requests,
              "Requests received minus all that became of them: 0 at rest");
    add_gauge(&list, "ledger_answers", (uint64_t)ledger.replies,
              "Answers received minus all that became of them: 0 at rest");
    add_gauge(&list, "ledger_copies", (uint64_t)ledger.copies,
              "Copies made minus all that became of them: 0 at rest");
    add_sockets(&list, snapshot);
    add_leadership(&list, snapshot);
    add_members(&list, snapshot);
    add_election(&list, snapshot);
    add_admin(&list, snapshot);
    add_config(&list, snapshot);
    add_log(&list, &snapshot->log);
    add_gauge(&list, "confined", snapshot->confined,
              "1 if this pod gave up the system calls that it does not need (seccomp)");
    add_gauge(&list, "uptime_seconds", snapshot->uptime_ns / NS_PER_SEC,
              "Seconds since the process started");
    add_process(&list, snapshot);
    add(&list, SAMPLE_GAUGE,
        (struct counter_info){"build_info", "version", HEADLESS_VERSION, "Version, as a label"}, 1);
    return list.count;
}
