/* platform_events: Events are bounded in number, one at a time, and never waited for. */
#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>

#include "client_fixture.h"
#include "headless/base/clock.h"
#include "headless/platform/platform_events.h"
#include "platform/event_json.h"
#include "platform/platform_internal.h"

static struct platform api;
static struct platform_events *events;
static const struct platform_events_about about = {
    .version = "coordination.k8s.io/v1", .kind = "Lease", .name = "headlessd", .reporter = "pod-1"};

static void setup(void)
{
    (void)snprintf(api.space, sizeof(api.space), "space");
    atomic_init(&api.is_space_known, true);
    cr_assert_eq(platform_events_open(&api, &about, &events), 0);
}

static void teardown(void)
{
    platform_events_close(events);
}

TestSuite(platform_events, .init = setup, .fini = teardown);

static void post(const char *note, uint64_t now_ns)
{
    const struct platform_event event = {
        .reason = "LeaderChanged", .action = "TakeLease", .uid = "u1", .note = note};

    platform_events_post(events, &event, now_ns);
}

static void reply(enum platform_outcome outcome)
{
    const struct platform_result result = {
        .verb = PLATFORM_CREATE, .outcome = outcome, .why = "no"};

    request.done(request.context, &result);
}

static void expect_counts(uint64_t written, uint64_t failed, uint64_t limited)
{
    struct platform_events_counts counts;

    platform_events_read(events, &counts);
    cr_expect_eq(counts.of[PLATFORM_EVENTS_WRITTEN], written);
    cr_expect_eq(counts.of[PLATFORM_EVENTS_FAILED], failed);
    cr_expect_eq(counts.of[PLATFORM_EVENTS_LIMITED], limited);
}

static void expect_text(struct json_object *document, const char *pointer, const char *text)
{
    struct json_object *value = NULL;

    cr_assert_eq(json_pointer_get(document, pointer, &value), 0, "%s", pointer);
    cr_expect_str_eq(json_object_get_string(value), text);
}

static void expect_note(const char *note)
{
    static char body[8192];
    struct json_object *document;

    cr_assert_gt(request.write_body(request.context, body, sizeof(body)), 0);
    document = json_tokener_parse(body);
    cr_assert_not_null(document);
    expect_text(document, "/note", note);
    json_object_put(document);
}

/* As pkg/apis/core/validation/events.go demands it. */
Test(platform_events, an_event_names_the_object_and_the_pod)
{
    const struct platform_event event = {.is_warning = true,
                                         .reason = "HandoverRefused",
                                         .action = "RemoveWanted",
                                         .uid = "u1",
                                         .note = "\"x\" is no member\n"};
    char text[2048];
    struct json_object *document;

    cr_assert_gt(event_json_write(&about, &event, "space", 1764518400000001, text, sizeof(text)),
                 0);
    document = json_tokener_parse(text);
    cr_assert_not_null(document, "%s", text);
    expect_text(document, "/apiVersion", "events.k8s.io/v1");
    expect_text(document, "/metadata/generateName", "headlessd-");
    expect_text(document, "/metadata/namespace", "space");
    expect_text(document, "/type", "Warning");
    expect_text(document, "/reason", "HandoverRefused");
    expect_text(document, "/action", "RemoveWanted");
    expect_text(document, "/note", "\"x\" is no member\n");
    expect_text(document, "/reportingInstance", "pod-1");
    expect_text(document, "/regarding/kind", "Lease");
    expect_text(document, "/regarding/uid", "u1");
    expect_text(document, "/regarding/namespace", "space");
    expect_text(document, "/related/name", "pod-1");
    expect_text(document, "/eventTime", "2025-11-30T16:00:00.000001Z");
    json_object_put(document);
    cr_expect_eq(event_json_write(&about, &event, "space", 1, text, 100), 0, "no room");
}

Test(platform_events, they_are_written_one_after_the_other)
{
    post("first", 1);
    post("second", 2);
    cr_expect_eq(requests, 1);
    cr_expect(request.is_background && request.is_optional);
    expect_note("first");
    reply(PLATFORM_OK);
    cr_expect_eq(requests, 2);
    expect_note("second");
    reply(PLATFORM_OK);
    cr_expect_eq(requests, 2);
    expect_counts(2, 0, 0);
    post("third", 3);
    cr_expect_eq(requests, 3);
    expect_note("third");
}

Test(platform_events, a_flood_is_limited)
{
    uint64_t now_ns = NS_PER_SEC;

    for (unsigned i = 0; i < 100; i++)
        post("again", now_ns);
    expect_counts(0, 0, 100 - PLATFORM_EVENTS_BURST);
    for (unsigned i = 0; i < PLATFORM_EVENTS_BURST; i++)
        reply(PLATFORM_OK);
    cr_expect_eq(requests, PLATFORM_EVENTS_BURST);
    post("too early", now_ns + 9 * NS_PER_SEC);
    cr_expect_eq(requests, PLATFORM_EVENTS_BURST);
    post("later", now_ns + 10 * NS_PER_SEC);
    cr_expect_eq(requests, PLATFORM_EVENTS_BURST + 1);
}

Test(platform_events, a_failure_is_counted_and_not_repeated)
{
    post("first", 1);
    post("second", 2);
    reply(PLATFORM_SERVER_ERROR);
    reply(PLATFORM_UNKNOWN);
    cr_expect_eq(requests, 2);
    expect_counts(0, 2, 0);
    request_rc = -EAGAIN;
    post("third", 3);
    request_rc = 0;
    expect_counts(0, 3, 0);
    post("fourth", 4);
    expect_note("fourth");
}

Test(platform_events, without_the_rule_there_is_a_pause)
{
    uint64_t now_ns = clock_now_ns();

    post("first", now_ns);
    reply(PLATFORM_FORBIDDEN);
    post("second", now_ns + 599 * NS_PER_SEC);
    cr_expect_eq(requests, 1);
    expect_counts(0, 1, 1);
    post("third", now_ns + 700 * NS_PER_SEC);
    cr_expect_eq(requests, 2);
}

Test(platform_events, a_note_is_cut)
{
    char note[PLATFORM_EVENTS_NOTE_MAX + 100];

    memset(note, 'x', sizeof(note));
    note[sizeof(note) - 1] = '\0';
    post(note, 1);
    note[PLATFORM_EVENTS_NOTE_MAX - 1] = '\0';
    expect_note(note);
}

Test(platform_events, without_them_nothing_happens)
{
    struct platform_events_counts counts;

    platform_events_post(NULL, NULL, 1);
    platform_events_read(NULL, &counts);
    cr_expect_not(counts.is_on);
    cr_expect_eq(requests, 0);
}
