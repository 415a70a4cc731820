#include <criterion/criterion.h>
#include <string.h>

#include "payload.h"

#define RUN UINT64_C(0x1122334455667788)

static const struct payload original = {
    .run = RUN, .sequence = 4711, .intended_ns = 123456789, .clock = 99, .flow = 63, .tag = 17};
static uint8_t bytes[PAYLOAD_SIZE_MAX + 1];

TestSuite(payload, .timeout = 60);

static enum payload_verdict check(size_t length)
{
    struct payload ignored;

    return payload_check(bytes, length, RUN, &ignored);
}

Test(payload, check_returns_the_built_payload_at_every_size)
{
    for (size_t length = PAYLOAD_SIZE_MIN; length <= PAYLOAD_SIZE_MAX;
         length += length < 1500 ? 1 : 997) {
        struct payload p = {0};

        payload_build(&original, length, bytes);
        cr_assert_eq(payload_check(bytes, length, RUN, &p), PAYLOAD_GOOD, "%zu bytes", length);
        cr_assert_eq(p.run, original.run);
        cr_assert_eq(p.sequence, original.sequence);
        cr_assert_eq(p.intended_ns, original.intended_ns);
        cr_assert_eq(p.clock, original.clock);
        cr_assert_eq(p.flow, original.flow);
        cr_assert_eq(p.tag, original.tag);
    }
    payload_build(&original, PAYLOAD_SIZE_MAX, bytes);
    cr_assert_eq(check(PAYLOAD_SIZE_MAX), PAYLOAD_GOOD);
}

Test(payload, payload_with_any_flipped_bit_is_corrupt)
{
    const size_t length = 203; /* whole words of filler, and a remainder */

    payload_build(&original, length, bytes);
    for (size_t bit = 0; bit < length * 8; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
        cr_assert_eq(check(length), PAYLOAD_CORRUPT, "bit %zu of byte %zu", bit % 8, bit / 8);
        bytes[bit / 8] ^= (uint8_t)(1U << (bit % 8));
    }
    cr_assert_eq(check(length), PAYLOAD_GOOD);
}

Test(payload, truncated_and_extended_payloads_are_corrupt)
{
    payload_build(&original, 200, bytes);
    for (size_t length = 4; length < 200; length++)
        cr_assert_eq(check(length), PAYLOAD_CORRUPT, "cut to %zu", length);
    cr_assert_eq(check(201), PAYLOAD_CORRUPT);
}

Test(payload, payload_with_swapped_words_is_corrupt)
{
    uint8_t word[8];

    payload_build(&original, 200, bytes);
    memcpy(word, bytes + 64, 8);
    memcpy(bytes + 64, bytes + 72, 8);
    memcpy(bytes + 72, word, 8);
    cr_assert_eq(check(200), PAYLOAD_CORRUPT);
}

Test(payload, other_datagrams_are_foreign)
{
    struct payload p;

    memset(bytes, 0, sizeof(bytes));
    cr_assert_eq(check(0), PAYLOAD_FOREIGN);
    cr_assert_eq(check(3), PAYLOAD_FOREIGN);
    cr_assert_eq(check(48), PAYLOAD_FOREIGN);
    cr_assert_eq(check(1400), PAYLOAD_FOREIGN);
    cr_assert_eq(payload_check((const uint8_t *)"{\"leader\":\"10.0.0.1\"}", 21, 0, &p),
                 PAYLOAD_FOREIGN);
}

Test(payload, payload_of_another_run_is_good_and_names_it)
{
    struct payload p;

    payload_build(&original, 64, bytes);
    cr_assert_eq(payload_check(bytes, 64, RUN + 1, &p), PAYLOAD_GOOD);
    cr_assert_eq(p.run, RUN);
}

Test(payload, payload_with_damaged_magic_is_recognized_by_its_run_only)
{
    struct payload p;

    payload_build(&original, 64, bytes);
    bytes[0] ^= 1;
    cr_assert_eq(payload_check(bytes, 64, RUN, &p), PAYLOAD_CORRUPT);
    cr_assert_eq(payload_check(bytes, 64, 0, &p), PAYLOAD_FOREIGN);
    cr_assert_eq(payload_check(bytes, 64, RUN + 1, &p), PAYLOAD_FOREIGN);
}

Test(payload, clock_identifier_of_a_machine_is_constant)
{
    cr_assert_eq(payload_clock(), payload_clock());
}
