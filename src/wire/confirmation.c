#include "headless/wire/confirmation.h"

#include "headless/base/bytes.h"

void frame_put_place(uint8_t out[static FRAME_PLACE_BYTES], const struct frame_place *place)
{
    out = put_be16(put_be32(out, place->stream), place->flags);
    out = put_be64(put_be16(out, 0), place->number);
    (void)put_be64(out, place->oldest);
}

bool frame_get_place(const uint8_t *in, size_t length, struct frame_place *ret_place)
{
    struct frame_place place;

    if (length < FRAME_PLACE_BYTES || get_be16(in + 6) != 0)
        return false;
    place = (struct frame_place){.stream = get_be32(in),
                                 .flags = get_be16(in + 4),
                                 .number = get_be64(in + 8),
                                 .oldest = get_be64(in + 16)};
    if (place.stream == 0 || place.flags & ~FRAME_PLACE_REPLAYED || place.oldest == 0 ||
        place.oldest > place.number || place.number > CONFIRM_NUMBER_MAX)
        return false;
    *ret_place = place;
    return true;
}

void confirmation_put(uint8_t out[static CONFIRMATION_BYTES],
                      const struct confirmation *confirmation)
{
    out = put_be32(put_be64(out, confirmation->to), confirmation->stream);
    out = put_be16(put_be16(out, confirmation->nonce_space), confirmation->flags);
    (void)put_be64(put_be64(out, confirmation->received), confirmation->confirmed);
}

bool confirmation_get(const uint8_t *in, size_t length, struct confirmation *ret_confirmation)
{
    struct confirmation confirmation;

    if (length < CONFIRMATION_BYTES)
        return false;
    confirmation = (struct confirmation){.to = get_be64(in),
                                         .stream = get_be32(in + 8),
                                         .nonce_space = get_be16(in + 12),
                                         .flags = get_be16(in + 14),
                                         .received = get_be64(in + 16),
                                         .confirmed = get_be64(in + 24)};
    if (confirmation.stream == 0 || confirmation.flags & ~CONFIRMATION_GAP ||
        confirmation.received > CONFIRM_NUMBER_MAX ||
        confirmation.confirmed > confirmation.received)
        return false;
    *ret_confirmation = confirmation;
    return true;
}
