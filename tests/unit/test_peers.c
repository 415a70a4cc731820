/* Member indexes, look-ups, and requests that were relayed to a member and not confirmed. */
#include "peers_fixture.h"

TestSuite(peers, .init = setup, .fini = teardown, .timeout = 30);

Test(peers, each_member_has_an_index_and_keeps_it)
{
    uint16_t a, b;

    list_is(2, (const uint64_t[]){0xa, 0xb});
    a = peers_index(&peers, 0xa);
    b = peers_index(&peers, 0xb);
    cr_assert_neq(a, b);
    list_is(3, (const uint64_t[]){0xc, 0xb, 0xa});
    cr_assert_eq(peers_index(&peers, 0xa), a);
    cr_assert_eq(peers_index(&peers, 0xb), b);
    cr_assert_eq(peers_index(&peers, 0xd), MEMBER_INDEX_NONE);
    cr_assert_eq(peers_index(&peers, 0), MEMBER_INDEX_NONE);
}

Test(peers, a_freed_index_is_not_reused_at_once)
{
    uint16_t a;

    list_is(1, (const uint64_t[]){0xa});
    a = peers_index(&peers, 0xa);
    list_is(1, (const uint64_t[]){0xb});
    cr_assert_eq(peers_index(&peers, 0xa), MEMBER_INDEX_NONE);
    cr_assert_neq(peers_index(&peers, 0xb), a);
}

Test(peers, a_full_list_has_an_index_for_each_member)
{
    uint64_t instances[MEMBERS_MAX];

    for (int round = 0; round < 3; round++) {
        for (size_t i = 0; i < MEMBERS_MAX; i++)
            instances[i] = (uint64_t)round * 1000 + i + 1;
        list_is(MEMBERS_MAX, instances);
        for (size_t i = 0; i < MEMBERS_MAX; i++)
            cr_assert_neq(peers_index(&peers, instances[i]), MEMBER_INDEX_NONE);
    }
}

Test(peers, a_member_is_found_by_index_instance_and_address)
{
    static struct election_list list;
    struct address ip, other;
    struct peer *peer;

    cr_assert_eq(address_parse_ip("10.0.0.1", &ip), 0);
    cr_assert_eq(address_parse_ip("10.0.0.2", &other), 0);
    list.count = 1;
    list.members[0] = (struct election_member){.instance = A, .address = ip, .name.text = "pod-1"};
    peers_update(&peers, &list);
    peer = peers_find(&peers, A);
    cr_assert_not_null(peer);
    cr_assert_eq(peer->instance, A);
    cr_assert_str_eq(peer->name.text, "pod-1");
    cr_assert_eq(peers_at(&peers, peers_index(&peers, A)), peer);
    cr_assert_eq(peers_find_address(&peers, &ip), peer);
    cr_assert_null(peers_find(&peers, B));
    cr_assert_null(peers_find_address(&peers, &other));
    cr_assert_null(peers_at(&peers, (uint16_t)(peers_index(&peers, A) + 1)));
    cr_assert_null(peers_at(&peers, MEMBER_INDEX_NONE));
    list.members[0].address = other;
    peers_update(&peers, &list);
    cr_assert_null(peers_find_address(&peers, &ip));
    cr_assert_eq(peers_find_address(&peers, &other), peer);
}

Test(peers, requests_that_are_not_confirmed_are_counted)
{
    uint16_t index;

    list_is(1, (const uint64_t[]){0xa});
    index = peers_index(&peers, 0xa);
    traffic_add(workers[0].traffic.relayed, index, 100);
    traffic_add(workers[1].traffic.relayed, index, 20);
    traffic_add(workers[0].traffic.received, index, 7);
    cr_assert_eq(peers_unconfirmed(&peers, 0xa), 120);
    cr_assert_eq(peers_received(&peers, 0xa), 7);
    peers_confirm(&peers, 0xa, 90);
    cr_assert_eq(peers_unconfirmed(&peers, 0xa), 30);
    peers_confirm(&peers, 0xa, 80); /* an old heartbeat */
    cr_assert_eq(peers_unconfirmed(&peers, 0xa), 30);
    peers_confirm(&peers, 0xa, 1000); /* and one that cannot be */
    cr_assert_eq(peers_unconfirmed(&peers, 0xa), 0);
    cr_assert_eq(peers_unconfirmed(&peers, 0xb), 0);
}

Test(peers, a_new_instance_starts_at_zero)
{
    uint16_t index;

    list_is(1, (const uint64_t[]){0xa});
    for (uint16_t i = 0; i < MEMBERS_MAX; i++)
        traffic_add(workers[0].traffic.relayed, i, 50);
    list_is(1, (const uint64_t[]){0xb});
    index = peers_index(&peers, 0xb);
    cr_assert_eq(peers_unconfirmed(&peers, 0xb), 0);
    traffic_add(workers[0].traffic.relayed, index, 1);
    cr_assert_eq(peers_unconfirmed(&peers, 0xb), 1);
}

Test(peers, an_instance_at_a_reused_index_inherits_nothing)
{
    struct peer *peer;
    uint16_t index;

    only_member_is(A);
    index = peers_index(&peers, A);
    traffic_add(workers[0].traffic.relayed, index, 100);
    traffic_add(workers[0].traffic.received, index, 9);
    peers_confirm(&peers, A, 60);
    peer = peers_find(&peers, A);
    peer->has_replay_windows = peer->is_mismatched = true;
    peer->state = ELECTION_MEMBER_LEADER;
    peer->heard_ns = peer->rtt_ns = 7;
    replace_at_same_index(A, B);
    peer = peers_find(&peers, B);
    cr_assert_eq(peers_unconfirmed(&peers, B), 0);
    cr_assert_eq(peers_received(&peers, B), 0);
    cr_assert_eq(peer->confirmed, 0);
    cr_assert_not(peer->has_replay_windows);
    cr_assert_not(peer->is_mismatched);
    cr_assert_eq(peer->state, ELECTION_MEMBER_DEAD);
    cr_assert_eq(peer->heard_ns, 0);
    cr_assert_eq(peer->rtt_ns, 0);
    traffic_add(workers[0].traffic.relayed, index, 5);
    cr_assert_eq(peers_unconfirmed(&peers, B), 5);
}
