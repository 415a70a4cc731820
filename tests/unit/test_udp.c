/* UDP sockets: the error queue, and udp_refuse_new. */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "headless/net/udp.h"

TestSuite(udp, .timeout = 30);

static const struct address nowhere;

static struct address at(const char *text)
{
    struct address address;

    cr_assert_eq(address_parse(text, 0, &address), 0);
    return address;
}

static struct udp_socket open_at(const char *text, bool keeps_errors)
{
    const struct udp_options options = {.error_queue = keeps_errors};
    const struct address address = at(text);
    struct udp_socket socket;

    cr_assert_eq(udp_open(&address, &options, &socket), 0);
    return socket;
}

static struct udp_socket connect_to(const struct address *to)
{
    struct udp_socket socket;

    cr_assert_eq(udp_open_connected(to, &nowhere, 0, &socket), 0);
    return socket;
}

/* Also returns for an error. */
static void wait_for(const struct udp_socket *socket, short events)
{
    struct pollfd fd = {.fd = socket->fd, .events = events};

    cr_assert_eq(poll(&fd, 1, 5000), 1, "nothing comes");
}

static void refuses_new(const char *bind, const char *reach)
{
    struct udp_socket server = open_at(bind, false);
    const struct address there = address_with_port(at(reach), server.local.port);
    struct udp_socket before = connect_to(&there), after = connect_to(&there);
    struct sockaddr_storage sa;
    socklen_t length = sizeof(sa);
    struct address client;
    char text[16];

    cr_assert_eq(send(before.fd, "before", 6, 0), 6);
    udp_refuse_new(&server);
    cr_assert_eq(send(after.fd, "after", 5, 0), 5);
    wait_for(&after, POLLERR);
    cr_assert_eq(recv(after.fd, text, sizeof(text), MSG_DONTWAIT), -1);
    cr_assert_eq(errno, ECONNREFUSED, "%s: the client gets an ICMP error", bind);
    cr_assert_eq(
        recvfrom(server.fd, text, sizeof(text), MSG_DONTWAIT, (struct sockaddr *)&sa, &length), 6,
        "%s: what had come", bind);
    address_from_sockaddr((struct sockaddr *)&sa, &client);
    /* replies still leave, from the address of the request */
    cr_assert_eq(udp_send_one(&server, &client, &there, "answer", 6), 0, "%s", bind);
    wait_for(&before, POLLIN);
    cr_assert_eq(recv(before.fd, text, sizeof(text), MSG_DONTWAIT), 6, "%s", bind);
    udp_close(&server);
    udp_close(&before);
    udp_close(&after);
}

Test(udp, refuse_new_refuses_new_datagrams_and_keeps_old_ones)
{
    refuses_new("127.0.79.1:0", "127.0.79.1");
    refuses_new("[::]:0", "127.0.79.1");
    refuses_new("[::]:0", "::1");
    refuses_new("[::1]:0", "::1");
}

static void expect_reply(const struct udp_socket *client, const char *what)
{
    char text[16];

    wait_for(client, POLLIN);
    cr_assert_eq(recv(client->fd, text, sizeof(text), MSG_DONTWAIT), 6, "%s", what);
}

/* bind: with a port, which a socket that is disconnected keeps only if it was given. */
static void accepts_again(const char *bind, const char *reach)
{
    struct udp_socket server = open_at(bind, false);
    const struct address there = address_with_port(at(reach), server.local.port);
    struct udp_socket client = connect_to(&there);
    struct sockaddr_storage sa;
    socklen_t length;
    struct address from;
    char text[16];

    for (unsigned i = 0; i < 3; i++) {
        udp_refuse_new(&server);
        cr_assert_eq(send(client.fd, "lost", 4, 0), 4);
        wait_for(&client, POLLERR);
        cr_assert(udp_has_error(client.fd), "%s", bind);
        cr_assert_eq(udp_accept_new(&server), 0, "%s", bind);
        length = sizeof(sa);
        cr_assert_eq(getsockname(server.fd, (struct sockaddr *)&sa, &length), 0);
        address_from_sockaddr((struct sockaddr *)&sa, &from);
        cr_assert(address_equal(&from, &server.local), "%s: port and address stay", bind);
        cr_assert_eq(send(client.fd, "heard", 5, 0), 5);
        wait_for(&server, POLLIN);
        length = sizeof(sa);
        cr_assert_eq(
            recvfrom(server.fd, text, sizeof(text), MSG_DONTWAIT, (struct sockaddr *)&sa, &length),
            5, "%s", bind);
        address_from_sockaddr((struct sockaddr *)&sa, &from);
        cr_assert_eq(udp_send_one(&server, &from, &there, "answer", 6), 0, "%s", bind);
        expect_reply(&client, bind);
    }
    udp_close(&server);
    udp_close(&client);
}

Test(udp, accept_new_undoes_refuse_new)
{
    accepts_again("127.0.79.5:7901", "127.0.79.5");
    accepts_again("[::]:7902", "127.0.79.5");
    accepts_again("[::]:7903", "::1");
    accepts_again("[::1]:7904", "::1");
}

static void gives_back(const char *bind, const char *closed)
{
    struct udp_socket sender = open_at(bind, true), gone = open_at(closed, false);
    const struct address to = gone.local;
    struct udp_failure failure;
    char text[300];

    memset(text, 'x', sizeof(text));
    memcpy(text, "quoted", 6);
    udp_close(&gone);
    cr_assert_not(udp_take_error(sender.fd, &failure));
    cr_assert_eq(udp_send_one(&sender, &to, &nowhere, text, sizeof(text)), 0);
    wait_for(&sender, 0);
    cr_assert(udp_take_error(sender.fd, &failure));
    cr_assert_eq(failure.error, ECONNREFUSED);
    cr_assert(failure.is_remote);
    cr_assert_eq(failure.length, UDP_QUOTED_MAX, "%zu", failure.length);
    cr_assert_eq(memcmp(failure.quoted, "quoted", 6), 0);
    cr_assert_not(udp_take_error(sender.fd, &failure));
    udp_close(&sender);
}

Test(udp, error_queue_quotes_the_refused_datagram)
{
    gives_back("127.0.79.2:0", "127.0.79.3:0");
    gives_back("[::]:0", "127.0.79.3:0");
    gives_back("[::1]:0", "[::1]:0");
}

/* 20 datagrams in one GSO batch, as one message of a socket with UDP_GRO. */
static void send_batch(const struct udp_socket *socket)
{
    _Alignas(struct cmsghdr) char space[CMSG_SPACE(sizeof(uint16_t))] = "";
    char text[20 * 1000] = "";
    struct iovec whole = {.iov_base = text, .iov_len = sizeof(text)};
    struct msghdr message = {
        .msg_iov = &whole, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof(space)};
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&message);
    const uint16_t size = 1000;

    cmsg->cmsg_level = IPPROTO_UDP;
    cmsg->cmsg_type = UDP_SEGMENT;
    cmsg->cmsg_len = CMSG_LEN(sizeof(size));
    memcpy(CMSG_DATA(cmsg), &size, sizeof(size));
    cr_assert_eq(sendmsg(socket->fd, &message, 0), (ssize_t)sizeof(text));
}

/* Therefore socket_drops_total is less than the datagrams lost: its help says so (samples.c). */
Test(udp, kernel_counts_a_dropped_batch_as_one)
{
    const struct udp_options options = {.merged = true, .rcvbuf_bytes = 4096};
    const struct address local = at("127.0.0.1");
    struct udp_socket server, sender;

    cr_assert_eq(udp_open(&local, &options, &server), 0);
    sender = connect_to(&server.local);
    for (int i = 0; i < 5; i++)
        send_batch(&sender);
    cr_assert_leq(udp_kernel_drops(server.fd), 5, "of 100 datagrams");
    cr_assert_geq(udp_kernel_drops(server.fd), 4, "at most one fits");
    udp_close(&sender);
    udp_close(&server);
}

Test(udp, is_here_knows_local_addresses)
{
    static const struct {
        const char *ip;
        bool is_here;
    } rows[] = {{"127.0.79.4", true}, {"::1", true}, {"192.0.2.1", false}, {"2001:db8::1", false}};
    struct address ip;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        cr_assert_eq(address_parse_ip(rows[i].ip, &ip), 0);
        cr_assert_eq(udp_is_here(&ip), rows[i].is_here, "%s", rows[i].ip);
    }
}
