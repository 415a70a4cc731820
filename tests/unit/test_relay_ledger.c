/* What is not packed ends in the ledger all the same: copies made are sent or dropped. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "headless/data/relay.h"

#define MEMBERS 3

static struct config config;
static struct identity identity;
static struct counters counters;
static struct traffic traffic;
static struct relay relay;
static struct relay_target members[MEMBERS];

static void setup(void)
{
    (void)snprintf(config.keys, sizeof(config.keys), "/nonexistent");
    (void)snprintf(config.cluster, sizeof(config.cluster), "blue");
    config.keys_mode = CONFIG_KEYS_ENFORCE;
    config.route = CONFIG_ROUTE_ORDERED;
    config.relay_mtu = 1400;
    config.batch = config.train = 8;
    cr_assert_eq(address_parse_ip("127.0.0.1", &config.self), 0);
    cr_assert_eq(identity_init(&identity, &config), 0);
    cr_assert_eq(relay_init(&relay, &config, &identity, 0, &counters, &traffic), 0);
    for (uint16_t i = 0; i < MEMBERS; i++) {
        cr_assert_eq(address_parse("127.0.0.1:9", 0, &members[i].to), 0);
        members[i].to.port = (uint16_t)(9 + i);
        members[i].instance = 100 + i;
        members[i].slot = i;
    }
    relay_copies_to(&relay, members, MEMBERS);
    relay_begin(&relay, 1);
}

static void teardown(void)
{
    relay_fini(&relay);
}

TestSuite(relay_ledger, .init = setup, .fini = teardown, .timeout = 30);

static uint64_t count(size_t counter)
{
    return atomic_load_explicit(&counters.value[counter], memory_order_relaxed);
}

static struct request make_request(uint16_t length)
{
    static uint8_t payload[RECORD_PAYLOAD_MAX];
    struct request request = {.record = {.payload = payload, .length = length}};

    cr_assert_eq(address_parse("127.0.0.1:4711", 0, &request.record.client), 0);
    cr_assert_eq(address_parse("127.0.0.1:12000", 0, &request.record.local), 0);
    return request;
}

/* There is no key yet. */
Test(relay_ledger, a_message_for_one_member_is_one_copy)
{
    const struct request request = make_request(100);
    const struct order_run run = {.first = 1};

    relay_run(&relay, &members[1], &run, &request);
    relay_flush(&relay);
    cr_assert_eq(count(COUNTER_COPIES_MADE), 1);
    cr_assert_eq(count(COUNTER_COPIES_DROPPED + DROP_key), 1);
}

Test(relay_ledger, a_message_for_all_is_a_copy_for_each)
{
    const struct request request = make_request(100);
    const struct order_run run = {.first = 1};

    relay_publish(&relay, 1, &run, &request);
    relay_flush(&relay);
    cr_assert_eq(count(COUNTER_COPIES_MADE), MEMBERS);
    cr_assert_eq(count(COUNTER_COPIES_DROPPED + DROP_key), MEMBERS);
}

Test(relay_ledger, what_is_too_large_with_all_around_it)
{
    const struct request request = make_request(RECORD_PAYLOAD_MAX);
    const struct order_run run = {.first = 1};

    relay_run(&relay, &members[1], &run, &request);
    relay_publish(&relay, 1, &run, &request);
    relay_request(&relay, &members[0], &request);
    relay_flush(&relay);
    cr_assert_eq(count(COUNTER_COPIES_MADE), 1 + MEMBERS);
    cr_assert_eq(count(COUNTER_COPIES_DROPPED + DROP_oversize), 1 + MEMBERS);
    cr_assert_eq(count(COUNTER_DROPPED + DROP_oversize), 1);
}
