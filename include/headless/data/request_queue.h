/*
 * request_queue: requests copied into a ring of bytes, in order.
 *
 * A fixed arena, so that neither a flood nor a leaderless minute grows memory: receive slots are
 * never pinned, and what is kept is kept here. The oldest goes first; the newest can be taken back.
 * Entries do not wrap: where the rest of the arena is too short for one, a filler takes it.
 *
 * Used by hold.h (until there is a leader) and entry_log.h (the history of an order).
 *
 * Owner: its worker's thread. Never blocks; only init allocates, and arena memory that was never
 * used is never touched.
 */
#ifndef HEADLESS_DATA_REQUEST_QUEUE_H
#define HEADLESS_DATA_REQUEST_QUEUE_H

#include <stdbool.h>

#include "headless/data/request.h"
#include "headless/wire/entry.h"

/* Larger than an entry's head: so the rest of the arena is 0 or holds a head. */
#define REQUEST_QUEUE_ALIGN 256

struct queued_request {
    size_t bytes; /* of the whole entry, payload and all */
    bool is_filler;
    union {
        uint64_t since_ns;  /* hold */
        struct entry_id id; /* entry_log */
    };
    struct request request; /* its payload follows this head */
};

struct request_queue {
    uint8_t *arena;
    size_t arena_bytes; /* 0: takes nothing */
    size_t head, used;  /* bytes; head: where the oldest begins */
};

/* Rounds down to whole units. Returns 0 or -ENOMEM. */
int request_queue_init(struct request_queue *queue, size_t arena_bytes)
    __attribute__((warn_unused_result));
void request_queue_fini(struct request_queue *queue);

/* Of a request once it is in: what a full arena must have room for. */
size_t request_queue_bytes(const struct request *request);

/* Copies a request in, payload too. NULL: there is no room; pop, and try again. */
struct queued_request *request_queue_put(struct request_queue *queue,
                                         const struct request *request);

/* The oldest, or NULL. */
struct queued_request *request_queue_oldest(struct request_queue *queue);
/* Forget it. Its memory stays as it is until the next put. */
void request_queue_pop(struct request_queue *queue);

/* Bytes from this one to the newest, both included. */
size_t request_queue_since(const struct request_queue *queue, const struct queued_request *entry);

/* Forget this one and all that came after it. */
void request_queue_cut(struct request_queue *queue, const struct queued_request *entry);

#endif
