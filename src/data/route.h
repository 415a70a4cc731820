/*
 * route: where a request goes, and what a frame from another pod contains.
 *
 * struct routing has all that this needs: the slice's snapshot, time and decision, and the modules
 * that a request can end in. It is part of its worker (worker.h), which sets the first block at
 * each slice; counters, traffic, hold count and session count may be read by any thread, everything
 * else belongs to the worker's thread. Nothing here blocks longer than outbox_flush or allocates.
 */
#ifndef DATA_ROUTE_H
#define DATA_ROUTE_H

#include "data/app/app.h"
#include "data/hold.h"
#include "data/relay/kept_mail.h"
#include "data/relay/reassembly.h"
#include "data/relay/relay.h"

struct sequencer_runner;

struct routing {
    /* Of this slice. */
    const struct leader_snapshot *snapshot;
    uint64_t now_ns;
    enum route_decision decision;
    struct relay_target leader; /* of this snapshot */
    struct relay_target former; /* of this snapshot; instance 0: none */
    bool has_former;            /* it serves its sessions in this slice; it may be this pod */
    struct relay_target
        members[MEMBERS_MAX]; /* copies go there: the live members except this pod */

    const struct config *config;
    const struct identity *identity;
    struct frame_auth frame_auth;
    struct reassembly reassembly;
    struct relay relay;
    struct kept_mail *mails; /* of all workers; NULL: nothing is kept */
    size_t worker_count;
    struct replier replier;
    struct hold hold;
    struct app app;
    struct sequencer_runner *runner; /* NULL: the route is not ordered */
    struct traffic traffic;
    struct counters counters;
};

/* The leader and the members that receive copies, from a new snapshot. */
void route_take_snapshot(struct routing *routing);

/* At a slice with a new snapshot, or with another former leader: what is kept for whom. */
void route_follow(struct routing *routing);

/* Can what this kept frame has go on at once, to the app, the leader or the client? */
bool route_takes_kept(const struct routing *routing, const struct frame_header *header);

/* A request from a client: to an app, to the leader, or into hold. */
void route_request(struct routing *routing, const struct request *request);

/* The same for a request that comes out of hold. */
void route_now(struct routing *routing, const struct request *request);

/* To this pod's app; a probe is replied to in its place. */
void route_deliver(struct routing *routing, const struct request *request);

/* ---- route_frame.c ---- */

/* A frame from another pod: requests to route, or replies to send. A sealed frame is opened in place. */
void route_frame(struct routing *routing, struct datagram *datagram);

#endif
