#include "headless/wire/entry.h"

#include "headless/base/bytes.h"

static uint8_t *put_id(uint8_t *out, struct entry_id id)
{
    return put_be64(put_be64(out, id.term), id.leader);
}

static struct entry_id get_id(const uint8_t *in)
{
    return (struct entry_id){.term = get_be64(in), .leader = get_be64(in + 8)};
}

void entry_put_range(uint8_t out[static ENTRY_RANGE_BYTES], const struct entry_range *range)
{
    out = put_be64(out, range->first);
    out = put_id(put_id(out, range->id), range->previous);
    out = put_be64(put_be64(out, range->term_first), range->oldest);
    out = put_be64(put_be64(out, range->reply_end), range->last);
    (void)put_be64(out, range->committed);
}

static bool is_index(uint64_t index)
{
    return index <= ENTRY_INDEX_MAX;
}

bool entry_get_range(const uint8_t *in, size_t length, struct entry_range *ret_range)
{
    struct entry_range range;

    if (length < ENTRY_RANGE_BYTES)
        return false;
    range = (struct entry_range){.first = get_be64(in),
                                 .id = get_id(in + 8),
                                 .previous = get_id(in + 24),
                                 .term_first = get_be64(in + 40),
                                 .oldest = get_be64(in + 48),
                                 .reply_end = get_be64(in + 56),
                                 .last = get_be64(in + 64),
                                 .committed = get_be64(in + 72)};
    if (range.first == 0 || range.oldest == 0 || !is_index(range.first) ||
        !is_index(range.term_first) || !is_index(range.oldest) || !is_index(range.reply_end) ||
        !is_index(range.last) || !is_index(range.committed))
        return false;
    *ret_range = range;
    return true;
}

void entry_put_ack(uint8_t out[static ENTRY_ACK_BYTES], const struct entry_ack *ack)
{
    out = put_be16(out, ack->flags);
    memset(out, 0, 6);
    out = put_be64(out + 6, ack->request);
    out = put_be64(put_be64(out, ack->normal_term), ack->last);
    (void)put_be64(out, ack->committed);
}

bool entry_get_ack(const uint8_t *in, size_t length, struct entry_ack *ret_ack)
{
    static const uint8_t zeros[6];
    struct entry_ack ack;

    if (length < ENTRY_ACK_BYTES || memcmp(in + 2, zeros, sizeof(zeros)) != 0)
        return false;
    ack = (struct entry_ack){.flags = get_be16(in),
                             .request = get_be64(in + 8),
                             .normal_term = get_be64(in + 16),
                             .last = get_be64(in + 24),
                             .committed = get_be64(in + 32)};
    if (ack.flags & ~ENTRY_ACK_QUERY || !is_index(ack.request) || !is_index(ack.last) ||
        !is_index(ack.committed))
        return false;
    *ret_ack = ack;
    return true;
}
