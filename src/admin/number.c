#include "admin/number.h"

#include <inttypes.h>

#include "headless/base/clock.h"

const char *number_format_seconds(uint64_t ns, char text[static NUMBER_TEXT_MAX])
{
    size_t length = (size_t)snprintf(text, NUMBER_TEXT_MAX, "%" PRIu64 ".%09" PRIu64,
                                     ns / NS_PER_SEC, ns % NS_PER_SEC);

    while (text[length - 1] == '0')
        text[--length] = '\0';
    if (text[length - 1] == '.')
        text[length - 1] = '\0';
    return text;
}

const char *number_format(const struct sample *sample, char text[static NUMBER_TEXT_MAX])
{
    if (sample_is_seconds(sample))
        return number_format_seconds(sample->value, text);
    if (sample->type == SAMPLE_COUNTER)
        (void)snprintf(text, NUMBER_TEXT_MAX, "%" PRIu64, sample->value);
    else
        (void)snprintf(text, NUMBER_TEXT_MAX, "%" PRId64, (int64_t)sample->value);
    return text;
}

const char *number_format_spread(enum distribution_id id, uint64_t value,
                                 char text[static NUMBER_TEXT_MAX])
{
    if (distribution_table[id].is_time)
        return number_format_seconds(value, text);
    (void)snprintf(text, NUMBER_TEXT_MAX, "%" PRIu64, value);
    return text;
}

const char *number_format_bound(enum distribution_id id, size_t bucket,
                                char text[static NUMBER_TEXT_MAX])
{
    if (bucket < distribution_bound_count(id))
        return number_format_spread(id, distribution_table[id].bounds[bucket], text);
    (void)snprintf(text, NUMBER_TEXT_MAX, "+Inf");
    return text;
}
