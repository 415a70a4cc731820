/*
 * entry_log: the history of an order: messages by number, without a hole, as many as fit.
 *
 * It holds first ... next - 1. The oldest goes when there is no room for a new one and the caller
 * lets it go; the newest can be cut off, where two orders grew apart.
 *
 * Owner: its worker's thread. Never blocks; only init allocates.
 */
#ifndef HEADLESS_SEQUENCER_LOG_H
#define HEADLESS_SEQUENCER_LOG_H

#include "headless/data/request_queue.h"

struct entry_log {
    struct request_queue queue;
    struct queued_request **places; /* by number, a ring of place_count */
    size_t place_count;             /* a power of two */
    uint64_t first, next;           /* first == next: empty; next 0: no number is known yet */
    struct entry_id previous;       /* of the message first - 1 */
    bool knows_previous;
};

/* Returns 0 or -ENOMEM. */
int entry_log_init(struct entry_log *log, size_t bytes) __attribute__((warn_unused_result));
void entry_log_fini(struct entry_log *log);

/* Empty, from this number on. before: of the message in front of it; NULL: not known. */
void entry_log_restart(struct entry_log *log, uint64_t next, const struct entry_id *before);

/* Copies it in under the next number. NULL: no room. */
const struct request *entry_log_append(struct entry_log *log, struct entry_id id,
                                       const struct request *request);
void entry_log_drop_oldest(struct entry_log *log);

/* This number, if it is there, and all after it are no longer in it. */
void entry_log_cut(struct entry_log *log, uint64_t from);

/* first <= number < next. */
static inline const struct queued_request *entry_log_at(const struct entry_log *log, uint64_t index)
{
    return log->places[index & (log->place_count - 1)];
}

/* Of a number that it holds, or of the one in front of these. False: not known. */
bool entry_log_id(const struct entry_log *log, uint64_t index, struct entry_id *ret_id);

/* The first number of those that have this one's mark without a break, as far as the log goes back.
 */
uint64_t entry_log_range_start(const struct entry_log *log, uint64_t index);

#endif
