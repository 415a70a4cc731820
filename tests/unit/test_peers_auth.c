/* Addresses from which nothing can be verified. */
#include <stdio.h>

#include "peers_fixture.h"

static struct address one, other;

static void setup_addresses(void)
{
    setup();
    cr_assert_eq(address_parse_ip("10.0.0.1", &one), 0);
    cr_assert_eq(address_parse_ip("fd00::1", &other), 0);
}

TestSuite(peers_auth, .init = setup_addresses, .fini = teardown, .timeout = 30);

static size_t count_failing(uint64_t now_ns)
{
    size_t count = 0;

    for (size_t i = 0; i < PEERS_AUTH_MAX; i++)
        count += peers_auth_failing(&peers, i, now_ns) != NULL;
    return count;
}

Test(peers_auth, one_failure_is_no_mismatch)
{
    peers_auth_fail(&peers, &one, 100 * MS);
    cr_assert_eq(peers_auth_count_unverifiable(&peers, 5000 * MS), 0);
}

Test(peers_auth, failing_for_a_while_is_a_mismatch)
{
    struct address address;

    peers_auth_fail(&peers, &one, 100 * MS);
    peers_auth_fail(&peers, &one, 1099 * MS);
    cr_assert_eq(peers_auth_count_unverifiable(&peers, 1099 * MS), 0);
    peers_auth_fail(&peers, &one, 1100 * MS);
    cr_assert_eq(peers_auth_count_unverifiable(&peers, 1100 * MS), 1);
    cr_assert(peers_auth_take_unverifiable(&peers, 1100 * MS, &address));
    cr_assert(address_equal_ip(&address, &one));
    cr_assert_not(peers_auth_take_unverifiable(&peers, 1100 * MS, &address), "returned once");
    cr_assert_eq(peers_auth_count_unverifiable(&peers, 1100 * MS), 1);
}

Test(peers_auth, one_good_message_clears_it)
{
    cr_assert_eq(count_failing(100 * MS), 0);
    peers_auth_fail(&peers, &one, 100 * MS);
    cr_assert_eq(count_failing(100 * MS), 1);
    cr_assert_eq(count_failing(100 * MS + PEERS_AUTH_MEMORY_NS), 0, "forgotten");
    peers_auth_fail(&peers, &one, 1200 * MS);
    cr_assert_eq(peers_auth_count_unverifiable(&peers, 1200 * MS), 1);
    peers_auth_succeed(&peers, &one);
    cr_assert_eq(count_failing(1200 * MS), 0);
    cr_assert_eq(peers_auth_count_unverifiable(&peers, 1200 * MS), 0);
    peers_auth_fail(&peers, &one, 1300 * MS);
    cr_assert_eq(peers_auth_count_unverifiable(&peers, 1300 * MS), 0,
                 "the time counts from the latest success");
}

/* Somebody spoofs the address of a member that sends valid messages as well. */
Test(peers_auth, a_spoofed_address_with_valid_messages_is_no_mismatch)
{
    for (uint64_t t = 0; t < 10000; t += 10) {
        peers_auth_fail(&peers, &one, t * MS);
        if (t % 200 == 0)
            peers_auth_succeed(&peers, &one);
        cr_assert_eq(peers_auth_count_unverifiable(&peers, t * MS), 0);
    }
}

Test(peers_auth, a_failure_that_is_not_repeated_is_forgotten)
{
    struct address address;

    peers_auth_fail(&peers, &one, 100 * MS);
    peers_auth_fail(&peers, &one, 1200 * MS);
    cr_assert(peers_auth_take_unverifiable(&peers, 1200 * MS, &address));
    cr_assert_eq(peers_auth_count_unverifiable(&peers, 6199 * MS), 1);
    cr_assert_eq(peers_auth_count_unverifiable(&peers, 6200 * MS), 0);
    peers_auth_fail(&peers, &one, 7000 * MS);
    cr_assert_eq(peers_auth_count_unverifiable(&peers, 7000 * MS), 0);
    peers_auth_fail(&peers, &one, 8000 * MS);
    cr_assert(peers_auth_take_unverifiable(&peers, 8000 * MS, &address), "returned again");
}

Test(peers_auth, each_address_counts_by_itself)
{
    peers_auth_fail(&peers, &one, 100 * MS);
    peers_auth_fail(&peers, &other, 600 * MS);
    peers_auth_fail(&peers, &one, 1200 * MS);
    peers_auth_fail(&peers, &other, 1200 * MS);
    cr_assert_eq(peers_auth_count_unverifiable(&peers, 1200 * MS), 1);
    peers_auth_fail(&peers, &other, 1600 * MS);
    cr_assert_eq(peers_auth_count_unverifiable(&peers, 1600 * MS), 2);
}

Test(peers_auth, a_full_table_evicts_the_least_recent_failure)
{
    char text[16];
    struct address address;

    for (unsigned i = 0; i < ELECTION_MEMBERS_MAX + 50; i++) {
        (void)snprintf(text, sizeof(text), "10.1.%u.%u", i / 250, i % 250 + 1);
        cr_assert_eq(address_parse_ip(text, &address), 0);
        peers_auth_fail(&peers, &address, (100 + i) * MS);
        peers_auth_fail(&peers, &address, (1100 + i) * MS);
    }
    cr_assert_eq(peers_auth_count_unverifiable(&peers, 1300 * MS), ELECTION_MEMBERS_MAX);
}

static void list_is_at(uint64_t instance, const struct address *address)
{
    static struct election_list list;

    list.count = 1;
    list.members[0] = (struct election_member){.instance = instance, .address = *address};
    peers_update(&peers, &list);
}

Test(peers_auth, failures_stay_with_the_address_when_a_member_comes_and_leaves)
{
    peers_auth_fail(&peers, &one, 100 * MS);
    list_is_at(A, &one);
    cr_assert_neq(peers_find(&peers, A)->auth_failure.last_ns, 0);
    peers_auth_fail(&peers, &one, 1100 * MS);
    cr_assert_eq(peers_auth_count_unverifiable(&peers, 1100 * MS), 1);
    cr_assert_eq(count_failing(1100 * MS), 1);
    list_is_at(B, &other);
    cr_assert_eq(peers_find(&peers, B)->auth_failure.last_ns, 0);
    cr_assert_eq(peers_auth_count_unverifiable(&peers, 1200 * MS), 1);
    list_is_at(B, &one);
    cr_assert_neq(peers_find(&peers, B)->auth_failure.last_ns, 0);
    list_is_at(B, &other);
    cr_assert_eq(peers_find(&peers, B)->auth_failure.last_ns, 0, "it has moved");
    cr_assert_eq(count_failing(1200 * MS), 1);
    peers_auth_succeed(&peers, &one);
    cr_assert_eq(count_failing(1200 * MS), 0);
}

/* After an address was given to another pod, two members have it: a later one may have the lower index. */
Test(peers_auth, success_clears_all_members_at_the_address)
{
    static struct election_list both = {.count = 2};

    list_is_at(A, &other); /* takes the first index */
    both.members[0] = (struct election_member){.instance = A, .address = other};
    both.members[1] = (struct election_member){.instance = B, .address = one};
    peers_update(&peers, &both);
    peers_auth_fail(&peers, &one, 100 * MS);
    list_is_at(B, &one);
    both.members[0] = (struct election_member){.instance = 0xa3, .address = one};
    peers.next = 0; /* indices are used in turn: as after a full round */
    peers_update(&peers, &both);
    cr_assert_neq(peers_find(&peers, B)->auth_failure.last_ns, 0);
    peers_auth_succeed(&peers, &one);
    cr_assert_eq(peers_find(&peers, B)->auth_failure.last_ns, 0);
    cr_assert_eq(count_failing(200 * MS), 0);
}
