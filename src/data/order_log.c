#include "headless/data/order_log.h"

#include <errno.h>
#include <stdlib.h>

int order_log_init(struct order_log *log, size_t bytes)
{
    size_t most = bytes / REQUEST_QUEUE_ALIGN;
    int rc;

    *log = (struct order_log){.place_count = 1};
    while (log->place_count < most)
        log->place_count *= 2;
    rc = request_queue_init(&log->queue, bytes);
    if (!rc)
        log->places = calloc(log->place_count, sizeof(struct queued_request *));
    if (!rc && !log->places)
        rc = -ENOMEM;
    if (rc)
        order_log_fini(log);
    return rc;
}

void order_log_fini(struct order_log *log)
{
    request_queue_fini(&log->queue);
    free(log->places);
    *log = (struct order_log){0};
}

void order_log_restart(struct order_log *log, uint64_t next, const struct order_mark *before)
{
    if (log->first < log->next)
        request_queue_cut(&log->queue, order_log_at(log, log->first));
    log->first = log->next = next;
    log->knows_before = before != NULL;
    log->before = before ? *before : (struct order_mark){0};
}

const struct request *order_log_append(struct order_log *log, struct order_mark mark,
                                       const struct request *request)
{
    struct queued_request *entry = request_queue_put(&log->queue, request);

    if (!entry)
        return NULL;
    entry->mark = mark;
    log->places[log->next++ & (log->place_count - 1)] = entry;
    return &entry->request;
}

void order_log_drop_oldest(struct order_log *log)
{
    log->before = order_log_at(log, log->first)->mark;
    log->knows_before = true;
    log->first++;
    request_queue_pop(&log->queue);
}

void order_log_cut(struct order_log *log, uint64_t from)
{
    from = from > log->first ? from : log->first;
    if (from >= log->next)
        return;
    request_queue_cut(&log->queue, order_log_at(log, from));
    log->next = from;
}

bool order_log_mark(const struct order_log *log, uint64_t number, struct order_mark *ret_mark)
{
    if (number >= log->first && number < log->next)
        *ret_mark = order_log_at(log, number)->mark;
    else if (number + 1 == log->first && log->knows_before)
        *ret_mark = log->before;
    else
        return false;
    return true;
}

uint64_t order_log_run_start(const struct order_log *log, uint64_t number)
{
    const struct order_mark mark = order_log_at(log, number)->mark;

    while (number > log->first && order_mark_equal(order_log_at(log, number - 1)->mark, mark))
        number--;
    return number;
}
