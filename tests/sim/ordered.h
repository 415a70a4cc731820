/*
 * ordered: the pods of a simulated cluster with route ordered: each has a sequencer and an app.
 *
 * The election's leaderships and lists become membership events, frames go through the simulated
 * network with its faults, clients send messages, and apps are maps from indices to messages that
 * apply the reports of their sequencer (ordered_check.c).
 *
 * With commits the guarantee holds only while fewer than a majority have lost their memory: a crash
 * or stop that would go beyond that does not happen (ordered_may_lose).
 */
#ifndef HEADLESS_TESTS_SIM_ORDERED_H
#define HEADLESS_TESTS_SIM_ORDERED_H

#include "headless/sequencer/sequencer.h"
#include "sim.h"

#define ORDERED_INDICES        32768 /* more than a run of ORDERED_SECONDS_MAX appends */
#define ORDERED_SECONDS_MAX    200
#define ORDERED_FRAMES         32768
#define ORDERED_RECORD         128 /* bytes of one entry in a frame */
/* The clients end so long before the end: until then all must be delivered. */
#define ORDERED_CLIENTS_END_NS (10 * NS_PER_SEC)

struct ordered_app {
    uint32_t known[ORDERED_INDICES]; /* by index: the message; 0: none */
    uint64_t next;                   /* the index of the next delivery; 0: nothing was reported */
    uint64_t first;                  /* of this process */
};

struct ordered_pod {
    struct sequencer sequencer;
    struct counters counters;
    bool is_open;                      /* init was called, and not fini */
    struct sequencer_membership known; /* the last event; members: below */
    struct sequencer_member members[SIM_PODS_MAX * 2];
    uint64_t tick_ns; /* real; the earliest tick in the queue; 0: none */
    uint64_t deaf_ns; /* real; until then frames to it are lost: its socket is full */
    bool has_batch;   /* steps since the last flush */
    struct ordered_app app;
};

struct ordered_frame {
    uint32_t next_free;
    uint64_t from, term;
    bool is_range;
    struct entry_range range;
    struct entry_ack ack;
    size_t bytes; /* of the record; 0: none */
    uint8_t record[ORDERED_RECORD];
};

enum ordered_broken {
    ORDERED_SOUND,
    ORDERED_COMMIT_ALONE, /* a leader commits without a majority */
    ORDERED_NO_ADOPTION,  /* a new leader keeps its own log without a query */
    ORDERED_BROKEN_COUNT
};

struct ordered {
    enum ordered_broken broken;
    struct random random; /* its own, so that the election's run of a seed stays the same */
    bool commits;
    size_t log_bytes;
    uint64_t client_every_ns;
    uint32_t deaf_permille;  /* a message of a client */
    uint32_t message;        /* the last that a client sent */
    uint64_t healed_first;   /* index of the first entry after all had agreed; 0: none yet */
    uint64_t waited_ns;      /* real; a sequencer waited for the row of a dead pod; 0: never */
    uint64_t delivered_last; /* the highest index that any app got */
    uint64_t appended, delivered, diverged, missing;
    struct sequencer_actions actions;
    struct ordered_pod pods[SIM_PODS_MAX];
    uint64_t arrival_ns[SIM_PODS_MAX][SIM_PODS_MAX]; /* of the last frame on this link */
    uint32_t free_frame;
    struct ordered_frame frames[ORDERED_FRAMES];
    uint32_t committed[ORDERED_INDICES]; /* with commits: what any app got, by index */
};

/* ordered.c; all of these do nothing without options.ordered */
void ordered_init(struct sim *sim); /* after sim_faults_init */
void ordered_fini(struct sim *sim);
void ordered_start(struct sim *sim, uint32_t pod);
/* The election stepped: its leader or its list may have changed. */
void ordered_refresh(struct sim *sim, uint32_t pod);
void ordered_deliver(struct sim *sim, const struct sim_event *event);
void ordered_tick(struct sim *sim, uint32_t pod);
/* After a pause: its ticks were lost. */
void ordered_resume(struct sim *sim, uint32_t pod);
void ordered_client(struct sim *sim, const struct sim_event *event);
/* May this pod lose its memory now? */
bool ordered_may_lose(const struct sim *sim, uint32_t pod);

/* ordered_network.c */
uint32_t ordered_pod_of(const struct sim *sim, uint64_t instance); /* pod_count: none */
void ordered_send(struct sim *sim, uint32_t from, uint64_t instance, struct ordered_frame *frame);

/* ordered_check.c */
void ordered_app_take(struct sim *sim, uint32_t pod, uint64_t index, uint32_t message);
void ordered_app_report(struct sim *sim, uint32_t pod, const struct sequencer_report *report);
void ordered_app_restart(struct sim *sim, uint32_t pod);
void ordered_check_end(struct sim *sim);

#endif
