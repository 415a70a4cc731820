/* Messages between two couriers on loopback, and refusals of them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "headless/base/log.h"
#include "headless/control/courier.h"

enum { A, B, COURIERS };

static struct config configs[COURIERS];
static struct identity identities[COURIERS];
static struct counters counters[COURIERS];
static struct courier couriers[COURIERS];
static struct election_message message;
static struct election_member members[ELECTION_PAGE];
static struct address from;

static void setup(void)
{
    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    for (int i = 0; i < COURIERS; i++) {
        char ip[32];

        (void)snprintf(ip, sizeof(ip), "127.0.78.%d", i + 1);
        cr_assert_eq(address_parse_ip(ip, &configs[i].self), 0);
        configs[i].bind = configs[i].self;
        configs[i].peer_port = 12002;
        (void)snprintf(configs[i].cluster, sizeof(configs[i].cluster), "test");
        cr_assert_eq(identity_init(&identities[i], &configs[i]), 0);
        cr_assert_eq(courier_open(&couriers[i], &configs[i], &counters[i]), 0);
        courier_introduce(&couriers[i], &identities[i]);
    }
}

static void teardown(void)
{
    courier_close(&couriers[A]);
    courier_close(&couriers[B]);
}

TestSuite(courier, .init = setup, .fini = teardown, .timeout = 30);

static uint64_t count(int courier, size_t counter)
{
    return atomic_load_explicit(&counters[courier].value[counter], memory_order_relaxed);
}

static void send_probe(int by, const struct address *to, uint64_t instance)
{
    const struct election_message probe = {.type = ELECTION_PROBE,
                                           .from = identities[by].instance,
                                           .to = instance,
                                           .term = 7,
                                           .stamp_ns = 99};

    courier_send(&couriers[by], to, &probe, NULL);
}

Test(courier, a_message_arrives_with_its_sender)
{
    send_probe(A, &configs[B].self, identities[B].instance);
    cr_assert_eq(courier_receive(&couriers[B], &message, members, &from), COURIER_MESSAGE);
    cr_assert_eq(message.type, ELECTION_PROBE);
    cr_assert_eq(message.from, identities[A].instance);
    cr_assert_eq(message.term, 7);
    cr_assert(address_equal_ip(&from, &configs[A].self));
    cr_assert_eq(from.port, 12002);
    cr_assert_eq(courier_receive(&couriers[B], &message, members, &from), COURIER_EMPTY);
    cr_assert_eq(count(A, COUNTER_PEER_SENT), 1);
    cr_assert_eq(count(B, COUNTER_PEER_RECEIVED), 1);
}

Test(courier, what_is_no_message_is_counted)
{
    const struct address to = address_with_port(configs[B].self, 12002);
    static const char longer[1000];

    cr_assert_eq(udp_send_one(&couriers[A].socket, &to, &from, "", 0), 0);
    cr_assert_eq(udp_send_one(&couriers[A].socket, &to, &from, "hello", 5), 0);
    cr_assert_eq(udp_send_one(&couriers[A].socket, &to, &from, longer, sizeof(longer)), 0);
    couriers[A].cluster ^= 1;
    send_probe(A, &configs[B].self, 0);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(courier_receive(&couriers[B], &message, members, &from), COURIER_DROPPED);
    cr_assert_eq(courier_receive(&couriers[B], &message, members, &from), COURIER_EMPTY);
    cr_assert_eq(count(B, COUNTER_PEER_MALFORMED), 3);
    cr_assert_eq(count(B, COUNTER_PEER_CLUSTER), 1);
    cr_assert_eq(count(B, COUNTER_PEER_RECEIVED), 0);
}

static void wait_for_refusal(void)
{
    struct pollfd fd = {.fd = couriers[A].socket.fd};

    cr_assert_eq(poll(&fd, 1, 20000), 1, "no refusal comes");
}

Test(courier, a_refusal_names_whom_the_message_was_for)
{
    uint64_t instance;

    courier_close(&couriers[B]);
    cr_assert_not(courier_take_refusal(&couriers[A], &instance));
    send_probe(A, &configs[B].self, identities[B].instance);
    wait_for_refusal();
    cr_assert(courier_take_refusal(&couriers[A], &instance));
    cr_assert_eq(instance, identities[B].instance);
    cr_assert_not(courier_take_refusal(&couriers[A], &instance));
}

/* Whoever forges one does not know the key of our tokens. */
Test(courier, a_refusal_without_our_token_names_nobody)
{
    uint64_t instance = 77;

    courier_close(&couriers[B]);
    send_probe(A, &configs[B].self, identities[B].instance);
    wait_for_refusal();
    couriers[A].token_key[0] ^= 1;
    cr_assert(courier_take_refusal(&couriers[A], &instance));
    cr_assert_eq(instance, 0);
}

Test(courier, a_dead_host_does_not_keep_messages_from_the_living)
{
    const struct address living = configs[A].self; /* ourselves */

    courier_close(&couriers[B]);
    for (int i = 0; i < 20; i++) {
        send_probe(A, &configs[B].self, 1); /* each is refused, and reported by the next send */
        send_probe(A, &living, 2);
    }
    for (int i = 0; i < 20; i++) {
        enum courier_result result;

        do
            result = courier_receive(&couriers[A], &message, members, &from);
        while (result == COURIER_DROPPED); /* the pending error */
        cr_assert_eq(result, COURIER_MESSAGE, "message %d is lost", i);
    }
}

Test(courier, a_second_one_at_the_address_fails)
{
    static struct courier second;

    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    cr_assert_eq(courier_open(&second, &configs[A], &counters[A]), -EADDRINUSE);
}
