#include "headless/data/hold.h"

#include <errno.h>
#include <sys/mman.h>

/*
 * An entry is this head and the payload, rounded up to ENTRY_ALIGN. Entries do not wrap: where the
 * rest of the arena is too short for one, a filler takes it. Both start aligned, so a head always
 * fits.
 */
struct entry {
    size_t bytes; /* of the whole entry */
    uint64_t since_ns;
    bool is_filler;
    struct request request; /* payload pointer is set again on the way out */
};
#define ENTRY_ALIGN                                                              \
    256 /* > sizeof(struct entry): so the rest of the arena is 0 or holds a head \
         */
_Static_assert(sizeof(struct entry) <= ENTRY_ALIGN, "a filler's head must fit every rest");

int hold_init(struct hold *hold, size_t arena_bytes, size_t release_bytes,
              struct counters *counters)
{
    *hold = (struct hold){
        .release_bytes = release_bytes, .pace_bytes = release_bytes, .counters = counters};
    arena_bytes -= arena_bytes % ENTRY_ALIGN;
    if (arena_bytes == 0)
        return 0;
    hold->arena = mmap(NULL, arena_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (hold->arena == MAP_FAILED) {
        hold->arena = NULL;
        return -ENOMEM;
    }
    hold->arena_bytes = arena_bytes;
    return 0;
}

void hold_fini(struct hold *hold)
{
    if (hold->arena)
        (void)munmap(hold->arena, hold->arena_bytes);
    *hold = (struct hold){0};
}

void hold_set_pace(struct hold *hold, size_t release_bytes)
{
    hold->release_bytes = hold->pace_bytes = release_bytes;
}

static struct entry *entry_at(const struct hold *hold, size_t offset)
{
    return (struct entry *)(void *)(hold->arena + offset);
}

static void set_count(struct hold *hold, uint64_t count)
{
    atomic_store_explicit(&hold->count, count, memory_order_relaxed);
}

/* Forget the oldest entry. */
static void pop(struct hold *hold)
{
    struct entry *oldest = entry_at(hold, hold->head);

    hold->head = (hold->head + oldest->bytes) % hold->arena_bytes;
    hold->used -= oldest->bytes;
    if (!oldest->is_filler)
        set_count(hold, hold_count(hold) - 1);
    if (hold->used == 0)
        hold->head = 0;
}

static void drop_oldest(struct hold *hold, enum drop_reason reason)
{
    if (!entry_at(hold, hold->head)->is_filler)
        counters_drop(hold->counters, reason, 1);
    pop(hold);
}

/* Room for bytes in one piece at the returned offset, making it where needed. bytes fits the arena.
 */
static size_t make_room(struct hold *hold, size_t bytes)
{
    size_t tail, rest;

    for (;;) {
        tail = (hold->head + hold->used) % hold->arena_bytes;
        rest = hold->arena_bytes - tail;
        if (hold->arena_bytes - hold->used >= (rest < bytes ? rest + bytes : bytes))
            break;
        drop_oldest(hold, DROP_hold_overflow);
    }
    if (rest >= bytes)
        return tail;
    *entry_at(hold, tail) = (struct entry){.bytes = rest, .is_filler = true};
    hold->used += rest;
    return 0;
}

void hold_put(struct hold *hold, const struct request *request, uint64_t now_ns)
{
    size_t bytes = sizeof(struct entry) + request->record.length;
    struct entry *entry;

    bytes += (ENTRY_ALIGN - bytes % ENTRY_ALIGN) % ENTRY_ALIGN;
    if (bytes > hold->arena_bytes) {
        counters_drop(hold->counters, DROP_hold_overflow, 1);
        return;
    }
    entry = entry_at(hold, make_room(hold, bytes));
    *entry = (struct entry){.bytes = bytes, .since_ns = now_ns, .request = *request};
    memcpy(entry + 1, request->record.payload, request->record.length);
    hold->used += bytes;
    set_count(hold, hold_count(hold) + 1);
}

void hold_expire(struct hold *hold, uint64_t limit_ns, uint64_t now_ns)
{
    while (hold->used > 0) {
        struct entry *oldest = entry_at(hold, hold->head);

        if (!oldest->is_filler && now_ns - oldest->since_ns < limit_ns)
            return;
        drop_oldest(hold, DROP_hold_expired);
    }
}

static void begin_period(struct hold *hold, uint64_t now_ns)
{
    hold->next_release_ns = now_ns + HOLD_RELEASE_PERIOD_NS;
    /* More came in behind the held ones than went out: at this pace it would never end. */
    if (hold->used_before_release && hold->used >= hold->used_before_release)
        hold->pace_bytes =
            2 * hold->pace_bytes < hold->arena_bytes ? 2 * hold->pace_bytes : hold->arena_bytes;
    hold->used_before_release = hold->used;
    hold->left_bytes = hold->pace_bytes;
}

size_t hold_release(struct hold *hold, uint64_t now_ns,
                    void (*each)(void *context, const struct request *request), void *context)
{
    size_t released = 0;

    if (hold->used > 0 && now_ns >= hold->next_release_ns)
        begin_period(hold, now_ns);
    while (hold->used > 0 && hold->left_bytes > 0 && released < HOLD_RELEASE_MAX) {
        struct entry *oldest = entry_at(hold, hold->head);

        if (!oldest->is_filler) {
            oldest->request.record.payload = (const uint8_t *)(oldest + 1);
            each(context, &oldest->request);
            released++;
            hold->left_bytes -= oldest->bytes < hold->left_bytes ? oldest->bytes : hold->left_bytes;
        }
        pop(hold);
    }
    if (hold->used == 0) {
        hold->pace_bytes = hold->release_bytes;
        hold->used_before_release = hold->left_bytes = 0;
    }
    return released;
}

void hold_clear(struct hold *hold, enum drop_reason reason)
{
    while (hold->used > 0)
        drop_oldest(hold, reason);
}
