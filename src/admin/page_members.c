/* The members: one row each, in the order of succession. */
#include "admin/page.h"

#include <string.h>

/* ARIA roles are explicit: on a narrow screen rows are blocks, and lose the roles of a table. */
static void put_cell(const struct page *page, const char *label)
{
    page_put(page, "<td role=\"cell\" data-label=\"%s\">", label);
}

static void put_none(const struct page *page)
{
    page_put(page, "<span class=\"none\" title=\"not known\">–</span>");
}

static void put_heartbeat(const struct page *page, struct json_object *member)
{
    struct json_object *age = page_find(member, "heartbeat_age_ms");
    char text[PAGE_DURATION_MAX];

    put_cell(page, "Heartbeat");
    if (age)
        page_put(page, "%s ago", page_duration((uint64_t)json_object_get_int64(age), text));
    else
        put_none(page);
    page_put(page, "</td>");
}

static void put_round_trip(const struct page *page, struct json_object *member)
{
    struct json_object *rtt = page_find(member, "rtt_us");
    char text[PAGE_NUMBER_MAX];

    put_cell(page, "Round trip");
    if (rtt)
        page_put(page, "%s µs", page_group(json_object_get_int64(rtt), text));
    else
        put_none(page);
    page_put(page, "</td>");
}

static void put_lost(const struct page *page, struct json_object *member)
{
    struct json_object *lost = page_find(member, "lost");
    char text[PAGE_NUMBER_MAX];

    put_cell(page, "Lost");
    if (lost)
        page_put(page, "%s", page_group(json_object_get_int64(lost), text));
    else
        put_none(page);
    page_put(page, "</td>");
}

/* There are no totals between this pod and itself. */
static void put_total(const struct page *page, struct json_object *member, const char *label,
                      const char *key, bool is_me)
{
    int64_t total = page_number(member, key);
    char text[PAGE_NUMBER_MAX];

    put_cell(page, label);
    if (is_me) {
        put_none(page);
    } else {
        page_put(page, "<span>");
        page_put_rate(page, key, page_text(member, "instance"), total);
        page_put(page, "<span class=\"total\">%s</span></span>", page_group(total, text));
    }
    page_put(page, "</td>");
}

static void page_put_member(const struct page *page, struct json_object *member)
{
    const char *state = page_text(member, "state");
    const char *address = page_text(member, "address");
    bool is_me = strcmp(address, page_text(page->status, "me.address")) == 0;

    page_put(page,
             "<tr role=\"row\" data-member=\"%s\" data-name=\"%s\" data-state=\"%s\">"
             "<th role=\"rowheader\" scope=\"row\"><b>%s</b>",
             address, page_pod(member), state, page_pod(member));
    if (is_me)
        page_put(page, " <span class=\"me\">this pod</span>");
    if (strcmp(address, page_pod(member)) != 0)
        page_put(page, "<small>%s</small>", address);
    page_put(page, "</th>");
    put_cell(page, "State");
    page_put(page, "<span class=\"state\">%s</span></td>", page_state(state));
    put_heartbeat(page, member);
    put_round_trip(page, member);
    put_lost(page, member);
    put_total(page, member, "To it", "relayed", is_me);
    put_total(page, member, "From it", "received", is_me);
    page_put(page, "</tr>\n");
}

void page_put_members(const struct page *page)
{
    static const char *const columns[] = {"Member", "State", "Heartbeat", "Round trip",
                                          "Lost",   "To it", "From it"};
    struct json_object *members = page_find(page->status, "members");
    size_t count = page_count(members);

    page_put(page, "<section class=\"card wide\" aria-labelledby=\"members\">"
                   "<h2 id=\"members\">Members</h2><table role=\"table\" class=\"members\" "
                   "aria-labelledby=\"members\"><thead role=\"rowgroup\"><tr role=\"row\">");
    for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
        page_put(page, "<th role=\"columnheader\" scope=\"col\">%s</th>", columns[i]);
    page_put(page, "</tr></thead><tbody role=\"rowgroup\">\n");
    for (size_t i = 0; i < count; i++)
        page_put_member(page, json_object_array_get_idx(members, i));
    page_put(page, "</tbody></table><p class=\"hint\">In the order of succession, as this pod sees "
                   "them. To it and from it: requests between this pod and that one.</p>"
                   "</section>\n");
}
