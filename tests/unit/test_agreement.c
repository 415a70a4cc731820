/* agreement: members whose idea of the order is another one. */
#include <criterion/criterion.h>

#include "headless/control/agreement.h"

static struct agreement agreement;

static void begin(enum config_route route, enum config_commit commit)
{
    static struct config config;

    config = (struct config){.route = route, .ordered_commit = commit};
    agreement_init(&agreement, &config);
}

static bool hear(enum election_message_type type, uint64_t from, uint16_t flags)
{
    const struct election_message message = {.type = (uint8_t)type, .from = from, .flags = flags};

    return agreement_hear(&agreement, 3, &message);
}

Test(agreement, what_is_set_is_told)
{
    begin(CONFIG_ROUTE_ORDERED, CONFIG_COMMIT_NONE);
    cr_assert_eq(agreement_flags(&agreement), ELECTION_FLAG_ORDERED);
    begin(CONFIG_ROUTE_ORDERED, CONFIG_COMMIT_MAJORITY);
    cr_assert_eq(agreement_flags(&agreement), ELECTION_FLAG_ORDERED | ELECTION_FLAG_COMMIT);
    begin(CONFIG_ROUTE_ALL, CONFIG_COMMIT_MAJORITY);
    cr_assert_eq(agreement_flags(&agreement), 0, "without an order nothing is committed");
}

Test(agreement, who_differs_is_known_until_it_says_otherwise)
{
    begin(CONFIG_ROUTE_ORDERED, CONFIG_COMMIT_NONE);
    cr_assert_not(hear(ELECTION_ACK, 7, ELECTION_FLAG_ORDERED | ELECTION_FLAG_APP));
    cr_assert_not(agreement_differs(&agreement, 3, 7));
    cr_assert(hear(ELECTION_ACK, 7, ELECTION_FLAG_ORDERED | ELECTION_FLAG_COMMIT));
    cr_assert(agreement_differs(&agreement, 3, 7));
    cr_assert_not(agreement_differs(&agreement, 3, 8), "the next one in this slot");
    cr_assert_not(agreement_differs(&agreement, 2, 7));
    cr_assert(hear(ELECTION_HEARTBEAT, 8, ELECTION_FLAG_COMMITTED), "has no order");
    cr_assert(agreement_differs(&agreement, 3, 8));
    cr_assert_not(hear(ELECTION_ACK, 8, ELECTION_FLAG_ORDERED));
    cr_assert_not(agreement_differs(&agreement, 3, 8));
}

Test(agreement, other_messages_say_nothing)
{
    begin(CONFIG_ROUTE_ORDERED, CONFIG_COMMIT_NONE);
    cr_assert_not(hear(ELECTION_PREVOTE, 7, 0));
    cr_assert_not(agreement_differs(&agreement, 3, 7));
}

Test(agreement, who_has_no_slot_is_no_member)
{
    const struct election_message message = {.type = ELECTION_ACK, .from = 7};

    begin(CONFIG_ROUTE_ORDERED, CONFIG_COMMIT_NONE);
    cr_assert_not(agreement_hear(&agreement, MEMBER_INDEX_NONE, &message));
    cr_assert_not(agreement_differs(&agreement, MEMBER_INDEX_NONE, 7));
}
