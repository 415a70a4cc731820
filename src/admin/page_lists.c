/* Drops by reason, the last leaders, the options that differ from their default. */
#include "admin/page.h"

#include <string.h>

#include "headless/base/counters.h"

/* ---- drops ---- */

struct drop {
    const char *what, *prose, *key;
    int64_t count;
};

#define DROP_ROW(name, prose) {#name, prose},
static const struct {
    const char *name, *prose;
} reasons[] = {DROP_REASONS(DROP_ROW)};
#undef DROP_ROW

#define REASON_COUNT (sizeof(reasons) / sizeof(reasons[0]))

static const char *const sockets[] = {"data", "multicast", "relay", "app", "peer"};
#define SOCKET_COUNT (sizeof(sockets) / sizeof(sockets[0]))

static int64_t dropped(const struct page *page, const char *metric, const char *label)
{
    char path[96];

    (void)snprintf(path, sizeof(path), "counters.%s.%s", metric, label);
    return page_number(page->status, path);
}

/* The drops that are not 0, largest first. */
static size_t list_drops(const struct page *page, struct drop list[REASON_COUNT + SOCKET_COUNT])
{
    static const char *const metrics[] = {"datagrams_dropped_total", "replies_dropped_total",
                                          "copies_dropped_total"};
    size_t count = 0;

    for (size_t i = 0; i < REASON_COUNT + SOCKET_COUNT; i++) {
        struct drop drop = {0};
        size_t at = count;

        if (i < REASON_COUNT) {
            drop = (struct drop){reasons[i].name, reasons[i].prose, "reason", 0};
            for (size_t m = 0; m < sizeof(metrics) / sizeof(metrics[0]); m++)
                drop.count += dropped(page, metrics[m], reasons[i].name);
        } else {
            const char *socket = sockets[i - REASON_COUNT];

            drop = (struct drop){socket, "the kernel dropped it: this socket's buffer was full",
                                 "socket", dropped(page, "socket_drops_total", socket)};
        }
        if (drop.count == 0)
            continue;
        for (; at > 0 && list[at - 1].count < drop.count; at--)
            list[at] = list[at - 1];
        list[at] = drop;
        count++;
    }
    return count;
}

static void page_put_drop(const struct page *page, const struct drop *drop, int64_t most)
{
    long long width = (long long)((double)drop->count / (double)most * 1000);
    char text[PAGE_NUMBER_MAX];

    page_put(page,
             "<li data-%s=\"%s\"><span class=\"what\">%s%s</span>"
             "<span class=\"count\">%s ",
             drop->key, drop->what, drop->what, strcmp(drop->key, "socket") == 0 ? " socket" : "",
             page_group(drop->count, text));
    page_put_rate(page, "drop", drop->what, drop->count);
    page_put(page,
             "</span><svg class=\"bar\" viewBox=\"0 0 1000 8\" preserveAspectRatio=\"none\" "
             "aria-hidden=\"true\"><rect width=\"%lld\" height=\"8\"/></svg><small>%s</small></li>",
             width > 5 ? width : 5, drop->prose);
}

void page_put_drops(const struct page *page)
{
    struct drop list[REASON_COUNT + SOCKET_COUNT];
    size_t count = list_drops(page, list);

    page_put(page, "<section class=\"card\" aria-labelledby=\"drops\">"
                   "<h2 id=\"drops\">Dropped, by reason</h2>");
    if (count == 0)
        page_put(page, "<p class=\"hint\">Nothing was dropped.</p>");
    if (count > 0)
        page_put(page, "<ul class=\"bars\">");
    for (size_t i = 0; i < count; i++)
        page_put_drop(page, &list[i], list[0].count);
    page_put(page, count > 0 ? "</ul></section>\n" : "</section>\n");
}

/* ---- events ---- */

void page_put_events(const struct page *page)
{
    struct json_object *changes = page_find(page->status, "changes");
    size_t count = page_count(changes);
    char text[PAGE_DURATION_MAX];

    page_put(page, "<section class=\"card\" aria-labelledby=\"last\">"
                   "<h2 id=\"last\">Last events</h2><ol class=\"events\" id=\"events\">");
    for (size_t i = 0; i < count; i++) {
        struct json_object *change = json_object_array_get_idx(changes, i);

        page_put(page, "<li>");
        page_put_time(page, change);
        page_put(page, " <span><b>%s</b> leads, term %lld: %s", page_pod(change),
                 (long long)page_number(change, "term"), page_cause(page_text(change, "cause")));
        if (page_number(change, "gap_ms") > 0)
            page_put(page, "; %s without a leader",
                     page_duration((uint64_t)page_number(change, "gap_ms"), text));
        page_put(page, "</span></li>");
    }
    page_put(page,
             "</ol><p class=\"hint\">The leaders that this pod has followed%s</p></section>\n",
             count ? "." : ": none yet.");
}

/* ---- options ---- */

static void put_list(const struct page *page, struct json_object *options)
{
    struct json_object_iterator i = json_object_iter_begin(options);
    struct json_object_iterator end = json_object_iter_end(options);

    page_put(page, "<dl class=\"facts options\">");
    for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        const char *key = json_object_iter_peek_name(&i);

        page_put(page, "<div><dt>%s</dt><dd data-option=\"%s\">%s</dd></div>", key, key,
                 json_object_get_string(json_object_iter_peek_value(&i)));
    }
    page_put(page, "</dl>");
}

void page_put_options(const struct page *page)
{
    struct json_object *options = page_find(page->status, "options");

    page_put(page, "<section class=\"card wide\" aria-labelledby=\"options\">"
                   "<h2 id=\"options\">Options that differ from the default</h2>");
    if (!options)
        page_put(page, "<p class=\"hint\">Not known.</p>");
    else if (json_object_object_length(options) == 0)
        page_put(page, "<p class=\"hint\">None.</p>");
    else
        put_list(page, options);
    page_put(page, "</section>\n");
}
