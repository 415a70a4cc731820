#include "headless/sequencer/entry_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int entry_log_init(struct entry_log *log, size_t bytes)
{
    size_t most = bytes / ARENA_QUEUE_ALIGN;
    int rc;

    *log = (struct entry_log){.place_count = 1};
    while (log->place_count < most)
        log->place_count *= 2;
    rc = arena_queue_init(&log->queue, bytes);
    if (!rc)
        log->places = calloc(log->place_count, sizeof(struct log_entry *));
    if (!rc && !log->places)
        rc = -ENOMEM;
    if (rc)
        entry_log_fini(log);
    return rc;
}

void entry_log_fini(struct entry_log *log)
{
    arena_queue_fini(&log->queue);
    free(log->places);
    *log = (struct entry_log){0};
}

void entry_log_restart(struct entry_log *log, uint64_t next, const struct entry_id *before)
{
    if (log->first < log->next)
        arena_queue_cut(&log->queue, entry_log_at(log, log->first));
    log->first = log->next = next;
    log->knows_previous = before != NULL;
    log->previous = before ? *before : (struct entry_id){0};
}

bool entry_log_append(struct entry_log *log, struct entry_id id, const struct record *record)
{
    struct log_entry *entry =
        arena_queue_put(&log->queue, sizeof(struct log_entry) + record->length);

    if (!entry)
        return false;
    entry->id = id;
    entry->record = *record;
    entry->record.payload = (const uint8_t *)(entry + 1);
    memcpy(entry + 1, record->payload, record->length);
    log->places[log->next++ & (log->place_count - 1)] = entry;
    return true;
}

void entry_log_drop_oldest(struct entry_log *log)
{
    log->previous = entry_log_at(log, log->first)->id;
    log->knows_previous = true;
    log->first++;
    arena_queue_pop(&log->queue);
}

void entry_log_cut(struct entry_log *log, uint64_t from)
{
    from = from > log->first ? from : log->first;
    if (from >= log->next)
        return;
    arena_queue_cut(&log->queue, entry_log_at(log, from));
    log->next = from;
}

size_t entry_log_bytes_since(const struct entry_log *log, uint64_t index)
{
    return arena_queue_since(&log->queue, entry_log_at(log, index));
}

uint64_t entry_log_range_start(const struct entry_log *log, uint64_t index)
{
    const struct entry_id id = entry_log_at(log, index)->id;

    while (index > log->first && entry_id_equal(entry_log_at(log, index - 1)->id, id))
        index--;
    return index;
}
