/* queue: the events in a binary heap, by time, then by the order in which they were added. */
#include <stdio.h>
#include <stdlib.h>

#include "sim.h"

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->sequence < b->sequence;
}

void sim_queue_push(struct sim_queue *queue, const struct sim_event *event)
{
    size_t at = queue->count++;
    struct sim_event moved = *event;

    if (queue->count == SIM_EVENTS) {
        (void)fprintf(stderr, "sim: the event queue is full\n");
        abort();
    }
    moved.sequence = queue->sequence++;
    for (; at > 0 && is_before(&moved, &queue->heap[(at - 1) / 2]); at = (at - 1) / 2)
        queue->heap[at] = queue->heap[(at - 1) / 2];
    queue->heap[at] = moved;
}

bool sim_queue_pop(struct sim_queue *queue, struct sim_event *ret_event)
{
    struct sim_event last;
    size_t at = 0, child;

    if (queue->count == 0)
        return false;
    *ret_event = queue->heap[0];
    last = queue->heap[--queue->count];
    while ((child = 2 * at + 1) < queue->count) {
        child +=
            child + 1 < queue->count && is_before(&queue->heap[child + 1], &queue->heap[child]);
        if (!is_before(&queue->heap[child], &last))
            break;
        queue->heap[at] = queue->heap[child];
        at = child;
    }
    queue->heap[at] = last;
    return true;
}
