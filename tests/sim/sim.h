/*
 * sim: a cluster in one thread, as discrete events.
 *
 * Every pod runs the real election_step. One seeded generator decides the network, the clocks and
 * all faults, so a seed determines a run, and a failing run can be replayed. check.c checks the
 * invariants after every step.
 *
 * Times are real nanoseconds since the start of the run; a pod sees its own clock only.
 */
#ifndef HEADLESS_TESTS_SIM_H
#define HEADLESS_TESTS_SIM_H

#include <stdarg.h>

#include "control/reply_grace.h"
#include "headless/base/clock.h"
#include "headless/control/election.h"
#include "random.h"

#define SIM_PODS_MAX  9
#define SIM_EVENTS    65536
#define SIM_PACKETS   32768
#define SIM_TERMS     8192
#define SIM_QUIET_NS  (65 * NS_PER_SEC) /* without faults, at the end of each run */
#define SIM_CLOCK_PPM 1000000

/* ---- events ---- */

enum sim_event_type {
    SIM_TICK,
    SIM_PACKET,
    SIM_REFUSAL, /* ICMP port unreachable; a: the instance that it is about */
    SIM_RESUME,
    SIM_FAULT,     /* draw the next fault */
    SIM_FAULT_END, /* a: enum sim_fault, b: its argument */
    SIM_START,
    SIM_QUIT,       /* a: the instance that was asked to stop */
    SIM_COMMAND,    /* a: the target pod, b: token */
    SIM_NOMINATION, /* a signed command for the pod; a: its instance */
    SIM_APP,        /* a: up or down */
    SIM_SESSIONS,
    SIM_LOOK_UP,
    SIM_HEAL,
    SIM_HINT,       /* draw the next false hint */
    SIM_FALSE_TOLD, /* a: the pod that tells */
    SIM_SLICES,     /* draw the next ones; a: the truth, after the faults */
    SIM_CLOSED,     /* a connection; a: the instance that it was to */
    SIM_CONNECT,    /* the request for a new one arrives; a: the same */
    SIM_CONNECT_REFUSED,
    SIM_FRAME, /* a: of the sequencers */
    SIM_SEQUENCER_TICK,
    SIM_CLIENT,      /* a: the message, b: hops */
    SIM_RELAY_FRAME, /* a: of the relays */
    SIM_RELAY_TICK,
    SIM_RELAY_CLIENT,
    SIM_RELAY_REPLY, /* of an app; a: ingress pod and request, b: instance and term */
    SIM_API_REQUEST, /* a: of the API server's slots, as in the next two */
    SIM_API_REPLY,
    SIM_API_WATCH,
    SIM_API_TIMEOUT, /* a: the request, b: the instance */
    SIM_API_FAULT,
    SIM_API_FAULT_END,
    SIM_API_ELECTOR,
    SIM_EVENT_COUNT
};

struct sim_event {
    uint64_t at_ns, sequence;
    enum sim_event_type type;
    uint32_t pod;
    uint64_t a, b;
};

struct sim_queue {
    size_t count;
    uint64_t sequence;
    struct sim_event heap[SIM_EVENTS];
};

void sim_queue_push(struct sim_queue *queue, const struct sim_event *event);
bool sim_queue_pop(struct sim_queue *queue, struct sim_event *ret_event);

/* ---- pods ---- */

struct sim_packet {
    uint32_t next_free;
    uint32_t from_pod;
    struct address from, to;
    struct election_message message;
    struct election_member members[ELECTION_PAGE];
};

struct sim_pod {
    struct election election;
    struct election_config config;
    bool is_up, is_stalled;
    uint64_t resumes_ns;
    uint64_t clock_offset_ns, clock_ppm;
    uint64_t tick_ns;            /* the earliest tick in the queue; 0: none */
    uint64_t host_refuses_until; /* its process is dead, its host alive */
    uint64_t refusals_left, refusal_second;
    uint64_t started_ns;
    uint64_t stored_term;
    /* the side of the data plane */
    struct election_leadership leadership;
    uint64_t valid_until_ns; /* real time; 0: does not lead */
    uint64_t led_since_ns;
    uint64_t step_down_ns; /* last cause to step down: stop, command, app */
    uint64_t stopped_leading_ns;
    uint64_t died_ns, former_done_term;    /* former.c */
    uint64_t shared_since_ns, shared_term; /* another member has its name; 0: none */
    struct reply_grace grace;
    uint64_t led_term;                  /* the last one; 0: none */
    struct election_claim last, before; /* published: former.c */
};

#define SIM_STEPS SIM_TERMS /* the leader of a term steps down once */

struct sim_step_down {
    uint64_t instance, term, at_ns;
};

/* ---- the world ---- */

enum sim_fault {
    FAULT_CRASH,
    FAULT_RESTART_FAST,
    FAULT_STOP,
    FAULT_PAUSE,
    FAULT_STALL,
    FAULT_CUT,   /* one link, in one or both directions */
    FAULT_SPLIT, /* the pods into two sides */
    FAULT_ALONE, /* one pod from all others, in one or both directions */
    FAULT_LOSS,
    FAULT_DELAY,
    FAULT_DUPLICATE,
    FAULT_COMMAND,
    FAULT_STORM,
    FAULT_APP,
    FAULT_FORGE,
    FAULT_COUNT
};

struct ordered;
struct sim_relay;
struct sim_api;

struct sim_options {
    uint64_t seed, seconds;
    struct ordered *ordered; /* with sequencers (ordered.h); NULL: elections only */
    struct sim_relay *relay; /* with relays (relay.h); NULL: without */
    struct sim_api *api;     /* with election: lease (api.h); NULL: election: peers */
    bool trace;
    bool shares_names; /* in all runs (names.c) */
};

struct sim {
    struct sim_options options;
    struct random random;
    uint64_t now_ns, ends_ns, heal_ns;
    uint32_t pod_count;
    struct sim_pod pods[SIM_PODS_MAX];
    struct sim_queue queue;
    struct sim_packet packets[SIM_PACKETS];
    uint32_t free_packet;
    struct election_actions actions;
    uint64_t steps, messages, instances;

    /* network */
    uint32_t cuts[SIM_PODS_MAX][SIM_PODS_MAX];         /* number of faults that cut from -> to */
    uint64_t disturbed_ns[SIM_PODS_MAX][SIM_PODS_MAX]; /* last time at which it was not clear */
    uint32_t loss_permille, duplicate_permille;
    uint32_t lossy, slow, duplicating; /* number of such faults now */
    uint64_t loss_ns;                  /* last time with loss or delay, which disturb every link */
    uint64_t delay_ns, jitter_ns, slow_ns;

    /* faults */
    uint32_t weights[FAULT_COUNT];
    uint64_t fault_every_ns;
    bool forges, loses_files, shrinks;
    uint32_t files_lost;
    bool quorum; /* the run has a quorum, so two valid leaders are a failure */

    /* check */
    struct {
        uint64_t term, leader;
    } terms[SIM_TERMS];
    uint64_t top_term, top_leader;
    uint64_t top_voted, raised_ns; /* last vote in a later term, not for the leader */
    uint64_t agreed_ns, quiet_messages;
    bool is_limited; /* some pods are not eligible */
    uint64_t commands_sent, commands_answered;
    uint64_t grace_ns; /* reply.grace */
    struct {
        struct random random;
        uint64_t stay_ns; /* 0: no sessions stay in this run */
        struct sim_step_down steps[SIM_STEPS];
        size_t step_count;
        uint64_t elected_ns; /* the leader of top_term */
        uint64_t begun;
    } former;
    struct {
        struct random random;
        bool shared, moves;
        uint32_t twin; /* starts only while the pods are split; SIM_PODS_MAX: none */
        bool is_twin_due;
        uint64_t look_up_ns; /* the next SIM_LOOK_UP; 0: none */
    } names;
    struct {
        struct random random;
        bool is_told, is_connected; /* in this run */
        bool is_exact;              /* no close is lost or late */
        bool is_idle; /* no client sends, so only the election's messages are refused */
    } hints;
    struct {
        struct random random;
        bool is_used;               /* in this run */
        uint64_t ids[SIM_PODS_MAX]; /* of the pods */
        uint64_t last_id;
    } slices;
    bool is_healed, failed;
    char failure[256];
};

/* world.c */
void sim_init(struct sim *sim, const struct sim_options *options, uint32_t pod_count);
void sim_at(struct sim *sim, uint64_t at_ns, enum sim_event_type type, uint32_t pod, uint64_t a,
            uint64_t b);
/* Runs until real time until_ns, or a failure. */
void sim_run(struct sim *sim, uint64_t until_ns);

/* clock.c */
uint64_t sim_local(const struct sim_pod *pod, uint64_t real_ns);
uint64_t sim_real(const struct sim_pod *pod, uint64_t local_ns);
uint64_t sim_detection(const struct sim *sim); /* the longest */

/* pod.c */
void sim_start_pod(struct sim *sim, uint32_t pod, bool keeps_file);
void sim_crash_pod(struct sim *sim, uint32_t pod, bool host_lives);
void sim_pause_pod(struct sim *sim, uint32_t pod, uint64_t for_ns, bool whole);
void sim_resume(struct sim *sim, const struct sim_event *event);
/* Asks the pod to stop; its data plane drains for drain_ns, then the pod leaves the list. */
void sim_stop_pod(struct sim *sim, uint32_t pod, uint64_t drain_ns);
void sim_quit_pod(struct sim *sim, const struct sim_event *event);
void sim_step(struct sim *sim, uint32_t pod, const struct election_event *event);
/* Without a step of the Lease after it. */
void sim_step_only(struct sim *sim, uint32_t pod, const struct election_event *event);
void sim_tick(struct sim *sim, const struct sim_event *tick);

/* command.c */
uint64_t sim_instance(const struct sim *sim, uint32_t pod);
void sim_command(struct sim *sim, uint32_t pod, uint32_t target, uint64_t token);
/* A command that a fault has scheduled: as it is, or as the supervisor passes on signed ones. */
void sim_draw_command(struct sim *sim, const struct sim_event *event);
void sim_nominate(struct sim *sim, const struct sim_event *event);
void sim_set_app(struct sim *sim, uint32_t pod, bool is_up);

/* network.c */
void sim_network_init(struct sim *sim);
void sim_send(struct sim *sim, uint32_t from, const struct election_action *action);
void sim_deliver(struct sim *sim, const struct sim_event *event);
void sim_cut(struct sim *sim, uint32_t from, uint32_t to, int change);
/* Marks the links of the pod as not clear until until_ns. */
void sim_disturb(struct sim *sim, uint32_t pod, uint64_t until_ns);
void sim_release(struct sim *sim, uint32_t packet);

/* faults.c */
void sim_faults_init(struct sim *sim);
void sim_fault(struct sim *sim);
void sim_fault_end(struct sim *sim, const struct sim_event *event);
void sim_heal(struct sim *sim);

/* check.c */
void sim_check_leadership(struct sim *sim, uint32_t pod, const struct election_leadership *before);
void sim_check_agreement(struct sim *sim);
void sim_check_end(struct sim *sim);
/* The valid leader, if all live pods follow it; otherwise -1. */
int sim_agreed_leader(const struct sim *sim);
/* No pod, or no Lease, may know any longer which terms there were, so that one may be given again. */
bool sim_has_lost_terms(const struct sim *sim);
/* A pod that is a valid leader, or -1. */
int sim_valid_leader(const struct sim *sim);
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* former.c */
void sim_former_init(struct sim *sim);
void sim_set_sessions(struct sim *sim, uint32_t pod, bool has_sessions);
void sim_change_sessions(struct sim *sim);
void sim_note_step_down(struct sim *sim, uint32_t pod);
void sim_check_former(struct sim *sim, uint32_t pod, const struct election_leadership *before);
void sim_check_former_time(struct sim *sim);

/* grace.c */
void sim_grace_init(struct sim *sim);
void sim_step_grace(struct sim *sim, uint32_t pod, const struct election_leadership *before);
/* Do replies of this term leave through this pod now? */
bool sim_accepts_reply(const struct sim *sim, uint32_t pod, uint64_t term);
void sim_check_pushes(struct sim *sim);

/* names.c */
void sim_check_names(struct sim *sim, uint32_t index);
void sim_names_init(struct sim *sim);
/* False: this pod does not start now. */
bool sim_may_start(struct sim *sim, uint32_t pod);
/* DNS names this pod. */
bool sim_is_named(const struct sim *sim, uint32_t pod);
/* A fault has split the pods. */
void sim_start_twin(struct sim *sim);
/* Before a restart: its address may change. */
void sim_move_pod(struct sim *sim, uint32_t pod);
void sim_look_up(struct sim *sim);

/* hints.c */
void sim_hints_init(struct sim *sim);
void sim_hint(struct sim *sim);
void sim_tell_falsely(struct sim *sim, const struct sim_event *event);
/* The pod has died, its host lives. */
void sim_close_connections(struct sim *sim, uint32_t index);
void sim_closed(struct sim *sim, const struct sim_event *event);
void sim_connect(struct sim *sim, const struct sim_event *event);
void sim_connect_refused(struct sim *sim, const struct sim_event *event);

/* slices.c */
void sim_slices_init(struct sim *sim);
void sim_slices(struct sim *sim, const struct sim_event *event);

/* trace.c */
void sim_trace_message(const struct sim *sim, uint32_t pod, const char *what, uint32_t other,
                       const struct election_message *message);
void sim_trace_leadership(const struct sim *sim, uint32_t pod);
void sim_trace(const struct sim *sim, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* scenario.c */
int sim_run_scenarios(struct sim *sim, const char *name, bool trace);

#endif
