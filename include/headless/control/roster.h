/*
 * roster: a small number, the slot, for every member instance that the data threads count by.
 *
 * Data threads count by slot what they relay to a member and what they get from it; those counts
 * only grow. The roster knows where they stood when an instance was given its slot, and what the
 * instance itself said that it took over (its heartbeats). The difference is what was handed to it
 * and is not confirmed: on its way, lost, or, when it dies, gone with it.
 *
 * Owner: the supervisor's thread.
 */
#ifndef HEADLESS_CONTROL_ROSTER_H
#define HEADLESS_CONTROL_ROSTER_H

#include "headless/data/data_plane.h"
#include "headless/wire/election_message.h"

struct roster_seat {
    uint64_t instance; /* 0: free */
    uint64_t relayed_before, received_before;
    uint64_t confirmed; /* of what we relayed to it, by its own word */
    bool is_primed;     /* its replay windows are set */
};

struct roster {
    const struct data_plane *data_plane;
    struct roster_seat seats[MEMBERS_MAX];
    uint16_t next; /* slots are dealt in turn, so that one rests before it is used again */
};

void roster_init(struct roster *roster, const struct data_plane *data_plane);

/* Seat who is in the list, and free the seats of the others. */
void roster_update(struct roster *roster, const struct election_list *list);

/* MEMBER_INDEX_NONE: has none. */
uint16_t roster_slot(const struct roster *roster, uint64_t instance);

/* Are the replay windows of this slot set, for who has it now? NULL: there is no such slot. */
bool *roster_primed(struct roster *roster, uint16_t slot);

/* Requests that we took over from this instance so far. */
uint64_t roster_received(const struct roster *roster, uint64_t instance);

/* It says that it took over so many of ours. */
void roster_confirm(struct roster *roster, uint64_t instance, uint64_t received);

/* Requests handed to it and not confirmed. */
uint64_t roster_unconfirmed(const struct roster *roster, uint64_t instance);

#endif
