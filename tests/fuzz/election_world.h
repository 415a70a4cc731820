/*
 * election_world: the election of one instance, and the conditions that hold after each of its
 * steps. fuzz_election.c plays all other instances.
 *
 * Conditions, whatever the instance receives: terms do not fall; each transition is in the table;
 * the published leader is itself if and only if it leads, and its validity is bounded; it gives one
 * vote a term, none against a lease grant, and none while it is valid; a command has one result;
 * each message that it sends is well-formed; the next deadline lies ahead.
 */
#ifndef ELECTION_WORLD_H
#define ELECTION_WORLD_H

#include <stdio.h>
#include <string.h>

#include "fuzz.h"
#include "headless/base/clock.h"
#include "headless/control/election.h"
#include "headless/wire/peer.h"

#define SELF        1
#define PODS        6 /* instances 1 .. 6; 7 and 8 are later ones of pods 2 and 3 */
#define INSTANCES   8
#define CLUSTER     77
#define VOTES_MAX   64
#define SPINS_MAX   32 /* ticks at one moment */
#define LEASE_NS    (80 * NS_PER_SEC)
#define REPLIES_MAX 4

/* ---- the state of one instance ---- */

struct world {
    struct election election;
    struct election_actions actions;
    struct election_message sent[REPLIES_MAX]; /* the messages of the last step, to be answered */
    struct address sent_to[REPLIES_MAX];
    size_t sent_count;
    uint64_t now_ns, term;
    struct {
        uint64_t term, to;
    } votes[VOTES_MAX];
    size_t vote_count;
    uint64_t granted_until_ns[INSTANCES + 1]; /* until when, by instance */
    uint8_t commands[256], results[256];      /* number by token */
};

static struct world world;

static struct address address_of(uint64_t instance)
{
    uint64_t pod = instance > PODS ? instance - PODS + 1 : instance;

    return (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, (uint8_t)pod}};
}

static struct election_member member_of(uint64_t instance)
{
    struct election_member member = {
        .instance = instance, .is_eligible = true, .address = address_of(instance)};

    (void)snprintf(member.name.text, sizeof(member.name.text), "pod-%u",
                   (unsigned)member.address.ip[3]);
    return member;
}

/* ---- the conditions ---- */

static bool is_vote_reply(const struct election_message *m)
{
    return m->type == ELECTION_VOTE_REPLY && m->flags & ELECTION_FLAG_GRANTED;
}

/* One vote a term; a vote request counts as its vote for itself. */
static void check_vote(uint64_t term, uint64_t to)
{
    for (size_t i = 0; i < world.vote_count; i++)
        FUZZ_CHECK(world.votes[i].term != term || world.votes[i].to == to);
    world.votes[world.vote_count % VOTES_MAX].term = term;
    world.votes[world.vote_count % VOTES_MAX].to = to;
    if (world.vote_count < VOTES_MAX - 1)
        world.vote_count++;
}

/* A lease grant is kept to its end, unless it is waived (waive). */
static void check_lease_grants(uint64_t to)
{
    for (uint64_t i = 1; i <= INSTANCES; i++)
        FUZZ_CHECK(i == to || world.granted_until_ns[i] <= world.now_ns);
}

static void note_lease_grant(uint64_t to, uint64_t for_ns)
{
    if (to <= INSTANCES && world.granted_until_ns[to] < world.now_ns + for_ns)
        world.granted_until_ns[to] = world.now_ns + for_ns;
}

static void check_sent(const struct election_action *action)
{
    struct election_member members[ELECTION_PAGE];
    struct election_message again;
    uint8_t bytes[PEER_BYTES_MAX];
    size_t length = peer_put(bytes, CLUSTER, &action->message, action->members);

    FUZZ_CHECK(action->message.from == SELF);
    FUZZ_CHECK(peer_open(bytes, length, CLUSTER, &again, members) == PEER_OK);
    FUZZ_CHECK(again.type == action->message.type && again.term == action->message.term);
    FUZZ_CHECK(action->type == ELECTION_SEND_ALL || address_is_set(&action->to));
}

static void check_message(const struct election_message *m,
                          const struct election_leadership *before)
{
    if (m->type == ELECTION_VOTE)
        check_vote(m->term, SELF);
    if (is_vote_reply(m)) {
        FUZZ_CHECK(before->state != ELECTION_LEADER || before->valid_until_ns <= world.now_ns);
        check_vote(m->term, m->to);
        check_lease_grants(m->to);
        note_lease_grant(m->to, m->lease_grant_ns);
    }
    if (m->type == ELECTION_ACK && m->lease_grant_ns) {
        check_lease_grants(m->to);
        note_lease_grant(m->to, m->lease_grant_ns);
    }
}

static void check_action(const struct election_action *action,
                         const struct election_leadership *before)
{
    if (action->type == ELECTION_RESULT) {
        FUZZ_CHECK(action->token < 256);
        FUZZ_CHECK(++world.results[action->token] <= world.commands[action->token]);
        return;
    }
    check_sent(action);
    check_message(&action->message, before);
    if (world.sent_count < REPLIES_MAX) {
        world.sent_to[world.sent_count] = action->to;
        world.sent[world.sent_count++] = action->message;
    }
}

static void check_actions(const struct election_leadership *before)
{
    FUZZ_CHECK(world.actions.count <= ELECTION_ACTIONS_MAX);
    world.sent_count = 0;
    for (size_t i = 0; i < world.actions.count; i++)
        check_action(&world.actions.list[i], before);
}

static void check_leadership(const struct election_leadership *leadership)
{
    FUZZ_CHECK(leadership->state < ELECTION_STATE_COUNT &&
               leadership->cause < ELECTION_CAUSE_COUNT);
    FUZZ_CHECK((leadership->state == ELECTION_LEADER) == (leadership->leader == SELF));
    FUZZ_CHECK(leadership->leader != 0 || leadership->valid_until_ns == 0);
    if (leadership->state == ELECTION_LEADER)
        FUZZ_CHECK(leadership->valid_until_ns <= world.now_ns + LEASE_NS);
}

static void check_state(void)
{
    const struct election *e = &world.election;

    FUZZ_CHECK(e->counts.forbidden_transitions == 0);
    FUZZ_CHECK(e->term >= world.term);
    FUZZ_CHECK(e->list.count <= ELECTION_MEMBERS_MAX && e->change_count <= ELECTION_CHANGES_MAX);
    FUZZ_CHECK(e->command_count <= ELECTION_COMMANDS_MAX);
    FUZZ_CHECK(e->self_index == ELECTION_MEMBERS_MAX ||
               (e->self_index < e->list.count && e->list.members[e->self_index].instance == SELF));
    FUZZ_CHECK(election_needed(e) >= 1);
    for (uint16_t i = 0; i < e->list.count; i++)
        FUZZ_CHECK(election_describe(e, i) < ELECTION_MEMBER_STATE_COUNT);
    world.term = e->term;
}

static void step(const struct election_event *event)
{
    const struct election_leadership before = world.election.published;

    election_step(&world.election, event, world.now_ns, &world.actions);
    if (world.actions.publishes)
        check_leadership(&world.actions.leadership);
    check_actions(&before);
    check_state();
}

/* A deadline that does not advance would make the supervisor spin. */
static void tick(void)
{
    const struct election_event event = {.type = ELECTION_TICK};
    unsigned spins = 0;

    do
        step(&event);
    while (world.election.state != ELECTION_OUT && world.election.deadline_ns <= world.now_ns &&
           ++spins < SPINS_MAX);
    FUZZ_CHECK(spins < SPINS_MAX);
}

#endif
