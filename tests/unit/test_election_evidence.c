/* election_evidence: who is told of evidence, and what a hint causes; tests/sim has the rest. */
#include "election_fixture.h"

/* 2 leads; the order of succession is 3, then 1. */
enum { LEADER = 2, OTHER = 3 };

static void step(const struct election_event *event)
{
    now_ns += MS;
    election_step(&e, event, now_ns, &actions);
}

static void hear(const struct election_message *message)
{
    struct election_message m = *message;

    m.to = SELF;
    m.list = e.list.id;
    m.stamp_ns = now_ns;
    step(&(struct election_event){
        .type = ELECTION_MESSAGE, .message = &m, .from = member(m.from).address});
}

static void hear_heartbeat(void)
{
    const struct election_message m = {.type = ELECTION_HEARTBEAT,
                                       .from = LEADER,
                                       .term = 4,
                                       .interval_ns = 200 * MS,
                                       .misses = 4,
                                       .live = {7},
                                       .ready = {7},
                                       .count = 3};

    hear(&m);
}

static void hear_told(uint64_t from, uint64_t leader)
{
    const struct election_message m = {.type = ELECTION_PROBE_REQUEST,
                                       .flags = ELECTION_FLAG_EVIDENCE,
                                       .from = from,
                                       .term = 4,
                                       .leader = leader};

    hear(&m);
}

static void refuse(void)
{
    step(&(struct election_event){.type = ELECTION_REFUSED, .instance = LEADER});
}

static size_t count_sent(enum election_message_type type, uint64_t to)
{
    size_t n = 0;

    for (size_t i = 0; i < actions.count; i++)
        n += actions.list[i].type == ELECTION_SEND && actions.list[i].message.type == type &&
             actions.list[i].message.to == to;
    return n;
}

static void setup(void)
{
    join_three();
    hear_heartbeat();
    cr_assert_eq(e.state, ELECTION_FOLLOWER);
}

TestSuite(election_evidence, .init = setup);

Test(election_evidence, refused_follower_tells_the_others)
{
    refuse();
    cr_assert_eq(e.state, ELECTION_SUSPECT);
    cr_assert_eq(count_sent(ELECTION_PROBE_REQUEST, OTHER), 1);
    cr_assert_eq(count_sent(ELECTION_PROBE_REQUEST, LEADER), 0);
    cr_assert_eq(actions.list[0].message.flags, ELECTION_FLAG_EVIDENCE);
    cr_assert_eq(actions.list[0].message.leader, LEADER);
    refuse();
    cr_assert_eq(actions.count, 0, "once");
}

/* It says the same with its requests. */
Test(election_evidence, first_in_line_asks_for_votes_instead)
{
    e.ready[0] = 1;
    refuse();
    cr_assert_eq(e.state, ELECTION_CANDIDATE);
    cr_assert_eq(count_sent(ELECTION_PROBE_REQUEST, OTHER), 0);
    cr_assert_eq(count_sent(ELECTION_PREVOTE, OTHER), 1);
}

Test(election_evidence, forged_refusals_make_a_bounded_number_of_messages)
{
    size_t told = 0;

    for (int i = 0; i < 100; i++) { /* in 200 ms */
        refuse();
        told += count_sent(ELECTION_PROBE_REQUEST, OTHER);
        hear_heartbeat();
    }
    cr_assert_leq(told, 5);
    cr_assert_eq(e.counts.evidence_told, told);
}

Test(election_evidence, member_that_is_told_probes_and_believes_nothing)
{
    hear_told(OTHER, LEADER);
    cr_assert_eq(count_sent(ELECTION_PROBE, LEADER), 1);
    cr_assert_eq(actions.count, 1, "it sends no report");
    cr_assert_eq(e.state, ELECTION_FOLLOWER);
    cr_assert_gt(e.granted_until_ns, now_ns);
    cr_assert_eq(e.counts.hints_told, 1);
}

Test(election_evidence, its_probe_is_repeated_until_the_leader_is_heard)
{
    hear_told(OTHER, LEADER);
    now_ns = e.deadline_ns;
    step(&(struct election_event){.type = ELECTION_TICK});
    cr_assert_eq(count_sent(ELECTION_PROBE, LEADER), 1);
    hear_heartbeat();
    now_ns += 20 * MS;
    step(&(struct election_event){.type = ELECTION_TICK});
    cr_assert_eq(count_sent(ELECTION_PROBE, LEADER), 0);
}

Test(election_evidence, false_hints_make_a_bounded_number_of_probes)
{
    size_t probes = 0;

    for (int i = 0; i < 100; i++) {
        hear_told(OTHER, LEADER);
        probes += count_sent(ELECTION_PROBE, LEADER);
        hear_heartbeat();
    }
    cr_assert_leq(probes, 5);
}

Test(election_evidence, hints_of_strangers_and_about_others_are_ignored)
{
    hear_told(9, LEADER);
    cr_assert_eq(actions.count, 0);
    hear_told(OTHER, 1000);
    cr_assert_eq(actions.count, 0);
    e.config.on_refused_fast = false;
    hear_told(OTHER, LEADER);
    cr_assert_eq(actions.count, 0);
}

/* Version N-1 takes the evidence for the question whether it hears the leader. */
Test(election_evidence, report_of_a_member_that_hears_the_leader_delays_no_evidence)
{
    const struct election_message m = {.type = ELECTION_PROBE_REPORT,
                                       .from = OTHER,
                                       .term = 4,
                                       .leader = LEADER,
                                       .wait_ns = 700 * MS};

    refuse();
    hear(&m);
    cr_assert_eq(e.earliest_candidacy_ns, 0);
}

/* ---- connections ---- */

static void hear_connection(enum election_event_type type)
{
    step(&(struct election_event){.type = type, .instance = LEADER});
}

static void wait_for_probes(unsigned ms)
{
    for (uint64_t end_ns = now_ns + ms * MS; now_ns < end_ns;)
        step(&(struct election_event){.type = ELECTION_TICK});
}

Test(election_evidence, closed_connection_is_a_hint)
{
    hear_connection(ELECTION_CLOSED);
    cr_assert_eq(count_sent(ELECTION_PROBE, LEADER), 1);
    cr_assert_eq(e.state, ELECTION_FOLLOWER);
    wait_for_probes(100);
    cr_assert_eq(e.state, ELECTION_FOLLOWER, "silence is no evidence");
    cr_assert_eq(e.counts.hints_closed, 1);
}

Test(election_evidence, refused_probe_after_it_is_evidence)
{
    hear_connection(ELECTION_CLOSED);
    refuse();
    cr_assert_eq(e.state, ELECTION_SUSPECT);
    cr_assert_eq(e.cause, ELECTION_BY_EVIDENCE);
}

Test(election_evidence, refused_connection_without_a_reply_to_probes_is_evidence)
{
    hear_connection(ELECTION_CLOSED);
    hear_connection(ELECTION_CONNECT_REFUSED);
    cr_assert_eq(e.state, ELECTION_FOLLOWER);
    wait_for_probes(30);
    cr_assert_eq(e.state, ELECTION_SUSPECT);
    cr_assert_eq(e.cause, ELECTION_BY_EVIDENCE);
}

Test(election_evidence, leader_that_replies_lives)
{
    hear_connection(ELECTION_CLOSED);
    hear_connection(ELECTION_CONNECT_REFUSED);
    hear_heartbeat();
    wait_for_probes(100);
    cr_assert_eq(e.state, ELECTION_FOLLOWER);
}

Test(election_evidence, refused_connection_alone_means_nothing)
{
    hear_connection(ELECTION_CONNECT_REFUSED);
    wait_for_probes(100);
    hear_told(OTHER, LEADER);
    hear_connection(ELECTION_CONNECT_REFUSED);
    wait_for_probes(100);
    cr_assert_eq(e.state, ELECTION_FOLLOWER);
}

Test(election_evidence, forged_closed_connections_make_a_bounded_number_of_probes)
{
    size_t probes = 0;

    for (int i = 0; i < 100; i++) {
        hear_connection(ELECTION_CLOSED);
        probes += count_sent(ELECTION_PROBE, LEADER);
        hear_heartbeat();
    }
    cr_assert_leq(probes, 5);
    hear_told(OTHER, LEADER);
    cr_assert_eq(count_sent(ELECTION_PROBE, LEADER), 1, "another kind of hint has its own pace");
}

Test(election_evidence, with_on_refused_timeout_it_means_nothing)
{
    e.config.on_refused_fast = false;
    hear_connection(ELECTION_CLOSED);
    cr_assert_eq(actions.count, 0);
    hear_connection(ELECTION_CONNECT_REFUSED);
    wait_for_probes(100);
    cr_assert_eq(e.state, ELECTION_FOLLOWER);
}

/* It was started within a detection time: an earlier instance of it may have granted a lease. */
Test(election_evidence, candidate_that_may_not_vote_yet_goes_on_when_it_may)
{
    const struct election_message granted = {
        .type = ELECTION_PREVOTE_REPLY, .flags = ELECTION_FLAG_GRANTED, .from = OTHER, .term = 5};

    e.ready[0] = 3; /* OTHER is not */
    e.abstain_ns = now_ns + 20 * MS;
    refuse();
    cr_assert_eq(e.state, ELECTION_CANDIDATE);
    hear(&granted);
    cr_assert_eq(e.campaign.stage, ELECTION_STAGE_PREVOTE);
    cr_assert_leq(e.deadline_ns, e.abstain_ns);
    now_ns = e.deadline_ns;
    step(&(struct election_event){.type = ELECTION_TICK});
    cr_assert_eq(e.campaign.stage, ELECTION_STAGE_VOTE);
    cr_assert_eq(count_sent(ELECTION_VOTE, OTHER), 1);
}
