/*
 * lease_internal: what the source files of the Lease declare for each other.
 *
 *   lease.c         the step: records, replies, requests, news
 *   lease_rules.c   who may take the Lease, with which fence
 *   lease_record.c  what a record says
 */
#ifndef HEADLESS_CONTROL_LEASE_INTERNAL_H
#define HEADLESS_CONTROL_LEASE_INTERNAL_H

#include "headless/base/clock.h"
#include "headless/control/lease.h"

#define LEASE_NEVER UINT64_MAX

/* Asks for a TICK at at_ns or earlier. */
static inline void lease_wake_at(struct lease *l, uint64_t at_ns)
{
    if (at_ns < l->deadline_ns)
        l->deadline_ns = at_ns;
}

/* ---- lease_record.c ---- */
/* A pod of ours wrote its annotations, for this object. Its writer is known then, also if somebody changed the holder. */
bool lease_is_intact(const struct lease_record *record);
/* We wrote it as it is. A copy of a record of ours that somebody restored is not: another pod may have
 * held the Lease since. */
bool lease_is_mine(const struct lease *l, const struct lease_record *record);
/* The record by which we hold the Lease, or NULL. While we lead, that is our last one if the newest one is not intact or of
 * an earlier term: the Lease was deleted and made again, or somebody changed annotations. */
const struct lease_record *lease_held(const struct lease *l);

/* ---- lease_rules.c ---- */
struct lease_plan {
    enum lease_by by;
    enum lease_fence fence;
    bool is_clear; /* no holder before us can be valid any more */
    bool is_next;  /* our list is the holder's, or a later one */
};
/* The way in which a candidate may take the Lease now; by: LEASE_BY_NOTHING if it may not. */
struct lease_plan lease_plan(struct lease *l, const struct election *e, bool is_voted,
                             uint64_t now_ns);
/* The fence for the next record of a leader that holds the Lease. */
enum lease_fence lease_choose_fence(struct lease *l, const struct election *e, uint64_t now_ns);
/* True if the record that we hold says fence: lease, and no record of ours can follow it unseen. */
bool lease_is_alone(const struct lease *l);

#endif
