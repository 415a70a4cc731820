/* Members with other settings for the ordered route. */
#include "peers_fixture.h"

TestSuite(peers_mismatch, .init = setup, .fini = teardown, .timeout = 30);

/* This pod's settings; the member is A. */
static void begin(enum config_route route, enum config_commit commit)
{
    config.route = route;
    config.ordered_commit = commit;
    peers_init(&peers, &config);
    peers_set_data_plane(&peers, &data_plane);
    only_member_is(A);
}

static bool hear(enum election_message_type type, uint64_t from, uint16_t flags)
{
    const struct election_message message = {.type = (uint8_t)type, .from = from, .flags = flags};

    return peers_check_settings(&peers, &message);
}

Test(peers_mismatch, the_flags_say_what_is_set)
{
    begin(CONFIG_ROUTE_ORDERED, CONFIG_COMMIT_NONE);
    cr_assert_eq(peers.flags, ELECTION_FLAG_ORDERED);
    begin(CONFIG_ROUTE_ORDERED, CONFIG_COMMIT_MAJORITY);
    cr_assert_eq(peers.flags, ELECTION_FLAG_ORDERED | ELECTION_FLAG_COMMIT);
    begin(CONFIG_ROUTE_ALL, CONFIG_COMMIT_MAJORITY);
    cr_assert_eq(peers.flags, 0, "without an order nothing is committed");
}

Test(peers_mismatch, a_mismatch_lasts_until_the_member_sends_other_flags)
{
    begin(CONFIG_ROUTE_ORDERED, CONFIG_COMMIT_NONE);
    list_is(2, (const uint64_t[]){7, 6});
    cr_assert_not(hear(ELECTION_ACK, 7, ELECTION_FLAG_ORDERED | ELECTION_FLAG_APP));
    cr_assert_not(peers_find(&peers, 7)->is_mismatched);
    cr_assert(hear(ELECTION_ACK, 7, ELECTION_FLAG_ORDERED | ELECTION_FLAG_COMMIT));
    cr_assert(peers_find(&peers, 7)->is_mismatched);
    cr_assert_not(peers_find(&peers, 6)->is_mismatched);
    replace_at_same_index(7, 8);
    cr_assert_not(peers_find(&peers, 8)->is_mismatched, "the next one at this index");
    cr_assert(hear(ELECTION_HEARTBEAT, 8, ELECTION_FLAG_COMMITTED), "has no order");
    cr_assert(peers_find(&peers, 8)->is_mismatched);
    cr_assert_not(hear(ELECTION_ACK, 8, ELECTION_FLAG_ORDERED));
    cr_assert_not(peers_find(&peers, 8)->is_mismatched);
}

/* Of a pod with this history. */
static uint16_t flags_with(uint64_t history_bytes)
{
    config.ordered_history_bytes = history_bytes;
    return peers_settings_of(&config);
}

Test(peers_mismatch, another_history_is_a_mismatch)
{
    const uint64_t mib = 1 << 20;
    uint16_t flags;

    begin(CONFIG_ROUTE_ORDERED, CONFIG_COMMIT_MAJORITY);
    peers.flags = flags_with(16 * mib);
    cr_expect_not(hear(ELECTION_ACK, A, flags_with(16 * mib)));
    for (uint64_t size = mib; size <= 4096 * mib; size *= 2) {
        flags = flags_with(size);
        cr_expect_eq(hear(ELECTION_ACK, A, flags), size != 16 * mib, "%lu MiB", size / mib);
        cr_expect_eq(peers_differ_in_history_only(&peers, flags), size != 16 * mib);
    }
    cr_expect(hear(ELECTION_ACK, A, flags_with(16 * mib + 1)));
    cr_expect_not(hear(ELECTION_ACK, A, ELECTION_FLAG_ORDERED | ELECTION_FLAG_COMMIT),
                  "the version before does not say it");
    cr_expect(hear(ELECTION_ACK, A, flags_with(8 * mib) & (uint16_t)~ELECTION_FLAG_COMMIT));
    cr_expect_not(peers_differ_in_history_only(&peers, ELECTION_FLAG_ORDERED));
}

Test(peers_mismatch, other_messages_carry_no_settings)
{
    begin(CONFIG_ROUTE_ORDERED, CONFIG_COMMIT_NONE);
    cr_assert_not(hear(ELECTION_PREVOTE, A, 0));
    cr_assert_not(peers_find(&peers, A)->is_mismatched);
}

Test(peers_mismatch, an_instance_outside_the_list_is_ignored)
{
    begin(CONFIG_ROUTE_ORDERED, CONFIG_COMMIT_NONE);
    cr_assert_not(hear(ELECTION_ACK, 7, 0));
    cr_assert_null(peers_find(&peers, 7));
}
