#include "sizes.h"

#include <stdbool.h>
#include <stdlib.h>

#include "payload.h"

static bool sizes_take_number(const char **text, uint32_t *ret_number)
{
    char *end;
    unsigned long number;

    if (**text < '0' || **text > '9')
        return false; /* strtoul would accept signs and spaces */
    number = strtoul(*text, &end, 10);
    if (number > 1000000) /* larger than any valid value; keeps the sum of weights in range */
        return false;
    *text = end;
    *ret_number = (uint32_t)number;
    return true;
}

static bool sizes_take_char(const char **text, char wanted)
{
    if (**text != wanted)
        return false;
    (*text)++;
    return true;
}

/* LOW[-HIGH][:WEIGHT] */
static const char *sizes_take_part(const char **text, struct sizes *sizes)
{
    uint32_t low;
    uint32_t high;
    uint32_t weight = 1;

    if (!sizes_take_number(text, &low))
        return "must be like 100, 64-1400 or 64:7,512:4,1400:1";
    high = low;
    if (sizes_take_char(text, '-') && !sizes_take_number(text, &high))
        return "a range must be like 64-1400";
    if (sizes_take_char(text, ':') && (!sizes_take_number(text, &weight) || weight == 0))
        return "a weight must be a whole number from 1, as in 64:7";
    if (low < PAYLOAD_SIZE_MIN || high > PAYLOAD_SIZE_MAX || low > high)
        return "sizes go from 48 to 65507 bytes";
    sizes->total_weight += weight;
    sizes->parts[sizes->count].low = low;
    sizes->parts[sizes->count].high = high;
    sizes->parts[sizes->count++].weight_end = sizes->total_weight;
    return NULL;
}

const char *sizes_parse(const char *text, struct sizes *ret_sizes)
{
    struct sizes sizes = {0};

    do {
        const char *wrong;

        if (sizes.count == SIZES_PARTS_MAX)
            return "has more than 16 parts";
        wrong = sizes_take_part(&text, &sizes);
        if (wrong)
            return wrong;
    } while (sizes_take_char(&text, ','));
    if (*text)
        return "must be like 100, 64-1400 or 64:7,512:4,1400:1";
    *ret_sizes = sizes;
    return NULL;
}

uint32_t sizes_pick(const struct sizes *sizes, uint64_t random)
{
    uint32_t weight = (uint32_t)(((random >> 32) * sizes->total_weight) >> 32);
    uint64_t span;
    unsigned i = 0;

    while (weight >= sizes->parts[i].weight_end)
        i++;
    span = (uint64_t)sizes->parts[i].high - sizes->parts[i].low + 1;
    return sizes->parts[i].low + (uint32_t)(((random & UINT32_MAX) * span) >> 32);
}
