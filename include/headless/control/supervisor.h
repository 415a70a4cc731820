/*
 * supervisor: the one thread that decides who leads and publishes it to the data threads.
 *
 * It feeds the election (election.h) with what happens: messages of other pods, refusals, the
 * clock, commands of clients, the state of the app, addresses from discovery; and carries out what
 * the election wants, in this order: the term is stored, the snapshot is published, then messages go
 * out. So what the others are told is already true here. It sleeps in epoll, on the peer socket, a
 * timer for the election's next deadline, and an eventfd for everything that other threads have for
 * it.
 *
 *   supervisor.c          the thread: events in, the timer
 *   supervisor_act.c      what the election wants done
 *   supervisor_snapshot.c     the snapshot of the data threads
 *   supervisor_tell.c     what the log is told of leaders
 *   supervisor_command.c  {"leader": ...} and its reply
 *   supervisor_keys.c     keys, handshake, who cannot be verified
 *   supervisor_order.c    members that want another order
 *
 * A leader outside the cluster (relay.format raw or proxy-v2) is not elected: it never expires.
 *
 * Threads: open, join, start, leave, stop, close, reload and resign by the main thread; the report
 * by any; the rest of the fields is the supervisor's.
 */
#ifndef HEADLESS_CONTROL_SUPERVISOR_H
#define HEADLESS_CONTROL_SUPERVISOR_H

#include <pthread.h>

#include "headless/base/budget.h"
#include "headless/control/agreement.h"
#include "headless/control/command.h"
#include "headless/control/discovery.h"
#include "headless/control/election.h"
#include "headless/control/key_watch.h"
#include "headless/control/leader_history.h"
#include "headless/control/peer_transport.h"
#include "headless/control/pulse.h"
#include "headless/control/roster.h"
#include "headless/control/store.h"
#include "headless/data/data_plane.h"
#include "headless/data/progress.h"

_Static_assert(ELECTION_MEMBERS_MAX == MEMBERS_MAX, "a list must fit a view");
_Static_assert(ELECTION_NAME_MAX == CONFIG_NAME_MAX, "a name must fit a view");

/* What a reload may change here; a copy, so that the supervisor never reads somebody's config. */
struct supervisor_settings {
    uint64_t hold_time_ns, app_idle_ns, reply_grace_ns;
    struct ingress_filter ingress_filter;
    enum config_control control_accept;
    struct config_cidrs control_allow;
    struct keyring keyring; /* as last read; count 0: none */
    char leader[CONFIG_NAME_MAX];
    uint64_t leader_generation;
};

/* How this pod hears a member (pulse.h). */
struct supervisor_pulse {
    _Atomic uint64_t heard_ns; /* 0: never, or nothing regular comes from it */
    _Atomic uint64_t rtt_ns;   /* 0: not known */
    _Atomic uint64_t lost;
    _Atomic bool is_asked; /* it gets heartbeats from us: lost says something */
};

/* For whoever shows it; each field by itself. */
struct supervisor_report {
    _Atomic uint32_t state;        /* enum election_state */
    _Atomic uint32_t votes;        /* that a majority takes; 1: no quorum is wanted */
    _Atomic uint32_t fresh;        /* 1: we do not know what a predecessor voted */
    _Atomic uint32_t alive;        /* members that are, as far as we know; this pod included */
    _Atomic uint32_t known;        /* other pods that peers or discovery.dns names */
    _Atomic uint32_t answered;     /* of those; while this pod joins */
    _Atomic int lookup;            /* of discovery.dns, the last one: discovery_failure */
    _Atomic uint32_t differing;    /* members of another route ordered or ordered.commit */
    _Atomic uint64_t unconfirmed;  /* requests handed to the present leader and not confirmed */
    _Atomic uint64_t gap_ns;       /* without a leader, at the last change */
    _Atomic uint64_t hold_down_ns; /* a leader hands over because of its app only after so long */
    _Atomic uint32_t keys, introduced; /* that we have; members that have proved to have one */
    _Atomic uint32_t key_mismatches;   /* addresses of members that cannot be verified */
    _Atomic uint64_t leaps_refused, actions_lost, forbidden_transitions; /* election_counts */
    _Atomic uint8_t member_states[MEMBERS_MAX];  /* by slot: enum election_member_state */
    struct supervisor_pulse pulses[MEMBERS_MAX]; /* by slot */
    pthread_mutex_t history_lock;                /* guards the one below: supervisor_read_history */
    struct leader_history history;
};

/* What the present snapshot says; another means another snapshot. Compared as bytes: no padding. */
struct supervisor_facts {
    enum leader_kind kind;
    enum election_cause cause;
    uint64_t term, leader;
    uint64_t previous_term, previous_until_ns;
    uint64_t rcvbuf_bytes; /* of the leader's relay socket */
    uint64_t list_term;
    uint32_t list_version, list_count;
    uint64_t settings;                    /* how often they were reloaded */
    uint64_t live[ELECTION_BITMAP_WORDS]; /* of the list */
    uint64_t gave_way; /* the leader before this one did; a bool without padding */
    uint64_t votes_needed;
    uint64_t seal_key, seal_suite, handshake;
};

#define SUPERVISOR_LEADER_TEXT (ADDRESS_TEXT_MAX + CONFIG_NAME_MAX + 40)

/* What the log was told last, so that it is told news only. */
struct supervisor_told {
    char leader[SUPERVISOR_LEADER_TEXT]; /* "ADDRESS (NAME), term N"; "": none yet */
    bool is_alone, is_leader_unknown, is_waiting;
};

struct supervisor {
    const struct config *config;
    struct data_plane *data_plane;
    struct waker waker; /* of command_queues, reloads, refusals, discovery */
    int epoll_fd, timer_fd;
    uint64_t timer_ns; /* the timer is set to this */
    struct peer_transport transport;
    struct discovery discovery;
    struct store store;
    struct roster roster;
    struct progress progress;
    struct agreement agreement;
    struct pulse pulse;
    struct election election;
    struct election_actions actions;
    struct counters counters;
    struct agent agent;

    struct supervisor_settings settings;
    struct supervisor_facts facts;       /* of the snapshot that is published, or is to be */
    struct election_leadership snapshot; /* as the election last said */
    struct address outside;              /* a leader outside the cluster; unset: none */
    bool is_unpublished;                 /* the snapshot lags behind the facts: no slot was free */
    bool is_app_up, is_moving;
    uint64_t stalled_since_ns;
    uint64_t leaderless_since_ns; /* 0: there is a leader */
    struct supervisor_told told;
    struct leader_history history; /* copied into the report with each snapshot */

    struct budget commands;
    struct budget refusals;  /* replies and log lines for commands that were refused */
    struct budget strangers; /* the same for those who may not command: may not use up the other */
    uint64_t refusals_unsaid, strangers_unsaid; /* since the last line about one */
    struct sign_seen seen; /* signed commands that were taken, by whichever worker */
    struct queued_command
        waiting[ELECTION_COMMANDS_MAX]; /* commands whose outcome is not known yet */
    bool is_waiting[ELECTION_COMMANDS_MAX];

    _Atomic unsigned wishes; /* of the main thread: SUPERVISOR_RESIGN, SUPERVISOR_LEAVE */
    struct supervisor_report report;

    struct key_watch key_watch;
    const struct nonce_space *nonce_spaces[WORKERS_MAX]; /* of the data threads */
    uint64_t keys_looked_ns;
    struct keyring keys;        /* the main thread's: as last read */
    char keys_why[KEYRING_WHY]; /* the main thread's: why not, as it was last told; "" */

    pthread_mutex_t reload_lock; /* guards the two below */
    struct supervisor_settings reloaded;
    bool has_reload;
};

/* First, before the data_plane: binds the peer port, exclusively, so that a second daemon on this
 * address fails here. Logs what failed; returns a negative errno. */
int supervisor_open(struct supervisor *supervisor, const struct config *config)
    __attribute__((warn_unused_result));

/* After data_plane_open: take the first step, in which a pod that is alone leads. */
int supervisor_join(struct supervisor *supervisor, struct data_plane *data_plane)
    __attribute__((warn_unused_result));

int supervisor_start(struct supervisor *supervisor) __attribute__((warn_unused_result));

/* Give the lead away, if there is somebody to take it, and do not take it again. */
void supervisor_resign(struct supervisor *supervisor);

/* Leave the list, wait until that is done or is taking too long, and end the thread. */
void supervisor_stop(struct supervisor *supervisor);
void supervisor_close(struct supervisor *supervisor);

/* Read the keys again. True: they are others than before; supervisor_reload takes them over. */
bool supervisor_read_keys(struct supervisor *supervisor);

/* Take these settings over soon, and the keys as last read. */
void supervisor_reload(struct supervisor *supervisor, const struct config *config);

/*
 * Any thread, with a watch of its own: the first thread that stalls, of the data_plane or, for more than
 * SUPERVISOR_STALL_NS, the supervisor itself; or NULL. That one writes the store, and a volume may
 * take long: to restart the pod for it would not make the volume quicker. Meanwhile it does not
 * lead, for nobody renews its time.
 */
#define SUPERVISOR_STALL_NS UINT64_C(30000000000)
const struct agent *supervisor_find_stalled(const struct supervisor *supervisor,
                                            struct progress *progress, uint64_t now_ns);

/* Any thread: the leaders that this pod has followed. Waits for the supervisor, never for long. */
void supervisor_read_history(struct supervisor_report *report, struct leader_history *ret_history);

/* Any thread. */
static inline enum election_state supervisor_state(const struct supervisor *supervisor)
{
    return (enum election_state)atomic_load_explicit(&supervisor->report.state,
                                                     memory_order_relaxed);
}

#endif
