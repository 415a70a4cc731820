#include "base/log_queue.h"

#include <stdatomic.h>
#include <string.h>

/*
 * A slot's turn says whose it is: that of the producer with this position, or, one higher, that of
 * the consumer. The release of each side pairs with the acquire of the other.
 */
static struct log_queue_slot {
    _Alignas(64) _Atomic uint32_t turn;
    struct log_queue_line line;
} slots[LOG_QUEUE_LINES];

_Static_assert((LOG_QUEUE_LINES & (LOG_QUEUE_LINES - 1)) == 0, "positions wrap at 2^32");

static _Atomic uint32_t queue_end; /* the next position to push */
static uint32_t queue_begin;       /* the next to pop; owned by the consumer */

static struct log_queue_slot *slot_at(uint32_t position)
{
    return &slots[position % LOG_QUEUE_LINES];
}

void log_queue_init(void)
{
    for (uint32_t i = 0; i < LOG_QUEUE_LINES; i++)
        atomic_init(&slots[i].turn, i);
}

/* Take the next position, if its slot is free. */
static bool claim(uint32_t *ret_position)
{
    uint32_t position = atomic_load_explicit(&queue_end, memory_order_relaxed);

    for (;;) {
        uint32_t turn = atomic_load_explicit(&slot_at(position)->turn, memory_order_acquire);

        if ((int32_t)(turn - position) < 0)
            return false;
        if (turn != position) { /* another producer has it */
            position = atomic_load_explicit(&queue_end, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(
                       &queue_end, &position, position + 1, memory_order_seq_cst,
                       memory_order_relaxed)) { /* seq_cst: see log_queue_end */
            *ret_position = position;
            return true;
        }
    }
}

bool log_queue_push(enum log_level level, const char *text, size_t length, uint32_t *ret_position)
{
    struct log_queue_slot *slot;

    if (!claim(ret_position))
        return false;
    slot = slot_at(*ret_position);
    slot->line.level = level;
    slot->line.length = length;
    memcpy(slot->line.text, text, length);
    atomic_store_explicit(&slot->turn, *ret_position + 1, memory_order_release);
    return true;
}

uint32_t log_queue_end(void)
{
    return atomic_load_explicit(&queue_end, memory_order_seq_cst);
}

const struct log_queue_line *log_queue_peek(void)
{
    const struct log_queue_slot *slot = slot_at(queue_begin);

    return atomic_load_explicit(&slot->turn, memory_order_acquire) == queue_begin + 1 ? &slot->line
                                                                                      : NULL;
}

void log_queue_pop(void)
{
    atomic_store_explicit(&slot_at(queue_begin)->turn, queue_begin + LOG_QUEUE_LINES,
                          memory_order_release);
    queue_begin++;
}
