/* Messages between two transports on loopback, and refusals of them. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>

#include "control/peer_transport.h"
#include "headless/base/log.h"

enum { A, B, TRANSPORTS };

static struct config configs[TRANSPORTS];
static struct identity identities[TRANSPORTS];
static struct counters counters[TRANSPORTS];
static struct peer_transport transports[TRANSPORTS];
static struct election_message message;
static struct election_member members[ELECTION_PAGE];
static struct address from;

static void setup(void)
{
    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    for (int i = 0; i < TRANSPORTS; i++) {
        char ip[32];

        (void)snprintf(ip, sizeof(ip), "127.0.78.%d", i + 1);
        cr_assert_eq(address_parse_ip(ip, &configs[i].self), 0);
        configs[i].bind = configs[i].self;
        configs[i].peer_port = 12002;
        (void)snprintf(configs[i].cluster, sizeof(configs[i].cluster), "test");
        cr_assert_eq(identity_init(&identities[i], &configs[i]), 0);
        cr_assert_eq(peer_transport_open(&transports[i], &configs[i], &counters[i]), 0);
        peer_transport_set_identity(&transports[i], &identities[i]);
    }
}

static void teardown(void)
{
    peer_transport_close(&transports[A]);
    peer_transport_close(&transports[B]);
}

TestSuite(transport, .init = setup, .fini = teardown, .timeout = 30);

static uint64_t count(int transport, size_t counter)
{
    return atomic_load_explicit(&counters[transport].value[counter], memory_order_relaxed);
}

static void send_probe(int by, const struct address *to, uint64_t instance)
{
    const struct election_message probe = {.type = ELECTION_PROBE,
                                           .from = identities[by].instance,
                                           .to = instance,
                                           .term = 7,
                                           .stamp_ns = 99};

    peer_transport_send(&transports[by], to, &probe, NULL);
}

Test(transport, a_message_arrives_with_its_sender)
{
    send_probe(A, &configs[B].self, identities[B].instance);
    cr_assert_eq(peer_transport_receive(&transports[B], &message, members, &from),
                 PEER_TRANSPORT_MESSAGE);
    cr_assert_eq(message.type, ELECTION_PROBE);
    cr_assert_eq(message.from, identities[A].instance);
    cr_assert_eq(message.term, 7);
    cr_assert(address_equal_ip(&from, &configs[A].self));
    cr_assert_eq(from.port, 12002);
    cr_assert_eq(peer_transport_receive(&transports[B], &message, members, &from),
                 PEER_TRANSPORT_EMPTY);
    cr_assert_eq(count(A, COUNTER_PEER_SENT), 1);
    cr_assert_eq(count(B, COUNTER_PEER_RECEIVED), 1);
}

/* Messages carry no zone; without one the kernel sends to no link-local address. */
Test(transport, link_local_members_get_the_zone_of_self)
{
    struct election_message page = {.type = ELECTION_HELLO,
                                    .from = identities[A].instance,
                                    .to = identities[B].instance,
                                    .leader = 5,
                                    .member_count = 1};
    struct election_member sender = {.instance = identities[A].instance};
    const struct address to = configs[B].self;

    cr_assert_eq(address_parse_ip("fe80::1%7", &sender.address), 0);
    cr_assert_eq(address_parse_ip("fe80::9%7", &page.leader_address), 0);
    cr_assert_eq(address_parse_ip("fe80::2%5", &configs[B].self), 0);
    peer_transport_send(&transports[A], &to, &page, &sender);
    cr_assert_eq(peer_transport_receive(&transports[B], &message, members, &from),
                 PEER_TRANSPORT_MESSAGE);
    cr_expect(address_equal_ip(&members[0].address, &sender.address));
    cr_expect_eq(members[0].address.scope, 5);
    cr_expect_eq(message.leader_address.scope, 5);
    cr_assert_eq(address_parse_ip("fd00::1", &sender.address), 0);
    peer_transport_send(&transports[A], &to, &page, &sender);
    cr_assert_eq(peer_transport_receive(&transports[B], &message, members, &from),
                 PEER_TRANSPORT_MESSAGE);
    cr_expect(address_equal(&members[0].address, &sender.address));
}

Test(transport, a_malformed_message_is_counted)
{
    const struct address to = address_with_port(configs[B].self, 12002);
    static const char longer[1000];

    cr_assert_eq(udp_send_one(&transports[A].socket, &to, &from, "", 0), 0);
    cr_assert_eq(udp_send_one(&transports[A].socket, &to, &from, "hello", 5), 0);
    cr_assert_eq(udp_send_one(&transports[A].socket, &to, &from, longer, sizeof(longer)), 0);
    transports[A].cluster ^= 1;
    send_probe(A, &configs[B].self, 0);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(peer_transport_receive(&transports[B], &message, members, &from),
                     PEER_TRANSPORT_DROPPED);
    cr_assert_eq(peer_transport_receive(&transports[B], &message, members, &from),
                 PEER_TRANSPORT_EMPTY);
    cr_assert_eq(count(B, COUNTER_PEER_MALFORMED), 3);
    cr_assert_eq(count(B, COUNTER_PEER_CLUSTER), 1);
    cr_assert_eq(count(B, COUNTER_PEER_RECEIVED), 0);
}

static void wait_for_refusal(void)
{
    struct pollfd fd = {.fd = transports[A].socket.fd};

    cr_assert_eq(poll(&fd, 1, 20000), 1, "no refusal arrives");
}

Test(transport, a_refusal_names_the_instance_that_the_message_was_for)
{
    uint64_t instance;

    peer_transport_close(&transports[B]);
    cr_assert_not(peer_transport_take_refusal(&transports[A], &instance));
    send_probe(A, &configs[B].self, identities[B].instance);
    wait_for_refusal();
    cr_assert(peer_transport_take_refusal(&transports[A], &instance));
    cr_assert_eq(instance, identities[B].instance);
    cr_assert_not(peer_transport_take_refusal(&transports[A], &instance));
}

/* The sender of a forged ICMP message does not know the key of our tokens. */
Test(transport, a_refusal_without_our_token_names_no_instance)
{
    uint64_t instance = 77;

    peer_transport_close(&transports[B]);
    send_probe(A, &configs[B].self, identities[B].instance);
    wait_for_refusal();
    transports[A].token_key[0] ^= 1;
    cr_assert(peer_transport_take_refusal(&transports[A], &instance));
    cr_assert_eq(instance, 0);
}

Test(transport, refusals_of_a_dead_host_do_not_delay_other_messages)
{
    const struct address live = configs[A].self; /* this pod itself */

    peer_transport_close(&transports[B]);
    for (int i = 0; i < 20; i++) {
        send_probe(A, &configs[B].self, 1); /* each is refused, and reported by the next send */
        send_probe(A, &live, 2);
    }
    for (int i = 0; i < 20; i++) {
        enum peer_transport_result result;

        do
            result = peer_transport_receive(&transports[A], &message, members, &from);
        while (result == PEER_TRANSPORT_DROPPED); /* the pending error */
        cr_assert_eq(result, PEER_TRANSPORT_MESSAGE, "message %d is lost", i);
    }
}

Test(transport, a_second_transport_at_the_address_fails)
{
    static struct peer_transport second;

    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    cr_assert_eq(peer_transport_open(&second, &configs[A], &counters[A]), -EADDRINUSE);
}
