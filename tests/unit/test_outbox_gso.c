/*
 * outbox: GSO batches. A scripted sendmmsg (linked with --wrap) takes or refuses messages; it cuts
 * those that it takes into datagrams as the kernel would, and logs them as text: the first byte of
 * each datagram and its length, "|" between messages.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "headless/net/batch.h"

#define MESSAGES 200

static int refuse_gso_with, refuse_all_with, refusals_left;
static size_t calls, log_length;
static char sent_log[16384];

int __wrap_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms);

/* The control messages of a message; tos -1: it has none, since 0 is the default. */
struct controls {
    bool has_source;
    int tos;
};

static size_t segment_of(struct msghdr *header, struct controls *ret_controls)
{
    uint16_t segment = 0;

    *ret_controls = (struct controls){.tos = -1};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_SEGMENT)
            memcpy(&segment, CMSG_DATA(c), sizeof(segment));
        else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO)
            ret_controls->has_source = true;
        else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS &&
                 c->cmsg_len == CMSG_LEN(sizeof(int)))
            memcpy(&ret_controls->tos, CMSG_DATA(c), sizeof(ret_controls->tos));
        else
            cr_assert_fail("an unknown control message");
    }
    return segment;
}

static void write_down(struct msghdr *header)
{
    uint8_t bytes[70000];
    size_t length = 0, segment;
    struct controls controls;

    for (size_t i = 0; i < header->msg_iovlen; i++) {
        memcpy(bytes + length, header->msg_iov[i].iov_base, header->msg_iov[i].iov_len);
        length += header->msg_iov[i].iov_len;
    }
    cr_assert_leq(length, UDP_PAYLOAD_MAX, "more than one message can hold");
    segment = segment_of(header, &controls);
    if (segment == 0)
        segment = length;
    else
        cr_assert_leq((length + segment - 1) / segment, GSO_BATCH_MAX,
                      "a GSO batch that is too long");
    log_length += (size_t)snprintf(sent_log + log_length, sizeof(sent_log) - log_length, "|%s",
                                   controls.has_source ? "@" : "");
    if (controls.tos >= 0)
        log_length += (size_t)snprintf(sent_log + log_length, sizeof(sent_log) - log_length,
                                       "%02x:", (unsigned)controls.tos);
    for (size_t at = 0; at < length || at == 0; at += segment ? segment : 1)
        log_length += (size_t)snprintf(sent_log + log_length, sizeof(sent_log) - log_length,
                                       "%c%zu ", length ? bytes[at] : '-',
                                       length - at < segment ? length - at : segment);
}

int __wrap_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags)
{
    struct controls controls;
    unsigned i;

    (void)fd;
    (void)flags;
    cr_assert_lt(++calls, 1000, "the flush does not end");
    for (i = 0; i < count; i++) {
        if (refusals_left != 0 &&
            (refuse_all_with || (refuse_gso_with && segment_of(&headers[i].msg_hdr, &controls)))) {
            errno = refuse_all_with ? refuse_all_with : refuse_gso_with;
            refusals_left -= i == 0;
            break;
        }
        write_down(&headers[i].msg_hdr);
    }
    return i ? (int)i : -1;
}

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout_ms)
{
    (void)count;
    (void)timeout_ms;
    fds[0].revents = POLLOUT;
    return 1;
}

static struct udp_socket test_socket = {.fd = 1000, .family = AF_INET};
static struct outbox outbox;
static uint8_t bytes[256][2048];
static struct address here, there, elsewhere;

static void setup(void)
{
    refuse_gso_with = refuse_all_with = 0;
    refusals_left = -1;
    calls = log_length = 0;
    sent_log[0] = '\0';
    for (size_t i = 0; i < 256; i++)
        memset(bytes[i], (int)('a' + i % 26), sizeof(bytes[i]));
    cr_assert_eq(address_parse("10.0.0.1:1000", 0, &here), 0);
    cr_assert_eq(address_parse("10.0.0.2:2000", 0, &there), 0);
    cr_assert_eq(address_parse("10.0.0.3:2000", 0, &elsewhere), 0);
    cr_assert_eq(outbox_init(&outbox, &test_socket, MESSAGES, GSO_BATCH_MAX), 0);
}

static void teardown(void)
{
    outbox_fini(&outbox);
}

TestSuite(gso_batch, .init = setup, .fini = teardown, .timeout = 20);

static size_t next_queued;

static void add_to(const struct address *to, const struct address *from, size_t length)
{
    outbox_add(&outbox, &(struct outbox_message){.to = to,
                                                 .from = from,
                                                 .parts = {{bytes[next_queued++ % 26], length}},
                                                 .part_count = 1,
                                                 .weight = 1,
                                                 .account = OUTBOX_REPLIES});
}

static void add(size_t length)
{
    add_to(NULL, NULL, length);
}

static void flush(void)
{
    next_queued = 0;
    outbox_flush(&outbox);
}

static uint64_t counted(void)
{
    uint64_t sum = outbox.tally[OUTBOX_REPLIES].sent;

    for (size_t i = 0; i < UDP_ERROR_COUNT; i++)
        sum += outbox.tally[OUTBOX_REPLIES].failed[i];
    return sum;
}

static void add_tos(uint8_t tos, const struct address *to, const struct address *from)
{
    outbox_add(&outbox, &(struct outbox_message){.to = to,
                                                 .from = from,
                                                 .parts = {{bytes[next_queued++ % 26], 100}},
                                                 .part_count = 1,
                                                 .weight = 1,
                                                 .account = OUTBOX_REPLIES,
                                                 .tos = tos});
}

Test(gso_batch, equal_neighbours_are_one_message)
{
    for (int i = 0; i < 4; i++)
        add(100);
    flush();
    cr_assert_str_eq(sent_log, "|a100 b100 c100 d100 ");
    cr_assert_eq(outbox.sends.calls, 1);
    cr_assert_eq(outbox.sends.gso_batches, 1);
    cr_assert_eq(outbox.sends.datagrams, 4);
    cr_assert_eq(outbox.tally[OUTBOX_REPLIES].messages, 4);
}

Test(gso_batch, another_tos_byte_begins_another_batch)
{
    static const uint8_t list[] = {0, 0, 0xb9, 0xb9, 0xb8, 0, 0};

    for (size_t i = 0; i < sizeof(list); i++)
        add_tos(list[i], NULL, NULL);
    flush();
    cr_assert_str_eq(sent_log, "|a100 b100 |b9:c100 d100 |b8:e100 |f100 g100 ");
    cr_assert_eq(counted(), sizeof(list));
}

Test(gso_batch, refused_batch_keeps_source_and_tos_byte)
{
    refuse_gso_with = EMSGSIZE;
    add_tos(0x2e, &there, &here);
    add_tos(0x2e, &there, &here);
    flush();
    cr_assert_str_eq(sent_log, "|@2e:a100 |@2e:b100 ");
    cr_assert_eq(counted(), 2);
}

Test(gso_batch, run_has_one_tos_byte)
{
    const struct outbox_message message = {
        .parts = {{bytes[3], 250}}, .part_count = 1, .weight = 1, .tos = 1};

    add_tos(0, NULL, NULL);
    outbox_add_run(&outbox, &message, 100);
    flush();
    cr_assert_str_eq(sent_log, "|a100 |01:d100 d100 d50 ");
}

Test(gso_batch, shorter_datagram_is_the_last)
{
    add(100);
    add(100);
    add(40);
    add(40);
    add(100);
    flush();
    cr_assert_str_eq(sent_log, "|a100 b100 c40 |d40 |e100 ");
}

Test(gso_batch, longer_datagram_begins_the_next)
{
    add(40);
    add(100);
    add(100);
    flush();
    cr_assert_str_eq(sent_log, "|a40 |b100 c100 ");
}

Test(gso_batch, empty_datagram_is_not_batched)
{
    add(0);
    add(0);
    add(10);
    add(0);
    flush();
    cr_assert_str_eq(sent_log, "|-0 |-0 |c10 |-0 ");
    cr_assert_eq(outbox.tally[OUTBOX_REPLIES].messages, 4);
}

Test(gso_batch, each_address_has_its_own_batch)
{
    add_to(&there, &here, 10);
    add_to(&there, &here, 10);
    add_to(&elsewhere, &here, 10);
    add_to(&there, &here, 10);
    add_to(&there, NULL, 10);
    add_to(&there, NULL, 10);
    flush();
    cr_assert_str_eq(sent_log, "|@a10 b10 |@c10 |@d10 |e10 f10 ", "%s", sent_log);
}

Test(gso_batch, has_at_most_64_datagrams)
{
    for (int i = 0; i < 130; i++)
        add(1);
    flush();
    cr_assert_eq(outbox.sends.gso_batches, 3);
    cr_assert_eq(outbox.sends.datagrams, 130);
    cr_assert_eq(outbox.sends.calls, 1);
}

Test(gso_batch, has_at_most_gso_max_datagrams)
{
    outbox.gso_max = 3;
    for (int i = 0; i < 7; i++)
        add(9);
    flush();
    cr_assert_str_eq(sent_log, "|a9 b9 c9 |d9 e9 f9 |g9 ");
}

Test(gso_batch, has_at_most_65507_bytes)
{
    for (int i = 0; i < 50; i++)
        add(1400);
    flush();
    cr_assert_eq(outbox.sends.gso_batches, 2); /* 46 and 4 */
    cr_assert_eq(counted(), 50);
}

Test(gso_batch, datagrams_larger_than_the_path_are_not_batched)
{
    add(OUTBOX_SEGMENT_MAX + 1);
    add(OUTBOX_SEGMENT_MAX + 1);
    outbox.segment_max = 50;
    add(51);
    add(51);
    flush();
    cr_assert_eq(outbox.sends.gso_batches, 4);
}

Test(gso_batch, too_big_is_sent_singly_and_the_next_is_batched)
{
    refuse_gso_with = EMSGSIZE;
    refusals_left = 2;
    add(100);
    add(100);
    add(90);
    add(100);
    add(100);
    flush();
    cr_assert_str_eq(sent_log, "|a100 |b100 |c90 |d100 e100 ", "%s", sent_log);
    cr_assert_eq(outbox.gso_max, GSO_BATCH_MAX, "any client could send such");
    cr_assert_eq(counted(), 5);
}

Test(gso_batch, sent_singly_each_datagram_succeeds_or_fails)
{
    refuse_all_with = EMSGSIZE;
    add(100);
    add(100);
    flush();
    cr_assert_str_eq(sent_log, "");
    cr_assert_eq(outbox.tally[OUTBOX_REPLIES].failed[UDP_ERROR_TOO_BIG], 2);
}

Test(gso_batch, keeps_its_source_when_sent_singly)
{
    refuse_gso_with = EPERM;
    add_to(&there, &here, 10);
    add_to(&there, &here, 10);
    flush();
    cr_assert_str_eq(sent_log, "|@a10 |@b10 ", "%s", sent_log);
}

/* Behind two messages, in one GSO batch with them. */
Test(gso_batch, run_is_sent_singly_too)
{
    static uint8_t run[] = "0123456789ABCDEFGHIJKLM";
    const struct outbox_message message = {
        .parts = {{run, 23}}, .part_count = 1, .weight = 1, .account = OUTBOX_REPLIES};

    refuse_gso_with = EMSGSIZE;
    refusals_left = 2;
    add(10);
    add(10);
    outbox_add_run(&outbox, &message, 10);
    flush();
    cr_assert_str_eq(sent_log, "|a10 |b10 |010 |A10 |K3 ", "%s", sent_log);
    cr_assert_eq(outbox.tally[OUTBOX_REPLIES].sent, 5);
    cr_assert_eq(outbox.tally[OUTBOX_REPLIES].messages, 5);
    refuse_all_with = EPERM;
    refusals_left = -1;
    outbox_add_run(&outbox, &message, 10);
    flush();
    cr_assert_eq(outbox.tally[OUTBOX_REPLIES].sent, 5);
    cr_assert_eq(counted(), 8);
}

Test(gso_batch, is_disabled_where_the_kernel_cannot)
{
    refuse_gso_with = EIO;
    for (int i = 0; i < 3; i++)
        add(100);
    flush();
    cr_assert_str_eq(sent_log, "|a100 |b100 |c100 ", "%s", sent_log);
    cr_assert_eq(outbox.gso_max, 1, "for good");
    calls = 0;
    for (int i = 0; i < 3; i++)
        add(100);
    flush();
    cr_assert_eq(calls, 1, "not tried again");
    cr_assert_eq(counted(), 6);
}

Test(gso_batch, einval_disables_only_for_sizes_that_every_path_takes)
{
    refuse_gso_with = EINVAL;
    add(OUTBOX_SEGMENT_SAFE + 1);
    add(OUTBOX_SEGMENT_SAFE + 1);
    flush();
    cr_assert_eq(outbox.gso_max, GSO_BATCH_MAX);
    add(OUTBOX_SEGMENT_SAFE);
    add(OUTBOX_SEGMENT_SAFE);
    flush();
    cr_assert_eq(outbox.gso_max, 1);
    cr_assert_eq(counted(), 4);
}

Test(gso_batch, pending_refusal_costs_no_datagram)
{
    refuse_all_with = ECONNREFUSED;
    refusals_left = 1;
    add(5);
    add(5);
    flush();
    cr_assert_str_eq(sent_log, "|a5 b5 ");
    cr_assert(outbox.may_be_refused);
}

Test(gso_batch, endless_refusals_count_every_datagram)
{
    refuse_all_with = ECONNREFUSED;
    add(5);
    add(5);
    flush();
    cr_assert_str_eq(sent_log, "");
    cr_assert_eq(outbox.tally[OUTBOX_REPLIES].failed[UDP_ERROR_REFUSED], 2);
}

Test(gso_batch, flush_waits_for_a_full_socket_and_keeps_the_batch)
{
    refuse_all_with = EAGAIN;
    refusals_left = 1;
    add(5);
    add(5);
    flush();
    cr_assert_str_eq(sent_log, "|a5 b5 ");
}

static uint8_t big[70000];

/* Random messages and runs of messages out of big: runs as such, or message by message. */
static void add_by_chance(unsigned seed, bool as_runs)
{
    static const size_t sizes[] = {1, 10, 10, 10, 100, 1400, 1500};
    size_t at = 0;

    srand(seed);
    for (int i = 0; i < 12; i++) {
        size_t segment = sizes[(size_t)rand() % 7], count = 1 + (size_t)rand() % 90;
        size_t last = rand() % 2 ? segment : 1 + (size_t)rand() % segment;
        size_t length = (count - 1) * segment + last;
        struct outbox_message m = {.to = rand() % 2 ? &there : &elsewhere, .weight = 1};

        if (at + length > sizeof(big))
            break;
        m.account = OUTBOX_REPLIES;
        m.part_count = 1;
        m.parts[0] = (struct iovec){big + at, length};
        if (as_runs) {
            outbox_add_run(&outbox, &m, segment);
        } else {
            for (size_t k = 0; k < count; k++) {
                m.parts[0] = (struct iovec){big + at + k * segment, k + 1 < count ? segment : last};
                outbox_add(&outbox, &m);
            }
        }
        at += length;
    }
    outbox_flush(&outbox);
}

Test(gso_batch, run_equals_its_messages)
{
    static char one_by_one[sizeof(sent_log)];

    outbox_fini(&outbox); /* no flush on the way: a run takes less room than its messages */
    cr_assert_eq(outbox_init(&outbox, &test_socket, 12 * 90, GSO_BATCH_MAX), 0);
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (uint8_t)('!' + i % 90);
    for (unsigned seed = 1; seed <= 300; seed++) {
        uint64_t sent;

        outbox.tally[OUTBOX_REPLIES] = (struct outbox_tally){0};
        outbox.gso_max = seed % 3 ? GSO_BATCH_MAX : seed % 7 + 1;
        calls = log_length = 0;
        add_by_chance(seed, false);
        memcpy(one_by_one, sent_log, log_length + 1);
        sent = counted();
        calls = log_length = 0;
        add_by_chance(seed, true);
        cr_assert_str_eq(sent_log, one_by_one, "seed %u", seed);
        cr_assert_eq(counted(), 2 * sent, "seed %u", seed);
    }
}
