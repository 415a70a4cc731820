/* confirmation: bytes on the wire, and every refusal. */
#include <criterion/criterion.h>

#include "headless/wire/confirmation.h"

Test(confirmation, place_is_read_as_written)
{
    static const uint8_t expected[FRAME_PLACE_BYTES] = {
        1, 2, 3, 4, 0, 1, 0, 5, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 7,
        0, 0, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 4};
    const struct frame_place place = {.stream = 0x01020304,
                                      .flags = FRAME_PLACE_REPLAYED,
                                      .number = 9,
                                      .oldest = 7,
                                      .back_nonce_space = 5,
                                      .back_stream = 6,
                                      .back_received = 8,
                                      .back_confirmed = 4};
    uint8_t bytes[FRAME_PLACE_BYTES];
    struct frame_place read;

    frame_put_place(bytes, &place);
    cr_assert_arr_eq(bytes, expected, sizeof(expected));
    cr_assert(frame_get_place(bytes, sizeof(bytes), &read));
    cr_assert_eq(read.stream, place.stream);
    cr_assert_eq(read.flags, place.flags);
    cr_assert_eq(read.number, place.number);
    cr_assert_eq(read.oldest, place.oldest);
    cr_assert_eq(read.back_nonce_space, 5);
    cr_assert_eq(read.back_stream, 6);
    cr_assert_eq(read.back_received, 8);
    cr_assert_eq(read.back_confirmed, 4);
    cr_assert_not(frame_get_place(bytes, sizeof(bytes) - 1, &read));
}

Test(confirmation, false_places_are_refused)
{
    static const struct frame_place places[] = {
        {.stream = 0, .number = 1, .oldest = 1},
        {.stream = 1, .number = 1, .oldest = 0},
        {.stream = 1, .number = 1, .oldest = 2},
        {.stream = 1, .flags = 4, .number = 1, .oldest = 1},
        {.stream = 1, .flags = FRAME_PLACE_BACK_GAP, .number = 1, .oldest = 1},
        {.stream = 1, .number = 1, .oldest = 1, .back_nonce_space = 1},
        {.stream = 1, .number = 1, .oldest = 1, .back_received = 1},
        {.stream = 1, .number = 1, .oldest = 1, .back_stream = 1, .back_confirmed = 1},
        {.stream = 1, .number = CONFIRM_NUMBER_MAX + 1, .oldest = 1},
    };
    uint8_t bytes[FRAME_PLACE_BYTES];
    struct frame_place read;

    for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        frame_put_place(bytes, &places[i]);
        cr_assert_not(frame_get_place(bytes, sizeof(bytes), &read), "%zu", i);
    }
    frame_put_place(bytes, &(struct frame_place){.stream = 1, .number = 1, .oldest = 1});
    bytes[31] = 1;
    cr_assert_not(frame_get_place(bytes, sizeof(bytes), &read));
}

Test(confirmation, confirmation_is_read_as_written)
{
    const struct confirmation confirmation = {.to = 5,
                                              .stream = 6,
                                              .nonce_space = 7,
                                              .flags = CONFIRMATION_GAP,
                                              .received = 9,
                                              .confirmed = 8};
    uint8_t bytes[CONFIRMATION_BYTES];
    struct confirmation read;

    confirmation_put(bytes, &confirmation);
    cr_assert(confirmation_get(bytes, sizeof(bytes), &read));
    cr_assert_eq(read.to, 5);
    cr_assert_eq(read.stream, 6);
    cr_assert_eq(read.nonce_space, 7);
    cr_assert_eq(read.flags, CONFIRMATION_GAP);
    cr_assert_eq(read.received, 9);
    cr_assert_eq(read.confirmed, 8);
    cr_assert_not(confirmation_get(bytes, sizeof(bytes) - 1, &read));
}

Test(confirmation, false_confirmations_are_refused)
{
    static const struct confirmation confirmations[] = {
        {.stream = 0},
        {.stream = 1, .flags = 2},
        {.stream = 1, .received = 1, .confirmed = 2},
        {.stream = 1, .received = CONFIRM_NUMBER_MAX + 1},
    };
    uint8_t bytes[CONFIRMATION_BYTES];
    struct confirmation read;

    for (size_t i = 0; i < sizeof(confirmations) / sizeof(confirmations[0]); i++) {
        confirmation_put(bytes, &confirmations[i]);
        cr_assert_not(confirmation_get(bytes, sizeof(bytes), &read), "%zu", i);
    }
}
