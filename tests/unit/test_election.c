/* Single steps of the election that chance finds late: see also tests/sim and tests/model. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "headless/base/clock.h"
#include "headless/control/election.h"

#define MS NS_PER_MS

/* Pod 1 of three; 2 is the candidate and leader, 3 another. */
enum { SELF = 1, LEADER = 2, OTHER = 3 };

static struct election e;
static struct election_actions actions;
static uint64_t now_ns;

static struct election_member member(uint64_t instance)
{
    struct election_member m = {.instance = instance, .is_eligible = true};

    m.address = (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, (uint8_t)instance}};
    (void)snprintf(m.name.text, sizeof(m.name.text), "pod-%u", (unsigned)instance);
    return m;
}

static void step(enum election_event_type type, struct election_message *m,
                 const struct election_member *members)
{
    struct election_event event = {.type = type, .message = m, .members = members};

    if (m)
        event.from = member(m->from).address;
    election_step(&e, &event, now_ns, &actions);
}

static struct election_message message(enum election_message_type type, uint64_t from,
                                       uint64_t term)
{
    return (struct election_message){.type = (uint8_t)type,
                                     .from = from,
                                     .to = SELF,
                                     .term = term,
                                     .interval_ns = 200 * MS,
                                     .misses = 4,
                                     .list = {.term = 1, .version = 1},
                                     .stamp_ns = now_ns,
                                     .count = 3};
}

static void hear_heartbeat(uint64_t from, uint64_t term)
{
    struct election_message m = message(ELECTION_HEARTBEAT, from, term);

    m.list = e.list.id;
    step(ELECTION_MESSAGE, &m, NULL);
}

static bool is_granted(void)
{
    for (size_t i = 0; i < actions.count; i++) {
        const struct election_message *m = &actions.list[i].message;

        if (m->type == ELECTION_VOTE_REPLY)
            return m->flags & ELECTION_FLAG_GRANTED;
    }
    cr_assert_fail("no answer to the vote");
    return false;
}

static bool votes_for(uint64_t candidate, uint64_t term, uint16_t flags)
{
    struct election_message m = message(ELECTION_VOTE, candidate, term);

    m.flags = flags;
    m.leader = LEADER;
    m.deposed_term = 1;
    m.list = e.list.id;
    step(ELECTION_MESSAGE, &m, NULL);
    return is_granted();
}

static void resign(uint64_t term)
{
    struct election_message m = message(ELECTION_STEP_DOWN, LEADER, term);

    m.leader = OTHER;
    step(ELECTION_MESSAGE, &m, NULL);
}

/* A member of the three that follows nobody yet, and is bound to nobody. */
static void setup(void)
{
    const struct election_config config = {.self = member(SELF),
                                           .interval_ns = 200 * MS,
                                           .misses = 4,
                                           .quorum = ELECTION_QUORUM_MAJORITY,
                                           .expect = 3,
                                           .on_refused_fast = true,
                                           .forget_ns = 60 * NS_PER_SEC,
                                           .tenure_ns = NS_PER_SEC};

    now_ns = 100 * NS_PER_SEC;
    memset(&e, 0, sizeof(e));
    election_init(&e, &config, now_ns);
    e.state = ELECTION_SUSPECT;
    e.list = (struct election_list){.id = {.term = 1, .version = 1}, .count = 3};
    for (uint16_t i = 0; i < 3; i++)
        e.list.members[i] = member(i + 1U);
    e.self_index = 0;
    e.is_volatile = false;
    now_ns += 10 * NS_PER_SEC;
}

TestSuite(election, .init = setup);

/*
 * Pod 2 led term 1 and resigned, which we missed. It stands again, has our vote in term 2, and
 * leads by it. Then the heartbeat and the RESIGN of term 1 arrive after all.
 */
Test(election, an_old_resign_does_not_waive_a_later_vote)
{
    cr_assert(votes_for(LEADER, 2, 0));
    now_ns += MS;
    hear_heartbeat(LEADER, 1);
    now_ns += MS;
    resign(1);
    now_ns += MS;
    cr_assert_not(votes_for(OTHER, 3, 0));
}

/* The same, told by the successor. */
Test(election, the_word_of_an_old_resign_does_not_waive_a_later_vote)
{
    cr_assert(votes_for(LEADER, 2, 0));
    now_ns += MS;
    hear_heartbeat(LEADER, 1);
    now_ns += MS;
    cr_assert_not(votes_for(OTHER, 3, ELECTION_FLAG_STEPPED_DOWN));
}

Test(election, a_resign_waives_what_was_promised_in_its_term)
{
    hear_heartbeat(LEADER, 1);
    now_ns += MS;
    cr_assert_not(votes_for(OTHER, 2, 0));
    resign(1);
    now_ns += MS;
    cr_assert(votes_for(OTHER, 3, 0));
}

Test(election, the_successor_s_word_waives_it_too)
{
    hear_heartbeat(LEADER, 1);
    now_ns += MS;
    cr_assert(votes_for(OTHER, 2, ELECTION_FLAG_STEPPED_DOWN));
}

/* Its lease may rest on the longer one still. */
Test(election, a_shorter_promise_does_not_end_a_longer_one)
{
    struct election_message quick = message(ELECTION_HEARTBEAT, LEADER, 1);

    hear_heartbeat(LEADER, 1);
    now_ns += MS;
    quick.interval_ns = 10 * MS;
    step(ELECTION_MESSAGE, &quick, NULL);
    now_ns += 500 * MS; /* silent for long, by the shorter ones */
    cr_assert_not(votes_for(OTHER, 2, 0));
    now_ns += 500 * MS;
    cr_assert(votes_for(OTHER, 3, 0));
}

Test(election, a_shorter_vote_does_not_end_a_longer_promise)
{
    struct election_message vote = message(ELECTION_VOTE, LEADER, 2);

    vote.list = e.list.id;
    step(ELECTION_MESSAGE, &vote, NULL);
    vote.interval_ns = 10 * MS;
    step(ELECTION_MESSAGE, &vote, NULL);
    cr_assert(is_granted());
    now_ns += 500 * MS;
    cr_assert_not(votes_for(OTHER, 3, 0));
}

static void grant(enum election_message_type type, uint64_t from)
{
    struct election_message m = message(type, from, e.campaign.term);

    m.flags = ELECTION_FLAG_GRANTED;
    m.lease_grant_ns = 800 * MS;
    step(ELECTION_MESSAGE, &m, NULL);
}

static void reply_to_campaign(enum election_message_type type, uint64_t from)
{
    grant(type, from);
    step(ELECTION_TICK, NULL, NULL);
}

/*
 * It was forgotten while it was cut off, and has taken a entry in its own copy of the list. Two
 * such, each with another half of what was left of the list, would each be a majority of three.
 */
Test(election, the_vote_of_the_uninvited_for_itself_does_not_count)
{
    e.is_unlisted = true;
    e.candidacy_ns = now_ns;
    step(ELECTION_TICK, NULL, NULL);
    cr_assert_eq(e.campaign.stage, ELECTION_STAGE_PREVOTE);
    reply_to_campaign(ELECTION_PREVOTE_REPLY, LEADER);
    cr_assert_eq(e.campaign.stage, ELECTION_STAGE_PREVOTE, "one of three, and itself");
    reply_to_campaign(ELECTION_PREVOTE_REPLY, OTHER);
    cr_assert_eq(e.campaign.stage, ELECTION_STAGE_VOTE);
}

/* A pod that was restarted, and one other of the same fate; the third does not come back. */
static void restarted(uint16_t flags_of_other)
{
    const struct election_config config = e.config;
    const struct election_member other = member(OTHER);
    struct election_event candidates = {
        .type = ELECTION_CANDIDATES, .candidates = &other.address, .candidate_count = 1};
    struct election_message here = message(ELECTION_HELLO, OTHER, 0);

    memset(&e, 0, sizeof(e));
    election_init(&e, &config, now_ns);
    election_step(&e, &candidates, now_ns, &actions);
    now_ns += 5 * NS_PER_SEC;
    here.list = (struct election_list_id){0};
    here.member_count = 1;
    here.flags = flags_of_other;
    step(ELECTION_MESSAGE, &here, &other);
    cr_assert_eq(e.state, ELECTION_JOINING, "a majority of three is two, but both are asked");
}

Test(election, force_leads_those_that_are_there)
{
    restarted(0);
    step(ELECTION_FORCE, NULL, NULL);
    cr_assert_eq(e.state, ELECTION_LEADER);
    cr_assert_eq(e.list.count, 2);
    cr_assert_eq(election_needed(&e), 2, "of those that are there");
}

Test(election, force_does_nothing_where_there_is_a_cluster_to_join)
{
    restarted(ELECTION_FLAG_LISTED);
    step(ELECTION_FORCE, NULL, NULL);
    cr_assert_eq(e.state, ELECTION_JOINING);
    cr_assert_eq(e.list.count, 0);
}

/* The configuration of another pod was changed before ours, and has been obeyed. */
Test(election, the_highest_generation_goes_round)
{
    struct election_message m = message(ELECTION_HEARTBEAT, LEADER, 1);

    m.generation = 9;
    step(ELECTION_MESSAGE, &m, NULL);
    cr_assert_eq(e.generation, 9);
    m.generation = 8;
    m.stamp_ns++;
    step(ELECTION_MESSAGE, &m, NULL);
    cr_assert_eq(e.generation, 9);
    cr_assert_eq(actions.list[0].message.type, ELECTION_ACK);
    cr_assert_eq(actions.list[0].message.generation, 9);
}

/* A pod that was restarted hears two members of a cluster without a leader: whom does it ask? */
static uint64_t asked_for_the_list(uint32_t version_of_leader, uint32_t version_of_other)
{
    const struct election_member both[] = {member(LEADER), member(OTHER)};
    const uint32_t versions[] = {version_of_leader, version_of_other};
    struct election_message here;

    restarted(ELECTION_FLAG_LISTED);
    for (unsigned heard = 0; heard < 100; heard++) {
        for (size_t i = 0; i < 2; i++) {
            here = message(ELECTION_HELLO, both[i].instance, 9);
            here.list = (struct election_list_id){.term = 9, .version = versions[i]};
            here.member_count = 1;
            here.flags = ELECTION_FLAG_LISTED;
            step(ELECTION_MESSAGE, &here, &both[i]);
        }
        now_ns += 200 * MS;
        step(ELECTION_TICK, NULL, NULL);
        for (size_t i = 0; i < actions.count; i++) {
            if (actions.list[i].message.type == ELECTION_LIST_REQUEST)
                return actions.list[i].message.to;
        }
    }
    cr_assert_fail("it asked nobody");
    return 0;
}

/* With the older one it could never be elected: who has the newer one refuses. */
Test(election, the_uninvited_asks_for_the_newest_list)
{
    cr_assert_eq(asked_for_the_list(1, 2), OTHER);
    setup();
    cr_assert_eq(asked_for_the_list(2, 1), LEADER);
}

/* The wire refuses it too (test_peer); this is what stands between it and the fixed arrays. */
Test(election, a_list_of_a_thousand_changes_nothing)
{
    const struct election before = e;
    const struct election_member page[ELECTION_PAGE] = {member(7), member(8), member(9),
                                                        member(10)};

    for (uint16_t first = 0; first < 1000; first += ELECTION_PAGE) {
        struct election_message m = message(ELECTION_LIST_PAGE, LEADER, 2);

        m.list = (struct election_list_id){.term = 2, .version = 1};
        m.count = 1000;
        m.first = first;
        m.member_count = ELECTION_PAGE;
        step(ELECTION_MESSAGE, &m, page);
    }
    cr_assert_eq(memcmp(&e.list, &before.list, sizeof(e.list)), 0, "it keeps its list");
    cr_assert_eq(e.arrived, 0);
    cr_assert_eq(memcmp(&e.arriving, &before.arriving, sizeof(e.arriving)), 0);
}

/* Whom the next heartbeat calls live, as a bitmap. */
static uint64_t live_in_heartbeat(void)
{
    for (size_t i = 0; i < actions.count; i++) {
        if (actions.list[i].message.type == ELECTION_HEARTBEAT)
            return actions.list[i].message.live[0];
    }
    cr_assert_fail("no heartbeat");
    return 0;
}

/* Else a command that names it, right after the change of the leader, would be refused. */
Test(election, who_was_not_heard_yet_is_not_dead_to_a_new_leader)
{
    e.peers[2].heard_ns = now_ns - 9 * NS_PER_SEC; /* or said something long ago, as followers do */
    e.candidacy_ns = now_ns;
    step(ELECTION_TICK, NULL, NULL);
    reply_to_campaign(ELECTION_PREVOTE_REPLY, LEADER);
    cr_assert_eq(e.campaign.stage, ELECTION_STAGE_VOTE);
    grant(ELECTION_VOTE_REPLY, LEADER);
    cr_assert_eq(e.state, ELECTION_LEADER);
    cr_assert_eq(live_in_heartbeat(), 7, "OTHER has not had the time to answer");
    now_ns += 801 * MS;
    step(ELECTION_TICK, NULL, NULL);
    cr_assert_eq(live_in_heartbeat() & 4, 0, "and now it is dead");
}

Test(election, who_was_deposed_is_dead_to_its_successor)
{
    e.leader = OTHER;
    e.term = 1;
    e.heard_ns = now_ns - 9 * NS_PER_SEC;
    e.candidacy_ns = now_ns;
    step(ELECTION_TICK, NULL, NULL);
    reply_to_campaign(ELECTION_PREVOTE_REPLY, LEADER);
    grant(ELECTION_VOTE_REPLY, LEADER);
    cr_assert_eq(e.state, ELECTION_LEADER);
    cr_assert_eq(live_in_heartbeat(), 3);
}

/* Terms are counted upwards from what others say: near the end of 64 bits they would begin anew.
 * Above what is believed there must be room for all terms to come. */
Test(election, a_term_near_the_end_of_all_terms_is_no_one_s)
{
    struct election_message who = message(ELECTION_DISCOVER, OTHER, 1);
    const struct election_member other = member(OTHER);

    restarted(0);
    e.seen_term = 5000; /* a hint, which a lower term might end */
    who.member_count = 1;
    who.seen = UINT64_MAX;
    step(ELECTION_MESSAGE, &who, &other);
    cr_assert_eq(e.seen_term, 5000, "%llu", (unsigned long long)e.seen_term);
    cr_assert_eq(e.counts.leaps_refused, 1);
    cr_assert_not(votes_for(OTHER, UINT64_MAX, 0));
    cr_assert_eq(e.voted_term, 0);
    who.seen = ELECTION_TERM_MAX / 2;
    step(ELECTION_MESSAGE, &who, &other);
    cr_assert_eq(e.seen_term, ELECTION_TERM_MAX / 2);
    who.seen++;
    step(ELECTION_MESSAGE, &who, &other);
    cr_assert_eq(e.seen_term, ELECTION_TERM_MAX / 2);
}

Test(election, a_stored_term_out_of_this_world_is_not_believed)
{
    struct election_config config = e.config;

    config.stored_term = UINT64_MAX;
    election_init(&e, &config, now_ns);
    cr_assert_eq(e.seen_term, 0);
}
