#include "data/hold.h"

#include <string.h>

struct held_request {
    uint64_t since_ns;
    struct request request; /* its payload follows */
};

int hold_init(struct hold *hold, size_t arena_bytes, size_t release_bytes,
              struct counters *counters)
{
    *hold = (struct hold){
        .release_bytes = release_bytes, .pace_bytes = release_bytes, .counters = counters};
    return arena_queue_init(&hold->queue, arena_bytes);
}

void hold_fini(struct hold *hold)
{
    arena_queue_fini(&hold->queue);
    *hold = (struct hold){0};
}

void hold_set_pace(struct hold *hold, size_t release_bytes)
{
    hold->release_bytes = hold->pace_bytes = release_bytes;
}

static void hold_set_count(struct hold *hold, uint64_t count)
{
    atomic_store_explicit(&hold->count, count, memory_order_relaxed);
}

static void observe_age(struct hold *hold, const struct held_request *oldest, uint64_t now_ns)
{
    counters_observe(hold->counters, DISTRIBUTION_HOLD,
                     now_ns > oldest->since_ns ? now_ns - oldest->since_ns : 0);
}

/* Removes the oldest entry. */
static void hold_pop(struct hold *hold)
{
    arena_queue_pop(&hold->queue);
    hold_set_count(hold, hold_count(hold) - 1);
}

static void drop_oldest(struct hold *hold, enum drop_reason reason, uint64_t now_ns)
{
    observe_age(hold, arena_queue_oldest(&hold->queue), now_ns);
    counters_drop(hold->counters, reason, 1);
    hold_pop(hold);
}

static size_t held_bytes(const struct request *request)
{
    return sizeof(struct held_request) + request->record.length;
}

static void hold_fill(struct held_request *entry, const struct request *request, uint64_t now_ns)
{
    *entry = (struct held_request){.since_ns = now_ns, .request = *request};
    memcpy(entry + 1, request->record.payload, request->record.length);
    entry->request.record.payload = (const uint8_t *)(entry + 1);
}

void hold_put(struct hold *hold, const struct request *request, uint64_t now_ns)
{
    struct held_request *entry;

    if (arena_queue_bytes(held_bytes(request)) > hold->queue.arena_bytes) {
        counters_drop(hold->counters, DROP_hold_overflow, 1);
        return;
    }
    while (!(entry = arena_queue_put(&hold->queue, held_bytes(request))))
        drop_oldest(hold, DROP_hold_overflow, now_ns);
    hold_fill(entry, request, now_ns);
    hold_set_count(hold, hold_count(hold) + 1);
}

void hold_expire(struct hold *hold, uint64_t limit_ns, uint64_t now_ns)
{
    const struct held_request *oldest;

    while ((oldest = arena_queue_oldest(&hold->queue)) && now_ns - oldest->since_ns >= limit_ns)
        drop_oldest(hold, DROP_hold_expired, now_ns);
}

static void begin_period(struct hold *hold, uint64_t now_ns)
{
    size_t used = hold->queue.used, arena_bytes = hold->queue.arena_bytes;

    hold->next_release_ns = now_ns + HOLD_RELEASE_PERIOD_NS;
    /* More requests arrived than were released: at this pace the queue would never be empty. */
    if (hold->used_before_release && used >= hold->used_before_release)
        hold->pace_bytes = 2 * hold->pace_bytes < arena_bytes ? 2 * hold->pace_bytes : arena_bytes;
    hold->used_before_release = used;
    hold->left_bytes = hold->pace_bytes;
}

/* Returns its bytes in the queue; 0: there is none. */
static size_t release_oldest(struct hold *hold, uint64_t now_ns,
                             void (*each)(void *context, const struct request *request),
                             void *context)
{
    const struct held_request *oldest = arena_queue_oldest(&hold->queue);
    size_t bytes;

    if (!oldest)
        return 0;
    each(context, &oldest->request);
    observe_age(hold, oldest, now_ns);
    bytes = arena_queue_bytes(held_bytes(&oldest->request));
    hold_pop(hold);
    return bytes;
}

size_t hold_release_one(struct hold *hold, uint64_t now_ns,
                        void (*each)(void *context, const struct request *request), void *context)
{
    return release_oldest(hold, now_ns, each, context) > 0;
}

size_t hold_release(struct hold *hold, uint64_t now_ns,
                    void (*each)(void *context, const struct request *request), void *context)
{
    size_t released = 0, bytes;

    if (!hold_is_empty(hold) && now_ns >= hold->next_release_ns)
        begin_period(hold, now_ns);
    while (hold->left_bytes > 0 && released < HOLD_RELEASE_MAX &&
           (bytes = release_oldest(hold, now_ns, each, context)) > 0) {
        released++;
        hold->left_bytes -= bytes < hold->left_bytes ? bytes : hold->left_bytes;
    }
    if (hold_is_empty(hold)) {
        hold->pace_bytes = hold->release_bytes;
        hold->used_before_release = hold->left_bytes = 0;
    }
    return released;
}

void hold_clear(struct hold *hold, enum drop_reason reason, uint64_t now_ns)
{
    while (arena_queue_oldest(&hold->queue))
        drop_oldest(hold, reason, now_ns);
}
