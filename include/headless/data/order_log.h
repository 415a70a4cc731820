/*
 * order_log: the history of an order: messages by number, without a hole, as many as fit.
 *
 * It holds first ... next - 1. The oldest goes when there is no room for a new one and the caller
 * lets it go; the newest can be cut off, where two orders grew apart.
 *
 * Owner: its worker's thread. Never blocks; only init allocates.
 */
#ifndef HEADLESS_DATA_ORDER_LOG_H
#define HEADLESS_DATA_ORDER_LOG_H

#include "headless/data/request_queue.h"

struct order_log {
    struct request_queue queue;
    struct queued_request **places; /* by number, a ring of place_count */
    size_t place_count;             /* a power of two */
    uint64_t first, next;           /* first == next: empty; next 0: no number is known yet */
    struct order_mark before;       /* of the message first - 1 */
    bool knows_before;
};

/* Returns 0 or -ENOMEM. */
int order_log_init(struct order_log *log, size_t bytes) __attribute__((warn_unused_result));
void order_log_fini(struct order_log *log);

/* Empty, from this number on. before: of the message in front of it; NULL: not known. */
void order_log_restart(struct order_log *log, uint64_t next, const struct order_mark *before);

/* Copies it in under the next number. NULL: no room. */
const struct request *order_log_append(struct order_log *log, struct order_mark mark,
                                       const struct request *request);
void order_log_drop_oldest(struct order_log *log);

/* This number, if it is there, and all after it are no longer in it. */
void order_log_cut(struct order_log *log, uint64_t from);

/* first <= number < next. */
static inline const struct queued_request *order_log_at(const struct order_log *log,
                                                        uint64_t number)
{
    return log->places[number & (log->place_count - 1)];
}

/* Of a number that it holds, or of the one in front of these. False: not known. */
bool order_log_mark(const struct order_log *log, uint64_t number, struct order_mark *ret_mark);

/* The first number of those that have this one's mark without a break, as far as the log goes back.
 */
uint64_t order_log_run_start(const struct order_log *log, uint64_t number);

#endif
