/*
 * arena_queue: entries of any size in a ring of bytes, in order.
 *
 * A fixed arena, so that neither a flood nor a minute without a leader grows memory: receive slots
 * are never pinned, their content is copied here. The oldest entry goes first; the newest ones can
 * be taken back. Entries do not wrap: where the rest of the arena is too short for one, a filler
 * takes it.
 *
 * Used by data/hold.h (requests without a leader) and sequencer/entry_log.h (the ordered log).
 *
 * Owner: one thread. Never blocks; only init allocates, and arena memory that was never used is
 * never touched.
 */
#ifndef HEADLESS_BASE_ARENA_QUEUE_H
#define HEADLESS_BASE_ARENA_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Larger than an entry's head, so that the rest of the arena is 0 or holds a head. */
#define ARENA_QUEUE_ALIGN 256

struct arena_queue {
    uint8_t *arena;
    size_t arena_bytes; /* 0: takes nothing */
    size_t head, used;  /* bytes; head: offset of the oldest */
};

/* Rounds down to whole units of ARENA_QUEUE_ALIGN. Returns 0 or -ENOMEM. */
int arena_queue_init(struct arena_queue *queue, size_t arena_bytes)
    __attribute__((warn_unused_result));
void arena_queue_fini(struct arena_queue *queue);

/* Bytes of the arena that an entry of this size takes. */
size_t arena_queue_bytes(size_t size);

/* Room for a new entry, aligned to 16 bytes, not initialised. NULL: no room; pop, and try again. */
void *arena_queue_put(struct arena_queue *queue, size_t size);

/* The oldest, or NULL. */
void *arena_queue_oldest(struct arena_queue *queue);
/* Removes it. Its memory keeps its content until the next put. */
void arena_queue_pop(struct arena_queue *queue);

/* The entry that was put after this one, or NULL. */
void *arena_queue_next(const struct arena_queue *queue, const void *entry);

/* Bytes from this entry to the newest, both included. */
size_t arena_queue_since(const struct arena_queue *queue, const void *entry);

/* Removes this entry and all that were put after it. Memory as with pop. */
void arena_queue_cut(struct arena_queue *queue, const void *entry);

#endif
