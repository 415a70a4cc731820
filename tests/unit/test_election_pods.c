/* election: what EndpointSlices say of the members' pods, and what they do not prove. */
#include "election_fixture.h"

/* This instance is 1 of three; 2 and 3 are the others. */
enum { OTHER = 2, THIRD = 3, NEW = 9 };

static struct address addresses[8];
static struct election_pod pods[8];
static size_t pod_count;

static void step(const struct election_event *event)
{
    election_step(&e, event, now_ns, &actions);
}

static void tick(void)
{
    step(&(struct election_event){.type = ELECTION_TICK});
}

static void hear(const struct election_message *m, const struct election_member *sender)
{
    step(&(struct election_event){
        .type = ELECTION_MESSAGE, .message = m, .members = sender, .from = sender->address});
}

/* ---- slices ---- */

static void name_pod(uint64_t at, uint64_t id, bool is_terminating)
{
    addresses[pod_count] = member(at).address;
    pods[pod_count++] = (struct election_pod){.id = id, .is_terminating = is_terminating};
}

static void tell(bool is_complete)
{
    step(&(struct election_event){.type = ELECTION_CANDIDATES,
                                  .candidates = addresses,
                                  .candidate_count = pod_count,
                                  .pods = pods,
                                  .is_complete = is_complete});
    pod_count = 0;
}

/* ---- as the leader ---- */

static void ack_from(uint64_t instance)
{
    const struct election_member sender = member(instance);
    const struct election_message m = {.type = ELECTION_ACK,
                                       .from = instance,
                                       .to = SELF,
                                       .term = e.term,
                                       .stamp_ns = now_ns,
                                       .lease_grant_ns = 800 * MS,
                                       .list = e.list.id,
                                       .flags = ELECTION_FLAG_APP};

    hear(&m, &sender);
}

static void lead_three(void)
{
    join_three();
    e.state = ELECTION_LEADER;
    e.term = e.seen_term = 1;
    e.leader = SELF;
    e.is_list_committed = true;
    e.list.wants_majority = true;
    e.config.quorum = ELECTION_QUORUM_AUTO;
    e.config.expect = 0;
    e.led_since_ns = now_ns - NS_PER_SEC * 5;
    e.fenced_ns = now_ns + 800 * MS;
    e.heartbeat_ns = now_ns + 200 * MS;
    ack_from(OTHER);
    ack_from(THIRD);
}

TestSuite(election_pods, .init = lead_three, .timeout = 30);

/* To whom the leader steps down. */
static uint64_t successor(void)
{
    step(&(struct election_event){.type = ELECTION_STOP});
    for (size_t i = 0; i < actions.count; i++) {
        if (actions.list[i].message.type == ELECTION_STEP_DOWN)
            return actions.list[i].message.leader;
    }
    return 0;
}

Test(election_pods, without_slices_the_next_in_the_list_succeeds)
{
    tell(false);
    cr_assert_eq(successor(), OTHER);
}

Test(election_pods, a_terminating_pod_does_not_succeed)
{
    name_pod(SELF, 11, false);
    name_pod(OTHER, 12, true);
    name_pod(THIRD, 13, false);
    tell(false);
    cr_assert_eq(successor(), THIRD);
}

Test(election_pods, a_pod_that_no_longer_exists_does_not_succeed)
{
    name_pod(SELF, 11, false);
    name_pod(THIRD, 13, false);
    tell(true);
    cr_assert_eq(successor(), THIRD);
}

Test(election_pods, an_incomplete_list_says_nothing_of_those_that_it_lacks)
{
    name_pod(THIRD, 13, false);
    tell(false);
    cr_assert_eq(successor(), OTHER);
}

Test(election_pods, if_all_others_terminate_the_next_one_succeeds)
{
    name_pod(OTHER, 12, true);
    name_pod(THIRD, 13, true);
    tell(false);
    cr_assert_eq(successor(), OTHER);
}

Test(election_pods, a_pod_that_is_back_in_the_list_may_succeed)
{
    name_pod(SELF, 11, false);
    name_pod(THIRD, 13, false);
    tell(true);
    name_pod(SELF, 11, false);
    name_pod(OTHER, 14, false);
    name_pod(THIRD, 13, false);
    tell(true);
    cr_assert_eq(successor(), OTHER);
}

/* Members without slices of their own take the order from the heartbeat. */
Test(election_pods, heartbeats_say_that_it_is_alive_and_not_ready_to_lead)
{
    const struct election_message *m = NULL;

    name_pod(OTHER, 12, true);
    tell(false);
    now_ns += 200 * MS;
    tick();
    for (size_t i = 0; i < actions.count; i++) {
        if (actions.list[i].message.type == ELECTION_HEARTBEAT)
            m = &actions.list[i].message;
    }
    cr_assert_not_null(m);
    cr_assert(election_bit(m->live, 1));
    cr_assert_not(election_bit(m->ready, 1));
    cr_assert(election_bit(m->ready, 2));
}

/* Heartbeats for so long, which only the third member acknowledges. */
static void pass_time(uint64_t for_ns, bool other_answers)
{
    for (uint64_t end_ns = now_ns + for_ns; now_ns < end_ns;) {
        now_ns += 100 * MS;
        tick();
        ack_from(THIRD);
        if (other_answers)
            ack_from(OTHER);
    }
}

Test(election_pods, the_row_of_a_silent_pod_that_no_longer_exists_is_removed_soon)
{
    name_pod(SELF, 11, false);
    name_pod(THIRD, 13, false);
    tell(true);
    pass_time(2 * NS_PER_SEC, false);
    cr_assert_eq(e.list.count, 3, "it may be late");
    pass_time(NS_PER_SEC, false);
    cr_assert_eq(e.list.count, 2);
    cr_assert(e.list.wants_majority, "that was no orderly departure");
    cr_assert_eq(e.state, ELECTION_LEADER);
}

Test(election_pods, the_row_of_a_silent_pod_stays_for_member_forget_otherwise)
{
    name_pod(SELF, 11, false);
    name_pod(OTHER, 12, true);
    name_pod(THIRD, 13, false);
    tell(true);
    pass_time(50 * NS_PER_SEC, false);
    cr_assert_eq(e.list.count, 3);
}

/* Deleted by force, and it goes on. */
Test(election_pods, a_pod_that_no_longer_exists_is_alive_while_it_is_heard)
{
    name_pod(SELF, 11, false);
    name_pod(THIRD, 13, false);
    tell(true);
    pass_time(30 * NS_PER_SEC, true);
    cr_assert_eq(e.list.count, 3);
    cr_assert(election_may_be_alive(&e, 1));
}

/* The living could not commit a list without that row: it must not shrink. */
Test(election_pods, a_row_that_is_needed_stays)
{
    e.list.floor = 5;
    name_pod(SELF, 11, false);
    name_pod(THIRD, 13, false);
    tell(true);
    cr_assert_eq(election_needed(&e), 3);
    for (int i = 0; i < 40; i++) {
        now_ns += 10 * MS;
        tick();
    }
    cr_assert_eq(e.list.count, 3);
}

/* ---- as a follower of 2 ---- */

static void hear_leader(uint64_t instance)
{
    const struct election_member leader = member(instance);
    struct election_message m = {.type = ELECTION_HEARTBEAT,
                                 .from = instance,
                                 .to = SELF,
                                 .term = instance,
                                 .interval_ns = 200 * MS,
                                 .misses = 4,
                                 .list = e.list.id,
                                 .stamp_ns = now_ns,
                                 .count = 3};

    election_set_bit(m.live, 0);
    election_set_bit(m.live, 1);
    election_set_bit(m.live, 2);
    memcpy(m.ready, m.live, sizeof(m.ready));
    hear(&m, &leader);
}

static void follow_other(void)
{
    join_three();
    name_pod(SELF, 11, false);
    name_pod(OTHER, 12, false);
    name_pod(THIRD, 13, false);
    tell(true);
    now_ns += MS;
    hear_leader(OTHER);
    cr_assert_eq(e.state, ELECTION_FOLLOWER);
}

static void refuse(void)
{
    now_ns += MS;
    step(&(struct election_event){.type = ELECTION_REFUSED, .instance = e.leader});
}

TestSuite(election_pods_follower, .init = follow_other, .timeout = 30);

Test(election_pods_follower, a_leader_whose_pod_no_longer_exists_leads_on)
{
    name_pod(SELF, 11, false);
    name_pod(THIRD, 13, false);
    tell(true);
    cr_assert_eq(e.state, ELECTION_FOLLOWER);
    cr_assert_eq(e.leader, OTHER);
    cr_assert_neq(e.granted_until_ns, 0);
    cr_assert_eq(e.published.leader, OTHER);
    cr_assert_gt(e.published.valid_until_ns, now_ns);
}

Test(election_pods_follower, a_refusal_by_the_next_pod_at_its_address_is_no_evidence)
{
    name_pod(SELF, 11, false);
    name_pod(OTHER, 99, false);
    name_pod(THIRD, 13, false);
    now_ns += MS;
    tell(true);
    refuse();
    cr_assert_eq(e.state, ELECTION_FOLLOWER);
    cr_assert_neq(e.granted_until_ns, 0, "the lease grant is kept");
    /* It was the leader that came back, or never left. */
    now_ns += 100 * MS;
    hear_leader(OTHER);
    refuse();
    cr_assert_neq(e.state, ELECTION_FOLLOWER);
}

/* The process was killed, and its container is started again. */
Test(election_pods_follower, a_refusal_by_its_own_pod_is_evidence)
{
    name_pod(SELF, 11, false);
    name_pod(OTHER, 12, false);
    name_pod(THIRD, 13, false);
    tell(true);
    refuse();
    cr_assert_neq(e.state, ELECTION_FOLLOWER);
}

/* The delay of this instance's candidacy after a refusal, in intervals. */
static uint64_t rank(void)
{
    uint64_t before_ns = now_ns + MS;

    refuse();
    return e.state == ELECTION_CANDIDATE ? 0 : (e.candidacy_ns - before_ns) / e.interval_ns;
}

/* From the leader, 2, the third is first, then this one. */
Test(election_pods_follower, the_order_of_succession_goes_round_the_list)
{
    cr_assert_eq(rank(), 1);
}

Test(election_pods_follower, a_terminating_pod_has_no_place_in_the_order)
{
    name_pod(SELF, 11, false);
    name_pod(OTHER, 12, false);
    name_pod(THIRD, 13, true);
    tell(true);
    cr_assert_eq(rank(), 0);
}

/* From the leader, 3, this one is first. */
Test(election_pods_follower, a_terminating_pod_stands_for_election_last)
{
    hear_leader(THIRD);
    name_pod(SELF, 11, true);
    name_pod(OTHER, 12, false);
    name_pod(THIRD, 13, false);
    tell(true);
    cr_assert_eq(rank(), 1);
}

/* ---- known peers ---- */

static void join_none(void)
{
    const struct election_config config = {.self = member(SELF),
                                           .interval_ns = 200 * MS,
                                           .misses = 4,
                                           .quorum = ELECTION_QUORUM_MAJORITY,
                                           .expect = 3,
                                           .forget_ns = 60 * NS_PER_SEC};

    now_ns = 100 * NS_PER_SEC;
    memset(&e, 0, sizeof(e));
    election_init(&e, &config, now_ns);
    name_pod(OTHER, 12, false);
    tell(true);
}

static void hello_from(const struct election_member *sender)
{
    const struct election_message m = {
        .type = ELECTION_HELLO, .from = sender->instance, .to = SELF, .member_count = 1};

    hear(&m, sender);
}

TestSuite(election_pods_joining, .init = join_none, .timeout = 30);

Test(election_pods_joining, a_new_pod_at_an_address_has_not_replied)
{
    const struct election_member other = member(OTHER);

    hello_from(&other);
    cr_assert_eq(e.known_peer_count, 1);
    cr_assert_eq(e.known_peers[0].member.instance, OTHER);
    name_pod(OTHER, 12, false);
    tell(true);
    cr_assert_eq(e.known_peers[0].member.instance, OTHER, "the same pod");
    name_pod(OTHER, 77, false);
    tell(true);
    cr_assert_eq(e.known_peers[0].member.instance, 0);
    cr_assert_eq(e.known_peers[0].replied_ns, 0);
}

/* Otherwise it would count as a member to come for member.forget. */
Test(election_pods_joining, a_pod_that_no_longer_exists_is_forgotten_soon)
{
    const struct election_member other = member(OTHER);

    hello_from(&other);
    now_ns += NS_PER_SEC;
    tell(true);
    cr_assert_eq(e.known_peer_count, 1, "it has replied recently");
    now_ns += 2 * NS_PER_SEC;
    tell(false);
    cr_assert_eq(e.known_peer_count, 1, "the list is not complete");
    tell(true);
    cr_assert_eq(e.known_peer_count, 0);
}
