#include "headless/base/triple_buffer.h"

#define INDEX_MASK 3U
#define IS_NEW     4U

void triple_buffer_init(struct triple_buffer *buffer)
{
    buffer->writer_index = 0;
    buffer->reader_index = 1;
    atomic_store_explicit(&buffer->shared, 2, memory_order_seq_cst);
}

void triple_buffer_publish(struct triple_buffer *buffer)
{
    unsigned mine = buffer->writer_index | IS_NEW;

    /* Pairs with the exchange in triple_buffer_take. */
    buffer->writer_index =
        atomic_exchange_explicit(&buffer->shared, mine, memory_order_seq_cst) & INDEX_MASK;
}

bool triple_buffer_has_news(const struct triple_buffer *buffer)
{
    return atomic_load_explicit(&buffer->shared, memory_order_seq_cst) & IS_NEW;
}

bool triple_buffer_take(struct triple_buffer *buffer)
{
    if (!triple_buffer_has_news(buffer))
        return false;
    /* Pairs with the exchange in triple_buffer_publish. Only this thread clears IS_NEW. */
    buffer->reader_index =
        atomic_exchange_explicit(&buffer->shared, buffer->reader_index, memory_order_seq_cst) &
        INDEX_MASK;
    return true;
}
