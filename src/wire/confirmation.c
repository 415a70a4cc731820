#include "headless/wire/confirmation.h"

#include "headless/base/bytes.h"

void frame_put_place(uint8_t out[static FRAME_PLACE_BYTES], const struct frame_place *place)
{
    out = put_be16(put_be32(out, place->stream), place->flags);
    out = put_be64(put_be16(out, place->back_nonce_space), place->number);
    out = put_be32(put_be64(out, place->oldest), place->back_stream);
    out = put_be64(put_be32(out, 0), place->back_received);
    (void)put_be64(out, place->back_confirmed);
}

static bool is_place(const struct frame_place *place)
{
    return place->stream != 0 && !(place->flags & ~(FRAME_PLACE_REPLAYED | FRAME_PLACE_BACK_GAP)) &&
           place->oldest != 0 && place->oldest <= place->number &&
           place->number <= CONFIRM_NUMBER_MAX;
}

static bool is_back(const struct frame_place *place)
{
    if (place->back_stream == 0)
        return place->back_nonce_space == 0 && place->back_received == 0 &&
               place->back_confirmed == 0 && !(place->flags & FRAME_PLACE_BACK_GAP);
    return place->back_received <= CONFIRM_NUMBER_MAX &&
           place->back_confirmed <= place->back_received;
}

bool frame_get_place(const uint8_t *in, size_t length, struct frame_place *ret_place)
{
    struct frame_place place;

    if (length < FRAME_PLACE_BYTES || get_be32(in + 28) != 0)
        return false;
    place = (struct frame_place){.stream = get_be32(in),
                                 .flags = get_be16(in + 4),
                                 .back_nonce_space = get_be16(in + 6),
                                 .number = get_be64(in + 8),
                                 .oldest = get_be64(in + 16),
                                 .back_stream = get_be32(in + 24),
                                 .back_received = get_be64(in + 32),
                                 .back_confirmed = get_be64(in + 40)};
    if (!is_place(&place) || !is_back(&place))
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
