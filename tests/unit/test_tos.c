/* The TOS byte (IPv4) and traffic class (IPv6) of real sockets: of each family, and of both. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "headless/net/batch.h"

static const struct udp_options reporting = {.tos = true, .local_address = true};
static const struct udp_options plain = {0};

static struct address address_of(const char *text)
{
    struct address address;

    cr_assert_eq(address_parse(text, 0, &address), 0, "%s", text);
    return address;
}

static struct udp_socket open_at(const char *text, const struct udp_options *options)
{
    struct address at = address_of(text);
    struct udp_socket socket;

    cr_assert_eq(udp_open(&at, options, &socket), 0, "%s", text);
    return socket;
}

static void send_with(const struct udp_socket *socket, const struct address *to,
                      const struct address *from, uint8_t tos)
{
    uint8_t bytes[10] = "0123456789";
    struct outbox outbox;

    cr_assert_eq(outbox_init(&outbox, socket, 8, 64), 0);
    for (size_t i = 0; i < 2; i++) /* one GSO batch */
        outbox_add(&outbox, &(struct outbox_message){.to = to,
                                                     .from = from,
                                                     .parts = {{bytes, sizeof(bytes)}},
                                                     .part_count = 1,
                                                     .weight = 1,
                                                     .tos = tos});
    outbox_flush(&outbox);
    cr_assert_eq(outbox.tally[0].sent, 2);
    cr_assert_eq(outbox.sends.gso_batches, 1);
    outbox_fini(&outbox);
}

/* The next message; the socket blocks until it is there. */
static struct inbox_message receive(const struct udp_socket *socket)
{
    struct inbox_message message;
    struct inbox inbox;
    uint8_t bytes[100];

    cr_assert_eq(inbox_init(&inbox, 1), 0);
    inbox_arm(&inbox, 0, bytes, sizeof(bytes), NULL, 0);
    cr_assert_eq(inbox_receive(&inbox, socket->fd, 1, 0), 1);
    inbox_read(&inbox, 0, &message);
    inbox_fini(&inbox);
    return message;
}

static void expect_tos(const struct udp_socket *socket, uint8_t tos)
{
    for (size_t i = 0; i < 2; i++)
        cr_expect_eq(receive(socket).tos, tos);
}

/* A client at `from` and a server bound to `at`: both ways, all 256 values. */
static void exchange(const char *at, const char *asked, const char *from)
{
    struct udp_socket server = open_at(at, &reporting), client = open_at(from, &reporting);
    struct address to = address_with_port(address_of(asked), server.local.port);
    struct inbox_message message;

    for (unsigned tos = 0; tos < 256; tos++) {
        send_with(&client, &to, NULL, (uint8_t)tos);
        message = receive(&server);
        cr_assert_eq(message.tos, tos, "%s to %s", from, asked);
        cr_assert(address_equal_ip(&message.local, &to));
        (void)receive(&server);
        send_with(&server, &message.peer, &message.local, (uint8_t)(255 - tos));
        expect_tos(&client, (uint8_t)(255 - tos));
    }
    udp_close(&server);
    udp_close(&client);
}

Test(tos, ipv4, .timeout = 30)
{
    exchange("127.0.0.1:0", "127.0.0.1:0", "127.0.0.1:0");
}

Test(tos, ipv6, .timeout = 30)
{
    exchange("[::1]:0", "[::1]:0", "[::1]:0");
}

/* The kernel reports and takes the TOS byte of IPv4 datagrams by IP_TOS, also on an IPv6 socket. */
Test(tos, dual_stack_socket_and_ipv4_client, .timeout = 30)
{
    exchange("[::]:0", "127.0.0.1:0", "127.0.0.1:0");
}

Test(tos, dual_stack_socket_and_ipv6_client, .timeout = 30)
{
    exchange("[::]:0", "[::1]:0", "[::1]:0");
}

static void exchange_connected(const char *at)
{
    struct udp_socket server = open_at(at, &reporting), client;
    const struct address any = {0};
    struct inbox_message message;

    cr_assert_eq(udp_open_connected(&server.local, &any, 0, &client), 0);
    send_with(&client, NULL, NULL, 0xb9);
    message = receive(&server);
    cr_assert_eq(message.tos, 0xb9);
    send_with(&server, &message.peer, NULL, 0x2e);
    expect_tos(&client, 0); /* as read */
    cr_assert_eq(udp_report_tos(&client), 0);
    send_with(&server, &message.peer, NULL, 0x2e);
    expect_tos(&client, 0x2e);
    udp_close(&server);
    udp_close(&client);
}

Test(tos, connected_sockets, .timeout = 30)
{
    exchange_connected("127.0.0.1:0");
    exchange_connected("[::1]:0");
}

/* The kernel puts PKTINFO and TOS byte in front of the error: the buffer has room for all. */
static void refuse(const char *at, const char *from)
{
    const struct udp_options options = {.tos = true, .local_address = true, .error_queue = true};
    struct udp_socket sender = open_at(from, &options), gone = open_at(at, &plain);
    const struct address to = gone.local, any = {0};
    struct udp_failure failure;

    udp_close(&gone);
    cr_assert_eq(udp_send_one(&sender, &to, &any, "refused", 7), 0);
    cr_assert(udp_take_error(sender.fd, &failure), "%s", from);
    cr_assert_eq(failure.error, ECONNREFUSED);
    cr_assert(failure.is_remote);
    cr_assert_eq(failure.length, 7);
    udp_close(&sender);
}

Test(tos, error_queue_of_a_reporting_socket, .timeout = 30)
{
    refuse("127.0.0.1:0", "127.0.0.1:0");
    refuse("[::1]:0", "[::1]:0");
    refuse("127.0.0.1:0", "[::]:0");
}
