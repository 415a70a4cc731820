/*
 * plane: two pods in one process, without threads: each slice is called by hand, so every order of
 * events can be made on purpose. Real sockets on loopback; run to completion, whose slices never
 * block.
 */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

#include "headless/data/plane.h"

enum { A, B, PODS };

static struct config configs[PODS];
static struct plane planes[PODS];
static struct waker supervisor_wakers[PODS];
static struct udp_socket client;

static struct address ip(const char *text)
{
    struct address address;

    cr_assert_eq(address_parse_ip(text, &address), 0);
    return address;
}

/* Linked with --wrap: what our own code allocates. */
static size_t allocations;

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);

void *__wrap_malloc(size_t bytes)
{
    allocations++;
    return __real_malloc(bytes);
}

void *__wrap_calloc(size_t count, size_t bytes)
{
    allocations++;
    return __real_calloc(count, bytes);
}

void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    allocations++;
    return __real_aligned_alloc(alignment, bytes);
}

static const char *const pod_ips[PODS] = {"127.0.77.1", "127.0.77.2"};

static void configure(struct config *config, const char *self)
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
        .ring = 64,
    };
    config->self = config->bind = ip(self);
    (void)snprintf(config->name, sizeof(config->name), "%s", self);
}

/* What the supervisor would publish: who leads, in which term. leader: A, B, or PODS for nobody. */
static void publish(int pod, int leader, uint64_t term, uint64_t previous_until_ns)
{
    struct view *view = view_draft(&planes[pod].board);

    cr_assert_not_null(view);
    view->previous_term = view->term;
    view->previous_until_ns = previous_until_ns;
    view->term = term;
    view->kind = leader == PODS  ? VIEW_LEADER_NONE
                 : leader == pod ? VIEW_LEADER_SELF
                                 : VIEW_LEADER_MEMBER;
    view->leader = leader == PODS ? (struct address){0} : configs[leader].self;
    view->hold_time_ns = 60 * NS_PER_SEC;
    view->accept_control = true;
    view->member_count = PODS;
    for (int i = 0; i < PODS; i++)
        view->members[i] = (struct member){.address = configs[i].self};
    view_publish(&planes[pod].board, view);
}

static void setup(void)
{
    struct address any = ip("127.0.0.1");
    const struct udp_options options = {0};

    for (int i = 0; i < PODS; i++) {
        configure(&configs[i], pod_ips[i]);
        cr_assert_eq(waker_init(&supervisor_wakers[i], true), 0);
        cr_assert_eq(plane_open(&planes[i], &configs[i], &supervisor_wakers[i]), 0);
    }
    cr_assert_eq(udp_open(&any, &options, &client), 0);
}

/* Every test ends with both ledgers closed: nothing is lost silently. */
static void teardown(void)
{
    for (int i = 0; i < PODS; i++) {
        struct plane_numbers numbers;
        struct ledger ledger;

        plane_read_numbers(&planes[i], &numbers);
        ledger = counters_ledger(numbers.counters, numbers.held, numbers.queued);
        cr_expect_eq(ledger.requests, 0, "pod %d: %lld requests are not accounted for", i,
                     (long long)ledger.requests);
        cr_expect_eq(ledger.answers, 0, "pod %d: %lld answers are not accounted for", i,
                     (long long)ledger.answers);
        plane_close(&planes[i]);
        waker_fini(&supervisor_wakers[i]);
    }
    udp_close(&client);
}

TestSuite(plane, .init = setup, .fini = teardown, .timeout = 30);

/* Slices of one pod until it has nothing to do. Loopback delivers within the send. */
static void run(int pod)
{
    for (int idle = 0; idle < 2;) {
        planes[pod].completions[0].ready = 7;
        idle = completion_agent_ops.do_work(&planes[pod].completions[0]) ? 0 : idle + 1;
    }
}

static void say(int pod, const char *text)
{
    struct address to = address_with_port(configs[pod].self, configs[pod].data_port);
    struct address from = {0};

    cr_assert_eq(udp_send_one(&client, &to, &from, text, strlen(text)), 0);
}

/* The next answer that the client has, "" when there is none now. */
static const char *heard(void)
{
    static char text[2048];
    ssize_t n = recv(client.fd, text, sizeof(text) - 1, MSG_DONTWAIT);

    text[n > 0 ? n : 0] = '\0';
    return text;
}

static uint64_t count(int pod, size_t counter)
{
    struct plane_numbers numbers;

    plane_read_numbers(&planes[pod], &numbers);
    return numbers.counters[counter];
}

#define DROPPED(reason) (COUNTER_DROPPED + DROP_##reason)

Test(plane, the_leader_answers_its_own_client)
{
    publish(A, A, 1, 0);
    say(A, "hello");
    run(A);
    cr_assert_str_eq(heard(), "hello");
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
}

Test(plane, a_follower_carries_there_and_back)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    say(B, "hello");
    run(B);
    cr_assert_eq(count(B, COUNTER_RELAYED), 1);
    run(A);
    cr_assert_eq(count(A, COUNTER_REPLIES_RELAYED), 1);
    cr_assert_str_eq(heard(), "", "only the ingress pod may answer");
    run(B);
    cr_assert_str_eq(heard(), "hello");
    cr_assert_eq(count(B, COUNTER_DELIVERED), 0);
}

Test(plane, a_batch_to_one_destination_is_one_frame)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    for (int i = 0; i < 8; i++)
        say(B, "hello");
    run(B);
    cr_assert_eq(count(B, COUNTER_RELAYED), 8);
    cr_assert_eq(count(B, COUNTER_FRAMES_SENT), 1);
    run(A);
    run(B);
}

Test(plane, what_is_held_comes_out_in_order_and_before_what_is_new)
{
    struct hold *hold = &planes[A].workers[0].hold;
    char text[8];

    publish(A, PODS, 1, 0);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        say(A, text);
        run(A);
    }
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(hold_count(hold), 40);
    publish(A, A, 2, 0);
    run(A);
    cr_assert_eq(hold_count(hold), 24, "a new leader is not flooded");
    say(A, "new");
    run(A);
    while (!hold_is_empty(hold)) /* the next portion is due in 2 ms; the test has a time limit */
        run(A);
    for (int i = 0; i < 40; i++) {
        (void)snprintf(text, sizeof(text), "%d", i);
        cr_assert_str_eq(heard(), text);
    }
    cr_assert_str_eq(heard(), "new");
}

Test(plane, two_pods_that_believe_in_each_other_do_not_circulate)
{
    publish(A, B, 1, 0);
    publish(B, A, 1, 0);
    say(A, "ping");
    for (int i = 0; i < 5; i++) {
        run(A);
        run(B);
    }
    cr_assert_eq(count(A, COUNTER_RELAYED), 1);
    cr_assert_eq(count(B, DROPPED(hops)), 1);
    cr_assert_eq(count(B, COUNTER_RELAYED), 0);
}

Test(plane, the_second_hop_goes_only_towards_a_higher_term)
{
    publish(A, B, 1, 0); /* A has not heard of the change */
    publish(B, A, 2, 0); /* B knows that A leads in term 2 */
    say(A, "ping");
    run(A);
    run(B);
    cr_assert_eq(count(B, COUNTER_RELAYED), 1);
    publish(A, A, 2, 0);
    run(A);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
    cr_assert_str_eq(heard(), "ping", "the answer leaves at once: its ingress pod leads now");
    cr_assert_eq(count(A, COUNTER_REPLIES_RELAYED), 0, "never to ourselves");
    cr_assert_eq(count(B, COUNTER_ANSWERS_RELAY), 0);
}

Test(plane, an_answer_of_a_term_that_is_over_is_fenced)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    say(B, "old");
    run(B);
    run(A); /* the answer is on its way to B */
    publish(B, B, 2, 0);
    run(B);
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(count(B, COUNTER_REPLIES_FENCED), 1);
}

Test(plane, an_answer_of_the_term_before_passes_within_its_grace)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    say(B, "old");
    run(B);
    run(A);
    publish(B, B, 2, VIEW_FOREVER);
    run(B);
    cr_assert_str_eq(heard(), "old");
}

Test(plane, a_leader_whose_time_is_over_neither_delivers_nor_answers)
{
    publish(A, A, 1, 0);
    atomic_store(&view_current(&planes[A].board)->valid_until_ns, 1);
    say(A, "hello");
    run(A);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 0);
    cr_assert_eq(hold_count(&planes[A].workers[0].hold), 1);
    cr_assert_str_eq(heard(), "");
}

Test(plane, an_old_leader_is_demoted_with_the_next_datagram)
{
    publish(A, A, 1, 0);
    publish(B, B, 2, 0);
    say(A, "one");
    run(A);
    cr_assert_str_eq(heard(), "one");
    publish(A, B, 2, 0);
    say(A, "two");
    run(A);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 1);
    run(B);
    run(A);
    cr_assert_str_eq(heard(), "two");
}

Test(plane, a_command_goes_to_the_supervisor_and_not_to_the_app)
{
    struct letter letter;

    publish(A, A, 1, 0);
    say(A, " {\"leader\": \"b\", \"if_term\": 3}\n");
    run(A);
    cr_assert(mailbox_try_read(&planes[A].workers[0].mailbox, &letter));
    cr_assert_str_eq(letter.command.target, "b");
    cr_assert_eq(letter.command.if_term, 3);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 0);
    /* Its result is counted by the supervisor, who is not here. */
    counters_add(&planes[A].workers[0].counters, COUNTER_CONTROL_OK, 1);
}

Test(plane, a_broken_command_is_answered_and_never_delivered)
{
    publish(A, A, 1, 0);
    say(A, "{\"leader\": 5}");
    run(A);
    cr_assert_str_eq(heard(), "bad json\n");
    cr_assert_eq(count(A, COUNTER_DELIVERED), 0);
    cr_assert_eq(count(A, COUNTER_CONTROL_BAD_JSON), 1);
}

Test(plane, a_datagram_larger_than_a_frame_travels_alone)
{
    static char large[4000];

    memset(large, 'x', sizeof(large) - 1);
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    say(B, large);
    say(B, "small");
    run(B);
    cr_assert_eq(count(B, COUNTER_FRAMES_SENT), 2);
    run(A);
    run(B);
    cr_assert_eq(strlen(heard()), 2047, "what fits into the buffer of this test");
    cr_assert_str_eq(heard(), "small");
}

Test(plane, nothing_is_allocated_for_a_datagram)
{
    publish(A, A, 1, 0);
    publish(B, A, 1, 0);
    cr_assert_gt(allocations, 0, "the pods themselves were allocated, so this counts");
    for (int i = 0; i < 50; i++) {
        if (i == 1) /* the first opened the links between the pods */
            allocations = 0;
        say(A, "to the leader");
        say(B, "to a follower");
        run(B);
        run(A);
        run(B);
        cr_assert_str_neq(heard(), "");
        cr_assert_str_neq(heard(), "");
    }
    cr_assert_eq(allocations, 0);
}

Test(plane, an_app_socket_that_cannot_be_opened_is_an_error_and_no_crash)
{
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = 4096};
    static struct config config;
    static struct plane plane;
    struct waker waker;

    configure(&config, "127.0.77.3");
    config.app_target.kind = CONFIG_APP_UDP;
    cr_assert_eq(address_parse("127.0.77.4:9999", 0, &config.app_target.address), 0);
    cr_assert_eq(waker_init(&waker, true), 0);
    /* The sockets that the plane has before its app: two, and the eventfd of its one thread. */
    for (rlim_t more = 0; more < 8; more++) {
        struct rlimit limit = none;
        int lowest_free = dup(client.fd);

        (void)close(lowest_free);
        limit.rlim_cur = (rlim_t)lowest_free + more;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        if (plane_open(&plane, &config, &waker) == 0)
            plane_close(&plane);
        limit.rlim_cur = 1024;
        cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    }
    waker_fini(&waker);
}
