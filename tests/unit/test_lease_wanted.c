/* lease_wanted: the annotation headlessd.io/wanted is acted on once, by the pod whose write removed it. */
#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdio.h>

#include "client_fixture.h"
#include "control/lease_driver.h"
#include "headless/base/clock.h"

static struct config config;
static struct lease_driver driver;
static struct lease_wanted *wanted;
static struct waker waker;
static uint32_t number;

static void setup(void)
{
    cr_assert_eq(waker_init(&waker, false), 0);
    config.self = (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, 1}};
    (void)snprintf(config.lease_name, sizeof(config.lease_name), "headlessd");
    cr_assert_eq(lease_driver_open(&driver, &config, NULL, &waker), 0);
    wanted = lease_driver_wanted(&driver);
}

static void teardown(void)
{
    lease_driver_close(&driver);
    waker_fini(&waker);
}

TestSuite(lease_wanted, .init = setup, .fini = teardown);

static struct json_object *lease(unsigned version, unsigned stamp, const char *text)
{
    char json[2048];
    struct json_object *document;

    (void)snprintf(json, sizeof(json),
                   "{\"kind\":\"Lease\",\"metadata\":{\"name\":\"headlessd\",\"uid\":\"u1\","
                   "\"resourceVersion\":\"%u\",\"annotations\":{\"headlessd.io/stamp\":\"%u\"%s%s%s"
                   "}},\"spec\":{}}",
                   version, stamp, text ? ",\"headlessd.io/wanted\":\"" : "", text ? text : "",
                   text ? "\"" : "");
    document = json_tokener_parse(json);
    cr_assert_not_null(document, "%s", json);
    return document;
}

/* The watch shows this Lease. */
static void show(unsigned version, unsigned stamp, const char *text)
{
    struct platform_news news = {.kind = PLATFORM_MODIFIED,
                                 .document = lease(version, stamp, text)};

    client.on_news(client.context, &news);
    json_object_put(news.document);
}

/* Our next write, of this version; returns true if it leaves the annotation out. */
static bool put(unsigned version, unsigned stamp)
{
    struct lease_actions actions = {.verb = LEASE_PUT, .request = ++number};
    static char body[1 << 16];

    (void)snprintf(actions.record.uid, sizeof(actions.record.uid), "u1");
    (void)snprintf(actions.record.version, sizeof(actions.record.version), "%u", version);
    actions.record.stamp_ns = stamp;
    lease_driver_send(&driver, &actions);
    cr_assert_gt(request.write_body(request.context, body, sizeof(body)), 0);
    return !strstr(body, "headlessd.io/wanted");
}

static void reply(enum platform_outcome outcome, struct json_object *document)
{
    struct lease_event event;
    const struct platform_result result = {
        .verb = request.verb, .outcome = outcome, .document = document};

    request.done(request.context, &result);
    json_object_put(document);
    while (lease_driver_take(&driver, &event))
        ;
}

static void expect_news(const char *text, bool is_removed)
{
    const struct lease_wanted_news *news = lease_wanted_take(wanted);

    cr_assert_not_null(news);
    cr_expect_str_eq(news->text, text);
    cr_expect_eq(news->is_removed, is_removed);
    cr_expect_not(lease_wanted_has_news(wanted));
}

static void expect_no_news(void)
{
    cr_expect_not(lease_wanted_has_news(wanted));
    cr_expect_null(lease_wanted_take(wanted));
}

Test(lease_wanted, a_lease_without_it_is_no_news)
{
    show(1, 10, NULL);
    expect_no_news();
    cr_expect(put(1, 20));
    reply(PLATFORM_OK, lease(2, 20, NULL));
    expect_no_news();
}

/* The first write does not know of it yet: its PUT keeps what others wrote. */
Test(lease_wanted, only_who_was_asked_removes_it)
{
    show(1, 10, "pod-2");
    expect_news("pod-2", false);
    cr_expect_not(put(1, 20));
    reply(PLATFORM_OK, lease(2, 20, "pod-2"));
    expect_no_news();
    lease_wanted_ask(wanted, "pod-2");
    cr_expect(put(2, 30));
    expect_no_news();
    reply(PLATFORM_OK, lease(3, 30, NULL));
    expect_news("pod-2", true);
    show(3, 30, NULL);
    expect_no_news();
}

Test(lease_wanted, a_lost_reply_is_known_by_the_stamp)
{
    show(1, 10, "pod-2");
    expect_news("pod-2", false);
    lease_wanted_ask(wanted, "pod-2");
    cr_expect(put(1, 20));
    reply(PLATFORM_UNKNOWN, NULL);
    expect_no_news();
    show(2, 20, NULL);
    expect_news("pod-2", true);
}

/* A person took it back, or another pod has removed it. */
Test(lease_wanted, a_removal_by_others_is_not_ours)
{
    show(1, 10, "pod-2");
    expect_news("pod-2", false);
    lease_wanted_ask(wanted, "pod-2");
    cr_expect(put(1, 20));
    reply(PLATFORM_CONFLICT, NULL);
    show(2, 15, NULL);
    expect_news("", false);
}

Test(lease_wanted, another_text_is_not_removed)
{
    show(1, 10, "pod-2");
    lease_wanted_ask(wanted, "pod-2");
    show(2, 10, "pod-3");
    expect_news("pod-3", false);
    cr_expect_not(put(2, 20));
}

Test(lease_wanted, a_text_longer_than_any_name_is_cut)
{
    char text[400];

    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    show(1, 10, text);
    text[LEASE_NAME_MAX - 1] = '\0';
    expect_news(text, false);
    lease_wanted_ask(wanted, text);
    cr_expect(put(1, 20));
}
