/* lease_driver_fixture: the driver of the Lease, with a client of the API server in this thread. */
#ifndef HEADLESS_TESTS_LEASE_DRIVER_FIXTURE_H
#define HEADLESS_TESTS_LEASE_DRIVER_FIXTURE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>

#include "client_fixture.h"
#include "control/lease_driver.h"
#include "headless/base/clock.h"
#include "json_fixture.h"

/* ---- the tested one ---- */

static struct config config;
static struct lease_driver driver;
static struct waker waker;
static struct lease_event event;

static __attribute__((unused)) void setup(void)
{
    cr_assert_eq(waker_init(&waker, false), 0);
    memset(&config, 0, sizeof(config));
    config.self = (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, 1}};
    config.lease_timeout_ns = NS_PER_SEC;
    (void)snprintf(config.lease_name, sizeof(config.lease_name), "headlessd");
    (void)snprintf(config.cluster, sizeof(config.cluster), "blue");
    cr_assert_eq(lease_driver_open(&driver, &config, NULL, &waker), 0);
}

static __attribute__((unused)) void teardown(void)
{
    lease_driver_close(&driver);
    waker_fini(&waker);
}

static __attribute__((unused)) void tell(enum platform_news_kind kind, const char *json)
{
    struct platform_news news = {.kind = kind, .document = parse(json)};

    client.on_news(client.context, &news);
    json_object_put(news.document);
}

static __attribute__((unused)) void reply(enum platform_outcome outcome, const char *json)
{
    struct platform_result result = {.verb = request.verb,
                                     .outcome = outcome,
                                     .document = json ? parse(json) : NULL,
                                     .retry_after_ns = 7};

    request.done(request.context, &result);
    json_object_put(result.document);
}

static __attribute__((unused)) const struct lease_event *take(enum lease_event_type type)
{
    cr_assert(lease_driver_has_news(&driver));
    cr_assert(lease_driver_take(&driver, &event));
    cr_assert_eq(event.type, type);
    cr_assert_not(lease_driver_has_news(&driver));
    return &event;
}

#define WRITER "'headlessd.io/writer':'a_0000000000000001','headlessd.io/writer-uid':'u1'"
#define ITEM(version, more)                                                            \
    "'metadata':{'name':'headlessd','uid':'u1','resourceVersion':'" version            \
    "','labels':{'x':'y'},"                                                            \
    "'annotations':{'headlessd.io/term':'42','headlessd.io/fence':'peers'," WRITER "," \
    "'headlessd.io/list':'40/3','headlessd.io/stamp':'5000000000','o':'p'}},"          \
    "'spec':{'holderIdentity':'a_0000000000000001','leaseDurationSeconds':15,"         \
    "'acquireTime':'2026-11-30T14:00:00.000001Z','leaseTransitions':3" more "}}"
#define LEASE(version) "{'kind':'Lease','apiVersion':'coordination.k8s.io/v1'," ITEM(version, "")

static __attribute__((unused)) struct lease_actions actions_of(enum lease_verb verb,
                                                               const struct lease_record *record)
{
    struct lease_actions actions = {.verb = verb, .request = 9};

    if (record)
        actions.record = *record;
    return actions;
}

static __attribute__((unused)) void ask(enum lease_verb verb, const struct lease_record *record)
{
    struct lease_actions actions = actions_of(verb, record);

    lease_driver_send(&driver, &actions);
}

/* The body that the client would send; NULL: the request is cancelled. */
static __attribute__((unused)) struct json_object *body(void)
{
    static char json[1 << 16];
    size_t length = request.write_body(request.context, json, sizeof(json));

    return length ? json_tokener_parse(json) : NULL;
}

static __attribute__((unused)) const char *text_at(struct json_object *document,
                                                   const char *pointer)
{
    struct json_object *value = NULL;

    cr_assert_eq(json_pointer_get(document, pointer, &value), 0, "%s", pointer);
    return json_object_get_string(value);
}

static __attribute__((unused)) struct lease_record record_of(const char *version)
{
    static char json[2048];

    (void)snprintf(json, sizeof(json), "{'kind':'Lease'," ITEM("%s", ""), version);
    tell(PLATFORM_MODIFIED, json);
    return *take(LEASE_SEEN)->record;
}

#endif
