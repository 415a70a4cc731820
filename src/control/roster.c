#include "headless/control/roster.h"

void roster_init(struct roster *roster, const struct data_plane *data_plane)
{
    *roster = (struct roster){.data_plane = data_plane};
}

static struct roster_seat *find(struct roster *roster, uint64_t instance)
{
    uint16_t slot = roster_slot(roster, instance);

    return slot == MEMBER_INDEX_NONE ? NULL : &roster->seats[slot];
}

uint16_t roster_slot(const struct roster *roster, uint64_t instance)
{
    for (uint16_t i = 0; instance && i < MEMBERS_MAX; i++) {
        if (roster->seats[i].instance == instance)
            return i;
    }
    return MEMBER_INDEX_NONE;
}

static bool is_listed(const struct election_list *list, uint64_t instance)
{
    for (uint16_t i = 0; i < list->count; i++) {
        if (list->members[i].instance == instance)
            return true;
    }
    return false;
}

/* There are as many seats as a list has members, and those that left have been freed. */
static void seat(struct roster *roster, uint64_t instance)
{
    struct roster_seat *free_seat;
    uint16_t slot;

    do {
        slot = roster->next;
        free_seat = &roster->seats[slot];
        roster->next = (uint16_t)((slot + 1) % MEMBERS_MAX);
    } while (free_seat->instance);
    *free_seat = (struct roster_seat){.instance = instance};
    data_plane_read_traffic(roster->data_plane, slot, &free_seat->relayed_before,
                            &free_seat->received_before);
}

void roster_update(struct roster *roster, const struct election_list *list)
{
    for (uint16_t i = 0; i < MEMBERS_MAX; i++) {
        if (!is_listed(list, roster->seats[i].instance))
            roster->seats[i].instance = 0;
    }
    for (uint16_t i = 0; i < list->count; i++) {
        if (!find(roster, list->members[i].instance))
            seat(roster, list->members[i].instance);
    }
}

bool *roster_primed(struct roster *roster, uint16_t slot)
{
    return slot == MEMBER_INDEX_NONE ? NULL : &roster->seats[slot].is_primed;
}

uint64_t roster_received(const struct roster *roster, uint64_t instance)
{
    uint16_t slot = roster_slot(roster, instance);
    uint64_t relayed, received;

    if (slot == MEMBER_INDEX_NONE)
        return 0;
    data_plane_read_traffic(roster->data_plane, slot, &relayed, &received);
    return received - roster->seats[slot].received_before;
}

void roster_confirm(struct roster *roster, uint64_t instance, uint64_t received)
{
    struct roster_seat *seat_of = find(roster, instance);

    if (seat_of && received > seat_of->confirmed)
        seat_of->confirmed = received;
}

uint64_t roster_unconfirmed(const struct roster *roster, uint64_t instance)
{
    uint16_t slot = roster_slot(roster, instance);
    uint64_t relayed, received, handed;

    if (slot == MEMBER_INDEX_NONE)
        return 0;
    data_plane_read_traffic(roster->data_plane, slot, &relayed, &received);
    handed = relayed - roster->seats[slot].relayed_before;
    return handed > roster->seats[slot].confirmed ? handed - roster->seats[slot].confirmed : 0;
}
