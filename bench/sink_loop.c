/* The sink's loop: receives a batch, counts each datagram in exactly one counter, echoes it. */
#include <errno.h>
#include <poll.h>

#include "count_request.h"
#include "endpoint.h"
#include "headless/base/clock.h"
#include "report.h"
#include "sink.h"
#include "stop.h"

#define LOOK_NS        (100 * NS_PER_MS)
#define ONE_WAY_MAX_NS (60 * NS_PER_SEC) /* more means that the clocks differ (time namespaces) */
#define RETRIES_MAX    3
#define IDLE_NS        (10 * NS_PER_MS) /* without traffic: the watched processes are idle */

static void account_good(struct sink *s, const struct payload *p)
{
    struct tracked_flow *f = tracker_find(&s->tracker, p);

    if (!f) {
        s->counts.untracked++;
        return;
    }
    switch (window_record(&f->window, p->sequence)) {
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
    s->counts.unique++;
    if (p->clock && p->clock == s->clock && s->now_ns >= p->intended_ns &&
        s->now_ns - p->intended_ns < ONE_WAY_MAX_NS)
        histogram_record(&s->one_way, s->now_ns - p->intended_ns);
}

/* Not a payload: a request for the count of a known run becomes the reply in place. */
static void account_foreign(struct sink *s, unsigned i)
{
    uint8_t *bytes = batch_buffer(&s->batch, i);
    struct count_request q;

    if (count_request_parse(bytes, s->batch.messages[i].msg_len, &q) && !q.is_reply &&
        tracker_count(&s->tracker, q.run, &q.unique)) {
        q.is_reply = true;
        count_request_build(&q, bytes);
        s->count_replies |= UINT64_C(1) << i;
        s->counts.asked++;
    } else {
        s->counts.foreign++;
    }
}

static void account_batch(struct sink *s, unsigned count)
{
    s->count_replies = 0;
    for (unsigned i = 0; i < count; i++) {
        size_t length = s->batch.messages[i].msg_len;
        struct payload p;

        s->counts.received++;
        s->counts.received_bytes += length;
        switch (payload_check(batch_buffer(&s->batch, i), length, s->last_run, &p)) {
        case PAYLOAD_GOOD:
            s->last_run = p.run;
            account_good(s, &p);
            break;
        case PAYLOAD_CORRUPT:
            s->counts.corrupt++;
            break;
        case PAYLOAD_FOREIGN:
            account_foreign(s, i);
            break;
        }
    }
}

/* A forged source must not make two echo servers reply to each other for ever. */
static bool sink_may_reply(const struct sink *s, unsigned i)
{
    struct address from;

    address_from_sockaddr((const struct sockaddr *)&s->batch.names[i], &from);
    return from.port >= 1024 && from.port != s->local.port;
}

/* Send messages first to end, without waiting for a full socket: UDP may drop. */
static void sink_send_replies(struct sink *s, unsigned first, unsigned end)
{
    unsigned retries = 0;

    while (first < end) {
        int sent = sendmmsg(s->fd, &s->batch.messages[first], end - first, MSG_DONTWAIT);

        if (sent > 0) {
            s->counts.echoed += (unsigned)sent;
            first += (unsigned)sent;
            retries = 0;
        } else if (batch_classify_error(errno) != BATCH_RETRY || retries++ == RETRIES_MAX) {
            s->counts.unanswered++;
            first++;
            retries = 0;
        }
    }
}

static bool is_count_reply(const struct sink *s, unsigned i)
{
    return s->count_replies >> i & 1;
}

/* Errors are ignored: the sender repeats a request without a reply. */
static void reply_to_count_requests(struct sink *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (is_count_reply(s, i) && sink_may_reply(s, i))
            (void)sendmsg(s->fd, &s->batch.messages[i].msg_hdr, MSG_DONTWAIT);
}

static void echo_batch(struct sink *s, unsigned count)
{
    unsigned first = 0;

    for (unsigned i = 0; i < count; i++) {
        bool count_reply = is_count_reply(s, i);

        if (!count_reply && sink_may_reply(s, i))
            continue;
        sink_send_replies(s, first, i);
        s->counts.unanswered += !count_reply;
        first = i + 1;
    }
    sink_send_replies(s, first, count);
}

static int read_batch(struct sink *s, bool *ret_any)
{
    int count = batch_receive(&s->batch, s->fd);

    *ret_any = count != 0;
    if (count < 0)
        return batch_classify_error(-count) == BATCH_FATAL ? count : 0;
    s->now_ns = clock_now_ns();
    if (count == 0)
        return 0;
    if (!s->first_ns) {
        s->first_ns = s->now_ns;
        watch_begin(&s->watch, s->now_ns);
    }
    s->last_ns = s->now_ns;
    account_batch(s, (unsigned)count);
    if (s->options->echo || s->count_replies)
        batch_turn_around(&s->batch, (unsigned)count);
    if (s->count_replies)
        reply_to_count_requests(s, (unsigned)count);
    if (s->options->echo)
        echo_batch(s, (unsigned)count);
    return 0;
}

/* End by duration or idle time; UINT64_MAX: none. */
static uint64_t sink_end_ns(const struct sink *s)
{
    const struct sink_options *o = s->options;
    uint64_t end = o->duration_ns ? s->start_ns + o->duration_ns : UINT64_MAX;

    if (o->idle_ns && s->first_ns && s->last_ns + o->idle_ns < end)
        end = s->last_ns + o->idle_ns;
    return end;
}

static bool sink_is_over(const struct sink *s)
{
    return s->stopped || (s->options->count && s->counts.unique >= s->options->count) ||
           s->now_ns >= sink_end_ns(s);
}

static void sink_show_progress(struct sink *s)
{
    if (progress_is_due(&s->progress, s->now_ns))
        progress_show(&s->progress, s->now_ns, s->counts.unique,
                      "received %llu  unique %llu  %.0f/s", (unsigned long long)s->counts.received,
                      (unsigned long long)s->counts.unique,
                      report_rate(s->counts.received, s->last_ns - s->first_ns));
}

/* The last datagram is not known as such: read CPU times whenever traffic stops. */
static bool has_unread_costs(const struct sink *s)
{
    return s->watch.count && s->watched_ns < s->last_ns;
}

static void read_costs(struct sink *s)
{
    watch_end(&s->watch, s->now_ns);
    s->watched_ns = s->last_ns;
}

/* Wait for a datagram, a signal, the end, or the next progress line. */
static void wait_input(struct sink *s)
{
    struct pollfd pollfds[] = {{.fd = s->fd, .events = POLLIN},
                               {.fd = s->stop_fd, .events = POLLIN}};
    uint64_t until_ns = sink_end_ns(s);
    struct timespec ts;

    if (s->progress.shown && s->progress.next_ns < until_ns)
        until_ns = s->progress.next_ns;
    if (has_unread_costs(s) && s->last_ns + IDLE_NS < until_ns)
        until_ns = s->last_ns + IDLE_NS;
    ts = clock_to_timespec(until_ns > s->now_ns ? until_ns - s->now_ns : 0);
    if (ppoll(pollfds, 2, until_ns == UINT64_MAX ? NULL : &ts, NULL) > 0 && pollfds[1].revents)
        s->stopped = stop_take(s->stop_fd) > 0;
    s->now_ns = clock_now_ns();
    if (has_unread_costs(s) && s->now_ns >= s->last_ns + IDLE_NS)
        read_costs(s);
}

int sink_loop_run(struct sink *s)
{
    int rc = 0;

    s->now_ns = s->start_ns = clock_now_ns();
    progress_init(&s->progress, s->now_ns, s->options->count ? s->options->count : UINT64_MAX,
                  s->options->duration_ns ? s->start_ns + s->options->duration_ns : UINT64_MAX);
    while (!rc && !sink_is_over(s)) {
        bool any;

        rc = read_batch(s, &any);
        if (!rc && !any)
            wait_input(s);
        if (s->now_ns >=
            s->look_ns) { /* under full load wait_input never runs: check for signals here */
            s->look_ns = s->now_ns + LOOK_NS;
            s->stopped = s->stopped || stop_take(s->stop_fd) > 0;
        }
        sink_show_progress(s);
    }
    progress_clear(&s->progress);
    if (has_unread_costs(s))
        read_costs(s);
    s->counts.missing = tracker_gaps(&s->tracker);
    s->counts.own_drops = endpoint_drops(s->fd);
    return rc;
}
