/*
 * api: an API server with one Lease, for pods with election: lease (sim --lease).
 *
 * The Lease is a register with a uid and a version: PUT replaces the record that it names, or creates
 * one if it names no uid and there is none, as API servers do; POST creates. Requests and replies are
 * lost, late, or duplicated; a request may be applied after its client has given up. The watch of a pod
 * may be late, out of order, or broken for a while; then the pod gets the present record. API server
 * and network fail for some pods or all, and the server may freeze. People delete the Lease, restore
 * an old copy, change its holder or its duration; another elector takes it by client-go's rules.
 */
#ifndef HEADLESS_TESTS_SIM_API_H
#define HEADLESS_TESTS_SIM_API_H

#include "headless/control/lease.h"
#include "sim.h"

#define API_SLOTS     8192
#define API_EDITED_NS (20 * NS_PER_SEC) /* a duration that somebody writes */

struct sim_api_slot {
    uint32_t next_free, request;
    uint64_t instance;
    enum lease_verb verb;
    enum lease_outcome outcome;
    struct lease_record record;
};

struct sim_api_pod {
    struct lease lease;
    uint32_t outages;         /* faults that cut it off */
    bool is_forbidden;        /* 403 */
    uint64_t watch_broken_ns; /* until then */
};

struct sim_api {
    struct random random;
    struct sim_api_pod pods[SIM_PODS_MAX];
    struct lease_actions actions;
    struct sim_api_slot slots[API_SLOTS];
    uint32_t free_slot;

    /* the server */
    struct lease_record record, backup;
    uint64_t version, uids, served;
    uint64_t frozen_ns;   /* until then */
    uint64_t delay_ns;    /* at most, each way */
    uint64_t duration_ns; /* of the pods' leases */
    uint32_t late_permille, lost_permille, duplicate_permille;

    /* faults */
    bool is_touched;       /* in this run people and others change the Lease */
    uint64_t disturbed_ns; /* last moment at which it was not clear */
    uint64_t deleted_ns;
    uint64_t elector_ns; /* another elector acts until then */
    char elector_version[LEASE_TEXT_MAX];
    uint64_t elector_seen_ns;
};

/* Pods of this run have election: lease, if it has an API server. */
void api_init(struct sim *sim);
void api_start_pod(struct sim *sim, uint32_t pod);
/* After each step of the election. */
void api_run(struct sim *sim, uint32_t pod);
/* Local time of the Lease's next tick. */
uint64_t api_deadline_ns(const struct sim *sim, uint32_t pod);
void api_serve(struct sim *sim, const struct sim_event *event);
void api_reply(struct sim *sim, const struct sim_event *event); /* or the watch shows a record */
void api_time_out(struct sim *sim, const struct sim_event *event);
void api_heal(struct sim *sim);
/* Nobody has disturbed API server and Lease for a while. */
bool api_is_clear(const struct sim *sim);
/* The longest time that an agreement may take because of the Lease. */
uint64_t api_patience_ns(const struct sim *sim);

/* api_faults.c */
void api_faults_init(struct sim *sim);
/* The next one, or the one that the event names. */
void api_fault(struct sim *sim, const struct sim_event *event);
void api_fault_end(struct sim *sim, const struct sim_event *event);
void api_elector(struct sim *sim, const struct sim_event *event);
/* api.c, for it: */
void api_changed(struct sim *sim);

#endif
