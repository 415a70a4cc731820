/*
 * plane_fixture: two pods in one process, without threads: each slice is called by hand, so that a
 * test controls the order of events. Real sockets on loopback; run to completion, whose slices never
 * block. Time passes only while the test runs (running_clock.h). With PLANE_SEALED defined the pods have keys and are authenticated, so that the same tests
 * run on sealed frames.
 */
#ifndef PLANE_FIXTURE_H
#define PLANE_FIXTURE_H

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "data/data_plane_internal.h"
#include "running_clock.h"

enum { A, B, PODS };

#ifdef PLANE_SEALED
#define PLANE_KEYS "/nonexistent" /* only the supervisor reads it */
#else
#define PLANE_KEYS ""
#endif

static struct config configs[PODS];
static struct data_plane *data_planes[PODS];
static struct waker supervisor_wakers[PODS];
static struct udp_socket client;

static struct address ip(const char *text)
{
    struct address address;

    cr_assert_eq(address_parse_ip(text, &address), 0);
    return address;
}

static const char *const pod_ips[PODS] = {"127.0.77.1", "127.0.77.2"};

static __attribute__((unused)) void configure(struct config *config, const char *self)
{
    *config = (struct config){
        .cluster = "test",
        .data_port = 12000,
        .relay_port = 12001,
        .peer_port = 12002,
        .rcvbuf_bytes = 16384, /* releases are paced by a quarter of it: 16 small ones */
        .relay_format = CONFIG_RELAY_FRAMED,
        .relay_mtu = 1400,
        .hold_bytes = 1 << 20,
        .app_target = {.kind = CONFIG_APP_ECHO},
        .app_max_sessions = 16,
        .receivers = 1,
        .batch = 8,
        .gso = 64,
        .gro = true,
        .ring = 64,
    };
    (void)snprintf(config->keys, sizeof(config->keys), "%s", PLANE_KEYS);
    config->keys_mode = CONFIG_KEYS_ENFORCE;
    config->self = config->bind = ip(self);
    (void)snprintf(config->name, sizeof(config->name), "%s", self);
}

/* 0, as of a member that is not known yet: the pod is closed. */
static __attribute__((unused)) uint64_t instance_of(int pod)
{
    return data_planes[pod] ? data_planes[pod]->identity.instance : 0;
}

/* Publishes as the supervisor would. leader: A, B, or PODS for none. */
static __attribute__((unused)) void publish(int pod, int leader, uint64_t term,
                                            uint64_t previous_until_ns)
{
    struct leader_snapshot *snapshot = snapshot_draft(&data_planes[pod]->publisher);

    cr_assert_not_null(snapshot);
    snapshot->leader.previous_term = snapshot->leader.term;
    snapshot->leader.previous_until_ns = previous_until_ns;
    snapshot->leader.term = term;
    snapshot->leader.kind = leader == PODS  ? LEADER_NONE
                            : leader == pod ? LEADER_SELF
                                            : LEADER_MEMBER;
    snapshot->leader.address = leader == PODS ? (struct address){0} : configs[leader].self;
    snapshot->settings.hold_time_ns = 60 * NS_PER_SEC;
    snapshot->settings.accept_control = true;
    snapshot->leader.member_count = PODS;
    for (int i = 0; i < PODS; i++)
        snapshot->leader.members[i] = (struct member){.address = configs[i].self,
                                                      .instance = instance_of(i),
                                                      .is_alive = true,
                                                      .is_authenticated = true,
                                                      .member_index = (uint16_t)(10 + i)};
    snapshot->keys.keyring.count = 1;
    cr_assert(
        key_parse("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &snapshot->keys.keyring.keys[0]));
    snapshot->keys.seal_key = snapshot->keys.keyring.keys[0].id;
    snapshot->keys.seal_suite = SEAL_CHACHA20_POLY1305;
    snapshot->leader.instance = leader == PODS ? 0 : data_planes[leader]->identity.instance;
    snapshot->leader.member_index = leader == PODS ? MEMBER_INDEX_NONE : (uint16_t)(10 + leader);
    snapshot_publish(&data_planes[pod]->publisher, snapshot);
}

static __attribute__((unused)) void setup(void)
{
    struct address any = ip("127.0.0.1");
    const struct udp_options options = {0};

    for (int i = 0; i < PODS; i++) {
        configure(&configs[i], pod_ips[i]);
        cr_assert_eq(waker_init(&supervisor_wakers[i], true), 0);
        cr_assert_eq(data_plane_open(&configs[i], &supervisor_wakers[i], &data_planes[i]), 0);
    }
    cr_assert_eq(udp_open(&any, &options, &client), 0);
}

/* Before any datagram: opens both pods again, with this route and their present configs. */
static __attribute__((unused)) void use_route(enum config_route route)
{
    for (int i = 0; i < PODS; i++) {
        data_plane_close(data_planes[i]);
        configs[i].route = route;
        cr_assert_eq(data_plane_open(&configs[i], &supervisor_wakers[i], &data_planes[i]), 0);
    }
}

static __attribute__((unused)) void publish_both(int leader, uint64_t term)
{
    publish(A, leader, term, 0);
    publish(B, leader, term, 0);
}

/* The distribution has as many values as the counter, and their sum. */
static __attribute__((unused)) void expect_spread(const struct data_plane_numbers *numbers,
                                                  enum distribution_id id, enum counter values,
                                                  enum counter sum)
{
    const struct distribution_sum *is = &numbers->distributions[id];

    cr_expect_eq(distribution_count(is), numbers->counters[values], "%s: %llu values",
                 distribution_table[id].metric, (unsigned long long)distribution_count(is));
    cr_expect_eq(is->sum, numbers->counters[sum], "%s: their sum is %llu",
                 distribution_table[id].metric, (unsigned long long)is->sum);
}

/* Every test ends with both ledgers closed: no datagram is lost without a counter. */
static __attribute__((unused)) void teardown(void)
{
    for (int i = 0; i < PODS; i++) {
        struct data_plane_numbers numbers;
        struct ledger ledger;

        data_plane_read_numbers(data_planes[i], &numbers);
        ledger = counters_ledger(numbers.counters, data_plane_inside(&numbers));
        cr_expect_eq(ledger.requests, 0, "pod %d: %lld requests are not accounted for", i,
                     (long long)ledger.requests);
        cr_expect_eq(ledger.copies, 0, "pod %d: %lld copies are not accounted for", i,
                     (long long)ledger.copies);
        cr_expect_eq(ledger.replies, 0, "pod %d: %lld replies are not accounted for", i,
                     (long long)ledger.replies);
        expect_spread(&numbers, DISTRIBUTION_RECEIVE_BATCH, COUNTER_RECEIVE_CALLS,
                      COUNTER_RECEIVE_DATAGRAMS);
        expect_spread(&numbers, DISTRIBUTION_SEND_GSO_BATCH, COUNTER_SEND_GSO_BATCHES,
                      COUNTER_SEND_DATAGRAMS);
        data_plane_close(data_planes[i]);
        waker_fini(&supervisor_wakers[i]);
    }
    udp_close(&client);
}

/* Slices of one data thread until it has nothing to do. Loopback delivers within the send. */
static __attribute__((unused)) void run_thread(int pod, size_t thread)
{
    struct inline_worker *inline_worker = &data_planes[pod]->inline_workers[thread];

    for (int idle = 0; idle < 2;) {
        inline_worker->ready = ~0U; /* whatever epoll would say */
        idle = inline_worker_agent_ops.do_work(inline_worker) ? 0 : idle + 1;
    }
}

static __attribute__((unused)) void run(int pod)
{
    run_thread(pod, 0);
}

static __attribute__((unused)) void say(int pod, const char *text)
{
    struct address to = address_with_port(configs[pod].self, configs[pod].data_port);
    struct address from = {0};

    cr_assert_eq(udp_send_one(&client, &to, &from, text, strlen(text)), 0);
}

/* The client sends number datagrams of these bytes, "000...", "111...", as one GSO batch. */
static __attribute__((unused)) void say_gso(int pod, size_t number, size_t bytes, size_t last_bytes)
{
    struct address to = address_with_port(configs[pod].self, configs[pod].data_port);
    static uint8_t text[64][1400];
    struct outbox outbox;

    cr_assert_eq(outbox_init(&outbox, &client, 64, 64), 0);
    for (size_t i = 0; i < number; i++) {
        memset(text[i], (int)('0' + i), bytes);
        outbox_add(&outbox, &(struct outbox_message){
                                .to = &to,
                                .parts = {{text[i], i + 1 < number ? bytes : last_bytes}},
                                .part_count = 1});
    }
    cr_assert_eq(outbox.gso_batch_count, 1);
    outbox_flush(&outbox);
    cr_assert_eq(outbox.sends.datagrams, number);
    outbox_fini(&outbox);
}

/* B relays raw; A leads. */
static __attribute__((unused)) void relay_raw_from_b(void)
{
    data_plane_close(data_planes[B]);
    configs[B].relay_format = CONFIG_RELAY_RAW;
    cr_assert_eq(data_plane_open(&configs[B], &supervisor_wakers[B], &data_planes[B]), 0);
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
}

/* The next reply of the client, "" when there is none now. */
static __attribute__((unused)) const char *heard(void)
{
    static char text[2048];
    ssize_t n = recv(client.fd, text, sizeof(text) - 1, MSG_DONTWAIT);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static __attribute__((unused)) uint64_t count(int pod, size_t counter)
{
    struct data_plane_numbers numbers;

    data_plane_read_numbers(data_planes[pod], &numbers);
    return numbers.counters[counter];
}

#define DROPPED(reason) (COUNTER_DROPPED + DROP_##reason)

#endif
