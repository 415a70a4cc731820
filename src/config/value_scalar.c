/* Numbers, durations, sizes and choices. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "headless/base/clock.h"
#include "value.h"

struct value_unit {
    const char *name; /* NULL: after the last one */
    uint64_t factor;
};

/* Largest first: a value is written in the largest unit that divides it. */
static const struct value_unit time_units[] = {
    {"h", 3600 * NS_PER_SEC},
    {"m", 60 * NS_PER_SEC},
    {"s", NS_PER_SEC},
    {"ms", NS_PER_MS},
    {"us", NS_PER_US},
    {"ns", 1},
    {NULL, 0},
};
static const struct value_unit size_units[] = {
    {"GiB", UINT64_C(1) << 30},
    {"MiB", UINT64_C(1) << 20},
    {"KiB", UINT64_C(1) << 10},
    {"B", 1},
    {NULL, 0},
};

#define TIME_HINT "ns, us, ms, s, m or h (for example 200ms)"
#define SIZE_HINT "B, KiB, MiB or GiB (for example 16MiB)"

static void store_scalar(const struct config_option *o, void *field, uint64_t value)
{
    uint16_t value16 = (uint16_t)value;
    uint32_t value32 = (uint32_t)value;

    if (o->size == sizeof(value16))
        memcpy(field, &value16, sizeof(value16));
    else if (o->size == sizeof(value32))
        memcpy(field, &value32, sizeof(value32));
    else
        memcpy(field, &value, sizeof(value));
}

static uint64_t fetch_scalar(const struct config_option *o, const void *field)
{
    uint16_t value16;
    uint32_t value32;
    uint64_t value;

    if (o->size == sizeof(value16)) {
        memcpy(&value16, field, sizeof(value16));
        return value16;
    }
    if (o->size == sizeof(value32)) {
        memcpy(&value32, field, sizeof(value32));
        return value32;
    }
    memcpy(&value, field, sizeof(value));
    return value;
}

static int refuse_range(const struct config_option *o, const char *text, char *why)
{
    char allowed[VALUE_TEXT_MAX];

    return value_refuse(why, text, "is out of range %s", value_allowed(o, allowed));
}

/*
 * The decimal digits at the start of text. Returns how many, 0 when there are none; an overflow
 * gives UINT64_MAX, which no range contains.
 */
static size_t scan_digits(const char *text, uint64_t *ret_number)
{
    uint64_t number = 0;
    size_t n = 0;

    for (; text[n] >= '0' && text[n] <= '9'; n++)
        if (__builtin_mul_overflow(number, 10U, &number) ||
            __builtin_add_overflow(number, (unsigned)(text[n] - '0'), &number))
            number = UINT64_MAX;
    *ret_number = number;
    return n;
}

static bool has_leading_zero(const char *text, size_t digits)
{
    return digits > 1 && text[0] == '0';
}

static int store_in_range(const struct config_option *o, const char *text, uint64_t number,
                          void *field, char *why)
{
    if (number < o->min || number > o->max)
        return refuse_range(o, text, why);
    if (o->power_of_two && (number & (number - 1)) != 0)
        return value_refuse(why, text, "is not a power of two");
    store_scalar(o, field, number);
    return 0;
}

static bool is_zero_word(const struct config_option *o, const char *text)
{
    return o->zero &&
           (strcmp(text, o->zero) == 0 || (value_is_none(o->zero) && value_is_none(text)));
}

static int value_parse_number(const struct config_option *o, const char *text, void *field,
                              char *why)
{
    uint64_t number;
    size_t digits = scan_digits(text, &number);

    if (is_zero_word(o, text)) {
        store_scalar(o, field, 0);
        return 0;
    }
    if (digits == 0 || text[digits])
        return value_refuse(why, text, "is not a whole number");
    if (has_leading_zero(text, digits))
        return value_refuse(why, text, "has a leading zero");
    return store_in_range(o, text, number, field, why);
}

/* A number and a unit; the factor saturates as overflows do in scan_digits. */
static bool scale(const struct value_unit *units, const char *name, uint64_t *number)
{
    for (; units->name; units++) {
        if (strcmp(units->name, name) != 0)
            continue;
        if (__builtin_mul_overflow(*number, units->factor, number))
            *number = UINT64_MAX;
        return true;
    }
    return false;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static int parse_duration(const struct config_option *o, const char *text, void *field, char *why)
{
    uint64_t number;
    size_t digits = scan_digits(text, &number);
    const char *unit = text + digits;

    if (is_zero_word(o, text)) {
        store_scalar(o, field, 0);
        return 0;
    }
    if (digits == 0 || (*unit && !is_letter(*unit)))
        return value_refuse(why, text, "is not a duration, use a whole number and " TIME_HINT);
    if (has_leading_zero(text, digits))
        return value_refuse(why, text, "has a leading zero");
    if (!*unit && number != 0)
        return value_refuse(why, text, "has no unit, use " TIME_HINT);
    if (*unit && !scale(time_units, unit, &number))
        return value_refuse(why, text, "has an unknown unit, use " TIME_HINT);
    return store_in_range(o, text, number, field, why);
}

static int parse_size(const struct config_option *o, const char *text, void *field, char *why)
{
    uint64_t number;
    size_t digits = scan_digits(text, &number);
    const char *unit = text + digits;

    if (is_zero_word(o, text) || (o->zero && strcmp(text, "0") == 0)) {
        store_scalar(o, field, 0);
        return 0;
    }
    if (digits == 0 || (*unit && !is_letter(*unit)))
        return value_refuse(why, text, "is not a size, use a whole number and " SIZE_HINT);
    if (has_leading_zero(text, digits))
        return value_refuse(why, text, "has a leading zero");
    if (*unit && !scale(size_units, unit, &number))
        return value_refuse(why, text, "has an unknown unit, use " SIZE_HINT);
    return store_in_range(o, text, number, field, why);
}

static int value_put_number(char *text, size_t room, uint64_t number)
{
    return snprintf(text, room, "%llu", (unsigned long long)number);
}

static int put_united(char *text, size_t room, uint64_t number, const struct value_unit *units)
{
    if (number == 0)
        return value_put_number(text, room, 0);
    while (number % units->factor != 0)
        units++; /* ends at the last unit, which divides all */
    return snprintf(text, room, "%llu%s", (unsigned long long)(number / units->factor),
                    units->name);
}

static void value_format_number(const struct config_option *o, const void *field, size_t item,
                                char *text)
{
    uint64_t number = fetch_scalar(o, field);

    (void)item;
    if (number == 0 && o->zero)
        (void)snprintf(text, VALUE_TEXT_MAX, "%s", o->zero);
    else
        (void)value_put_number(text, VALUE_TEXT_MAX, number);
}

static void format_united(const struct config_option *o, const void *field,
                          const struct value_unit *units, char *text)
{
    uint64_t number = fetch_scalar(o, field);

    if (number == 0 && o->zero)
        (void)snprintf(text, VALUE_TEXT_MAX, "%s", o->zero);
    else
        (void)put_united(text, VALUE_TEXT_MAX, number, units);
}

static void format_duration(const struct config_option *o, const void *field, size_t item,
                            char *text)
{
    (void)item;
    format_united(o, field, time_units, text);
}

static void format_size(const struct config_option *o, const void *field, size_t item, char *text)
{
    (void)item;
    format_united(o, field, size_units, text);
}

static void allow_number(const struct config_option *o, char *text)
{
    (void)snprintf(text, VALUE_TEXT_MAX, "%llu..%llu%s%s%s", (unsigned long long)o->min,
                   (unsigned long long)o->max, o->power_of_two ? ", a power of two" : "",
                   o->zero ? ", or " : "", o->zero ? o->zero : "");
}

static void allow_united(const struct config_option *o, const struct value_unit *units, char *text)
{
    char low[32], high[32];

    (void)put_united(low, sizeof(low), o->min, units);
    (void)put_united(high, sizeof(high), o->max, units);
    (void)snprintf(text, VALUE_TEXT_MAX, "%s..%s%s%s", low, high, o->zero ? ", or " : "",
                   o->zero ? o->zero : "");
}

static void allow_duration(const struct config_option *o, char *text)
{
    allow_united(o, time_units, text);
}

static void allow_size(const struct config_option *o, char *text)
{
    allow_united(o, size_units, text);
}

static bool choice_is(const struct config_option *o, size_t i, const char *text)
{
    const char *word = o->choices[i];

    return word && (strcmp(word, text) == 0 || (value_is_none(word) && value_is_none(text)));
}

static void allow_choice(const struct config_option *o, char *text)
{
    size_t n = 0;

    for (size_t i = 0; i < o->choice_count; i++)
        if (o->choices[i] && n < VALUE_TEXT_MAX)
            n += (size_t)snprintf(text + n, VALUE_TEXT_MAX - n, "%s%s", n ? ", " : "",
                                  o->choices[i]);
}

static int parse_choice(const struct config_option *o, const char *text, void *field, char *why)
{
    char allowed[VALUE_TEXT_MAX];

    for (size_t i = 0; i < o->choice_count; i++) {
        if (choice_is(o, i, text)) {
            store_scalar(o, field, i);
            return 0;
        }
    }
    return value_refuse(why, text, "is not one of %s", value_allowed(o, allowed));
}

static void format_choice(const struct config_option *o, const void *field, size_t item, char *text)
{
    uint64_t value = fetch_scalar(o, field);

    (void)item;
    (void)snprintf(text, VALUE_TEXT_MAX, "%s",
                   value < o->choice_count && o->choices[value] ? o->choices[value] : "?");
}

const struct value_type value_number = {.called = "N",
                                        .parse = value_parse_number,
                                        .format = value_format_number,
                                        .allowed = allow_number};
const struct value_type value_duration = {.called = "TIME",
                                          .parse = parse_duration,
                                          .format = format_duration,
                                          .allowed = allow_duration};
const struct value_type value_size = {
    .called = "SIZE", .parse = parse_size, .format = format_size, .allowed = allow_size};
const struct value_type value_choice = {
    .parse = parse_choice, .format = format_choice, .allowed = allow_choice};
