/* election: pods with the other option election (election_apart.c), and the first holder of a Lease. */
#include "election_leader_fixture.h"

static bool has_sent(enum election_message_type type, uint64_t to)
{
    for (size_t i = 0; i < actions.count; i++) {
        if (actions.list[i].message.type == type && actions.list[i].message.to == to)
            return true;
    }
    return false;
}

static void discovery_from(uint64_t instance, enum election_message_type type, uint16_t flags)
{
    const struct election_member sender = member(instance);
    const struct election_message m = {.type = (uint8_t)type,
                                       .from = instance,
                                       .to = type == ELECTION_HELLO ? SELF : 0,
                                       .term = flags & ELECTION_FLAG_LEADS ? 1 : 0,
                                       .leader = flags & ELECTION_FLAG_LEADS ? instance : 0,
                                       .leader_address = sender.address,
                                       .list = {.term = flags & ELECTION_FLAG_LISTED ? 1 : 0},
                                       .flags = flags,
                                       .member_count = 1};

    hear(&m, &sender);
}

static bool is_listed(uint64_t instance)
{
    for (uint16_t i = 0; i < e.list.count; i++) {
        if (e.list.members[i].instance == instance)
            return true;
    }
    return false;
}

/* ---- a leader ---- */

TestSuite(election_apart, .init = lead_three, .timeout = 30);

Test(election_apart, a_leader_by_votes_adds_no_pod_with_a_lease_and_replies)
{
    discovery_from(NEW, ELECTION_DISCOVER, ELECTION_FLAG_LEASE);
    cr_assert(!is_listed(NEW));
    cr_assert(has_sent(ELECTION_HELLO, NEW), "it learns that this pod has the other option");
    discovery_from(NEW, ELECTION_DISCOVER, 0);
    cr_assert(is_listed(NEW));
}

Test(election_apart, a_leader_with_the_lease_adds_no_pod_without)
{
    e.config.has_lease = true;
    e.lease = (struct election_lease){.held_term = 1, .until_ns = now_ns + 10 * NS_PER_SEC};
    discovery_from(NEW, ELECTION_DISCOVER, 0);
    cr_assert(!is_listed(NEW));
    discovery_from(NEW, ELECTION_DISCOVER, ELECTION_FLAG_LEASE);
    cr_assert(is_listed(NEW));
}

/* As after a partition of a cluster that had both: otherwise two leaders would stay. */
Test(election_apart, a_later_leader_with_the_other_option_ends_a_leader)
{
    const struct election_member other = member(NEW);
    const struct election_message m = {.type = ELECTION_DISCOVER,
                                       .from = NEW,
                                       .term = 2,
                                       .seen = 2,
                                       .leader = NEW,
                                       .list = {.term = 2, .version = 1},
                                       .flags = ELECTION_FLAG_LEASE | ELECTION_FLAG_LEADS |
                                                ELECTION_FLAG_LISTED,
                                       .member_count = 1};

    hear(&m, &other);
    cr_assert_neq(e.state, ELECTION_LEADER);
}

/* ---- a new instance ---- */

static void join_with(bool has_lease)
{
    const struct election_config config = {.self = member(SELF),
                                           .interval_ns = 200 * MS,
                                           .misses = 4,
                                           .expect = 3,
                                           .forget_ns = 60 * NS_PER_SEC,
                                           .is_discovering = true,
                                           .has_lease = has_lease};

    now_ns = 100 * NS_PER_SEC;
    memset(&e, 0, sizeof(e));
    election_init(&e, &config, now_ns);
}

static void join_with_lease(void)
{
    join_with(true);
}

static void know_lease(uint64_t term)
{
    const struct election_lease lease = {
        .term = term, .is_free = true, .is_votable = true, .is_writable = true};

    step(&(struct election_event){.type = ELECTION_LEASE, .lease = &lease});
}

/* Ticks for this time; the pod sends messages of that kind all the while. */
static void wait_beside(uint64_t for_ns, uint64_t instance, uint16_t flags)
{
    for (uint64_t until_ns = now_ns + for_ns; now_ns < until_ns;) {
        now_ns += 100 * MS;
        if (instance)
            discovery_from(instance, ELECTION_HELLO, flags);
        tick();
    }
}

TestSuite(election_apart_joining, .init = join_with_lease, .timeout = 30);

Test(election_apart_joining,
     a_pod_with_a_lease_neither_joins_leaders_by_votes_nor_leads_beside_them)
{
    know_lease(7);
    wait_beside(20 * NS_PER_SEC, OTHER, ELECTION_FLAG_LEADS | ELECTION_FLAG_LISTED);
    cr_assert_eq(e.state, ELECTION_JOINING);
    cr_assert_eq(e.leader, 0);
    cr_assert(election_is_kept_out(&e));
    wait_beside(10 * NS_PER_SEC, 0, 0);
    cr_assert(!election_is_kept_out(&e), "they have gone");
    cr_assert_eq(e.state, ELECTION_SEALING);
}

Test(election_apart_joining, nor_beside_those_that_have_no_leader)
{
    know_lease(7);
    wait_beside(20 * NS_PER_SEC, OTHER, 0);
    cr_assert_eq(e.state, ELECTION_JOINING);
}

/* A version without the check adds it. */
Test(election_apart_joining, its_list_and_heartbeats_are_ignored)
{
    const struct election_member other = member(OTHER);
    const struct election_message m = {.type = ELECTION_HEARTBEAT,
                                       .from = OTHER,
                                       .to = SELF,
                                       .term = 1,
                                       .stamp_ns = 1,
                                       .interval_ns = 200 * MS,
                                       .misses = 4,
                                       .list = {.term = 1, .version = 2},
                                       .count = 2};
    const struct election_member members[] = {member(OTHER), member(SELF)};
    const struct election_message page = {.type = ELECTION_LIST_PAGE,
                                          .from = OTHER,
                                          .to = SELF,
                                          .term = 1,
                                          .list = {.term = 1, .version = 2},
                                          .count = 2,
                                          .member_count = 2};

    discovery_from(OTHER, ELECTION_HELLO, ELECTION_FLAG_LEADS | ELECTION_FLAG_LISTED);
    hear(&m, &other);
    cr_assert_eq(e.leader, 0);
    hear(&page, members);
    cr_assert(!is_listed(OTHER), "its list");
    discovery_from(THIRD, ELECTION_HELLO,
                   ELECTION_FLAG_LEADS | ELECTION_FLAG_LISTED | ELECTION_FLAG_LEASE);
    cr_assert_eq(e.leader, THIRD, "a leader with the same option is followed");
}

Test(election_apart_joining, a_pod_by_votes_does_not_join_a_leader_with_the_lease)
{
    join_with(false);
    discovery_from(OTHER, ELECTION_HELLO,
                   ELECTION_FLAG_LEADS | ELECTION_FLAG_LISTED | ELECTION_FLAG_LEASE);
    cr_assert_eq(e.leader, 0);
    cr_assert(election_is_kept_out(&e));
}

/* The cluster may have had election: peers until now, and go on behind a partition. */
Test(election_apart_joining, the_first_holder_needs_a_majority_of_the_expected_pods)
{
    know_lease(0);
    wait_beside(20 * NS_PER_SEC, 0, 0);
    cr_assert_eq(e.state, ELECTION_JOINING);
    wait_beside(3 * NS_PER_SEC, OTHER, ELECTION_FLAG_LEASE);
    cr_assert_eq(e.state, ELECTION_SEALING);
}

Test(election_apart_joining, a_lease_that_was_held_needs_none)
{
    know_lease(7);
    wait_beside(20 * NS_PER_SEC, 0, 0);
    cr_assert_eq(e.state, ELECTION_SEALING);
}
