/* election: which row of the list a new instance takes over; tests/sim has its scenarios. */
#include "election_leader_fixture.h"

/* A new instance sends DISCOVER. */
static void discover_from(const struct election_member *sender)
{
    const struct election_message m = {
        .type = ELECTION_DISCOVER, .from = sender->instance, .member_count = 1};

    hear(&m, sender);
}

TestSuite(election_rows, .init = lead_three, .timeout = 30);

/* The name of a listed member, and an address: that of the member with the same number. */
static struct election_member named(uint64_t instance, uint64_t name, uint64_t address)
{
    struct election_member m = member(instance);

    m.name = member(name).name;
    m.address = member(address).address;
    return m;
}

static bool is_listed(uint64_t instance)
{
    for (uint16_t i = 0; i < e.list.count; i++) {
        if (e.list.members[i].instance == instance)
            return true;
    }
    return false;
}

Test(election_rows, a_restarted_pod_has_its_row_at_once)
{
    const struct election_member again = named(NEW, THIRD, THIRD);

    discover_from(&again);
    cr_assert_eq(e.list.count, 3);
    cr_assert_eq(e.list.members[2].instance, NEW);
}

Test(election_rows, a_living_member_keeps_its_row)
{
    const struct election_member twin = named(NEW, THIRD, 4);

    discover_from(&twin);
    cr_assert_eq(e.list.count, 3, "the leader must hear the other first");
    for (int i = 0; i < 4; i++) {
        now_ns += 100 * MS;
        ack_from(OTHER);
        ack_from(THIRD);
        discover_from(&twin);
    }
    cr_assert_eq(e.list.count, 4);
    cr_assert(is_listed(THIRD) && is_listed(NEW));
}

Test(election_rows, the_name_of_the_leader_takes_no_row)
{
    const struct election_member twin = named(NEW, SELF, 4);

    discover_from(&twin);
    cr_assert_eq(e.list.count, 4);
    cr_assert(is_listed(SELF) && is_listed(NEW));
    cr_assert_eq(e.state, ELECTION_LEADER);
}

/* Two changes, of which a majority acknowledges the first before the second. */
Test(election_rows, a_dead_member_gives_its_place_to_its_name_at_another_address)
{
    const struct election_member moved = named(NEW, OTHER, 4);

    e.peers[1].heard_ns = now_ns - 2 * NS_PER_SEC;
    discover_from(&moved);
    cr_assert_eq(e.list.count, 2, "its row is removed");
    ack_from(THIRD);
    cr_assert_eq(e.list.count, 3);
    cr_assert_eq(e.list.members[1].instance, NEW, "in its place");
    cr_assert(is_listed(SELF) && is_listed(THIRD));
}

/* The leader will lose its lease; then the new instance is a stand-in for that row. */
Test(election_rows, a_leader_without_a_majority_removes_no_row)
{
    const struct election_member moved = named(NEW, OTHER, 4);

    e.list.wants_majority = true;
    e.list.floor = 3;
    e.peers[1].heard_ns = e.peers[2].heard_ns = now_ns - 2 * NS_PER_SEC;
    discover_from(&moved);
    cr_assert_eq(e.list.count, 3);
    cr_assert(is_listed(OTHER) && is_listed(THIRD));
    ack_from(THIRD);
    discover_from(&moved);
    cr_assert_eq(e.list.count, 2, "with one, it does");
    ack_from(THIRD);
    cr_assert(is_listed(NEW) && !is_listed(OTHER));
}

Test(election_rows, a_member_that_has_just_died_has_its_row_for_a_detection_time)
{
    const struct election_member moved = named(NEW, OTHER, 4);

    for (int i = 0; i < 7; i++) {
        discover_from(&moved);
        cr_assert(is_listed(OTHER) && !is_listed(NEW));
        now_ns += 100 * MS;
        ack_from(THIRD);
        tick();
    }
    now_ns += 200 * MS;
    ack_from(THIRD);
    discover_from(&moved);
    ack_from(THIRD);
    cr_assert(is_listed(NEW) && !is_listed(OTHER));
}

Test(election_rows, another_name_at_the_address_of_a_member_has_a_row_of_its_own)
{
    const struct election_member tenant = named(NEW, 4, THIRD);

    discover_from(&tenant);
    cr_assert_eq(e.list.count, 4);
    cr_assert(is_listed(THIRD) && is_listed(NEW));
}

Test(election_rows, names_that_differ_in_case_are_two_names)
{
    struct election_member other = named(NEW, OTHER, 4);

    e.peers[1].heard_ns = now_ns - 2 * NS_PER_SEC;
    other.name.text[0] = 'P';
    discover_from(&other);
    cr_assert_eq(e.list.count, 4);
}

Test(election_rows, without_a_name_the_address_tells)
{
    struct election_member unnamed = named(NEW, THIRD, THIRD), other = named(NEW + 1, THIRD, 4);

    unnamed.name.text[0] = other.name.text[0] = '\0';
    discover_from(&unnamed);
    cr_assert_eq(e.list.members[2].instance, NEW);
    ack_from(OTHER);
    discover_from(&other);
    cr_assert_eq(e.list.count, 4);
}

/* ---- shared names ---- */

/* The leader's heartbeat: all rows of this list are alive. */
static void heartbeat_of(uint64_t leader, struct election_list_id list, uint16_t count)
{
    const struct election_member sender = member(leader);
    struct election_message m = {.type = ELECTION_HEARTBEAT,
                                 .from = leader,
                                 .to = SELF,
                                 .term = list.term,
                                 .interval_ns = 200 * MS,
                                 .misses = 4,
                                 .list = list,
                                 .stamp_ns = now_ns,
                                 .count = count};

    m.live[0] = (1U << count) - 1;
    hear(&m, &sender);
}

/* It returned at another address. The leader has removed its predecessor's row since; until that list has
 * arrived, nothing is known about the row. */
Test(election_rows, a_follower_without_the_newest_list_knows_no_shared_name)
{
    const struct election_list_id before = {.term = 2, .version = 1}, newest = {2, 2};
    uint16_t index = 0;
    uint32_t count;

    join_three();
    e.list.id = before;
    e.list.members[2] = named(THIRD, SELF, THIRD);
    heartbeat_of(OTHER, before, 3);
    cr_assert(election_find_namesakes(&e, &count, &index));
    cr_assert_eq(count, 1);
    cr_assert_eq(index, 2);
    heartbeat_of(OTHER, newest, 2);
    cr_assert_not(election_find_namesakes(&e, &count, &index));
    e.list.id = newest;
    e.list.count = 2;
    cr_assert_not(election_find_namesakes(&e, &count, &index), "not before the next heartbeat");
    heartbeat_of(OTHER, newest, 2);
    cr_assert(election_find_namesakes(&e, &count, &index));
    cr_assert_eq(count, 0);
}

/* ---- expected members of a first leader ---- */

static void next_heartbeat(void)
{
    now_ns += 200 * MS;
    tick();
}

/* Discovery names pods 2 to last. */
static void name_up_to(uint8_t last, bool is_blind)
{
    struct address candidates[8];
    struct election_event event = {
        .type = ELECTION_CANDIDATES, .candidates = candidates, .is_blind = is_blind};

    for (uint8_t i = 2; i <= last; i++)
        candidates[event.candidate_count++] = member(i).address;
    election_step(&e, &event, now_ns, &actions);
    next_heartbeat();
}

/* Its DNS named two pods that had died: only three of the five exist. */
static void lead_three_of_five(void)
{
    e.config.quorum = ELECTION_QUORUM_AUTO;
    name_up_to(5, false);
    e.list.floor = 5;
    e.list.wants_majority = true;
}

Test(election_rows, a_dead_address_is_expected_until_dns_does_not_name_it)
{
    uint32_t version = e.list.id.version;

    lead_three_of_five();
    name_up_to(5, false);
    cr_assert_eq(e.list.floor, 5);
    name_up_to(4, false);
    cr_assert_eq(e.list.floor, 4);
    cr_assert_eq(e.list.id.version, version + 1);
    cr_assert_not(e.is_list_committed);
    name_up_to(3, false);
    cr_assert_eq(e.list.floor, 4, "one change after the other");
    ack_from(OTHER);
    ack_from(THIRD);
    next_heartbeat();
    cr_assert_eq(e.list.floor, 0, "as many as there are rows");

    for (int i = 0; i < 10; i++) {
        ack_from(OTHER);
        next_heartbeat();
        cr_assert_gt(e.valid_until_ns, now_ns, "two of three are a majority");
    }
}

Test(election_rows, an_address_is_expected_while_dns_does_not_reply)
{
    lead_three_of_five();
    name_up_to(3, true);
    cr_assert_eq(e.list.floor, 5);
}

Test(election_rows, quorum_expect_is_expected_whatever_dns_names)
{
    lead_three_of_five();
    e.config.expect = 5;
    name_up_to(3, false);
    cr_assert_eq(e.list.floor, 5);
}

/* Two pods have no quorum, nor have two that started while DNS named a third. */
Test(election_rows, two_pods_and_a_dead_address_become_two_pods)
{
    e.config.quorum = ELECTION_QUORUM_AUTO;
    e.config.expect = 2;
    e.list.count = 2;
    e.list.floor = 3;
    e.list.wants_majority = true;
    name_up_to(2, false);
    cr_assert_eq(e.list.floor, 0);
    cr_assert_not(e.list.wants_majority);
}
