/* Sessions as an operator sees them: the report of a worker, GET /sessions, and headlessctl
 * sessions. */
#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/documents.h"
#include "data/app/session_report.h"
#include "headless/ctl/ctl.h"

TestSuite(sessions, .timeout = 30);

Test(sessions, report_is_made_once_for_each_request)
{
    struct session_report report = {0};

    cr_assert_eq(session_report_init(&report), 0);
    cr_assert_not(session_report_is_wanted(&report));
    session_report_ask(&report);
    cr_assert(session_report_is_wanted(&report));
    cr_assert_not(session_report_is_made(&report));
    session_report_ask(&report); /* asked again before the reply: still one request */
    report.count = 1;
    session_report_publish(&report);
    cr_assert(session_report_is_made(&report));
    cr_assert_not(session_report_is_wanted(&report), "it would be overwritten while it is read");
    session_report_ask(&report);
    cr_assert(session_report_is_wanted(&report));
    session_report_fini(&report);
}

Test(sessions, request_numbers_may_wrap)
{
    struct session_report report = {0};

    atomic_init(&report.wanted, UINT32_MAX);
    atomic_init(&report.made, UINT32_MAX);
    session_report_ask(&report);
    cr_assert(session_report_is_wanted(&report));
    session_report_publish(&report);
    cr_assert(session_report_is_made(&report));
    cr_assert_not(session_report_is_wanted(&report));
}

/* ---- the document ---- */

static struct session_entry entry_of(const char *client, const char *ingress, const char *app)
{
    struct session_entry entry = {
        .opened_ns = 3 * NS_PER_SEC, .active_ns = 5 * NS_PER_SEC, .requests = 7};

    cr_assert_eq(address_parse(client, 0, &entry.client), 0);
    cr_assert_eq(address_parse("10.0.0.11:12000", 0, &entry.asked), 0);
    if (ingress)
        cr_assert_eq(address_parse_ip(ingress, &entry.ingress), 0);
    if (app)
        cr_assert_eq(address_parse_ip(app, &entry.app), 0);
    return entry;
}

static struct json_object *page_of(const struct session_entry *entries, size_t count,
                                   bool is_complete)
{
    const struct sessions_snapshot snapshot = {.entries = entries,
                                               .count = count,
                                               .total = 1234,
                                               .is_complete = is_complete,
                                               .now_ns = 5500 * NS_PER_MS};
    size_t length;
    char *text = admin_document_sessions(&snapshot, &length);
    struct json_object *page = json_tokener_parse(text);

    cr_assert_not_null(page, "%s", text);
    cr_assert_eq(length, strlen(text));
    cr_assert_eq(text[length - 1], '\n');
    free(text);
    return page;
}

Test(sessions, document_is_complete)
{
    const struct session_entry entries[] = {entry_of("10.1.1.1:7", "10.0.0.12", "127.128.0.9"),
                                            entry_of("[2001:db8::1]:7", NULL, NULL)};
    struct json_object *page = page_of(entries, 2, true);

    cr_assert_str_eq(json_object_to_json_string_ext(page, JSON_C_TO_STRING_PLAIN),
                     "{\"total\":1234,\"complete\":true,\"sessions\":["
                     "{\"client\":\"10.1.1.1:7\",\"asked\":\"10.0.0.11:12000\","
                     "\"ingress\":\"10.0.0.12\",\"app_address\":\"127.128.0.9\","
                     "\"age_ms\":2500,\"idle_ms\":500,\"requests\":7},"
                     "{\"client\":\"[2001:db8::1]:7\",\"asked\":\"10.0.0.11:12000\","
                     "\"ingress\":null,\"app_address\":null,"
                     "\"age_ms\":2500,\"idle_ms\":500,\"requests\":7}]}");
    (void)json_object_put(page);
}

Test(sessions, longest_document_fits_the_buffer_of_headlessctl)
{
    static struct session_entry entries[SESSION_ENTRIES_MAX];
    const char *ip = "2001:db8:1111:2222:3333:4444:5555:6666";
    struct sessions_snapshot snapshot = {.entries = entries, .count = SESSION_ENTRIES_MAX};
    size_t length;
    char *text;

    for (size_t i = 0; i < SESSION_ENTRIES_MAX; i++) {
        entries[i] = entry_of("[2001:db8:1111:2222:3333:4444:5555:6666]:65535", ip, ip);
        entries[i].asked = entries[i].client;
        entries[i].requests = UINT64_MAX;
    }
    snapshot.now_ns = UINT64_MAX;
    text = admin_document_sessions(&snapshot, &length);
    cr_assert_not_null(text);
    cr_assert_lt(length, ((size_t)1 << 20) - 1024); /* PAGE_MAX of http.c, with its header */
    free(text);
}

/* ---- the table ---- */

static char *table_of(const struct json_object *page)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    ctl_show_sessions(out, page);
    (void)fclose(out);
    return text;
}

Test(sessions, table_is_as_wide_as_needed)
{
    const struct session_entry entries[] = {entry_of("10.1.1.1:7", "10.0.0.12", "127.128.0.9"),
                                            entry_of("10.1.1.1:54321", NULL, NULL)};
    struct json_object *page = page_of(entries, 2, true);
    char *table = table_of(page);

    cr_assert_str_eq(
        table,
        "CLIENT         ASKED           THROUGH   APP SEES            AGE       IDLE  REQUESTS\n"
        "10.1.1.1:7     10.0.0.11:12000 10.0.0.12 127.128.0.9       2.5 s      0.5 s         7\n"
        "10.1.1.1:54321 10.0.0.11:12000 -         -                 2.5 s      0.5 s         7\n"
        "2 of 1234 sessions\n");
    free(table);
    (void)json_object_put(page);
}

Test(sessions, table_says_when_sessions_are_missing)
{
    struct json_object *page = page_of(NULL, 0, false);
    char *table = table_of(page);

    cr_assert_not_null(strstr(
        table, "\n0 of 1234 sessions\na busy worker did not report its sessions: ask again\n"));
    free(table);
    (void)json_object_put(page);
}

Test(sessions, control_characters_do_not_reach_the_terminal)
{
    static const char *const malformed[] = {
        "{}",
        "{\"sessions\":7}",
        "{\"sessions\":[7,null,{}],\"total\":\"x\",\"complete\":[]}",
        "{\"sessions\":[{\"client\":\"\\u001b[2J\",\"app_address\":\"\\u009b\"}]}",
    };

    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        struct json_object *page = json_tokener_parse(malformed[i]);
        char *table = table_of(page);

        for (const char *c = table; *c; c++)
            cr_assert(*c == '\n' || (*c >= ' ' && *c <= '~'), "%02x", (unsigned char)*c);
        free(table);
        (void)json_object_put(page);
    }
}
