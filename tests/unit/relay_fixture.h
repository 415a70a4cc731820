/* relay_fixture: one relay without a worker, its counters, and requests for it. */
#ifndef RELAY_FIXTURE_H
#define RELAY_FIXTURE_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "data/relay/relay.h"

static struct config config = {.cluster = "blue", .relay_mtu = 1400, .batch = 8, .gso = 8};
static struct identity identity;
static struct counters counters;
static struct traffic traffic;
static struct relay relay;

/* Call it before open_relay: frames are sealed once there is a key. */
static void have_keys(void)
{
    (void)snprintf(config.keys, sizeof(config.keys), "/nonexistent");
    config.keys_mode = CONFIG_KEYS_ENFORCE;
}

static void open_relay(void)
{
    cr_assert_eq(address_parse_ip("127.0.0.1", &config.self), 0);
    cr_assert_eq(identity_init(&identity, &config), 0);
    cr_assert_eq(relay_init(&relay, &config, &identity, 0, &counters, &traffic), 0);
}

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

#endif
