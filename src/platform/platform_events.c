/* Events: a bounded queue, and one request at a time. */
#include "headless/platform/platform_events.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "headless/base/budget.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "platform/document.h"
#include "platform/event_json.h"
#include "platform/platform_internal.h"

#define EVENTS_PERIOD_NS  (10 * NS_PER_SEC)
#define EVENTS_TIMEOUT_NS (5 * NS_PER_SEC)
#define EVENTS_PAUSE_NS   (600 * NS_PER_SEC) /* after a 403: the rule is missing, or not wanted */

struct queued_event {
    struct platform_event event;
    char uid[PLATFORM_EVENTS_UID_MAX], note[PLATFORM_EVENTS_NOTE_MAX];
    uint64_t real_us;
};

struct platform_events {
    /* Constant. */
    struct platform *platform;
    struct platform_events_about about;
    struct platform_object object;

    /* Positions of a ring: the poster writes queue[written], then written; the platform thread reads
     * queue[sent], then sets sent. */
    struct queued_event queue[PLATFORM_EVENTS_BURST];
    _Atomic uint32_t written, sent;
    _Atomic bool is_busy; /* a request is under way: whoever sets it hands one in */

    struct budget budget; /* the poster's */
    bool is_failing;      /* the platform thread's: the last one failed, and was logged */
    _Atomic uint64_t paused_until_ns;
    _Atomic uint64_t counts[PLATFORM_EVENTS_RESULT_COUNT];
};

static void event_queue_count(struct platform_events *events, enum platform_events_result result)
{
    (void)atomic_fetch_add_explicit(&events->counts[result], 1, memory_order_relaxed);
}

/* ---- the platform thread ---- */

/* The namespace may have been unknown until now. */
static size_t event_queue_write(void *context, char *body, size_t room)
{
    struct platform_events *events = context;
    uint32_t sent = atomic_load_explicit(&events->sent, memory_order_relaxed);
    const struct queued_event *next = &events->queue[sent % PLATFORM_EVENTS_BURST];

    if (platform_find_space(events->platform))
        return 0;
    return event_json_write(&events->about, &next->event, platform_namespace(events->platform),
                            next->real_us, body, room);
}

static void event_queue_note_failure(struct platform_events *events,
                                     const struct platform_result *result)
{
    const char *message = result->outcome == PLATFORM_INVALID
                              ? document_text(result->document, NULL, "message")
                              : NULL;

    event_queue_count(events, PLATFORM_EVENTS_FAILED);
    if (result->outcome == PLATFORM_FORBIDDEN || result->outcome == PLATFORM_NOT_FOUND)
        atomic_store_explicit(&events->paused_until_ns, clock_now_ns() + EVENTS_PAUSE_NS,
                              memory_order_relaxed);
    if (!events->is_failing)
        log_warn(
            "event_failed",
            "Events about the %s \"%s\" are not written, which changes nothing else: %s%s%.256s",
            events->about.kind, events->about.name, result->why, message ? ": " : "",
            message ? message : "");
    events->is_failing = true;
}

static void event_queue_start(struct platform_events *events);

static void event_queue_done(void *context, const struct platform_result *result)
{
    struct platform_events *events = context;

    if (result->outcome == PLATFORM_OK) {
        event_queue_count(events, PLATFORM_EVENTS_WRITTEN);
        events->is_failing = false;
    } else {
        event_queue_note_failure(events, result);
    }
    (void)atomic_fetch_add_explicit(&events->sent, 1, memory_order_release);
    atomic_store_explicit(&events->is_busy, false, memory_order_seq_cst);
    event_queue_start(events);
}

/* ---- both threads ---- */

static bool event_queue_has_queued(const struct platform_events *events)
{
    return atomic_load_explicit(&events->written, memory_order_seq_cst) !=
           atomic_load_explicit(&events->sent, memory_order_acquire);
}

/* After is_busy was cleared, or written changed: one of the two threads sees both. */
static void event_queue_start(struct platform_events *events)
{
    const struct platform_request request = {.verb = PLATFORM_CREATE,
                                             .object = &events->object,
                                             .timeout_ns = EVENTS_TIMEOUT_NS,
                                             .is_background = true,
                                             .is_optional = true,
                                             .write_body = event_queue_write,
                                             .done = event_queue_done,
                                             .context = events};

    while (event_queue_has_queued(events) &&
           !atomic_exchange_explicit(&events->is_busy, true, memory_order_seq_cst)) {
        if (!event_queue_has_queued(events)) { /* the other thread was faster */
            atomic_store_explicit(&events->is_busy, false, memory_order_seq_cst);
            continue;
        }
        if (platform_request(events->platform, &request) == 0)
            return;
        event_queue_count(events, PLATFORM_EVENTS_FAILED);
        (void)atomic_fetch_add_explicit(&events->sent, 1, memory_order_release);
        atomic_store_explicit(&events->is_busy, false, memory_order_seq_cst);
    }
}

/* ---- the poster ---- */

static uint64_t event_queue_real_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / NS_PER_US;
}

void platform_events_post(struct platform_events *events, const struct platform_event *event,
                          uint64_t now_ns)
{
    struct queued_event *queued;
    uint32_t written;

    if (!events)
        return;
    written = atomic_load_explicit(&events->written, memory_order_relaxed);
    if (now_ns < atomic_load_explicit(&events->paused_until_ns, memory_order_relaxed) ||
        written - atomic_load_explicit(&events->sent, memory_order_acquire) >=
            PLATFORM_EVENTS_BURST ||
        !budget_take(&events->budget, now_ns)) {
        event_queue_count(events, PLATFORM_EVENTS_LIMITED);
        return;
    }
    queued = &events->queue[written % PLATFORM_EVENTS_BURST];
    queued->event = *event;
    (void)snprintf(queued->uid, sizeof(queued->uid), "%s", event->uid);
    (void)snprintf(queued->note, sizeof(queued->note), "%s", event->note);
    queued->event.uid = queued->uid;
    queued->event.note = queued->note;
    queued->real_us = event_queue_real_us();
    atomic_store_explicit(&events->written, written + 1, memory_order_seq_cst);
    event_queue_start(events);
}

/* ---- open, close, report ---- */

int platform_events_open(struct platform *platform, const struct platform_events_about *about,
                         struct platform_events **ret_events)
{
    struct platform_events *events = calloc(1, sizeof(*events));

    *ret_events = events;
    if (!events)
        return -ENOMEM;
    events->platform = platform;
    events->about = *about;
    events->object =
        (struct platform_object){.group = "events.k8s.io", .version = "v1", .resource = "events"};
    events->budget = budget_make(EVENTS_PERIOD_NS, PLATFORM_EVENTS_BURST);
    return 0;
}

void platform_events_close(struct platform_events *events)
{
    free(events);
}

void platform_events_read(const struct platform_events *events,
                          struct platform_events_counts *ret_counts)
{
    *ret_counts = (struct platform_events_counts){.is_on = events != NULL};
    for (size_t i = 0; events && i < PLATFORM_EVENTS_RESULT_COUNT; i++)
        ret_counts->of[i] = atomic_load_explicit(&events->counts[i], memory_order_relaxed);
}

const char *platform_events_result_name(enum platform_events_result result)
{
    static const char *const names[PLATFORM_EVENTS_RESULT_COUNT] = {
        [PLATFORM_EVENTS_WRITTEN] = "written",
        [PLATFORM_EVENTS_FAILED] = "failed",
        [PLATFORM_EVENTS_LIMITED] = "limited"};

    return names[result];
}
