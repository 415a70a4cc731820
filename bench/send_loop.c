/*
 * send_loop: the pace of sending. Both loops alternate between sending the datagrams that are due
 * and accounting the replies; they sleep only in sender_receive, until the next deadline.
 */
#include "headless/base/clock.h"
#include "report.h"
#include "sender.h"

#define SLICE_MAX UINT64_C(64)      /* datagrams sent before replies are read again */
#define FULL_NS   (200 * NS_PER_US) /* the kernel had no room: ENOBUFS gives no event to wait for */
#define QUIET_NS  (50 * NS_PER_MS)  /* after the last reply: time to wait for duplicates */
#define IDLE_NS   (10 * NS_PER_MS)  /* without traffic: the watched processes are idle */

static uint64_t send_loop_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t count_first_replies(const struct sender *s)
{
    return s->counts.answered + s->counts.late;
}

static bool has_more(const struct sender *s)
{
    return !s->stops && s->next < s->total && s->now_ns < s->end_ns;
}

static void send_loop_show_progress(struct sender *s)
{
    uint64_t answered = count_first_replies(s);

    if (!progress_is_due(&s->progress, s->now_ns))
        return;
    progress_show(&s->progress, s->now_ns, s->next, "sent %llu  answered %llu  open %llu  %.0f/s",
                  (unsigned long long)s->counts.sent, (unsigned long long)answered,
                  (unsigned long long)(s->counts.sent - answered),
                  report_rate(s->counts.sent, s->now_ns - s->start_ns));
}

static int send_loop_receive(struct sender *s, uint64_t until_ns)
{
    send_loop_show_progress(s);
    if (s->progress.shown)
        until_ns = send_loop_min(until_ns, s->progress.next_ns);
    if (s->samples && s->now_ns >= s->samples->next_ns)
        samples_take(s->samples, s->now_ns, s->run_sent, s->run_answered);
    if (s->samples)
        until_ns = send_loop_min(until_ns, s->samples->next_ns);
    return sender_receive(s, until_ns);
}

/* ---- open loop ---- */

/* Number of datagrams due by now. */
static uint64_t due_count(const struct sender *s)
{
    uint64_t elapsed_ns = s->now_ns - s->start_ns;
    uint64_t rate = s->trial.rate;
    uint64_t burst = s->options->microburst;
    uint64_t due = elapsed_ns / NS_PER_SEC * rate + elapsed_ns % NS_PER_SEC * rate / NS_PER_SEC;

    return send_loop_min(due - due % burst + burst, s->total);
}

static int send_due(struct sender *s, bool *ret_full)
{
    uint64_t due = due_count(s);
    uint64_t burst = s->options->microburst;
    uint64_t last = send_loop_min(due, s->next + (burst > SLICE_MAX ? burst : SLICE_MAX));

    while (s->next < last) {
        int sent = sender_transmit(s, last - s->next);

        if (sent < 0)
            return sent;
        if (sent == 0) {
            *ret_full = true;
            break;
        }
    }
    return 0;
}

static int run_open(struct sender *s)
{
    int rc = 0;

    while (has_more(s) && !rc) {
        bool full = false;

        rc = send_due(s, &full);
        if (!rc)
            rc = send_loop_receive(s, full ? s->now_ns + FULL_NS
                                           : send_loop_min(sender_due_ns(s, s->next), s->end_ns));
    }
    s->counts.unpaced = s->stops ? 0 : s->total - s->next;
    return rc;
}

/* ---- closed loop ---- */

static int fill_places(struct sender *s, bool *ret_full)
{
    while (has_more(s) && s->places.used < s->places.capacity) {
        uint64_t room = s->places.capacity - s->places.used;
        int sent = sender_transmit(s, send_loop_min(room, s->total - s->next));

        if (sent < 0)
            return sent;
        if (sent == 0) {
            *ret_full = true;
            break;
        }
    }
    return 0;
}

static int run_closed(struct sender *s)
{
    uint64_t timeout_ns = s->options->timeout_ns;
    int rc = 0;

    while ((has_more(s) || s->places.used) && s->stops < 2 && !rc) {
        bool full = false;

        rc = fill_places(s, &full);
        if (!rc && full)
            rc = send_loop_receive(s, s->now_ns + FULL_NS);
        else if (!rc && s->places.used)
            rc = send_loop_receive(s, places_oldest_ns(&s->places) + timeout_ns + 1);
        if (s->now_ns > timeout_ns)
            (void)places_expire(&s->places, s->now_ns - timeout_ns);
    }
    return rc;
}

/* ---- both ---- */

/* Read CPU times when traffic stops: waiting for lost replies costs the service nothing. */
static int send_loop_receive_and_watch(struct sender *s, uint64_t until_ns, bool *watching)
{
    uint64_t active_ns =
        s->last_received_ns > s->last_sent_ns ? s->last_received_ns : s->last_sent_ns;
    uint64_t idle_ns = active_ns + IDLE_NS;

    if (*watching && s->now_ns >= idle_ns) {
        watch_end(&s->watch, s->now_ns);
        *watching = false;
    }
    return send_loop_receive(s, *watching ? send_loop_min(until_ns, idle_ns) : until_ns);
}

/* After the last datagram: wait for replies until the timeout, or until all came, and for QUIET_NS.
 */
static int send_loop_settle(struct sender *s)
{
    uint64_t until_ns = s->now_ns + (s->options->one_way ? 0 : s->options->timeout_ns);
    bool quiet = false;
    bool watching = s->watch.count > 0;
    int rc = 0;

    if (s->options->closed_loop) /* all places are free: each datagram was answered or timed out */
        until_ns = s->now_ns;
    while (!rc && s->stops < 2) {
        if (!quiet && (count_first_replies(s) == s->counts.sent || s->now_ns >= until_ns)) {
            quiet = true;
            until_ns = s->now_ns + (s->options->one_way ? 0 : QUIET_NS);
        }
        if (quiet && s->now_ns >= until_ns)
            break;
        rc = send_loop_receive_and_watch(s, until_ns, &watching);
    }
    if (watching)
        watch_end(&s->watch, s->now_ns);
    return rc;
}

static void set_limits(struct sender *s)
{
    const struct send_trial *t = &s->trial;

    s->now_ns = s->start_ns = clock_now_ns();
    s->total = t->count ? t->count : UINT64_MAX;
    s->end_ns = t->duration_ns ? s->start_ns + t->duration_ns : UINT64_MAX;
    if (t->rate && t->duration_ns) {
        uint64_t fitting = t->duration_ns / NS_PER_SEC * t->rate +
                           t->duration_ns % NS_PER_SEC * t->rate / NS_PER_SEC;

        s->total = send_loop_min(s->total, fitting ? fitting : 1);
        s->end_ns += s->options->max_lateness_ns; /* the last ones may leave this late */
    }
    if (s->samples && !s->samples->start_ns)
        samples_start(s->samples, s->now_ns);
    progress_init(&s->progress, s->now_ns, s->total, s->end_ns);
    s->progress.shown = s->progress.shown && !s->quiet;
}

int send_loop_run(struct sender *s)
{
    int rc;

    watch_begin(&s->watch, clock_now_ns());
    set_limits(s);
    rc = s->options->closed_loop ? run_closed(s) : run_open(s);
    if (!rc)
        rc = send_loop_settle(s);
    progress_clear(&s->progress);
    s->counts.planned = s->next + s->counts.unpaced;
    s->counts.missing = s->options->one_way ? 0 : s->counts.sent - count_first_replies(s);
    s->counts.own_drops = sender_own_drops(s) - s->own_drops_before;
    return rc;
}
