/*
 * entry_log: the entries of a log by index, without a gap, as many as fit.
 *
 * It holds first ... next - 1. The oldest is removed when there is no room for a new one and the
 * caller lets it go; the newest can be cut off, where two logs diverged.
 *
 * Owner: its worker's thread. Never blocks; only init allocates.
 */
#ifndef HEADLESS_SEQUENCER_ENTRY_LOG_H
#define HEADLESS_SEQUENCER_ENTRY_LOG_H

#include "headless/base/arena_queue.h"
#include "headless/wire/frame.h"

struct log_entry {
    struct entry_id id;
    struct record record; /* its payload follows this struct in the arena */
};

struct entry_log {
    struct arena_queue queue;
    struct log_entry **places; /* by index, a ring of place_count */
    size_t place_count;        /* a power of two */
    uint64_t first, next;      /* first == next: empty; next 0: no index is known yet */
    struct entry_id previous;  /* of entry first - 1 */
    bool knows_previous;
};

/* Returns 0 or -ENOMEM. */
int entry_log_init(struct entry_log *log, size_t bytes) __attribute__((warn_unused_result));
void entry_log_fini(struct entry_log *log);

/* Empty, from this index on. previous: id of the entry before it; NULL: not known. */
void entry_log_restart(struct entry_log *log, uint64_t next, const struct entry_id *previous);

/* Copies the record and its payload in under the next index. False: no room. */
bool entry_log_append(struct entry_log *log, struct entry_id id, const struct record *record);
void entry_log_drop_oldest(struct entry_log *log);

/* Removes this index and all after it. */
void entry_log_cut(struct entry_log *log, uint64_t from);

/* first <= index < next. One that was removed stays readable until the next append. */
static inline const struct log_entry *entry_log_at(const struct entry_log *log, uint64_t index)
{
    return log->places[index & (log->place_count - 1)];
}

/* Bytes of the arena from this index to the newest. */
size_t entry_log_bytes_since(const struct entry_log *log, uint64_t index);

/* The id of an index that it holds, or of the one before these. False: not known. */
static inline bool entry_log_id(const struct entry_log *log, uint64_t index,
                                struct entry_id *ret_id)
{
    if (index >= log->first && index < log->next)
        *ret_id = entry_log_at(log, index)->id;
    else if (index + 1 == log->first && log->knows_previous)
        *ret_id = log->previous;
    else
        return false;
    return true;
}

/* The first index of the consecutive entries up to this one that have its id, as far as the log
 * goes back. */
uint64_t entry_log_range_start(const struct entry_log *log, uint64_t index);

#endif
