#include "headless/wire/order.h"

#include "headless/base/bytes.h"

static uint8_t *put_mark(uint8_t *out, struct order_mark mark)
{
    return put_be64(put_be64(out, mark.term), mark.leader);
}

static struct order_mark get_mark(const uint8_t *in)
{
    return (struct order_mark){.term = get_be64(in), .leader = get_be64(in + 8)};
}

void order_put_run(uint8_t out[static ORDER_RUN_BYTES], const struct order_run *run)
{
    out = put_be64(out, run->first);
    out = put_mark(put_mark(out, run->mark), run->before);
    out = put_be64(put_be64(out, run->base), run->oldest);
    out = put_be64(put_be64(out, run->until), run->tail);
    (void)put_be64(out, run->committed);
}

static bool is_number(uint64_t number)
{
    return number <= ORDER_NUMBER_MAX;
}

bool order_get_run(const uint8_t *in, size_t length, struct order_run *ret_run)
{
    struct order_run run;

    if (length < ORDER_RUN_BYTES)
        return false;
    run = (struct order_run){.first = get_be64(in),
                             .mark = get_mark(in + 8),
                             .before = get_mark(in + 24),
                             .base = get_be64(in + 40),
                             .oldest = get_be64(in + 48),
                             .until = get_be64(in + 56),
                             .tail = get_be64(in + 64),
                             .committed = get_be64(in + 72)};
    if (run.first == 0 || run.oldest == 0 || !is_number(run.first) || !is_number(run.base) ||
        !is_number(run.oldest) || !is_number(run.until) || !is_number(run.tail) ||
        !is_number(run.committed))
        return false;
    *ret_run = run;
    return true;
}

void order_put_position(uint8_t out[static ORDER_POSITION_BYTES],
                        const struct order_position *position)
{
    out = put_be16(out, position->flags);
    memset(out, 0, 6);
    out = put_be64(out + 6, position->want);
    out = put_be64(put_be64(out, position->epoch), position->last);
    (void)put_be64(out, position->committed);
}

bool order_get_position(const uint8_t *in, size_t length, struct order_position *ret_position)
{
    static const uint8_t zeros[6];
    struct order_position position;

    if (length < ORDER_POSITION_BYTES || memcmp(in + 2, zeros, sizeof(zeros)) != 0)
        return false;
    position = (struct order_position){.flags = get_be16(in),
                                       .want = get_be64(in + 8),
                                       .epoch = get_be64(in + 16),
                                       .last = get_be64(in + 24),
                                       .committed = get_be64(in + 32)};
    if (position.flags & ~ORDER_POSITION_QUERY || !is_number(position.want) ||
        !is_number(position.last) || !is_number(position.committed))
        return false;
    *ret_position = position;
    return true;
}
