/* election: single steps that random runs rarely reach; tests/sim and tests/model have the rest. */
#include "election_fixture.h"

/* 2 is the leader or a candidate, 3 the other member. */
enum { LEADER = 2, OTHER = 3 };

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
    cr_assert_fail("no reply to the vote request");
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

static void hear_step_down(uint64_t term)
{
    struct election_message m = message(ELECTION_STEP_DOWN, LEADER, term);

    m.leader = OTHER;
    step(ELECTION_MESSAGE, &m, NULL);
}

TestSuite(election, .init = join_three);

/*
 * Instance 2 led term 1 and stepped down, which we missed. It stands again, gets our vote in term 2
 * and leads by it. Then the heartbeat and the STEP_DOWN of term 1 arrive late.
 */
Test(election, late_step_down_does_not_waive_a_later_vote)
{
    cr_assert(votes_for(LEADER, 2, 0));
    now_ns += MS;
    hear_heartbeat(LEADER, 1);
    now_ns += MS;
    hear_step_down(1);
    now_ns += MS;
    cr_assert_not(votes_for(OTHER, 3, 0));
}

/* The same, reported by the successor. */
Test(election, report_of_a_late_step_down_does_not_waive_a_later_vote)
{
    cr_assert(votes_for(LEADER, 2, 0));
    now_ns += MS;
    hear_heartbeat(LEADER, 1);
    now_ns += MS;
    cr_assert_not(votes_for(OTHER, 3, ELECTION_FLAG_STEPPED_DOWN));
}

Test(election, step_down_waives_the_lease_grant_of_its_term)
{
    hear_heartbeat(LEADER, 1);
    now_ns += MS;
    cr_assert_not(votes_for(OTHER, 2, 0));
    hear_step_down(1);
    now_ns += MS;
    cr_assert(votes_for(OTHER, 3, 0));
}

Test(election, report_by_the_successor_waives_the_lease_grant)
{
    hear_heartbeat(LEADER, 1);
    now_ns += MS;
    cr_assert(votes_for(OTHER, 2, ELECTION_FLAG_STEPPED_DOWN));
}

/* The leader's lease may still rest on the longer grant. */
Test(election, shorter_lease_grant_does_not_end_a_longer_one)
{
    struct election_message quick = message(ELECTION_HEARTBEAT, LEADER, 1);

    hear_heartbeat(LEADER, 1);
    now_ns += MS;
    quick.interval_ns = 10 * MS;
    step(ELECTION_MESSAGE, &quick, NULL);
    now_ns += 500 * MS; /* longer than the detection time of the shorter grant */
    cr_assert_not(votes_for(OTHER, 2, 0));
    now_ns += 500 * MS;
    cr_assert(votes_for(OTHER, 3, 0));
}

Test(election, shorter_vote_does_not_end_a_longer_lease_grant)
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
 * This instance was removed while it was cut off, and has added a row to its own copy of the
 * list. Two such instances, each with another half of the remaining list, would each have a
 * majority of three.
 */
Test(election, self_vote_of_unlisted_candidate_is_ignored)
{
    e.is_unlisted = true;
    e.candidacy_ns = now_ns;
    step(ELECTION_TICK, NULL, NULL);
    cr_assert_eq(e.campaign.stage, ELECTION_STAGE_PREVOTE);
    reply_to_campaign(ELECTION_PREVOTE_REPLY, LEADER);
    cr_assert_eq(e.campaign.stage, ELECTION_STAGE_PREVOTE, "only one other of three granted it");
    reply_to_campaign(ELECTION_PREVOTE_REPLY, OTHER);
    cr_assert_eq(e.campaign.stage, ELECTION_STAGE_VOTE);
}

/*
 * The list of a new leader came while this instance waited to add a row to a copy of the former one,
 * and was that copy. It has the id of the leader's list, which has no such row.
 */
Test(election, own_row_ends_with_the_heartbeat_of_a_leader)
{
    e.is_unlisted = true;
    hear_heartbeat(LEADER, 1);
    cr_assert_eq(e.state, ELECTION_JOINING, "it asks the leader to be added");
    cr_assert_eq(e.list.count, 0);
    cr_assert_not(e.is_unlisted);
}

/* It was cut off, and its row was removed: no heartbeat comes, and nobody refuses it a vote. */
Test(election, member_asks_for_the_list_of_a_leader_that_looks_for_it)
{
    const struct election_member leader = member(LEADER);
    struct election_message m = message(ELECTION_DISCOVER, LEADER, 1);
    size_t requests = 0;

    hear_heartbeat(LEADER, 1);
    m.flags = ELECTION_FLAG_LEADS | ELECTION_FLAG_LISTED;
    m.list = (struct election_list_id){.term = 1, .version = 2};
    m.member_count = 1;
    step(ELECTION_MESSAGE, &m, &leader);
    for (size_t i = 0; i < actions.count; i++)
        requests += actions.list[i].type == ELECTION_SEND &&
                    actions.list[i].message.type == ELECTION_LIST_REQUEST;
    cr_assert_eq(requests, 1);
}

/* A restarted instance, and one other that was restarted too; the third stays away. */
static void restart_two(uint16_t flags_of_other)
{
    const struct election_config config = e.config;
    const struct election_member other = member(OTHER);
    struct election_event candidates = {
        .type = ELECTION_CANDIDATES, .candidates = &other.address, .candidate_count = 1};
    struct election_message hello = message(ELECTION_HELLO, OTHER, 0);

    memset(&e, 0, sizeof(e));
    election_init(&e, &config, now_ns);
    election_step(&e, &candidates, now_ns, &actions);
    now_ns += 5 * NS_PER_SEC;
    hello.list = (struct election_list_id){0};
    hello.member_count = 1;
    hello.flags = flags_of_other;
    step(ELECTION_MESSAGE, &hello, &other);
    cr_assert_eq(e.state, ELECTION_JOINING, "the third may still answer");
}

Test(election, force_leads_the_members_that_answer)
{
    restart_two(0);
    step(ELECTION_FORCE, NULL, NULL);
    cr_assert_eq(e.state, ELECTION_LEADER);
    cr_assert_eq(e.list.count, 2);
    cr_assert_eq(election_needed(&e), 2, "a majority of the two that answer");
}

Test(election, force_is_ignored_where_a_cluster_can_be_joined)
{
    restart_two(ELECTION_FLAG_LISTED);
    step(ELECTION_FORCE, NULL, NULL);
    cr_assert_eq(e.state, ELECTION_JOINING);
    cr_assert_eq(e.list.count, 0);
}

/* The configuration of another pod was changed before ours, and its command carried out. */
Test(election, highest_generation_is_kept_and_passed_on)
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

/* A restarted instance gets HELLO from two members of a cluster without a leader. Returns which of
 * them it asks for the list. */
static uint64_t list_request_target(uint32_t version_of_leader, uint32_t version_of_other)
{
    const struct election_member both[] = {member(LEADER), member(OTHER)};
    const uint32_t versions[] = {version_of_leader, version_of_other};
    struct election_message hello;

    restart_two(ELECTION_FLAG_LISTED);
    for (unsigned heard = 0; heard < 100; heard++) {
        for (size_t i = 0; i < 2; i++) {
            hello = message(ELECTION_HELLO, both[i].instance, 9);
            hello.list = (struct election_list_id){.term = 9, .version = versions[i]};
            hello.member_count = 1;
            hello.flags = ELECTION_FLAG_LISTED;
            step(ELECTION_MESSAGE, &hello, &both[i]);
        }
        now_ns += 200 * MS;
        step(ELECTION_TICK, NULL, NULL);
        for (size_t i = 0; i < actions.count; i++) {
            if (actions.list[i].message.type == ELECTION_LIST_REQUEST)
                return actions.list[i].message.to;
        }
    }
    cr_assert_fail("no LIST_REQUEST was sent");
    return 0;
}

/* With the older list it could not be elected: a member with the newer one rejects it. */
Test(election, unlisted_instance_requests_the_newest_list)
{
    cr_assert_eq(list_request_target(1, 2), OTHER);
    join_three();
    cr_assert_eq(list_request_target(2, 1), LEADER);
}

/* The wire rejects it too (test_peer); this check protects the fixed arrays. */
Test(election, list_of_a_thousand_members_is_ignored)
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
    cr_assert_eq(memcmp(&e.list, &before.list, sizeof(e.list)), 0, "the list is unchanged");
    cr_assert_eq(e.arrived, 0);
    cr_assert_eq(memcmp(&e.arriving, &before.arriving, sizeof(e.arriving)), 0);
}

/* The bitmap of live members in the next heartbeat. */
static uint64_t live_in_heartbeat(void)
{
    for (size_t i = 0; i < actions.count; i++) {
        if (actions.list[i].message.type == ELECTION_HEARTBEAT)
            return actions.list[i].message.live[0];
    }
    cr_assert_fail("no heartbeat");
    return 0;
}

/* Otherwise a command that names it, right after the change of leader, would be rejected. */
Test(election, silent_member_is_not_yet_dead_to_a_new_leader)
{
    e.peers[2].heard_ns = now_ns - 9 * NS_PER_SEC; /* followers rarely exchange messages */
    e.candidacy_ns = now_ns;
    step(ELECTION_TICK, NULL, NULL);
    reply_to_campaign(ELECTION_PREVOTE_REPLY, LEADER);
    cr_assert_eq(e.campaign.stage, ELECTION_STAGE_VOTE);
    grant(ELECTION_VOTE_REPLY, LEADER);
    cr_assert_eq(e.state, ELECTION_LEADER);
    cr_assert_eq(live_in_heartbeat(), 7, "OTHER has not had the time to reply");
    now_ns += 801 * MS;
    step(ELECTION_TICK, NULL, NULL);
    cr_assert_eq(live_in_heartbeat() & 4, 0, "OTHER is dead");
}

Test(election, deposed_leader_is_dead_to_its_successor)
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

/* New terms count up from the highest seen. A term near the end of 64 bits would make them wrap, so
 * the highest accepted term leaves room for all later ones. */
Test(election, term_above_half_of_the_maximum_is_rejected)
{
    struct election_message discover = message(ELECTION_DISCOVER, OTHER, 1);
    const struct election_member other = member(OTHER);

    restart_two(0);
    e.seen_term = 5000; /* a hint, which a lower term could replace */
    discover.member_count = 1;
    discover.seen = UINT64_MAX;
    step(ELECTION_MESSAGE, &discover, &other);
    cr_assert_eq(e.seen_term, 5000, "%llu", (unsigned long long)e.seen_term);
    cr_assert_eq(e.counts.leaps_refused, 1);
    cr_assert_not(votes_for(OTHER, UINT64_MAX, 0));
    cr_assert_eq(e.voted_term, 0);
    discover.seen = ELECTION_TERM_MAX / 2;
    step(ELECTION_MESSAGE, &discover, &other);
    cr_assert_eq(e.seen_term, ELECTION_TERM_MAX / 2);
    discover.seen++;
    step(ELECTION_MESSAGE, &discover, &other);
    cr_assert_eq(e.seen_term, ELECTION_TERM_MAX / 2);
}

/* Its cluster began again at term 1, and has no majority any more; a member of the former cluster
 * has returned. */
Test(election, isolated_member_accepts_any_term)
{
    struct election_message discover = message(ELECTION_DISCOVER, OTHER, 1);
    const struct election_member other = member(OTHER);

    e.term = e.seen_term = 1;
    discover.member_count = 1;
    discover.seen = 2 + ELECTION_TERM_LEAP;
    step(ELECTION_MESSAGE, &discover, &other);
    cr_assert_eq(e.seen_term, 1);
    e.state = ELECTION_ISOLATED;
    step(ELECTION_MESSAGE, &discover, &other);
    cr_assert_eq(e.seen_term, 2 + ELECTION_TERM_LEAP);
}

Test(election, stored_term_above_half_of_the_maximum_is_ignored)
{
    struct election_config config = e.config;

    config.stored_term = UINT64_MAX;
    election_init(&e, &config, now_ns);
    cr_assert_eq(e.seen_term, 0);
}

/* We lead term 1 of two, and OTHER, in the second row, replied just now. */
static void lead_two(void)
{
    e.list.members[1] = member(OTHER);
    e.list.count = 2;
    e.is_list_committed = true;
    e.state = ELECTION_LEADER;
    e.leader = SELF;
    e.term = e.seen_term = 1;
    e.led_since_ns = now_ns;
    e.fenced_ns = e.valid_until_ns = now_ns + 800 * MS;
    e.peers[1].heard_ns = now_ns;
}

static bool is_sent_to(uint64_t instance)
{
    for (size_t i = 0; i < actions.count; i++) {
        if (actions.list[i].type == ELECTION_SEND && actions.list[i].message.to == instance)
            return true;
    }
    return false;
}

/* All pods were stopped at once: OTHER cannot succeed us, and waits until a leader removes it. */
Test(election, leader_that_leaves_removes_the_others_that_leave)
{
    struct election_message leave = message(ELECTION_LEAVE, OTHER, 1);

    lead_two();
    step(ELECTION_QUIT, NULL, NULL);
    cr_assert_eq(e.state, ELECTION_LEADER, "it waits for the other one");
    step(ELECTION_MESSAGE, &leave, NULL);
    cr_assert_eq(e.state, ELECTION_OUT);
    cr_assert(is_sent_to(OTHER), "it is told");
}

Test(election, leader_that_leaves_waits_for_no_dead_member)
{
    lead_two();
    e.led_since_ns = e.peers[1].heard_ns = now_ns - 800 * MS;
    step(ELECTION_QUIT, NULL, NULL);
    cr_assert_eq(e.state, ELECTION_OUT);
}

Test(election, leader_that_leaves_waits_for_no_member_that_cannot_succeed)
{
    lead_two();
    e.list.members[1].is_eligible = false;
    step(ELECTION_QUIT, NULL, NULL);
    cr_assert_eq(e.state, ELECTION_OUT);
}
