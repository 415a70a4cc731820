/*
 * supervisor: the one thread that runs the election and publishes its result to the data threads.
 *
 * It feeds the election (election.h) with events: messages of other pods, refusals, the clock,
 * commands of clients, the state of the app, addresses from discovery. It carries out the
 * election's actions in this order: store the term, publish the leader snapshot, send messages. So
 * everything that a message states is already true at this pod. The thread sleeps in epoll: on the peer
 * socket, on a timer for the election's next deadline, and on an eventfd for all other threads.
 *
 * A leader outside the cluster (relay.format raw or proxy-v2) is not elected, and never expires.
 *
 * Threads: the main thread calls create, join, start, step_down, stop, destroy, take_keys,
 * keys_failure and reload; any thread may call the functions under "readers".
 */
#ifndef HEADLESS_CONTROL_SUPERVISOR_H
#define HEADLESS_CONTROL_SUPERVISOR_H

#include <pthread.h>

#include "headless/base/counters.h"
#include "headless/base/triple_buffer.h"
#include "headless/config/config.h"
#include "headless/control/election.h"
#include "headless/control/leader_history.h"
#include "headless/control/lease.h"
#include "headless/data/data_plane.h"
#include "headless/data/progress.h"
#include "headless/platform/api.h"
#include "headless/platform/platform_events.h"
#include "headless/secure/keyring.h"

/* The supervisor's own stall limit. It waits for nothing that may block; while it does not run, nobody
 * renews its lease, so a short stall costs no more than a leader change. */
#define SUPERVISOR_STALL_NS UINT64_C(10000000000)

struct supervisor;

/* The EndpointSlices of discovery.kubernetes. */
enum supervisor_slices {
    SUPERVISOR_SLICES_NONE,    /* discovery.kubernetes is none */
    SUPERVISOR_SLICES_WAITING, /* no response yet */
    SUPERVISOR_SLICES_FAILED,  /* the API server is away, or refuses: platform_problem */
    SUPERVISOR_SLICES_EMPTY,   /* the Service has no endpoint, or there is no such Service */
    SUPERVISOR_SLICES_CURRENT
};

/* The Lease of election lease. */
enum supervisor_lease_state {
    SUPERVISOR_LEASE_NONE,    /* election is peers */
    SUPERVISOR_LEASE_WAITING, /* the API server has not shown it since the start: platform_problem */
    SUPERVISOR_LEASE_COORDINATED, /* it has a strategy: this pod does not write it */
    SUPERVISOR_LEASE_FOREIGN,     /* pods of another cluster wrote it */
    SUPERVISOR_LEASE_KNOWN        /* or it is known that there is none */
};

/* The Lease as this pod knows it. */
struct supervisor_lease_report {
    char holder[LEASE_HOLDER_MAX]; /* holderIdentity; "": nobody */
    uint64_t term, transitions;
    uint64_t duration_ns;
    uint64_t changed_ns; /* this record is known since then */
    uint64_t until_ns;   /* if is_held: this pod leads until then at most, unless it is renewed */
    enum lease_fence fence; /* of the record */
    bool exists;
    bool is_ours;    /* a pod wrote it, and nobody has changed it */
    bool is_held;    /* by this pod */
    bool is_failing; /* no usable reply to the last request */
    struct lease_counts counts;
};

/* The label of the pod that leads (platform.role_label). */
struct supervisor_role_report {
    bool is_on;  /* the option */
    bool is_set; /* this pod has it, as confirmed by the API server */
    uint64_t failures;
};

/* Annotations, Events and the label of the leader at the API server. */
struct supervisor_kubernetes_report {
    uint64_t wanted_taken, wanted_refused; /* annotations headlessd.io/wanted of the Lease */
    struct platform_events_counts events;
    struct supervisor_role_report label;
};

/* A member as this pod sees it. */
struct supervisor_peer_report {
    _Atomic uint8_t state;     /* enum election_member_state */
    _Atomic uint64_t heard_ns; /* 0: never, or this pod and that member exchange no heartbeats */
    _Atomic uint64_t rtt_ns;   /* 0: not known */
    _Atomic uint64_t lost;
    _Atomic bool is_asked;     /* this pod sends it heartbeats, so lost is meaningful */
    _Atomic bool is_connected; /* there is a connection between this pod and it */
};

/* supervisor_read_history, supervisor_read_namesake */
struct supervisor_past {
    struct leader_history history;
    struct address namesake; /* of one of the namesakes; unset: none */
};

/* For the admin server. Each field is published by itself: relaxed loads and stores; except the
 * past. */
struct supervisor_report {
    _Atomic uint64_t ran_ns;         /* end of the supervisor's last slice; 0: not running yet */
    _Atomic uint32_t state;          /* enum election_state */
    _Atomic uint32_t votes;          /* votes that are a majority; 1: no quorum is required */
    _Atomic uint32_t is_asked_first; /* 1: it stepped down, and requests come to it first */
    _Atomic uint32_t is_volatile;    /* 1: the votes of a predecessor at this pod are not known */
    _Atomic uint32_t alive;          /* members not known to be dead; this pod included */
    _Atomic uint32_t known;          /* other pods that peers or discovery.dns names */
    _Atomic uint32_t answered;       /* of those, while this pod joins */
    _Atomic int lookup;              /* last lookup of discovery.dns: supervisor_lookup_reason */
    _Atomic uint32_t is_kept_out;    /* 1: this pod joins no pods with the other option election */
    _Atomic uint32_t is_virtual;     /* 1: discovery.dns seems to name a Service's cluster IP */
    _Atomic uint32_t is_refusing;    /* 1: the data port refuses clients (app.down) */
    _Atomic uint32_t namesakes;      /* other living members with this pod's name */
    _Atomic uint32_t differing;      /* members with another route ordered or ordered.commit */
    _Atomic uint64_t unconfirmed;    /* requests relayed to the present leader and not confirmed */
    _Atomic uint64_t gap_ns;         /* time without a leader before the last change */
    _Atomic uint64_t hold_down_ns;   /* a leader whose app is down keeps the lead until then */
    _Atomic uint32_t connections;    /* open ones between this pod and members */
    _Atomic uint32_t keys;           /* of this pod */
    _Atomic uint32_t authenticated;  /* pods that have proved to have one of them */
    _Atomic uint32_t key_mismatches; /* addresses from which nothing can be verified */
    _Atomic uint64_t leaps_refused, actions_lost, forbidden_transitions; /* election_counts */
    struct supervisor_peer_report peers[MEMBERS_MAX];                    /* by member index */
    /* The supervisor writes and waits for no reader; readers_lock excludes readers from each other. */
    struct triple_buffer past;
    struct supervisor_past versions[TRIPLE_BUFFER_VERSIONS];
    pthread_mutex_t readers_lock;
};

/* ---- the main thread ---- */

/* The keys as read from their directory. */
struct supervisor_keys {
    int rc; /* of keyring_load */
    struct keyring ring;
    char why[KEYRING_WHY];
};

/* Any thread: read the keys, if any are configured. Blocks while files are read. */
void supervisor_load_keys(const struct config *config, struct supervisor_keys *ret_keys);

/* Before the data plane: binds the peer port exclusively, so that a second daemon at this address
 * fails here. Keeps config, takes the keys. Logs a failure and returns a negative errno. */
int supervisor_create(const struct config *config, struct supervisor_keys *keys,
                      struct supervisor **ret_supervisor) __attribute__((warn_unused_result));
/* NULL is allowed. */
void supervisor_destroy(struct supervisor *supervisor);

/* Woken by other threads that have something for the supervisor. */
struct waker *supervisor_waker(struct supervisor *supervisor);

/* After data_plane_open: take the first step of the election, in which a pod that is alone leads. */
int supervisor_join(struct supervisor *supervisor, struct data_plane *data_plane)
    __attribute__((warn_unused_result));

/* Between platform_open and platform_start; platform is NULL without an option that needs it. It must be
 * stopped before supervisor_destroy. Logs a failure and returns a negative errno. */
int supervisor_use_platform(struct supervisor *supervisor, struct platform *platform)
    __attribute__((warn_unused_result));

int supervisor_start(struct supervisor *supervisor) __attribute__((warn_unused_result));

/* Transfer leadership if another member can lead, and do not take it again. */
void supervisor_step_down(struct supervisor *supervisor);

/* Leave the list, wait for that at most four detection times, and end the thread. */
void supervisor_stop(struct supervisor *supervisor);

/* Take keys that were read again, and wipe them. True: they have changed; supervisor_reload applies
 * them. */
bool supervisor_take_keys(struct supervisor *supervisor, struct supervisor_keys *keys);
/* Why the keys could not be read; "" when they were, or none are configured. */
const char *supervisor_keys_failure(const struct supervisor *supervisor);

/* Apply these settings soon, and the keys as last read. */
void supervisor_reload(struct supervisor *supervisor, const struct config *config);

/* ---- readers: any thread ---- */

enum election_state supervisor_state(const struct supervisor *supervisor);
const struct supervisor_report *supervisor_report(const struct supervisor *supervisor);
const struct counters *supervisor_counters(const struct supervisor *supervisor);

/* The last leaders that this pod followed. Waits while another thread reads them. */
void supervisor_read_history(struct supervisor *supervisor, struct leader_history *ret_history);

/* True if another living member has this pod's name; its address. Waits as the function above. */
bool supervisor_read_namesake(struct supervisor *supervisor, struct address *ret_address);

/* The leader is outside the cluster. Constant after supervisor_join. */
bool supervisor_is_leader_outside(const struct supervisor *supervisor);

/* The peer socket's receive buffer, and datagrams that the kernel dropped there. */
uint64_t supervisor_peer_rcvbuf_bytes(const struct supervisor *supervisor);
uint64_t supervisor_peer_kernel_drops(const struct supervisor *supervisor);

enum supervisor_slices supervisor_slices(const struct supervisor *supervisor);

enum supervisor_lease_state supervisor_lease_state(const struct supervisor *supervisor);
/* Returns false with election peers. Waits while another thread reads it. */
bool supervisor_read_lease(struct supervisor *supervisor,
                           struct supervisor_lease_report *ret_report);

void supervisor_read_kubernetes(const struct supervisor *supervisor,
                                struct supervisor_kubernetes_report *ret_report);

/* The reason that report.lookup stands for, in words. */
const char *supervisor_lookup_reason(int lookup);

/*
 * The first thread that stalls, of the data plane, or the supervisor itself after
 * SUPERVISOR_STALL_NS; NULL: none. progress belongs to the caller.
 */
const struct agent *supervisor_find_stalled(const struct supervisor *supervisor,
                                            struct progress *progress, uint64_t now_ns);

#endif
