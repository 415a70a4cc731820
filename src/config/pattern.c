#include "pattern.h"

#include "value.h"

#define BITS_64        64
#define NAME           "[A-Za-z0-9._:%%-]"
#define IPV6           "[0-9A-Fa-f]*:[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*"
#define SCOPE          "(%%[!-~]{1,15})?"
#define NOT_AS_NUMBERS "(?![0-9.]+$)"

/*
 * From low upwards in steps, each as large as can be said with one class of digits: 95..1200 is
 * 9[5-9]|[1-9][0-9]{2}|1[0-1][0-9]{2}|1200.
 */
void pattern_put_range(FILE *out, uint64_t low, uint64_t high)
{
    const char *bar = "";

    (void)fputc('(', out);
    if (low == 0) {
        (void)fputc('0', out);
        bar = "|";
        low = 1;
    }
    while (low <= high) {
        uint64_t power = 1, steps, first;
        unsigned zeros = 0;

        while (power <= UINT64_MAX / 100 && low % (power * 10) == 0 &&
               high - low >= power * 10 - 1) {
            power *= 10;
            zeros++;
        }
        first = low / power % 10;
        steps = (high - low) / power + ((high - low) % power == power - 1);
        if (steps > 10 - first)
            steps = 10 - first;
        (void)fputs(bar, out);
        bar = "|";
        if (low / power >= 10)
            (void)fprintf(out, "%llu", (unsigned long long)(low / power / 10));
        if (steps > 1)
            (void)fprintf(out, "[%u-%u]", (unsigned)first, (unsigned)(first + steps - 1));
        else
            (void)fprintf(out, "%u", (unsigned)first);
        if (zeros == 1)
            (void)fputs("[0-9]", out);
        else if (zeros > 1)
            (void)fprintf(out, "[0-9]{%u}", zeros);
        if (power * steps > high - low)
            break;
        low += power * steps;
    }
    (void)fputc(')', out);
}

static void put_zero_word(FILE *out, const struct config_option *o)
{
    if (o->zero)
        (void)fprintf(out, "|%s%s", o->zero, value_is_none(o->zero) ? "|off" : "");
}

static void put_number(FILE *out, const struct config_option *o)
{
    const char *bar = "";

    (void)fputc('(', out);
    if (!o->power_of_two)
        pattern_put_range(out, o->min, o->max);
    for (unsigned bit = 0; o->power_of_two && bit < BITS_64; bit++) {
        uint64_t power = UINT64_C(1) << bit;

        if (power < o->min || power > o->max)
            continue;
        (void)fprintf(out, "%s%llu", bar, (unsigned long long)power);
        bar = "|";
    }
    put_zero_word(out, o);
    (void)fputc(')', out);
}

/* In each unit so many as are in range; more alternatives may follow. */
static void begin_united(FILE *out, const struct config_option *o, const struct value_unit *units)
{
    (void)fputs("((?!)", out);
    for (; units->name; units++) {
        uint64_t low = o->min / units->factor + (o->min % units->factor != 0);
        uint64_t high = o->max / units->factor;

        if (low > high)
            continue;
        (void)fputc('|', out);
        pattern_put_range(out, low, high);
        (void)fputs(units->name, out);
    }
}

/* Only 0 needs no unit. */
static void put_duration(FILE *out, const struct config_option *o)
{
    begin_united(out, o, value_time_units);
    put_zero_word(out, o);
    (void)fputs(o->min == 0 ? "|0)" : ")", out);
}

/* Without a unit it is bytes. */
static void put_size(FILE *out, const struct config_option *o)
{
    begin_united(out, o, value_size_units);
    put_zero_word(out, o);
    (void)fputs(o->zero ? "|0|" : "|", out);
    pattern_put_range(out, o->min, o->max);
    (void)fputc(')', out);
}

static void put_choice(FILE *out, const struct config_option *o)
{
    (void)fputs("((?!)", out);
    for (size_t i = 0; i < o->choice_count; i++) {
        if (o->choices[i])
            (void)fprintf(out, "|%s%s", o->choices[i], value_is_none(o->choices[i]) ? "|off" : "");
    }
    (void)fputc(')', out);
}

static void put_text(FILE *out, const struct config_option *o)
{
    (void)fprintf(out, "[!-~]{1,%zu}", o->size - 1);
}

static void put_name(FILE *out, const struct config_option *o)
{
    (void)fprintf(out, NAME "{1,%zu}", o->size - 1);
}

static void put_ipv4(FILE *out)
{
    for (unsigned i = 0; i < 4; i++) {
        pattern_put_range(out, 0, UINT8_MAX);
        (void)fputs(i < 3 ? "[.]" : "", out);
    }
}

static void put_ip(FILE *out)
{
    (void)fputc('(', out);
    put_ipv4(out);
    (void)fprintf(out, "|" IPV6 SCOPE ")");
}

static void put_port(FILE *out)
{
    (void)fputs(":0*", out);
    pattern_put_range(out, 1, UINT16_MAX);
}

static void put_ip_and_port(FILE *out)
{
    (void)fputs("((", out);
    put_ipv4(out);
    (void)fprintf(out, "|\\[" IPV6 SCOPE "\\])");
    put_port(out);
    (void)fputc(')', out);
}

static void put_leader(FILE *out, const struct config_option *o)
{
    (void)fprintf(out, "(" NOT_AS_NUMBERS "[A-Za-z0-9._%%-]{1,%zu}|\\[" IPV6 SCOPE "\\]|",
                  o->size - 1);
    put_ip(out);
    (void)fputc('|', out);
    put_ip_and_port(out);
    (void)fputc(')', out);
}

static void put_address(FILE *out, const struct config_option *o)
{
    (void)o;
    (void)fputs("(auto|any|", out);
    put_ip(out);
    (void)fputc(')', out);
}

static void put_listen(FILE *out, const struct config_option *o)
{
    (void)o;
    (void)fputs("(none|off|", out);
    put_port(out);
    (void)fputc('|', out);
    put_ip_and_port(out);
    (void)fputc(')', out);
}

static void put_target(FILE *out, const struct config_option *o)
{
    (void)o;
    (void)fputs("(echo|whoami|discard|udp://", out);
    put_ip_and_port(out);
    (void)fputc(')', out);
}

static void put_peer(FILE *out, const struct config_option *o)
{
    (void)o;
    (void)fprintf(out, "(" NAME "{1,%d}=)?", CONFIG_NAME_MAX - 1);
    put_ip(out);
}

static void put_rank(FILE *out, const struct config_option *o)
{
    (void)o;
    (void)fprintf(out, NAME "{1,%d}", CONFIG_NAME_MAX - 1);
}

static void put_cidr(FILE *out, const struct config_option *o)
{
    (void)o;
    (void)fputs("(any|", out);
    put_ip(out);
    (void)fputs("(/0*", out);
    pattern_put_range(out, 0, 128);
    (void)fputs(")?)", out);
}

static void put_group(FILE *out, const struct config_option *o)
{
    (void)o;
    (void)fputc('(', out);
    put_ipv4(out);
    (void)fprintf(out, "|" IPV6 ")" SCOPE);
}

static void (*const patterns[OPTION_TYPE_COUNT])(FILE *out, const struct config_option *o) = {
    [OPTION_NUMBER] = put_number, [OPTION_DURATION] = put_duration, [OPTION_SIZE] = put_size,
    [OPTION_CHOICE] = put_choice, [OPTION_TEXT] = put_text,         [OPTION_NAME] = put_name,
    [OPTION_LEADER] = put_leader, [OPTION_ADDRESS] = put_address,   [OPTION_LISTEN] = put_listen,
    [OPTION_TARGET] = put_target, [OPTION_PEERS] = put_peer,        [OPTION_ORDER] = put_rank,
    [OPTION_CIDRS] = put_cidr,    [OPTION_GROUPS] = put_group,
};

void pattern_put(FILE *out, const struct config_option *o)
{
    if (patterns[o->type])
        patterns[o->type](out, o);
    else
        (void)fputs(".+", out);
}
