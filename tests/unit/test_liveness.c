/* Connections between a follower and its leader on loopback: accepted, refused, closed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/liveness.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/net/tcp.h"

/* FOLLOWER connects to LEADER; both are in the list; STRANGER is not. */
enum { FOLLOWER, LEADER, PODS };

static struct config configs[PODS];
static struct identity identities[PODS];
static struct counters counters[PODS];
static struct peer_transport transports[PODS];
static struct liveness lives[PODS];
static struct election_list list;
static uint64_t now_ns;

static struct address address_of(const char *ip)
{
    struct address address;

    cr_assert_eq(address_parse_ip(ip, &address), 0);
    return address;
}

static void open_pod(int i)
{
    transports[i].socket.fd = -1;
    cr_assert_eq(peer_transport_open(&transports[i], &configs[i], &counters[i]), 0);
    peer_transport_set_identity(&transports[i], &identities[i]);
    liveness_open(&lives[i], &configs[i], &transports[i], &list);
}

static void setup(void)
{
    log_init(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    now_ns = clock_now_ns();
    list.count = PODS;
    for (int i = 0; i < PODS; i++) {
        char ip[32];

        (void)snprintf(ip, sizeof(ip), "127.0.79.%d", i + 1);
        configs[i].self = configs[i].bind = address_of(ip);
        configs[i].peer_port = 12002;
        (void)snprintf(configs[i].cluster, sizeof(configs[i].cluster), "test");
        cr_assert_eq(identity_init(&identities[i], &configs[i]), 0);
        list.members[i] = (struct election_member){.instance = identities[i].instance,
                                                   .address = configs[i].self};
        open_pod(i);
    }
}

static void close_pod(int i)
{
    liveness_close(&lives[i]);
    peer_transport_close(&transports[i]);
}

static void teardown(void)
{
    for (int i = 0; i < PODS; i++) {
        if (lives[i].fd >= 0)
            close_pod(i);
    }
}

TestSuite(liveness, .init = setup, .fini = teardown, .timeout = 60);

static uint64_t count(int pod, size_t counter)
{
    return atomic_load_explicit(&counters[pod].value[counter], memory_order_relaxed);
}

static bool has(int pod, int other)
{
    return liveness_has(&lives[pod], identities[other].instance);
}

/* Both threads run until there is nothing to do; the kernel delivers on loopback at once. */
static void run_both(void)
{
    for (int i = 0; i < 20; i++) {
        for (int pod = 0; pod < PODS; pod++)
            (void)liveness_run(&lives[pod], now_ns);
    }
}

static void follow(void)
{
    liveness_follow(&lives[FOLLOWER], identities[LEADER].instance, &configs[LEADER].self);
    run_both();
}

static enum liveness_event take(void)
{
    uint64_t instance;
    enum liveness_event event = liveness_take(&lives[FOLLOWER], &instance);

    if (event != LIVENESS_NOTHING)
        cr_assert_eq(instance, identities[LEADER].instance);
    return event;
}

/* As a program that is no pod; returns a blocking socket with a short time limit. */
static int connect_from(const char *ip)
{
    const struct address from = address_of(ip);
    const struct address to = address_with_port(configs[LEADER].self, 12002);
    struct pollfd ready;
    int fd, rc = tcp_connect(&to, &from, &fd);

    cr_assert(rc == 0 || rc == -EINPROGRESS);
    ready = (struct pollfd){.fd = fd, .events = POLLOUT};
    cr_assert_eq(poll(&ready, 1, 10000), 1);
    return fd;
}

static bool is_closed(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char byte;

    run_both();
    return poll(&ready, 1, 0) == 1 && recv(fd, &byte, 1, MSG_DONTWAIT) <= 0;
}

Test(liveness, both_know_the_other_instance)
{
    follow();
    cr_assert(has(FOLLOWER, LEADER));
    cr_assert(has(LEADER, FOLLOWER));
    cr_assert_eq(take(), LIVENESS_NOTHING);
}

Test(liveness, end_of_the_process_closes_and_then_refuses)
{
    follow();
    close_pod(LEADER); /* as the kernel does */
    (void)liveness_run(&lives[FOLLOWER], now_ns);
    cr_assert_eq(take(), LIVENESS_CLOSED);
    cr_assert_not(has(FOLLOWER, LEADER));
    for (int i = 0; i < 3; i++)
        (void)liveness_run(&lives[FOLLOWER], now_ns);
    cr_assert_eq(take(), LIVENESS_REFUSED);
    for (int i = 0; i < 100; i++)
        (void)liveness_run(&lives[FOLLOWER], now_ns);
    cr_assert_eq(take(), LIVENESS_NOTHING, "later refusals tell nothing");
}

/* A third party has reset the connection. */
Test(liveness, connection_is_open_again_if_the_leader_lives)
{
    follow();
    for (size_t i = 0; i < LIVENESS_ACCEPTED_MAX; i++) {
        if (lives[LEADER].accepted[i].fd >= 0)
            (void)shutdown(lives[LEADER].accepted[i].fd, SHUT_RDWR);
    }
    (void)liveness_run(&lives[FOLLOWER], now_ns);
    cr_assert_eq(take(), LIVENESS_CLOSED);
    run_both();
    cr_assert_eq(take(), LIVENESS_NOTHING);
    cr_assert(has(FOLLOWER, LEADER));
}

Test(liveness, another_leader_closes_it_without_an_event)
{
    follow();
    liveness_follow(&lives[FOLLOWER], 0, &configs[LEADER].self);
    run_both();
    cr_assert_not(has(LEADER, FOLLOWER));
    cr_assert_eq(take(), LIVENESS_NOTHING);
}

Test(liveness, another_instance_at_the_address_is_not_the_leader)
{
    liveness_follow(&lives[FOLLOWER], identities[LEADER].instance + 1, &configs[LEADER].self);
    run_both();
    cr_assert_not(has(FOLLOWER, LEADER));
    cr_assert_not(has(LEADER, FOLLOWER));
    cr_assert_eq(count(LEADER, COUNTER_CONNECTION_UNPROVED), 1);
}

Test(liveness, strangers_are_closed_at_once)
{
    int fds[40];

    for (int i = 0; i < 40; i++) {
        fds[i] = connect_from("127.0.79.9");
        now_ns += NS_PER_SEC; /* accepting is paced */
        cr_assert(is_closed(fds[i]));
    }
    for (int i = 0; i < 40; i++)
        (void)close(fds[i]);
    cr_assert_eq(count(LEADER, COUNTER_CONNECTION_STRANGER), 40);
    follow();
    cr_assert(has(FOLLOWER, LEADER));
}

/* A program at a member's address: one connection without proof at a time, for 5 s. */
Test(liveness, connections_without_proof_are_bounded)
{
    int first = connect_from("127.0.79.1"), second;

    cr_assert_not(is_closed(first));
    second = connect_from("127.0.79.1");
    cr_assert(is_closed(first));
    cr_assert_not(is_closed(second));
    now_ns += 6 * NS_PER_SEC;
    cr_assert(is_closed(second));
    (void)close(first);
    (void)close(second);
    cr_assert_eq(count(LEADER, COUNTER_CONNECTION_UNPROVED), 2);
}

Test(liveness, garbage_closes_it)
{
    static const char garbage[300] = {1, 0};
    int fd = connect_from("127.0.79.1");

    follow();
    cr_assert(send(fd, garbage, sizeof(garbage), MSG_NOSIGNAL) > 0);
    cr_assert(is_closed(fd));
    cr_assert(has(LEADER, FOLLOWER), "the proved connection of this member stays");
    (void)close(fd);
}

Test(liveness, more_bytes_than_the_message_close_it)
{
    follow();
    cr_assert_eq(send(lives[FOLLOWER].own.fd, "x", 1, MSG_NOSIGNAL), 1);
    run_both();
    cr_assert_eq(count(LEADER, COUNTER_CONNECTION_UNPROVED), 1);
}

Test(liveness, port_of_another_program_is_not_fatal)
{
    close_pod(LEADER);
    configs[LEADER].admin_listen = address_with_port(configs[LEADER].self, 12002);
    open_pod(LEADER);
    follow();
    cr_assert_not(has(FOLLOWER, LEADER));
}

Test(liveness, nothing_is_opened_if_no_evidence_is_wanted)
{
    close_pod(LEADER);
    configs[LEADER].failover_on_refused = CONFIG_REFUSED_TIMEOUT;
    open_pod(LEADER);
    cr_assert_eq(lives[LEADER].fd, -1);
    follow();
    cr_assert_not(has(FOLLOWER, LEADER));
}
