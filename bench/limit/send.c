/*
 * send: an open loop that costs little, so that a small machine has its time left for the program
 * that is measured.
 *
 * A burst (or, with --gso, a GSO batch) of one flow is sent when it is due, then it is the next
 * flow's turn. After a late wake-up it catches up at most LATE_MAX_NS; older datagrams are skipped
 * and counted, because sending all missed ones at once would overflow any receive buffer. Payloads
 * are filler without checksum: headless-bench send checks every byte.
 */
#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "limit.h"

#define LATE_MAX_NS (2 * NS_PER_MS)
#define PS_PER_NS   1000U
#define SIZES       4096U /* drawn once, then reused in a cycle */

struct sending {
    struct limit_loop *l;
    int *flows;
    unsigned flow;
    uint64_t number; /* datagrams tried */
    uint16_t sizes[SIZES];
    struct mmsghdr messages[LIMIT_BATCH];
    struct iovec vectors[LIMIT_BATCH];
    _Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(uint16_t))];
    uint8_t payload[LIMIT_PAYLOAD_MAX];
};

/* The same sizes in every run (SplitMix64). */
static void draw_sizes(struct sending *s)
{
    const struct limit_options *o = &s->l->options;
    uint64_t state = 1;

    for (unsigned i = 0; i < SIZES; i++) {
        uint64_t x = state += UINT64_C(0x9e3779b97f4a7c15);

        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        x ^= x >> 31;
        s->sizes[i] = (uint16_t)(o->size_low + x % (o->size_high - o->size_low + 1));
    }
}

static void make_messages(struct sending *s)
{
    const struct limit_options *o = &s->l->options;
    struct msghdr *first = &s->messages[0].msg_hdr;
    uint16_t segment = (uint16_t)o->size_low;
    struct cmsghdr *c;

    memset(s->payload, 'x', sizeof(s->payload));
    for (unsigned i = 0; i < LIMIT_BATCH; i++) {
        s->vectors[i].iov_base = s->payload;
        s->messages[i].msg_hdr.msg_iov = &s->vectors[i];
        s->messages[i].msg_hdr.msg_iovlen = 1;
    }
    if (o->gso == 1)
        return;
    first->msg_control = s->control;
    first->msg_controllen = sizeof(s->control);
    c = CMSG_FIRSTHDR(first);
    c->cmsg_level = SOL_UDP;
    c->cmsg_type = UDP_SEGMENT;
    c->cmsg_len = CMSG_LEN(sizeof(segment));
    memcpy(CMSG_DATA(c), &segment, sizeof(segment));
}

static void limit_close_flows(struct sending *s)
{
    while (s->flow > 0)
        (void)close(s->flows[--s->flow]);
    free(s->flows);
}

static int limit_open_flows(struct sending *s)
{
    const struct limit_options *o = &s->l->options;

    s->flows = calloc(o->flows, sizeof(*s->flows));
    if (!s->flows)
        return -ENOMEM;
    for (s->flow = 0; s->flow < o->flows; s->flow++) {
        int fd = limit_open_connected(&o->to);

        if (fd < 0)
            return fd;
        s->flows[s->flow] = fd;
    }
    return 0;
}

/* Send messages of weight datagrams each. */
static void limit_transmit(struct sending *s, unsigned messages, uint64_t weight)
{
    struct limit_counts *counts = &s->l->counts;
    int fd = s->flows[s->flow];
    unsigned done = 0;

    while (done < messages) {
        int sent = sendmmsg(fd, s->messages + done, messages - done, 0);

        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0) {
            counts->unsent += weight;
            done++;
            continue;
        }
        counts->sent += weight * (uint64_t)sent;
        counts->frames += weight * (uint64_t)sent;
        counts->gso_batches += (uint64_t)sent;
        done += (unsigned)sent;
    }
    s->number += weight * messages;
}

static void send_burst(struct sending *s)
{
    const struct limit_options *o = &s->l->options;

    if (o->gso > 1) {
        s->vectors[0].iov_len = o->gso * o->size_low;
        limit_transmit(s, 1, o->gso);
    } else {
        for (unsigned i = 0; i < o->burst; i++)
            s->vectors[i].iov_len = s->sizes[(s->number + i) % SIZES];
        limit_transmit(s, (unsigned)o->burst, 1);
    }
    s->flow = (s->flow + 1) % (unsigned)o->flows;
}

static void sleep_until(uint64_t ns)
{
    const struct timespec until = clock_to_timespec(ns);

    (void)clock_nanosleep(CLOCK_BOOTTIME, TIMER_ABSTIME, &until, NULL);
}

static void limit_send_run(struct sending *s)
{
    const struct limit_options *o = &s->l->options;
    uint64_t group = o->gso > 1 ? o->gso : o->burst;
    uint64_t period_ps = group * NS_PER_SEC * PS_PER_NS / o->rate;
    uint64_t start_ns = clock_now_ns(), now_ns = start_ns, due_ps = 0;
    uint64_t end_ns = o->duration_s ? start_ns + o->duration_s * NS_PER_SEC : UINT64_MAX;

    s->flow = 0;
    while (!limit_is_stopping() && (!o->count || s->number < o->count) && now_ns < end_ns) {
        uint64_t due_ns = start_ns + due_ps / PS_PER_NS;

        if (due_ns > now_ns) {
            sleep_until(due_ns);
        } else if (now_ns - due_ns > LATE_MAX_NS) {
            s->l->counts.skipped += group;
            due_ps += period_ps;
        } else {
            send_burst(s);
            due_ps += period_ps;
        }
        now_ns = clock_now_ns();
    }
    s->flow = (unsigned)o->flows; /* all of them are open */
}

int limit_send(struct limit_loop *l)
{
    struct sending *s = calloc(1, sizeof(*s));
    int rc;

    if (!s)
        return -ENOMEM;
    s->l = l;
    (void)prctl(PR_SET_TIMERSLACK, 1UL);
    draw_sizes(s);
    make_messages(s);
    rc = limit_open_flows(s);
    if (!rc)
        limit_send_run(s);
    limit_close_flows(s);
    free(s);
    return rc;
}
