/* The members of a pod's status, as a table. */
#include <json-c/json.h>
#include <string.h>

#include "ctl/parts.h"

#define NAME_WIDTH_MAX    32
#define ADDRESS_WIDTH_MAX 39 /* of any IPv6 address */
#define STATE_WIDTH       8

struct table {
    FILE *out;
    const struct json_object *members;
    int name_width, address_width;
    bool colors;
};

static const char *color_of(const struct json_object *member)
{
    static const struct {
        const char *state, *color;
    } colors[] = {{"leader", COLOR_GOOD}, {"dead", COLOR_BAD}, {"suspect", COLOR_WARN}};
    const char *state = field_text(member, "state");

    for (size_t i = 0; i < sizeof(colors) / sizeof(colors[0]); i++) {
        if (strcmp(state, colors[i].state) == 0)
            return colors[i].color;
    }
    return COLOR_NONE;
}

/* Right-aligned; a dash for an unknown value, such as the pod's own. */
static void put_quantity(FILE *out, const struct json_object *member, const char *key, int width,
                         double divisor, const char *unit)
{
    double number;
    char text[32] = "-";

    if (field_try_number(member, key, &number))
        (void)snprintf(text, sizeof(text), "%.*f%s", divisor > 1 ? 2 : 0, number / divisor, unit);
    (void)fprintf(out, "%*s", width, text);
}

static void put_member_row(const struct table *table, size_t index)
{
    const struct json_object *member = json_object_array_get_idx(table->members, index);
    FILE *out = table->out;

    (void)fputs(table->colors ? color_of(member) : "", out);
    (void)fprintf(out, "%3zu ", index + 1);
    parts_put_column(out, field_text(member, "name"), table->name_width);
    parts_put_column(out, field_text(member, "address"), table->address_width);
    parts_put_column(out, field_text(member, "state"), STATE_WIDTH);
    put_quantity(out, member, "heartbeat_age_ms", 9, 1, " ms");
    put_quantity(out, member, "rtt_us", 11, 1000, " ms");
    put_quantity(out, member, "lost", 8, 1, "");
    (void)fprintf(out, "%s\n", table->colors ? COLOR_NONE : "");
}

void parts_put_members(FILE *out, const struct json_object *status, size_t lines, bool colors)
{
    const struct json_object *members = field_of(status, "members");
    const struct table table = {.out = out,
                                .members = members,
                                .name_width = parts_width(members, "name", 6, NAME_WIDTH_MAX),
                                .address_width =
                                    parts_width(members, "address", 9, ADDRESS_WIDTH_MAX),
                                .colors = colors};
    size_t count = field_count(members), shown = count;

    if (lines == 0)
        return;
    if (count + 1 > lines)
        shown = lines > 2 ? lines - 2 : 0;
    (void)fprintf(out, "%s  # %-*s %-*s %-*s %9s%11s%8s%s\n", colors ? COLOR_HEAD : "",
                  table.name_width, "MEMBER", table.address_width, "ADDRESS", STATE_WIDTH, "STATE",
                  "HEARTBEAT", "ROUND TRIP", "LOST", colors ? COLOR_NONE : "");
    for (size_t i = 0; i < shown; i++)
        put_member_row(&table, i);
    if (shown < count && lines > 1)
        (void)fprintf(out, "%3s %zu more\n", "", count - shown);
}
