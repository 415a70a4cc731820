/*
 * relay: the pods of a simulated cluster with relay.confirm: each has kept frames, streams that it
 * confirms, held requests, and an app.
 *
 * The election's leaderships decide where requests go; frames and confirmations go through the
 * simulated network with its faults; clients of every pod send requests (relay_check.c). The modules
 * kept and confirm are the product's; the routes around them are short versions of its own.
 */
#ifndef HEADLESS_TESTS_SIM_RELAY_H
#define HEADLESS_TESTS_SIM_RELAY_H

#include "data/relay/confirm.h"
#include "data/relay/kept_replies.h"
#include "sim.h"

#define RELAY_REQUESTS    65536 /* more than a run of RELAY_SECONDS_MAX has */
#define RELAY_SECONDS_MAX 200
#define RELAY_FRAMES      32768
#define RELAY_RECORDS     4 /* in a frame */
#define RELAY_CLIENTS     3 /* of a pod */
#define RELAY_HOLD        8192
#define RELAY_HOPS_MAX    2
#define RELAY_TICKETS     16384
#define RELAY_KEEP_NS     (5 * NS_PER_SEC)
#define RELAY_REPLY_NS    (10 * NS_PER_MS) /* of the app, to a pod's first client */
#define RELAY_GRACE_NS    (2 * NS_PER_SEC)
#define RELAY_WITHHELD    4096

struct relay_record {
    uint32_t id;     /* of the request */
    uint8_t ingress; /* the pod that got it */
    uint8_t hops;    /* so far */
    bool is_replayed;
    uint64_t term; /* of the frame that brought it */
};

struct relay_held {
    struct relay_record record;
    uint64_t since_ns;
};

struct relay_app_reply {
    uint32_t id;
    uint32_t ingress;
    uint64_t term; /* of the delivery */
};

struct relay_pod {
    bool is_open;
    bool is_told; /* that the leader before stepped down */
    struct kept kept;
    struct confirm confirm;
    struct kept_replies replies;
    uint64_t instance_of[SIM_PODS_MAX];                      /* by slot, which is a pod */
    uint64_t leader, term, previous_term, previous_until_ns; /* as it followed them */
    struct relay_held hold[RELAY_HOLD];
    uint64_t hold_put, hold_left;
    struct relay_record out[SIM_PODS_MAX][RELAY_RECORDS]; /* the frames being packed */
    uint32_t out_count[SIM_PODS_MAX];
    uint8_t out_type[SIM_PODS_MAX];
    uint64_t out_term[SIM_PODS_MAX];
    uint64_t tick_ns;
    uint64_t well_since_ns; /* its leader lives and can be reached; 0: not now */
    /* its app */
    bool is_app_up;
    struct relay_app_reply withheld[RELAY_WITHHELD]; /* unread, while its lease has ended */
    uint64_t withheld_put, withheld_left;
    uint32_t last[SIM_PODS_MAX][RELAY_CLIENTS]; /* the last request of each client */
};

struct relay_frame {
    uint32_t next_free;
    uint8_t type; /* enum frame_type: DATA, REPLY, or CONFIRM as 0 */
    uint8_t hops;
    uint64_t from, term;
    struct frame_place place;
    struct confirmation confirmation;
    uint32_t count;
    struct relay_record records[RELAY_RECORDS];
};

struct relay_request {
    uint64_t ingress;      /* the instance that got it */
    uint64_t given_to[4];  /* instances, the last ones first */
    uint8_t given, client; /* times */
    bool is_lost;          /* counted so by its ingress pod, or dropped and counted */
    bool has_reply, may_have_two, came_by_two;
};

enum relay_broken {
    RELAY_SOUND,
    RELAY_CONFIRM_EARLY, /* a request that waits is confirmed */
    RELAY_FORGET,        /* what a dead leader had not confirmed is dropped */
    RELAY_REPLAY_ALL,    /* requests that have their reply are relayed again, too */
    RELAY_NO_DUPLICATES, /* a frame that was taken before is taken again */
    RELAY_NO_GAPS,       /* a frame behind a missing one is taken */
    RELAY_READ_APP,      /* a leader without a lease reads its app's replies, and fences them */
    RELAY_BROKEN_COUNT
};

struct sim_relay {
    enum relay_broken broken;
    struct random random; /* its own, so that the election's run of a seed stays the same */
    bool needs_replies;
    uint32_t loss_permille; /* always, besides the faults */
    size_t ring_bytes;
    uint64_t client_every_ns;
    bool is_shifted[SIM_PODS_MAX *
                    RELAY_CLIENTS]; /* a reply to it was counted for another request */
    uint32_t requests;              /* so far */
    uint64_t delivered, replayed, lost, again, replies;
    struct relay_pod pods[SIM_PODS_MAX];
    uint32_t free_frame;
    struct relay_frame frames[RELAY_FRAMES];
    struct relay_request list[RELAY_REQUESTS];
};

/* relay_pods.c; these, relay_refused and relay_resume do nothing without options.relay */
void relay_init_pods(struct sim *sim); /* after sim_faults_init */
void relay_fini_pods(struct sim *sim);
void relay_start(struct sim *sim, uint32_t pod);

/* relay.c */
void relay_refused(struct sim *sim, uint32_t pod, uint64_t instance);
void relay_tick(struct sim *sim, uint32_t pod);
void relay_resume(struct sim *sim, uint32_t pod);
/* A slice of its worker begins; the next one is due; it follows its election's leader. */
void relay_begin_slice(struct sim *sim, uint32_t pod);
void relay_schedule(struct sim *sim, uint32_t pod);
void relay_follow(struct sim *sim, uint32_t pod);
/* A request of this pod's own or of a frame; or one that is relayed again. */
void relay_route(struct sim *sim, uint32_t pod, const struct relay_record *record);
void relay_route_now(struct sim *sim, uint32_t pod, const struct relay_record *record);
void relay_flush_pod(struct sim *sim, uint32_t pod);
/* It leads, but not now: the replies of its app stay unread. */
bool relay_withholds(const struct sim *sim, uint32_t pod);
/* Do its requests or replies go on at once? */
bool relay_can_take(const struct sim *sim, uint32_t pod, const struct relay_frame *frame);
bool relay_accepts(const struct sim *sim, uint32_t pod, uint64_t term);

/* relay_clients.c */
void relay_set_app(struct sim *sim, uint32_t pod, bool is_up);
void relay_client(struct sim *sim, const struct sim_event *event);
void relay_app_replies(struct sim *sim, const struct sim_event *event);
void relay_read_app(struct sim *sim, uint32_t pod); /* replies that were withheld */

/* relay_network.c */
void relay_pack_record(struct sim *sim, uint32_t pod, uint32_t to, uint8_t type, uint64_t term,
                       const struct relay_record *record);
void relay_send_packed(struct sim *sim, uint32_t pod);
void relay_send_again(struct sim *sim, uint32_t pod);
void relay_send_confirmations(struct sim *sim, uint32_t pod);
void relay_deliver(struct sim *sim, const struct sim_event *event);
uint32_t relay_pod_of(const struct sim *sim, uint64_t instance); /* pod_count: none */

/* relay_check.c */
void relay_app_take(struct sim *sim, uint32_t pod, const struct relay_record *record);
void relay_note_lost(struct sim *sim, uint32_t pod, uint32_t id);
/* term: of the frame that brought it; 0: none */
void relay_note_reply(struct sim *sim, uint32_t pod, uint32_t id, uint64_t term);
void relay_watch(struct sim *sim, uint32_t pod); /* is its leader well? */
void relay_check_end(struct sim *sim);

#endif
