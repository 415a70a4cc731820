/*
 * When to send. Both loops alternate between sending what may be sent and accounting what came;
 * they sleep only in sender_receive, until the next thing that time alone can bring.
 */
#include "headless/base/clock.h"
#include "report.h"
#include "sender.h"

#define SLICE_MAX UINT64_C(64)      /* datagrams sent before answers are read again */
#define FULL_NS   (200 * NS_PER_US) /* the kernel had no room: ENOBUFS gives no event to wait for */
#define QUIET_NS  (50 * NS_PER_MS)  /* all is answered: how long duplicates may still come */
#define IDLE_NS   (10 * NS_PER_MS)  /* nothing goes or comes: what is watched has done its work */

static uint64_t min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t first_answers(const struct sender *s)
{
    return s->counts.answered + s->counts.late;
}

static bool has_more(const struct sender *s)
{
    return !s->stops && s->next < s->total && s->now_ns < s->end_ns;
}

static void show_progress(struct sender *s)
{
    uint64_t answered = first_answers(s);

    if (!progress_is_due(&s->progress, s->now_ns))
        return;
    progress_show(&s->progress, s->now_ns, s->next, "sent %llu  answered %llu  open %llu  %.0f/s",
                  (unsigned long long)s->counts.sent, (unsigned long long)answered,
                  (unsigned long long)(s->counts.sent - answered),
                  report_rate(s->counts.sent, s->now_ns - s->start_ns));
}

static int receive(struct sender *s, uint64_t until_ns)
{
    show_progress(s);
    if (s->progress.shown)
        until_ns = min64(until_ns, s->progress.next_ns);
    if (s->samples && s->now_ns >= s->samples->next_ns)
        samples_take(s->samples, s->now_ns, s->run_sent, s->run_answered);
    if (s->samples)
        until_ns = min64(until_ns, s->samples->next_ns);
    return sender_receive(s, until_ns);
}

/* ---- open loop ---- */

/* How many datagrams are due by now. */
static uint64_t due_count(const struct sender *s)
{
    uint64_t elapsed_ns = s->now_ns - s->start_ns;
    uint64_t rate = s->trial.rate;
    uint64_t burst = s->options->microburst;
    uint64_t due = elapsed_ns / NS_PER_SEC * rate + elapsed_ns % NS_PER_SEC * rate / NS_PER_SEC;

    return min64(due - due % burst + burst, s->total);
}

static int send_due(struct sender *s, bool *ret_full)
{
    uint64_t due = due_count(s);
    uint64_t burst = s->options->microburst;
    uint64_t last = min64(due, s->next + (burst > SLICE_MAX ? burst : SLICE_MAX));

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
            rc = receive(s,
                         full ? s->now_ns + FULL_NS : min64(sender_due_ns(s, s->next), s->end_ns));
    }
    s->counts.unpaced = s->stops ? 0 : s->total - s->next;
    return rc;
}

/* ---- closed loop ---- */

static int fill_places(struct sender *s, bool *ret_full)
{
    while (has_more(s) && s->places.used < s->places.capacity) {
        uint64_t room = s->places.capacity - s->places.used;
        int sent = sender_transmit(s, min64(room, s->total - s->next));

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
            rc = receive(s, s->now_ns + FULL_NS);
        else if (!rc && s->places.used)
            rc = receive(s, places_oldest_ns(&s->places) + timeout_ns + 1);
        if (s->now_ns > timeout_ns)
            (void)places_expire(&s->places, s->now_ns - timeout_ns);
    }
    return rc;
}

/* ---- both ---- */

/* The CPU time of waiting for the lost is not the service's: it is read when it falls quiet. */
static int receive_and_watch(struct sender *s, uint64_t until_ns, bool *watching)
{
    uint64_t active_ns =
        s->last_received_ns > s->last_sent_ns ? s->last_received_ns : s->last_sent_ns;
    uint64_t idle_ns = active_ns + IDLE_NS;

    if (*watching && s->now_ns >= idle_ns) {
        watch_end(&s->watch, s->now_ns);
        *watching = false;
    }
    return receive(s, *watching ? min64(until_ns, idle_ns) : until_ns);
}

/* After the last datagram: wait for answers until the timeout, or until all came and it is quiet.
 */
static int settle(struct sender *s)
{
    uint64_t until_ns = s->now_ns + (s->options->one_way ? 0 : s->options->timeout_ns);
    bool quiet = false;
    bool watching = s->watch.count > 0;
    int rc = 0;

    if (s->options->closed_loop) /* every place is free: each was answered, or its time is over */
        until_ns = s->now_ns;
    while (!rc && s->stops < 2) {
        if (!quiet && (first_answers(s) == s->counts.sent || s->now_ns >= until_ns)) {
            quiet = true;
            until_ns = s->now_ns + (s->options->one_way ? 0 : QUIET_NS);
        }
        if (quiet && s->now_ns >= until_ns)
            break;
        rc = receive_and_watch(s, until_ns, &watching);
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

        s->total = min64(s->total, fitting ? fitting : 1);
        s->end_ns += s->options->max_lateness_ns; /* so late, the last ones may still leave */
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
        rc = settle(s);
    progress_clear(&s->progress);
    s->counts.planned = s->next + s->counts.unpaced;
    s->counts.missing = s->options->one_way ? 0 : s->counts.sent - first_answers(s);
    s->counts.own_drops = sender_own_drops(s) - s->own_drops_before;
    return rc;
}
