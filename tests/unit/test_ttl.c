/* The TTL (IPv4) and hop limit (IPv6) of real sockets: of each family, and of both. */
#include <criterion/criterion.h>
#include <sys/socket.h>

#include "headless/net/batch.h"

TestSuite(ttl, .timeout = 30);

/* All that is reported with a datagram, or sent with it, at once. */
static const struct udp_options reporting = {
    .ttl = true, .tos = true, .local_address = true, .merged = true};
static const struct udp_options plain = {0};

static struct udp_socket open_at(const char *text, const struct udp_options *options)
{
    struct udp_socket socket;
    struct address at;

    cr_assert_eq(address_parse(text, 0, &at), 0, "%s", text);
    cr_assert_eq(udp_open(&at, options, &socket), 0, "%s", text);
    return socket;
}

/* Two datagrams, as one GSO batch. */
static void send_with(const struct udp_socket *socket, const struct address *to, uint8_t ttl)
{
    uint8_t bytes[10] = "0123456789";
    struct outbox outbox;

    cr_assert_eq(outbox_init(&outbox, socket, 8, 64), 0);
    for (size_t i = 0; i < 2; i++)
        outbox_add(&outbox, &(struct outbox_message){.to = to,
                                                     .parts = {{bytes, sizeof(bytes)}},
                                                     .part_count = 1,
                                                     .weight = 1,
                                                     .tos = 0xb9,
                                                     .ttl = ttl});
    outbox_flush(&outbox);
    cr_assert_eq(outbox.tally[0].sent, 2);
    cr_assert_eq(outbox.sends.gso_batches, 1);
    outbox_fini(&outbox);
}

static void expect_ttl(const struct udp_socket *server, uint8_t ttl)
{
    struct inbox_message message;
    size_t datagrams = 0;
    struct inbox inbox;
    uint8_t bytes[100];

    cr_assert_eq(inbox_init(&inbox, 1), 0);
    while (datagrams < 2) {
        inbox_arm(&inbox, 0, bytes, sizeof(bytes), NULL, 0);
        cr_assert_eq(inbox_receive(&inbox, server->fd, 1, 0), 1);
        inbox_read(&inbox, 0, &message);
        cr_expect_eq(message.ttl, ttl);
        cr_expect_eq(message.tos, 0xb9);
        cr_expect(address_is_set(&message.local));
        datagrams += message.segment ? 2 : 1;
    }
    inbox_fini(&inbox);
}

/* A client at `from` and a server bound to `at`. */
static void exchange(const char *at, const char *from)
{
    struct udp_socket server = open_at(at, &reporting), client = open_at(from, &plain);
    const struct address to = address_with_port(client.local, server.local.port);

    for (unsigned ttl = 1; ttl < 256; ttl++) {
        send_with(&client, &to, (uint8_t)ttl);
        expect_ttl(&server, (uint8_t)ttl);
    }
    cr_assert_eq(udp_set_ttl(&client, 48), 0);
    send_with(&client, &to, 0);
    expect_ttl(&server, 48);
    udp_close(&server);
    udp_close(&client);
}

Test(ttl, ipv4)
{
    exchange("127.0.0.1:0", "127.0.0.1:0");
}

Test(ttl, ipv6)
{
    exchange("[::1]:0", "[::1]:0");
}

/* The kernel reports the TTL of IPv4 datagrams by IP_TTL, also on an IPv6 socket. */
Test(ttl, dual_stack_socket)
{
    exchange("[::]:0", "127.0.0.1:0");
    exchange("[::]:0", "[::1]:0");
}

Test(ttl, time_exceeded_is_no_verdict_on_the_destination)
{
    cr_assert(udp_is_verdict(&(struct udp_failure){.is_remote = true}));
    cr_assert_not(udp_is_verdict(&(struct udp_failure){.is_remote = true, .is_expired = true}));
    cr_assert_not(udp_is_verdict(&(struct udp_failure){.is_remote = false}));
}
