/* relay: records that cannot be packed are counted, and copies made are sent or dropped. */
#include "relay_fixture.h"

#define MEMBERS 3

static struct relay_target members[MEMBERS];

static void setup(void)
{
    have_keys();
    config.route = CONFIG_ROUTE_ORDERED;
    open_relay();
    for (uint16_t i = 0; i < MEMBERS; i++) {
        cr_assert_eq(address_parse("127.0.0.1:9", 0, &members[i].to), 0);
        members[i].to.port = (uint16_t)(9 + i);
        members[i].instance = 100 + i;
        members[i].member_index = i;
    }
    relay_copies_to(&relay, members, MEMBERS);
    relay_begin(&relay, 1);
}

static void teardown(void)
{
    relay_fini(&relay);
}

TestSuite(relay_ledger, .init = setup, .fini = teardown, .timeout = 30);

/* There is no key: every copy is dropped. */
Test(relay_ledger, message_for_one_member_is_one_copy)
{
    const struct request request = make_request(100);
    const union frame_body body = {.range = {.first = 1}};

    relay_entries(&relay, &members[1], &body, &request.record);
    relay_flush(&relay);
    cr_assert_eq(count(COUNTER_COPIES_MADE), 1);
    cr_assert_eq(count(COUNTER_COPIES_DROPPED + DROP_key), 1);
}

Test(relay_ledger, message_for_all_is_a_copy_for_each)
{
    const struct request request = make_request(100);
    const union frame_body body = {.range = {.first = 1}};

    relay_publish(&relay, 1, &body, &request.record);
    relay_flush(&relay);
    cr_assert_eq(count(COUNTER_COPIES_MADE), MEMBERS);
    cr_assert_eq(count(COUNTER_COPIES_DROPPED + DROP_key), MEMBERS);
}

/* Where a member does not read records over frames. */
Test(relay_ledger, record_too_large_with_its_headers_is_dropped)
{
    const struct request request = make_request(RECORD_PAYLOAD_MAX);
    const union frame_body body = {.range = {.first = 1}};

    relay_entries(&relay, &members[1], &body, &request.record);
    relay_publish(&relay, 1, &body, &request.record);
    relay_request(&relay, &members[0], &request);
    relay_flush(&relay);
    cr_assert_eq(count(COUNTER_COPIES_MADE), 1 + MEMBERS);
    cr_assert_eq(count(COUNTER_COPIES_DROPPED + DROP_oversize), 1 + MEMBERS);
    cr_assert_eq(count(COUNTER_DROPPED + DROP_oversize), 1);
}
