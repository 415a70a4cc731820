/* The frame of the page: leader, warnings, this pod. */
#include "admin/page.h"

#include <stdlib.h>
#include <string.h>

#include "admin/status.h"

/* ---- words ---- */

struct word {
    const char *word, *meaning;
};

/* NULL: not in the table. */
static const char *page_find_word(const struct word *words, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i].word, word) == 0)
            return words[i].meaning;
    }
    return NULL;
}

const char *page_cause(const char *cause)
{
    static const struct word causes[] = {
        {"bootstrap", "there was no leader when these pods found each other"},
        {"verdict", "the previous leader missed its heartbeats"},
        {"evidence", "the previous leader's host refused a datagram"},
        {"resign", "the previous leader stepped down"},
        {"command", "a command named it"},
        {"force", "a command forced it, without votes"},
        {"app", "the previous leader's app was down"},
        {"yaml", "the configuration names it, outside the cluster"},
    };
    const char *meaning = page_find_word(causes, sizeof(causes) / sizeof(causes[0]), cause);

    return meaning ? meaning : cause;
}

const char *page_state(const char *state)
{
    static const struct word states[] = {
        {"leader", "leads"}, {"self", "alive"}, {"alive", "alive"},
        {"suspect", "late"}, {"dead", "dead"},
    };
    const char *meaning = page_find_word(states, sizeof(states) / sizeof(states[0]), state);

    return meaning ? meaning : state;
}

/* ---- warnings ---- */

static void put_notice(const struct page *page, const char *before, const char *value,
                       const char *after)
{
    page_put(page, "<li>%s%s%s</li>", before, value, after);
}

static void put_leader_notice(const struct page *page)
{
    struct json_object *wanted = page_find(page->status, "configured_leader");

    if (!page_find(page->status, "leader"))
        put_notice(page, "There is no leader: datagrams are held for hold.time.", "", "");
    if (page_number(page->status, "gauges.refusing_clients"))
        put_notice(page, "Clients are refused, because no pod's app is up (app.down).", "", "");
    if (wanted && !page_number(wanted, "leads"))
        put_notice(page,
                   "The leader is not the configured one. To change that: headlessctl "
                   "leader set ",
                   page_text(wanted, "name"), ", or a higher leader_generation.");
}

/* A number that should be 0. */
struct sign {
    const char *path, *text;
};

static void put_signs(const struct page *page)
{
    static const struct sign signs[] = {
        {"gauges.key_mismatch",
         "Members whose messages this pod cannot verify, because they have other keys, or none: "},
        {"gauges.members_with_own_name", "Other living members that have this pod's name: "},
        {"gauges.order_differing_members",
         "Members whose route or ordered.commit differs from this pod's: "},
        {"counters.log_lines_failed_total", "Log lines that could not be written: "},
        {"gauges.log_lines_queued", "Log lines that standard error has not taken yet: "},
        {"counters.election_forbidden_transitions_total",
         "State transitions that the election's table forbids, which is a bug: "},
    };

    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++) {
        struct json_object *is = page_find(page->status, signs[i].path);
        char text[PAGE_NUMBER_MAX];

        if (is && json_object_get_int64(is) != 0)
            put_notice(page, signs[i].text, page_group(json_object_get_int64(is), text), "");
    }
}

static void put_notices(const struct page *page)
{
    const char *state = page_text(page->status, "state");
    const char *readiness = page_text(page->status, "readiness");

    page_put(page, "<ul class=\"notices\" aria-label=\"What needs attention\">");
    put_leader_notice(page);
    if (strcmp(state, "isolated") == 0)
        put_notice(page, "This pod is isolated: it has no contact with a majority of the members.",
                   "", "");
    if (strcmp(readiness, "ready") != 0)
        put_notice(page, "Readiness: ", readiness, "");
    put_signs(page);
    page_put(page, "</ul>\n");
}

/* ---- the leader ---- */

static void put_since(const struct page *page)
{
    struct json_object *age = page_find(page->status, "leader_age_ms");
    struct json_object *changes = page_find(page->status, "changes");
    char text[PAGE_DURATION_MAX];

    if (!age || page_count(changes) == 0)
        return;
    page_put(page, "<p class=\"fact\">Since ");
    page_put_time(page, json_object_array_get_idx(changes, 0));
    page_put(page, " · for <span id=\"age\">%s</span></p>",
             page_duration((uint64_t)json_object_get_int64(age), text));
}

static void put_succession(const struct page *page)
{
    struct json_object *members = page_find(page->status, "members");
    size_t count = page_count(members);

    page_put(page, "<h2>Succession</h2><ol class=\"chain\" id=\"succession\">");
    for (size_t i = 0; i < count; i++) {
        struct json_object *member = json_object_array_get_idx(members, i);
        const char *state = page_text(member, "state");

        page_put(page, "<li data-state=\"%s\"><b>%s</b> <span class=\"state\">%s</span></li>",
                 state, page_pod(member), page_state(state));
    }
    page_put(page, "</ol>");
}

/* While sessions stay with the app of the leader before (drain.sessions). */
static void put_former_leader(const struct page *page)
{
    struct json_object *former = page_find(page->status, "former_leader");
    char text[PAGE_DURATION_MAX];

    if (former)
        page_put(page,
                 "<p class=\"fact\" id=\"former\">The app of %s serves its sessions, for at most "
                 "%s.</p>",
                 page_pod(former),
                 page_duration((uint64_t)page_number(former, "remaining_ms"), text));
}

static void page_put_leader(const struct page *page)
{
    struct json_object *leader = page_find(page->status, "leader");
    const char *cause = page_text(page->status, "cause");

    page_put(page,
             "<section class=\"card hero\" data-leads=\"%s\" aria-labelledby=\"leader\">"
             "<p class=\"over\">Leader</p><h1 id=\"leader\">%s</h1>",
             leader ? "yes" : "no", leader ? page_pod(leader) : "nobody");
    page_put(page, "<p class=\"fact\">%s%sterm <b id=\"term\">%lld</b></p>",
             leader ? page_text(leader, "address") : "", leader ? " · " : "",
             (long long)page_number(page->status, "term"));
    put_since(page);
    if (leader)
        page_put(page, "<p class=\"fact\" id=\"cause\" data-cause=\"%s\">It leads because %s.</p>",
                 cause, page_cause(cause));
    put_former_leader(page);
    put_succession(page);
    page_put(page, "<p class=\"unseen\" role=\"status\" aria-live=\"polite\" id=\"said\">");
    if (leader)
        page_put(page, "%s leads.</p>", page_pod(leader));
    else
        page_put(page, "Nobody leads.</p>");
    page_put(page, "</section>\n");
}

/* ---- this pod ---- */

static void put_fact(const struct page *page, const char *term, const char *key, const char *value)
{
    page_put(page, "<div><dt>%s</dt><dd data-path=\"%s\">%s</dd></div>", term, key, value);
}

static void put_numbers(const struct page *page)
{
    static const struct word numbers[] = {
        {"gauges.datagrams_held", "Held"},
        {"gauges.datagrams_queued", "Queued"},
        {"gauges.relay_unconfirmed", "Unconfirmed"},
        {"counters.relay_lost_total", "Lost with leaders"},
        {"gauges.sessions", "Sessions"},
        {"ledger.requests", "Ledger, requests"},
        {"ledger.replies", "Ledger, replies"},
        {"ledger.copies", "Ledger, copies"},
    };
    char text[PAGE_NUMBER_MAX];

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        put_fact(page, numbers[i].meaning, numbers[i].word,
                 page_group(page_number(page->status, numbers[i].word), text));
}

/* The time without a leader before the present one, as this pod saw it. */
static void put_gap(const struct page *page)
{
    struct json_object *changes = page_find(page->status, "changes");
    char text[PAGE_DURATION_MAX];

    if (page_count(changes) == 0)
        put_fact(page, "Last gap", "gap", "–");
    else
        put_fact(page, "Last gap", "gap",
                 page_duration(
                     (uint64_t)page_number(json_object_array_get_idx(changes, 0), "gap_ms"), text));
}

static void put_this_pod(const struct page *page)
{
    struct json_object *me = page_find(page->status, "me");
    char text[PAGE_DURATION_MAX];

    page_put(page, "<section class=\"card\" aria-labelledby=\"pod\"><h2 id=\"pod\">This pod</h2>"
                   "<dl class=\"facts\">");
    put_fact(page, "Name", "me.name", page_text(me, "name"));
    put_fact(page, "Address", "me.address", page_text(me, "address"));
    put_fact(page, "State", "state", page_text(page->status, "state"));
    put_fact(page, "Up for", "uptime",
             page_duration((uint64_t)page_number(page->status, "uptime_seconds") * 1000, text));
    put_fact(page, "Version", "version", page_text(page->status, "version"));
    put_fact(page, "Cipher", "keys.cipher", page_text(page->status, "keys.cipher"));
    put_numbers(page);
    put_gap(page);
    page_put(page, "</dl><p class=\"hint\">The ledger is received minus accounted for: 0 "
                   "when idle.</p></section>\n");
}

/* ---- the frame ---- */

static void page_put_head(const struct page *page)
{
    struct json_object *leader = page_find(page->status, "leader");

    page_put(page,
             "<!doctype html>\n<html lang=\"en\" data-version=\"%s\">\n<head>\n"
             "<meta charset=\"utf-8\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<meta name=\"color-scheme\" content=\"light dark\">\n"
             "<title>%s leads, says %s</title>\n"
             "<link rel=\"stylesheet\" href=\"/page.css\">\n"
             "<link rel=\"icon\" type=\"image/svg+xml\" href=\"/page.svg\">\n"
             "<script src=\"/page.js\" defer></script>\n"
             "<noscript><meta http-equiv=\"refresh\" content=\"5\"></noscript>\n</head>\n",
             page_text(page->status, "version"), leader ? page_pod(leader) : "nobody",
             page_pod(page_find(page->status, "me")));
}

static void page_put_body(const struct page *page)
{
    page_put(page,
             "<body>\n<a class=\"skip\" href=\"#main\">Skip to the content</a>\n"
             "<header><p class=\"brand\"><img src=\"/page.svg\" width=\"24\" height=\"24\" "
             "alt=\"\">headlessd</p><p class=\"where\">cluster <b>%s</b>, seen by <b>%s</b></p>"
             "<p id=\"contact\" data-contact=\"still\"><span>as of</span> ",
             page_text(page->status, "cluster"), page_pod(page_find(page->status, "me")));
    page_put_time(page, page->status);
    page_put(page, "</p></header>\n<main id=\"main\" tabindex=\"-1\">\n");
    put_notices(page);
    page_put_leader(page);
    put_this_pod(page);
    page_put_lease(page);
    page_put_flow(page);
    page_put_members(page);
    page_put_drops(page);
    page_put_events(page);
    page_put_options(page);
    page_put(page, "</main>\n<footer><nav aria-label=\"The same for programs\">"
                   "<a href=\"/status\">/status</a> <a href=\"/metrics\">/metrics</a> "
                   "<a href=\"/leader\">/leader</a> <a href=\"/readyz\">/readyz</a> "
                   "<a href=\"/livez\">/livez</a></nav></footer>\n</body>\n</html>\n");
}

char *page_html(const struct admin_snapshot *snapshot, size_t *ret_length)
{
    struct page page = {.status = status_describe(snapshot)};
    char *text = NULL;
    bool is_whole;

    if (!page.status)
        return NULL;
    page.out = open_memstream(&text, ret_length);
    if (page.out) {
        page_put_head(&page);
        page_put_body(&page);
        is_whole = !ferror(page.out);
        is_whole = fclose(page.out) == 0 && is_whole;
        if (!is_whole) {
            free(text);
            text = NULL;
        }
    }
    (void)json_object_put(page.status);
    return text;
}
