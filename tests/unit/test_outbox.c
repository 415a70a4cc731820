/*
 * outbox: every error of sendmmsg, by a scripted sendmmsg (linked with --wrap). After the failure
 * of one message the rest of its batch must be sent, in order, and every message must be counted
 * once.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "headless/net/batch.h"

#define MESSAGES 5

/* One call of sendmmsg: how many messages to take, or a negative errno. */
static const int *script;
static size_t script_length, calls, polls;
static int poll_result;
static char sent[64]; /* first payload byte of each message sent */
static size_t sent_count;

int __wrap_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

int __wrap_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags)
{
    int step = calls < script_length ? script[calls] : (int)count;

    (void)fd;
    cr_assert(flags & MSG_DONTWAIT, "a worker must never block in a send");
    calls++;
    cr_assert_lt(calls, 100, "the flush does not end");
    if (step < 0) {
        errno = -step;
        return -1;
    }
    if (step > (int)count)
        step = (int)count;
    for (int i = 0; i < step; i++)
        sent[sent_count++] = *(char *)headers[i].msg_hdr.msg_iov[0].iov_base;
    return step;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    (void)count;
    cr_assert_leq(timeout_ms, OUTBOX_WAIT_MS);
    polls++;
    fds[0].revents = POLLOUT;
    return poll_result;
}

static struct udp_socket test_socket = {.fd = 1000, .family = AF_INET};
static struct outbox outbox;
static char payloads[] = "abcdefghijklmnop";

static void add(size_t index, uint32_t weight)
{
    outbox_add(&outbox, &(struct outbox_message){.parts = {{payloads + index, 1}},
                                                 .part_count = 1,
                                                 .weight = weight,
                                                 .account = OUTBOX_REQUESTS});
}

static void run(const int *steps, size_t count)
{
    script = steps;
    script_length = count;
    calls = sent_count = polls = 0;
    cr_assert_eq(outbox_init(&outbox, &test_socket, MESSAGES, 1), 0);
    for (size_t i = 0; i < MESSAGES; i++)
        add(i, (uint32_t)(i + 1)); /* weights 1..5: each sum of weights identifies the messages */
    outbox_flush(&outbox);
    sent[sent_count] = '\0';
}

static uint64_t all_weights(void)
{
    uint64_t sum = outbox.tally[OUTBOX_REQUESTS].sent;

    for (size_t i = 0; i < UDP_ERROR_COUNT; i++)
        sum += outbox.tally[OUTBOX_REQUESTS].failed[i];
    return sum;
}

#define RUN(...)                                                                  \
    do {                                                                          \
        static const int steps[] = {__VA_ARGS__};                                 \
        run(steps, sizeof(steps) / sizeof(steps[0]));                             \
        cr_assert_eq(all_weights(), 15, "every message is counted exactly once"); \
        cr_assert_eq(outbox.count, 0);                                            \
    } while (0)

#define FAILED(error) outbox.tally[OUTBOX_REQUESTS].failed[error]

static void setup(void)
{
    poll_result = 1;
}

static void teardown(void)
{
    outbox_fini(&outbox);
}

TestSuite(outbox, .init = setup, .fini = teardown, .timeout = 20);

Test(outbox, batch_is_sent_by_one_call)
{
    RUN(MESSAGES);
    cr_assert_str_eq(sent, "abcde");
    cr_assert_eq(calls, 1);
    cr_assert_eq(outbox.tally[OUTBOX_REQUESTS].messages, MESSAGES);
}

Test(outbox, partial_send_continues_at_the_first_unsent)
{
    RUN(2, 1);
    cr_assert_str_eq(sent, "abcde");
    cr_assert_eq(calls, 3);
}

Test(outbox, interrupted_send_is_repeated)
{
    RUN(-EINTR, -EINTR, 3, -EINTR);
    cr_assert_str_eq(sent, "abcde");
}

Test(outbox, pending_refusal_costs_one_retry_and_no_message)
{
    RUN(2, -ECONNREFUSED, 3);
    cr_assert_str_eq(sent, "abcde");
    cr_assert_eq(FAILED(UDP_ERROR_REFUSED), 0);
}

/* Forged ICMP errors, or those of many earlier datagrams. */
Test(outbox, burst_of_refusals_costs_no_message)
{
    RUN(1, -ECONNREFUSED, -EHOSTUNREACH, -ECONNREFUSED, -ENETUNREACH, -EHOSTDOWN, -ECONNREFUSED, 1,
        -ECONNREFUSED, -ECONNREFUSED, 3);
    cr_assert_str_eq(sent, "abcde");
    cr_assert_eq(FAILED(UDP_ERROR_REFUSED), 0);
}

#define FOUR_TIMES(what) what, what, what, what

Test(outbox, endless_refusals_lose_only_that_message)
{
    RUN(1, FOUR_TIMES(FOUR_TIMES(-ECONNREFUSED)), -ECONNREFUSED, 3);
    cr_assert_str_eq(sent, "acde");
    cr_assert_eq(FAILED(UDP_ERROR_REFUSED), 2);
}

/* ICMP reports these errors, too. */
Test(outbox, pending_size_or_filter_error_costs_no_message)
{
    RUN(2, -EMSGSIZE, 2, -EACCES);
    cr_assert_str_eq(sent, "abcde");
}

Test(outbox, too_big_loses_only_that_message)
{
    RUN(2, -EMSGSIZE, -EMSGSIZE, 2);
    cr_assert_str_eq(sent, "abde");
    cr_assert_eq(FAILED(UDP_ERROR_TOO_BIG), 3);
    cr_assert_eq(polls, 0);
}

Test(outbox, denied_by_a_firewall_loses_only_that_message)
{
    RUN(-EPERM, -EPERM, 4);
    cr_assert_str_eq(sent, "bcde");
    cr_assert_eq(FAILED(UDP_ERROR_DENIED), 1);
}

Test(outbox, flush_waits_for_a_full_buffer)
{
    RUN(1, -EAGAIN, 4);
    cr_assert_str_eq(sent, "abcde");
    cr_assert_eq(polls, 1);
    cr_assert_eq(FAILED(UDP_ERROR_FULL), 0);
}

Test(outbox, enobufs_is_retried_although_the_socket_is_writable)
{
    RUN(-ENOBUFS, 5);
    cr_assert_str_eq(sent, "abcde");
}

Test(outbox, flush_waits_once_for_a_buffer_that_stays_full)
{
    poll_result = 0;
    RUN(-EAGAIN, -EAGAIN, -EAGAIN, 2);
    cr_assert_str_eq(sent, "de");
    cr_assert_eq(polls, 1);
    cr_assert_eq(FAILED(UDP_ERROR_FULL), 1 + 2 + 3);
}

Test(outbox, no_route_is_counted_and_the_rest_is_sent)
{
    RUN(1, -ENETDOWN, 3);
    cr_assert_str_eq(sent, "acde");
    cr_assert_eq(FAILED(UDP_ERROR_FAILED), 2);
}

Test(outbox, every_message_failing_ends_the_flush)
{
    RUN(-EPERM, -EPERM, -EMSGSIZE, -EMSGSIZE, -EPERM, -EPERM, -ENETDOWN, -EBADF);
    cr_assert_str_eq(sent, "");
    cr_assert_eq(FAILED(UDP_ERROR_FATAL), 5);
}

Test(outbox, full_outbox_flushes_itself)
{
    run(NULL, 0);
    for (size_t i = 0; i < MESSAGES + 1; i++)
        add(i, 1);
    cr_assert_eq(outbox.count, 1);
    cr_assert_eq(outbox.tally[OUTBOX_REQUESTS].messages, 2 * MESSAGES);
}

Test(outbox, address_of_another_family_fails_at_once)
{
    struct address v6 = address_any(ADDRESS_V6);

    run(NULL, 0);
    outbox_add(&outbox, &(struct outbox_message){.to = &v6,
                                                 .parts = {{payloads, 1}},
                                                 .part_count = 1,
                                                 .weight = 7,
                                                 .account = OUTBOX_REPLIES});
    cr_assert_eq(outbox.count, 0);
    cr_assert_eq(outbox.tally[OUTBOX_REPLIES].failed[UDP_ERROR_FAILED], 7);
}

Test(outbox, each_errno_has_one_class)
{
    cr_assert_eq(udp_classify_error(EINTR), UDP_ERROR_INTERRUPTED);
    cr_assert_eq(udp_classify_error(ECONNREFUSED), UDP_ERROR_REFUSED);
    cr_assert_eq(udp_classify_error(EAGAIN), UDP_ERROR_FULL);
    cr_assert_eq(udp_classify_error(ENOBUFS), UDP_ERROR_FULL);
    cr_assert_eq(udp_classify_error(EPERM), UDP_ERROR_DENIED);
    cr_assert_eq(udp_classify_error(EMSGSIZE), UDP_ERROR_TOO_BIG);
    cr_assert_eq(udp_classify_error(EINVAL), UDP_ERROR_FAILED);
    cr_assert_eq(udp_classify_error(EBADF), UDP_ERROR_FATAL);
}
