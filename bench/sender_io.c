/* Sending, receiving and accounting of a trial's datagrams. */
#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>

#include "headless/base/clock.h"
#include "payload.h"
#include "sender.h"
#include "stop.h"

#define RETRIES_MAX 3 /* pending ICMP errors in place of one send */
#define EVENTS_MAX  128
#define READS_MAX   4 /* batches of one flow before the next flow */

/* Seconds and remainder apart: number * 10^9 would overflow after 18 * 10^9 datagrams. */
uint64_t sender_due_ns(const struct sender *s, uint64_t number)
{
    uint64_t rate = s->trial.rate;

    number -= number % s->options->microburst; /* a whole burst is due with its first */
    return s->start_ns + number / rate * NS_PER_SEC + number % rate * NS_PER_SEC / rate;
}

static uint32_t sender_size_of(const struct sender *s, uint16_t flow, uint64_t sequence)
{
    uint64_t which = payload_mix(sequence ^ ((uint64_t)flow << 48));

    return sizes_pick(&s->options->sizes, payload_mix(s->options->seed ^ which));
}

static void sender_build(struct sender *s, const struct flow *f, unsigned i)
{
    struct payload p = {.run = s->run,
                        .sequence = f->next_sequence + i,
                        .intended_ns = s->now_ns,
                        .clock = s->clock,
                        .flow = (uint16_t)(f - s->flows)};
    uint32_t length = sender_size_of(s, p.flow, p.sequence);
    bool named = s->options->unconnected;

    if (s->options->closed_loop)
        p.tag = s->tags[i] = places_take(&s->places, p.flow, p.sequence, s->now_ns);
    else
        p.intended_ns = sender_due_ns(s, s->next + i);
    payload_build(&p, length, batch_buffer(&s->out, i));
    batch_address(&s->out, i, length, named ? &s->targets[f->target] : NULL,
                  named ? s->target_lengths[f->target] : 0);
}

/* Account messages first to first + count as sent, with numbers from `next` on. */
static void sender_account_sent(struct sender *s, unsigned first, unsigned count, uint64_t now_ns)
{
    for (unsigned i = first; i < first + count; i++)
        s->counts.sent_bytes += s->out.vectors[i].iov_len;
    for (unsigned i = 0; s->trial.rate && i < count; i++) {
        uint64_t due_ns = sender_due_ns(s, s->next + i);

        histogram_record(&s->lateness, now_ns > due_ns ? now_ns - due_ns : 0);
    }
    s->counts.sent += count;
    s->run_sent += count;
    s->last_sent_ns = now_ns;
}

/* Free the places of messages that are not sent: no reply is expected. */
static void release_places(struct sender *s, const struct flow *f, unsigned first, unsigned count)
{
    for (unsigned i = 0; s->options->closed_loop && i < count; i++)
        (void)places_release(&s->places, s->tags[first + i], (uint16_t)(f - s->flows),
                             f->next_sequence + i);
}

static void sender_advance(struct sender *s, struct flow *f, unsigned count)
{
    s->next += count;
    f->next_sequence += count;
}

/* The kernel refused a GSO batch (larger than the MTU, no UDP_SEGMENT): send singly from now on. */
static void ungroup(struct sender *s, unsigned done, unsigned count, int error_number)
{
    s->counts.ungrouped++;
    if (error_number != EMSGSIZE)
        s->gso = false;
    gso_batches_build(&s->gso_batches, &s->out, done, count, false);
}

/* Send the first count messages of s->out. Returns the number done, or -errno. */
static int send_built(struct sender *s, struct flow *f, unsigned count)
{
    struct gso_batches *t = &s->gso_batches;
    unsigned retries = 0;
    unsigned done = 0; /* datagrams, */
    unsigned gone = 0; /* and GSO batches */

    gso_batches_build(t, &s->out, 0, count, s->gso);
    while (done < count) {
        uint64_t now_ns = clock_now_ns();
        int sent = sendmmsg(f->fd, &t->headers[gone], t->count - gone, MSG_DONTWAIT);
        enum batch_error error = sent < 0 ? batch_classify_error(errno) : BATCH_RETRY;

        if (sent > 0) {
            unsigned datagrams = gso_batches_datagrams(t, gone, (unsigned)sent);

            sender_account_sent(s, done, datagrams, now_ns);
            sender_advance(s, f, datagrams);
            done += datagrams;
            gone += (unsigned)sent;
            retries = 0;
        } else if (error == BATCH_FATAL) {
            return -errno;
        } else if (error == BATCH_FULL) {
            s->counts.full++;
            release_places(s, f, done, count - done);
            break;
        } else if (error == BATCH_RETRY && retries++ < RETRIES_MAX) {
            s->counts.refused++;
        } else if (t->datagrams[gone] > 1) {
            ungroup(s, done, count, errno);
            gone = 0;
        } else {
            s->counts.unsent++;
            release_places(s, f, done++, 1);
            sender_advance(s, f, 1);
            gone++;
        }
    }
    return (int)done;
}

int sender_transmit(struct sender *s, uint64_t limit)
{
    uint64_t burst = s->options->burst;
    struct flow *f = &s->flows[s->next / burst % s->options->flows];
    uint64_t turn = burst - s->next % burst;
    unsigned count = (unsigned)(turn < limit ? turn : limit);

    for (unsigned i = 0; i < count; i++)
        sender_build(s, f, i);
    return send_built(s, f, count);
}

static bool is_from_target(const struct sender *s, const struct flow *f, unsigned i)
{
    struct address from;

    if (!s->options->unconnected)
        return true; /* the kernel filters other sources */
    address_from_sockaddr((const struct sockaddr *)&s->in.names[i], &from);
    return address_equal(&from, &s->options->targets[f->target]);
}

/* Account an intact reply to this flow: new, duplicate, or stale. */
static void account_reply(struct sender *s, struct flow *f, const struct payload *p)
{
    uint64_t round_trip_ns = s->now_ns > p->intended_ns ? s->now_ns - p->intended_ns : 0;

    if (p->sequence < f->first_sequence) {
        s->counts.stale++;
        return;
    }
    switch (window_record(&f->answered, p->sequence)) {
    case WINDOW_DUPLICATE:
        s->counts.duplicate++;
        return;
    case WINDOW_STALE:
        s->counts.stale++;
        return;
    case WINDOW_REORDERED:
        s->counts.reordered++;
        break;
    case WINDOW_NEW:
        break;
    }
    histogram_record(&s->round_trip, round_trip_ns);
    if (s->samples)
        histogram_record(&s->samples->round_trip, round_trip_ns);
    if (s->last_reply_ns && s->now_ns - s->last_reply_ns > s->silence_ns)
        s->silence_ns = s->now_ns - s->last_reply_ns;
    s->last_reply_ns = s->now_ns;
    s->run_answered++;
    if (round_trip_ns > s->options->timeout_ns)
        s->counts.late++;
    else
        s->counts.answered++;
    if (s->options->closed_loop) /* if it is late, its place may be free already */
        (void)places_release(&s->places, p->tag, p->flow, p->sequence);
}

/* A payload with a valid checksum may still not be one that this flow sent. */
static bool was_sent(const struct sender *s, const struct flow *f, const struct payload *p,
                     size_t length)
{
    return p->sequence < f->next_sequence && length == sender_size_of(s, p->flow, p->sequence);
}

static void account_received(struct sender *s, struct flow *f, unsigned i)
{
    size_t length = s->in.messages[i].msg_len;
    struct payload p;
    enum payload_verdict verdict = payload_check(batch_buffer(&s->in, i), length, s->run, &p);

    s->counts.received++;
    s->counts.received_bytes += length;
    if (verdict == PAYLOAD_FOREIGN ||
        (verdict == PAYLOAD_GOOD && (p.run != s->run || !is_from_target(s, f, i))))
        s->counts.foreign++;
    else if (verdict == PAYLOAD_GOOD && p.flow != f - s->flows)
        s->counts.misrouted++;
    else if (verdict == PAYLOAD_CORRUPT || !was_sent(s, f, &p, length))
        s->counts.corrupt++;
    else
        account_reply(s, f, &p);
}

static int read_flow(struct sender *s, struct flow *f)
{
    for (unsigned reads = 0; reads < READS_MAX; reads++) {
        int count = batch_receive(&s->in, f->fd);

        if (count < 0 && batch_classify_error(-count) == BATCH_FATAL)
            return count;
        if (count < 0) {
            s->counts.refused++; /* this call cleared the error: the next one reads datagrams */
            continue;
        }
        s->now_ns = s->last_received_ns = clock_now_ns();
        for (unsigned i = 0; i < (unsigned)count; i++)
            account_received(s, f, i);
        if (count < BATCH_SIZE)
            break;
    }
    return 0;
}

/* ppoll on the epoll descriptor: epoll_wait counts in milliseconds, epoll_pwait2 needs Linux 5.11.
 */
static int wait_events(struct sender *s, struct epoll_event *events, uint64_t until_ns)
{
    struct pollfd pollfd = {.fd = s->epoll_fd, .events = POLLIN};
    int count = epoll_wait(s->epoll_fd, events, EVENTS_MAX, 0);

    s->now_ns = clock_now_ns();
    if (count == 0 && s->now_ns < until_ns) {
        struct timespec ts = clock_to_timespec(until_ns - s->now_ns);

        if (ppoll(&pollfd, 1, &ts, NULL) > 0)
            count = epoll_wait(s->epoll_fd, events, EVENTS_MAX, 0);
        s->now_ns = clock_now_ns();
    }
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    return count;
}

int sender_receive(struct sender *s, uint64_t until_ns)
{
    struct epoll_event events[EVENTS_MAX];
    int count = wait_events(s, events, until_ns);
    int rc = count < 0 ? count : 0;

    for (int i = 0; i < count && !rc; i++) {
        if (events[i].data.u32 == UINT32_MAX)
            s->stops += stop_take(s->stop_fd);
        else
            rc = read_flow(s, &s->flows[events[i].data.u32]);
    }
    return rc;
}
