/*
 * Rows of the list: which one a new instance takes over, and when.
 *
 * An address belongs to one process at a time. So a new instance with the name and the address of a
 * row proves that the member of that row is dead, and takes the row over at once. The same name at
 * another address proves nothing: the member may be dead (a StatefulSet's pod on another node), or
 * alive (two pods with one name). Such a new instance gets a row of its own:
 *
 * - A leader that has not heard the member for the detection time removes its row and then adds the
 *   new instance: two changes of the list like any other, if the living members can commit the first.
 *   A member that it hears keeps its row.
 * - Without a leader the new instance is a stand-in: its vote counts for the row only if every row
 *   votes. So it decides nothing that a majority without it could not prevent, whether the member
 *   is dead or not.
 * - A new instance that stands for election with its own copy of the list adds its row to it.
 */
#include "election_internal.h"

/* ---- look-ups ---- */

bool election_is_wanted(const struct election_member *member, const struct election_member *wanted)
{
    if (wanted->name.text[0])
        return strcmp(member->name.text, wanted->name.text) == 0;
    return address_is_set(&wanted->address) && address_equal_ip(&member->address, &wanted->address);
}

uint16_t election_find_row(const struct election *e, const struct election_member *member)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        const struct election_member *listed = &e->list.members[i];

        if (address_is_set(&member->address) &&
            address_equal_ip(&listed->address, &member->address) &&
            (!member->name.text[0] || strcmp(listed->name.text, member->name.text) == 0))
            return i;
    }
    return ELECTION_NOT_FOUND;
}

static bool is_namesake(const struct election_member *listed, const struct election_member *other)
{
    return other->name.text[0] && listed->instance != other->instance &&
           strcmp(listed->name.text, other->name.text) == 0 &&
           !address_equal_ip(&listed->address, &other->address);
}

/* The one row with this member's name; NOT_FOUND if there are more: then the name identifies none. */
static uint16_t find_namesake(const struct election *e, const struct election_member *member)
{
    uint16_t found = ELECTION_NOT_FOUND;

    for (uint16_t i = 0; i < e->list.count; i++) {
        if (!is_namesake(&e->list.members[i], member))
            continue;
        if (found != ELECTION_NOT_FOUND)
            return ELECTION_NOT_FOUND;
        found = i;
    }
    return found;
}

/* ---- replacements ---- */

bool election_is_stand_in(const struct election *e, uint16_t index)
{
    const struct election_member *replacement = &e->peers[index].replacement;

    return replacement->instance &&
           !address_equal_ip(&replacement->address, &e->list.members[index].address);
}

void election_note_replacement(struct election *e, const struct election_member *member)
{
    uint16_t row = election_find_row(e, member);

    if (row == ELECTION_NOT_FOUND)
        row = find_namesake(e, member);
    if (row == ELECTION_NOT_FOUND || row == e->self_index ||
        election_find(e, member->instance) != ELECTION_NOT_FOUND)
        return;
    e->peers[row].replacement = *member;
}

void election_hear_member(struct election *e, uint16_t index)
{
    e->peers[index].heard_ns = e->now_ns;
    if (election_is_stand_in(e, index)) /* it is alive, or was until now: the stand-in asks again */
        e->peers[index].replacement.instance = e->peers[index].stand_in_until_ns = 0;
}

/* New instances that voted for us in the place of dead members; from now on they are the members. */
void election_apply_replacements(struct election *e)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        struct election_peer *peer = &e->peers[i];

        if (i == e->self_index || !peer->replacement.instance)
            continue;
        if (!election_is_stand_in(e, i) || peer->stand_in_until_ns > e->now_ns)
            e->list.members[i] = peer->replacement;
        peer->replacement.instance = 0;
        peer->stand_in_until_ns = 0;
    }
}

/* ---- votes ---- */

struct election_tally election_tally_votes(const struct election *e)
{
    bool own = election_may_grant_lease(e, election_self(e));
    struct election_tally tally = {own, own, own && !e->is_volatile && !e->is_unlisted};

    for (uint16_t i = 0; i < e->list.count; i++) {
        bool granted = i != e->self_index && e->peers[i].vote_until_ns > e->now_ns;

        tally.all += granted || (i != e->self_index && e->peers[i].stand_in_until_ns > e->now_ns);
        tally.by_member += granted;
        tally.certain += granted && !e->peers[i].is_volatile;
    }
    return tally;
}

/* Where a majority of members does not suffice, all rows together do, as for a first leader. The
 * row next to ours votes with us then: we stand in for its member. */
bool election_has_majority(const struct election *e, const struct election_tally *tally)
{
    size_t needed = election_needed(e);
    size_t certain_needed = e->has_own_row ? e->own_row_needed : needed;
    bool is_beside = e->is_unlisted && e->has_own_row;

    return tally->all >= needed &&
           ((tally->by_member >= needed && (!e->is_unlisted || tally->certain >= certain_needed)) ||
            tally->all + is_beside >= e->list.count);
}

/* Votes of stand-ins become votes of their rows if the others did not suffice. */
void election_settle_stand_ins(struct election *e, bool are_needed)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        struct election_peer *peer = &e->peers[i];

        if (!are_needed || peer->vote_until_ns > e->now_ns)
            peer->stand_in_until_ns = 0;
        else if (peer->stand_in_until_ns > e->now_ns)
            peer->lease_until_ns = peer->stand_in_until_ns;
    }
}

/* ---- the leader's side ---- */

static bool is_requested(const struct election *e, uint64_t instance)
{
    for (uint32_t i = 0; i < e->change_count; i++) {
        if (e->changes[i].member.instance == instance)
            return true;
    }
    return false;
}

/* Could the living members commit the list without this row? Otherwise its removal leaves a leader
 * that was about to lose its majority with a list that can elect nobody: the new instance stands in. */
bool election_is_dispensable(const struct election *e, uint16_t index)
{
    size_t living = 0;

    for (uint16_t i = 0; i < e->list.count; i++)
        living += i != index && (i == e->self_index || election_is_live(e, i));
    return living >= election_needed_of(e, (uint16_t)(e->list.count - 1));
}

/* A row with its name whose member is dead. *ret_is_open: one may be, heard too long ago, or it cannot
 * be removed now. */
static uint16_t find_predecessor(const struct election *e, const struct election_member *member,
                                 uint64_t since_ns, bool *ret_is_open)
{
    *ret_is_open = false;
    for (uint16_t i = 0; i < e->list.count; i++) {
        if (i == e->self_index || !is_namesake(&e->list.members[i], member))
            continue;
        if (!election_may_be_alive(e, i) && election_is_dispensable(e, i))
            return i;
        *ret_is_open |=
            !election_may_be_alive(e, i) || e->peers[i].heard_ns < since_ns + e->interval_ns;
    }
    return ELECTION_NOT_FOUND;
}

void election_admit(struct election *e, const struct election_member *member, uint64_t since_ns)
{
    struct election_change add = {.type = ELECTION_ADD, .is_graceful = true, .member = *member};
    uint16_t predecessor;
    bool is_open;

    if (election_find(e, member->instance) != ELECTION_NOT_FOUND ||
        is_requested(e, member->instance))
        return;
    if (election_find_row(e, member) != ELECTION_NOT_FOUND) {
        add.type = ELECTION_REPLACE;
        election_request_change(e, &add);
        return;
    }
    predecessor = find_predecessor(e, member, since_ns, &is_open);
    if (predecessor != ELECTION_NOT_FOUND) {
        election_remove_predecessor(e, predecessor, true);
        add.at = (uint16_t)(predecessor + 1);
    } else if (is_open) {
        return; /* decided at one of its next DISCOVER messages */
    }
    election_request_change(e, &add);
}

void election_remove_predecessor(struct election *e, uint16_t index, bool is_replaced)
{
    election_request_change(e, &(struct election_change){.type = ELECTION_REMOVE_PREDECESSOR,
                                                         .is_graceful = is_replaced,
                                                         .member = e->list.members[index]});
}

bool election_is_own_predecessor(const struct election *e, uint16_t index)
{
    return e->has_own_row && is_namesake(&e->list.members[index], &e->config.self) &&
           !election_may_be_alive(e, index) && election_is_dispensable(e, index);
}

/* A pod that ended and returned at another address before the first list was made has two rows in
 * it. The first one's member has never acknowledged that list. */
static bool has_living_namesake(const struct election *e, uint16_t index)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        if (is_namesake(&e->list.members[i], &e->list.members[index]) &&
            (i == e->self_index || (election_is_live(e, i) && e->peers[i].list.term == e->term)))
            return true;
    }
    return false;
}

bool election_is_left_behind(const struct election *e, uint16_t index)
{
    return e->claim_cause == ELECTION_BY_BOOTSTRAP && e->peers[index].list.term != e->term &&
           !election_may_be_alive(e, index) && has_living_namesake(e, index) &&
           election_is_dispensable(e, index) && !election_is_list_at_minimum(e);
}

/* ---- our own row, in our own copy of the list ---- */

/* The majority of the list without our row must vote for us without us, since we do not know
 * whether a member at a row with our name voted; see election_campaign.c. */
static uint16_t add_own_row(struct election *e)
{
    uint16_t namesake = find_namesake(e, &e->config.self), row = e->list.count;

    e->own_row_needed = election_needed(e);
    if (namesake != ELECTION_NOT_FOUND) {
        row = (uint16_t)(namesake + 1);
        e->has_own_row = true;
    }
    memmove(&e->list.members[row + 1], &e->list.members[row],
            (size_t)(e->list.count - row) * sizeof(e->list.members[0]));
    e->list.count++;
    return row;
}

/* Takes our predecessor's row in our own copy, or adds one: see consider_own_row. */
void election_take_own_row(struct election *e)
{
    uint16_t row = election_find_row(e, &e->config.self);

    e->is_unlisted = e->has_own_row = false;
    if (election_is_member(e) || e->state != ELECTION_JOINING || !e->replace_ns ||
        e->now_ns < e->replace_ns || e->list.count == ELECTION_MEMBERS_MAX)
        return;
    if (row == ELECTION_NOT_FOUND)
        row = add_own_row(e);
    e->list.members[row] = e->config.self;
    e->is_unlisted = true;
    e->replace_ns = 0;
    election_list_changed(e);
}

/* ---- shared names ---- */

/* A leader that has just begun counts all members as alive. */
static bool knows_living(const struct election *e)
{
    if (e->state == ELECTION_LEADER)
        return e->now_ns >= e->led_since_ns + e->detection_ns;
    return e->state == ELECTION_FOLLOWER && election_list_id_compare(e->live_list, e->list.id) == 0;
}

bool election_find_namesakes(const struct election *e, uint32_t *ret_count, uint16_t *ret_index)
{
    *ret_count = 0;
    if (!election_is_member(e) || !knows_living(e))
        return false;
    for (uint16_t i = 0; i < e->list.count; i++) {
        if (!is_namesake(&e->list.members[i], &e->config.self) || !election_may_be_alive(e, i))
            continue;
        if ((*ret_count)++ == 0)
            *ret_index = i;
    }
    return true;
}
