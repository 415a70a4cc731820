/*
 * supervisor_internal: the supervisor's state, and what its files call of each other.
 *
 *   supervisor.c           the thread: turns input into events, sleeps until the next deadline
 *   supervisor_candidates.c    which pods may exist
 *   supervisor_actions.c       carries out the election's actions
 *   supervisor_lease.c     election lease: the steps of the Lease, after those of the election
 *   supervisor_kubernetes.c  Events, the annotation headlessd.io/wanted, the label of the leader's pod
 *   supervisor_snapshot.c  the leader snapshot for the data threads
 *   reply_grace.c          how long replies of an earlier term leave
 *   supervisor_report.c    the report for the admin server, and other accessors
 *   supervisor_log.c       log lines about leaders and members
 *   supervisor_refuse.c    refuses clients while no app is up
 *   supervisor_command.c   {"leader": ...} and its reply
 *   supervisor_keys.c      keys, handshakes, failed verifications
 *   supervisor_lifecycle.c      the main thread's side: create, join, start, stop
 *
 * Owner: the supervisor's thread, where no other is named.
 */
#ifndef CONTROL_SUPERVISOR_INTERNAL_H
#define CONTROL_SUPERVISOR_INTERNAL_H

#include <pthread.h>

#include "command_policy.h"
#include "discovery.h"
#include "headless/base/budget.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/base/triple_buffer.h"
#include "headless/control/supervisor.h"
#include "liveness.h"
#include "peer_transport.h"
#include "peers.h"
#include "reply_grace.h"
#include "slice_watch.h"
#include "store.h"

_Static_assert(ELECTION_MEMBERS_MAX == MEMBERS_MAX, "a list must fit a leader snapshot");
_Static_assert(ELECTION_NAME_MAX == CONFIG_NAME_MAX, "a name must fit a leader snapshot");

enum { SUPERVISOR_STEP_DOWN = 1, SUPERVISOR_LEAVE = 2 };

/* Options that a reload may change; a copy, so that the thread never reads another thread's config. */
struct supervisor_settings {
    uint64_t hold_time_ns, app_idle_ns, reply_grace_ns;
    enum config_down app_down;
    uint64_t stay_ns; /* drain.time with drain.sessions stay, otherwise 0 */
    struct ingress_filter ingress_filter;
    enum config_control control_accept;
    struct config_cidrs control_allow;
    struct keyring keyring; /* as last read; count 0: none */
    char leader[CONFIG_NAME_MAX];
    uint64_t leader_generation;
};

/* Facts that the published snapshot states; a change takes a new snapshot. Compared as bytes: no
 * padding. */
struct supervisor_facts {
    enum leader_kind kind;
    enum election_cause cause;
    uint64_t term, leader;
    struct reply_grace grace;
    uint64_t rcvbuf_bytes; /* of the leader's relay socket */
    uint64_t list_term;
    uint32_t list_version, list_count;
    uint64_t settings;                    /* number of reloads */
    uint64_t live[ELECTION_BITMAP_WORDS]; /* of the list */
    uint64_t gave_way_term;               /* of the leader before, if it stepped down; or 0 */
    uint64_t additions;                   /* of ELECTION_ADDITIONS, which all members read */
    uint64_t votes_needed;
    uint64_t seal_key, seal_suite, handshake;
};

#define SUPERVISOR_LEADER_TEXT (ADDRESS_TEXT_MAX + CONFIG_NAME_MAX + 40)

/* The last state that was logged: only changes are logged. */
struct supervisor_logged {
    char leader[SUPERVISOR_LEADER_TEXT]; /* "ADDRESS (NAME), term N"; "": none yet */
    bool is_alone, is_leader_unknown, is_leaderless, is_virtual, is_name_shared;
};

/* A NOMINATE that its target has not replied to yet. */
struct nomination {
    uint64_t target; /* instance; 0: free */
    uint64_t nonce, time_s;
    uint64_t sent_ns, until_ns;
};

/* A refusal of the leader's host that is not evidence yet. */
struct refusal {
    uint64_t instance;  /* 0: none */
    uint64_t probed_ns; /* 0: not yet */
    uint64_t disproved_ns;
    uint32_t disproofs; /* none of them, except the first, long after the one before */
};

struct supervisor {
    const struct config *config;
    struct data_plane *data_plane;
    struct waker waker; /* for command queues, reloads, refusals, discovery */
    int epoll_fd, timer_fd;
    uint64_t timer_ns; /* expiry that the timer is set to */
    struct peer_transport transport;
    struct liveness liveness;
    uint64_t reported_changes; /* of liveness, and of the list, in the report */
    struct election_list_id reported_list;
    struct discovery discovery;
    struct slice_watch slices;
    struct sealing *sealing;       /* NULL: election is peers */
    struct kubernetes *kubernetes; /* NULL: no option needs the API server */
    struct store *store;           /* NULL: none */
    struct peers peers;
    struct progress progress;
    struct election election;
    struct election_actions actions;
    struct counters counters;
    struct agent agent;

    struct supervisor_settings settings;
    struct supervisor_facts facts;         /* of the snapshot that is published, or is due */
    struct election_leadership leadership; /* the election's last result */
    struct address outside;                /* leader outside the cluster; unset: none */
    bool is_unpublished; /* the snapshot is older than the facts: no free buffer */
    bool is_app_up, is_moving;
    bool has_sessions; /* with stay_ns, as the election knows them */
    uint64_t stay_ns;
    uint64_t stalled_since_ns;
    uint64_t leaderless_since_ns; /* 0: there is a leader */
    uint64_t no_app_since_ns;     /* 0: an app is up, or that is not known */
    uint64_t virtual_since_ns;    /* 0: supervisor_finds_virtual is false */
    struct address discovered; /* the only address that discovery.dns has; unset: another number */
    bool is_refusing;          /* the data port refuses clients */
    struct {
        uint64_t since_ns, term; /* 0: no other member has our name; the leader that says so */
    } name_shared;
    struct supervisor_logged logged;
    struct leader_history history; /* copied into the report with each snapshot */
    struct address namesake; /* of one member with this pod's name, as reported; unset: none */

    struct budget commands;
    struct budget refusals;     /* replies and log lines for refused commands */
    struct budget unauthorized; /* the same for clients without permission: separate, so that they
                                   cannot use up the other budget */
    uint64_t refusals_unlogged, unauthorized_unlogged; /* since the last line */
    struct sign_seen seen; /* signed commands that were taken, by whichever worker */
    struct queued_command waiting[ELECTION_COMMANDS_MAX]; /* commands without a result yet */
    bool is_waiting[ELECTION_COMMANDS_MAX];
    struct sign_seen named; /* signed commands that name this pod, whoever received them */
    struct nomination nominations[ELECTION_COMMANDS_MAX];
    struct refusal refusal;

    _Atomic unsigned requests; /* of the main thread: SUPERVISOR_STEP_DOWN, SUPERVISOR_LEAVE */
    struct supervisor_report report;

    const struct nonce_space *nonce_spaces[WORKERS_MAX]; /* of the data threads */
    uint64_t keys_checked_ns;
    struct keyring keys;            /* main thread: as last read */
    char keys_failure[KEYRING_WHY]; /* main thread: as last logged; "": none */

    struct triple_buffer reload; /* the main thread writes, the supervisor reads */
    struct supervisor_settings reloaded[TRIPLE_BUFFER_VERSIONS];
};

/* ---- supervisor.c ---- */

extern const struct agent_ops supervisor_agent_ops;

/* ---- supervisor_candidates.c ---- */

/* Tell the election which pods may exist, by configuration and by discovery. */
void supervisor_feed_candidates(struct supervisor *supervisor);

/* ---- supervisor_actions.c ---- */

/* One step of the election, and its actions. No effect once this pod has left the list (OUT). */
void supervisor_feed(struct supervisor *supervisor, const struct election_event *event);

/* The same, without a step of the Lease. */
void supervisor_feed_election(struct supervisor *supervisor, const struct election_event *event);

/* ---- supervisor_lease.c: nothing happens with election peers ---- */

/* Before platform_start. Returns 0 or a negative errno. */
int supervisor_open_lease(struct supervisor *supervisor, struct platform *platform)
    __attribute__((warn_unused_result));
void supervisor_close_lease(struct supervisor *supervisor);
/* Before the thread starts; after election_init. */
void supervisor_start_lease(struct supervisor *supervisor);
/* After each step of the election: a step of the Lease, and the steps that follow from it. */
void supervisor_run_lease(struct supervisor *supervisor);
/* Take the news of the API server; returns their number. */
size_t supervisor_take_lease(struct supervisor *supervisor, uint64_t now_ns);
bool supervisor_has_lease_news(const struct supervisor *supervisor);
/* The time of the next step; UINT64_MAX: never. */
uint64_t supervisor_lease_deadline_ns(const struct supervisor *supervisor);
/* Any thread: this pod has not released the Lease yet, or a request is under way. */
bool supervisor_is_sealing(const struct supervisor *supervisor);

/* For supervisor_kubernetes.c. NULL before the start, and with election peers. */
const struct lease *supervisor_lease(const struct supervisor *supervisor);
struct lease_wanted *supervisor_lease_wanted(struct supervisor *supervisor);
/* The holder writes it now, for what others have written there. */
void supervisor_renew_lease(struct supervisor *supervisor);

/* ---- supervisor_kubernetes.c: nothing happens where no option needs the API server ---- */

/* Before platform_start. Returns 0 or a negative errno. */
int supervisor_open_kubernetes(struct supervisor *supervisor, struct platform *platform)
    __attribute__((warn_unused_result));
void supervisor_close_kubernetes(struct supervisor *supervisor);
void supervisor_run_kubernetes(struct supervisor *supervisor, uint64_t now_ns);
bool supervisor_has_kubernetes_news(struct supervisor *supervisor);
/* The Lease has changed: an Event, if this pod holds it from now on, or no longer. */
void supervisor_tell_holding(struct supervisor *supervisor,
                             const struct supervisor_lease_report *before,
                             const struct supervisor_lease_report *now, enum lease_by by);
/* True if it is the result of an annotation. */
bool supervisor_take_wanted_reply(struct supervisor *supervisor,
                                  const struct election_action *action);

/* ---- supervisor_snapshot.c ---- */

/* Publish the election's present result to the data threads. */
void supervisor_publish(struct supervisor *supervisor);
/* Publish a new snapshot of the present facts; retried while no buffer is free. */
void supervisor_publish_again(struct supervisor *supervisor);

/* ---- supervisor_report.c ---- */

/* Publish the report for the admin server. */
void supervisor_update_report(struct supervisor *supervisor);
/* Publish the history and the namesake in it. */
void supervisor_report_past(struct supervisor *supervisor);

/* ---- supervisor_log.c ---- */

/* Cost of a leader change: time without a leader as this pod saw it, datagrams held here, and
 * datagrams relayed to the previous leader and not confirmed. */
struct supervisor_cost {
    uint64_t gap_ns, held, lost;
};

/* The facts name a new leader: log and count it. */
void supervisor_log_change(struct supervisor *supervisor, const struct supervisor_cost *cost);
/* A former leader begins to serve its sessions, or no longer does. */
void supervisor_log_former(struct supervisor *supervisor, const struct supervisor_facts *before);
/* Log, once each time, that there has been no leader for long. */
void supervisor_log_leaderless(struct supervisor *supervisor, uint64_t now_ns);
/* discovery.dns seems to name a Service with a cluster IP. */
bool supervisor_finds_virtual(const struct supervisor *supervisor);
/* Log, once each time, that it has for some seconds. */
void supervisor_log_virtual(struct supervisor *supervisor, uint64_t now_ns);
/* Other pods that have replied recently. */
unsigned supervisor_count_replied(const struct election *e);
/* The configured leader leads, or none is configured. */
bool supervisor_has_wanted_leader(const struct supervisor *supervisor);
/* If another leads, log that, and what to do. */
void supervisor_check_leader(struct supervisor *supervisor);
/* Compare the sender's settings for the ordered route with ours; log a mismatch, rarely. */
void supervisor_check_settings(struct supervisor *supervisor,
                               const struct election_message *message);
/* Log, rarely, that a pod has the other option election. */
void supervisor_check_election(const struct supervisor *supervisor);

/* ---- supervisor_names.c ---- */

/* Log, once, and report that another living member has this pod's name. */
void supervisor_check_names(struct supervisor *supervisor, uint64_t now_ns);

/* ---- supervisor_refuse.c ---- */

/* This pod leads, and its app can only be checked with a client's request. */
bool supervisor_needs_request(const struct supervisor *supervisor);
/* Refuse clients if no app has been up for hold.time; accept them again as soon as one may be. */
void supervisor_check_apps(struct supervisor *supervisor, uint64_t now_ns);

/* ---- supervisor_keys.c ---- */

/* Log that there are no keys, or that they are not enforced. */
void supervisor_warn_unsealed(const struct config *config);
/* Choose the key and the cipher suite that all members can open. */
void supervisor_choose_key(struct supervisor *supervisor, struct supervisor_facts *facts);
/* Set a member's replay windows once it is authenticated. True: its frames are accepted from the
 * next snapshot on. */
bool supervisor_reset_windows(struct supervisor *supervisor, uint64_t instance);
/* Every 50 ms: take over new keys, log unverifiable addresses, request handshakes. */
void supervisor_check_keys(struct supervisor *supervisor, uint64_t now_ns);

/* ---- supervisor_refusal.c ---- */

/* A host has refused a datagram to this instance. */
void supervisor_hear_refusal(struct supervisor *supervisor, uint64_t instance);
/* A message of this instance was verified. */
void supervisor_disprove_refusal(struct supervisor *supervisor, uint64_t from);
/* After messages were read: probe, or take the refusal for evidence. */
void supervisor_check_refusal(struct supervisor *supervisor);

/* ---- supervisor_nominate.c ---- */

/*
 * How a command is passed on. NOMINATION_NONE: by the election alone. NOMINATION_DUE: its target has
 * to be told, and decides. NOMINATION_FIRST, _REPEATED: this pod is the target, and has not had it, or has.
 */
enum nomination_kind {
    NOMINATION_NONE,
    NOMINATION_DUE,
    NOMINATION_FIRST,
    NOMINATION_REPEATED,
    NOMINATION_TOO_OLD
};
enum nomination_kind supervisor_judge_nomination(struct supervisor *supervisor,
                                                 const struct queued_command *queued,
                                                 uint64_t target);
/* Tell the target, if it is due. */
void supervisor_nominate(struct supervisor *supervisor, const struct queued_command *queued,
                         uint64_t target);
/* A NOMINATE of another pod: a command that names this one, or a reply. */
void supervisor_hear_nomination(struct supervisor *supervisor,
                                const struct election_message *message, const struct address *from);
/* Send those that have no reply yet again. */
void supervisor_repeat_nominations(struct supervisor *supervisor, uint64_t now_ns);

/* ---- supervisor_command.c ---- */

/* Take commands of clients, a bounded number; returns how many. */
size_t supervisor_take_commands(struct supervisor *supervisor);
/* Send the result of one. */
void supervisor_reply(struct supervisor *supervisor, const struct election_action *action);
/* This text names this pod, by its address or its name. */
bool supervisor_is_self(const struct config *config, const char *text);
/* The configured leader has changed, with a higher generation: command it. */
void supervisor_apply_wanted_leader(struct supervisor *supervisor);
/* Log that unsigned commands are accepted although there are keys. */
void supervisor_warn_open_commands(const struct supervisor *supervisor);
/* At the end: refuse the commands that have no result yet. */
void supervisor_refuse_waiting(struct supervisor *supervisor);

#endif
