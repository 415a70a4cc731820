/* lease_driver: requests of lease_step become JSON, and documents of the API server become its events. */
#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>

#include "control/lease_driver.h"
#include "headless/base/clock.h"

/* ---- a client of the API server in this thread ---- */

int __wrap_platform_add_watch(struct platform *platform, const struct platform_watch *watch);
int __wrap_platform_request(struct platform *platform, const struct platform_request *request);

static struct platform_watch client;
static struct platform_request request;
static int add_rc, request_rc, requests;

int __wrap_platform_add_watch(struct platform *platform, const struct platform_watch *watch)
{
    (void)platform;
    client = *watch;
    return add_rc;
}

int __wrap_platform_request(struct platform *platform, const struct platform_request *wanted)
{
    (void)platform;
    request = *wanted;
    requests++;
    return request_rc;
}

/* ---- the tested one ---- */

static struct config config;
static struct lease_driver driver;
static struct waker waker;
static struct lease_event event;
static char text[1 << 16];

static void setup(void)
{
    cr_assert_eq(waker_init(&waker, false), 0);
    memset(&config, 0, sizeof(config));
    config.self = (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, 1}};
    config.lease_timeout_ns = NS_PER_SEC;
    (void)snprintf(config.lease_name, sizeof(config.lease_name), "headlessd");
    (void)snprintf(config.cluster, sizeof(config.cluster), "blue");
    cr_assert_eq(lease_driver_open(&driver, &config, NULL, &waker), 0);
}

static void teardown(void)
{
    lease_driver_close(&driver);
    waker_fini(&waker);
}

TestSuite(lease_driver, .init = setup, .fini = teardown);

/* Quotes are written as '. */
static struct json_object *parse(const char *json)
{
    struct json_object *object;
    size_t i = 0;

    for (; json[i]; i++)
        text[i] = (char)(json[i] == '\'' ? '"' : json[i]);
    text[i] = '\0';
    object = json_tokener_parse(text);
    cr_assert_not_null(object, "%s", text);
    return object;
}

static void tell(enum platform_news_kind kind, const char *json)
{
    struct platform_news news = {.kind = kind, .document = parse(json)};

    client.on_news(client.context, &news);
    json_object_put(news.document);
}

static void reply(enum platform_outcome outcome, const char *json)
{
    struct platform_result result = {.verb = request.verb,
                                     .outcome = outcome,
                                     .document = json ? parse(json) : NULL,
                                     .retry_after_ns = 7};

    request.done(request.context, &result);
    json_object_put(result.document);
}

static const struct lease_event *take(enum lease_event_type type)
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

static struct lease_actions actions_of(enum lease_verb verb, const struct lease_record *record)
{
    struct lease_actions actions = {.verb = verb, .request = 9};

    if (record)
        actions.record = *record;
    return actions;
}

static void ask(enum lease_verb verb, const struct lease_record *record)
{
    struct lease_actions actions = actions_of(verb, record);

    lease_driver_send(&driver, &actions);
}

/* The body that the client would send; NULL: the request is cancelled. */
static struct json_object *body(void)
{
    static char json[1 << 16];
    size_t length = request.write_body(request.context, json, sizeof(json));

    return length ? json_tokener_parse(json) : NULL;
}

static const char *text_at(struct json_object *document, const char *pointer)
{
    struct json_object *value = NULL;

    cr_assert_eq(json_pointer_get(document, pointer, &value), 0, "%s", pointer);
    return json_object_get_string(value);
}

Test(lease_driver, it_watches_the_one_lease)
{
    cr_assert_str_eq(client.object->group, "coordination.k8s.io");
    cr_assert_str_eq(client.object->resource, "leases");
    cr_assert_str_eq(client.object->name, "headlessd");
    cr_assert_eq(lease_driver_state(&driver), SUPERVISOR_LEASE_WAITING);
    cr_assert_not(lease_driver_has_news(&driver));
    cr_assert_not(lease_driver_take(&driver, &event));
}

Test(lease_driver, a_client_without_room_is_an_error)
{
    struct lease_driver other;

    add_rc = -ENOSPC;
    cr_assert_eq(lease_driver_open(&other, &config, NULL, &waker), -ENOSPC);
}

/* Items of a list have no kind. */
Test(lease_driver, a_list_shows_the_record)
{
    const struct lease_record *r;

    tell(PLATFORM_LISTED,
         "{'kind':'LeaseList','metadata':{'resourceVersion':'9'},'items':[{" ITEM("7", "") "]}");
    r = take(LEASE_SEEN)->record;
    cr_assert(r->exists);
    cr_assert_str_eq(r->uid, "u1");
    cr_assert_str_eq(r->version, "7");
    cr_assert_str_eq(r->holder, "a_0000000000000001");
    cr_assert_str_eq(r->writer, r->holder);
    cr_assert_eq(r->term, 42);
    cr_assert_eq(r->transitions, 3);
    cr_assert_eq(r->duration_ns, 15 * NS_PER_SEC);
    cr_assert_eq(r->fence, LEASE_FENCE_PEERS);
    cr_assert_eq(r->list.term, 40);
    cr_assert_eq(r->list.version, 3);
    cr_assert_eq(r->stamp_ns, 5 * NS_PER_SEC);
    cr_assert(lease_is_ours(r));
    cr_assert_eq(lease_driver_state(&driver), SUPERVISOR_LEASE_KNOWN);
}

Test(lease_driver, an_empty_list_and_a_deletion_have_the_version)
{
    tell(PLATFORM_LISTED, "{'kind':'LeaseList','metadata':{'resourceVersion':'9'},'items':[]}");
    cr_assert_not(take(LEASE_SEEN)->record->exists);
    cr_assert_str_eq(event.record->version, "9");
    tell(PLATFORM_DELETED, LEASE("12"));
    cr_assert_not(take(LEASE_SEEN)->record->exists);
    cr_assert_str_eq(event.record->version, "12");
}

Test(lease_driver, lists_that_are_none_say_nothing)
{
    tell(PLATFORM_LISTED, "{'kind':'LeaseList','metadata':{'resourceVersion':null},'items':null}");
    cr_assert_not(take(LEASE_SEEN)->record->exists);
    cr_assert_str_eq(event.record->version, "");
    tell(PLATFORM_LISTED, "{'kind':'PodList','metadata':{'resourceVersion':'9'},'items':[]}");
    tell(PLATFORM_LISTED, "{'kind':'LeaseList','metadata':7,'items':['x']}");
    tell(PLATFORM_LISTED, "{'kind':'LeaseList','metadata':7,'items':[{}]}");
    tell(PLATFORM_MODIFIED, "{'kind':'Pod'}");
    tell(PLATFORM_DELETED, "{}");
    cr_assert_not(lease_driver_has_news(&driver));
}

static struct lease_record record_of(const char *version)
{
    static char json[2048];

    (void)snprintf(json, sizeof(json), "{'kind':'Lease'," ITEM("%s", ""), version);
    tell(PLATFORM_MODIFIED, json);
    return *take(LEASE_SEEN)->record;
}

Test(lease_driver, an_update_replaces_this_record_and_keeps_what_others_wrote)
{
    struct lease_record next = record_of("7");
    struct json_object *lease;

    (void)snprintf(next.holder, sizeof(next.holder), "b_0000000000000002");
    (void)snprintf(next.writer, sizeof(next.writer), "b_0000000000000002");
    next.term = 43;
    next.fence = LEASE_FENCE_LEASE;
    next.stamp_ns = 77;
    ask(LEASE_PUT, &next);
    cr_assert_eq(request.verb, PLATFORM_UPDATE);
    cr_assert_eq(request.timeout_ns, NS_PER_SEC);
    lease = body();
    cr_assert_not_null(lease);
    cr_assert_str_eq(text_at(lease, "/metadata/uid"), "u1");
    cr_assert_str_eq(text_at(lease, "/metadata/resourceVersion"), "7");
    cr_assert_str_eq(text_at(lease, "/metadata/labels/x"), "y");
    cr_assert_str_eq(text_at(lease, "/metadata/annotations/o"), "p");
    cr_assert_str_eq(text_at(lease, "/metadata/annotations/headlessd.io~1term"), "43");
    cr_assert_str_eq(text_at(lease, "/metadata/annotations/headlessd.io~1fence"), "lease");
    cr_assert_str_eq(text_at(lease, "/metadata/annotations/headlessd.io~1writer"), next.holder);
    cr_assert_str_eq(text_at(lease, "/metadata/annotations/headlessd.io~1list"), "40/3");
    cr_assert_str_eq(text_at(lease, "/metadata/annotations/headlessd.io~1stamp"), "77");
    cr_assert_str_eq(text_at(lease, "/metadata/annotations/headlessd.io~1address"), "10.0.0.1");
    cr_assert_str_eq(text_at(lease, "/metadata/annotations/headlessd.io~1cluster"), "blue");
    cr_assert_str_eq(text_at(lease, "/spec/holderIdentity"), next.holder);
    cr_assert_str_neq(text_at(lease, "/spec/acquireTime"), "2026-11-30T14:00:00.000001Z");
    json_object_put(lease);
    reply(PLATFORM_OK, LEASE("8"));
    cr_assert_eq(take(LEASE_REPLY)->outcome, LEASE_OK);
    cr_assert_eq(event.request, 9);
    cr_assert_str_eq(event.record->version, "8");
}

Test(lease_driver, a_renewal_keeps_the_time_of_the_take_over)
{
    struct lease_record same = record_of("7");
    struct json_object *lease;

    ask(LEASE_PUT, &same);
    lease = body();
    cr_assert_str_eq(text_at(lease, "/spec/acquireTime"), "2026-11-30T14:00:00.000001Z");
    json_object_put(lease);
}

Test(lease_driver, an_update_of_another_record_than_the_newest_is_a_conflict_that_is_not_sent)
{
    struct lease_record old = record_of("7"), none = {.exists = true, .uid = "u1", .version = "6"};

    (void)record_of("8");
    ask(LEASE_PUT, &old);
    cr_assert_null(body());
    reply(PLATFORM_UNSENT, NULL);
    cr_assert_eq(take(LEASE_REPLY)->outcome, LEASE_CONFLICT);
    tell(PLATFORM_MODIFIED, LEASE("7")); /* late */
    (void)take(LEASE_SEEN);
    ask(LEASE_PUT, &none);
    cr_assert_null(body());
}

Test(lease_driver, a_lease_with_a_strategy_is_not_written)
{
    struct lease_record r;

    tell(PLATFORM_MODIFIED, "{'kind':'Lease'," ITEM("9", ",'strategy':'OldestEmulationVersion'"));
    r = *take(LEASE_SEEN)->record;
    cr_assert_eq(lease_driver_state(&driver), SUPERVISOR_LEASE_COORDINATED);
    ask(LEASE_PUT, &r);
    cr_assert_null(body());
    reply(PLATFORM_UNSENT, NULL);
    cr_assert_eq(take(LEASE_REPLY)->outcome, LEASE_REFUSED);
    (void)record_of("10");
    cr_assert_eq(lease_driver_state(&driver), SUPERVISOR_LEASE_KNOWN);
}

Test(lease_driver, a_creation_names_no_uid)
{
    const struct lease_record record = {.exists = true,
                                        .holder = "a_0000000000000001",
                                        .writer = "a_0000000000000001",
                                        .duration_ns = 15 * NS_PER_SEC,
                                        .term = 1,
                                        .stamp_ns = 5};
    struct json_object *lease, *metadata = NULL;

    ask(LEASE_POST, &record);
    cr_assert_eq(request.verb, PLATFORM_CREATE);
    lease = body();
    cr_assert_str_eq(text_at(lease, "/metadata/name"), "headlessd");
    cr_assert_eq(json_pointer_get(lease, "/metadata/uid", &metadata), -1);
    json_object_put(lease);
}

Test(lease_driver, outcomes)
{
    static const struct {
        enum lease_verb verb;
        enum platform_outcome outcome;
        const char *json;
        enum lease_outcome is;
    } rows[] = {
        {LEASE_GET, PLATFORM_OK, LEASE("7"), LEASE_OK},
        {LEASE_GET, PLATFORM_OK, "{'kind':'Status'}", LEASE_UNKNOWN},
        {LEASE_GET, PLATFORM_NOT_FOUND, "{'kind':'Status','details':{'kind':'leases'}}", LEASE_OK},
        {LEASE_GET, PLATFORM_NOT_FOUND, "{'details':{'kind':7}}", LEASE_REFUSED},
        {LEASE_GET, PLATFORM_NOT_FOUND, NULL, LEASE_REFUSED},
        {LEASE_GET, PLATFORM_FORBIDDEN, "{}", LEASE_REFUSED},
        {LEASE_POST, PLATFORM_CONFLICT, "{}", LEASE_CONFLICT},
        {LEASE_POST, PLATFORM_UNAUTHORIZED, NULL, LEASE_REFUSED},
        {LEASE_POST, PLATFORM_NOT_FOUND, "{'details':{'kind':'leases'}}", LEASE_REFUSED},
        {LEASE_POST, PLATFORM_INVALID, NULL, LEASE_REFUSED},
        {LEASE_POST, PLATFORM_THROTTLED, NULL, LEASE_REFUSED},
        {LEASE_POST, PLATFORM_UNSENT, NULL, LEASE_REFUSED},
        {LEASE_POST, PLATFORM_SERVER_ERROR, NULL, LEASE_UNKNOWN},
        {LEASE_POST, PLATFORM_UNKNOWN, NULL, LEASE_UNKNOWN},
        {LEASE_POST, PLATFORM_BAD, NULL, LEASE_UNKNOWN},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        ask(rows[i].verb, NULL);
        reply(rows[i].outcome, rows[i].json);
        cr_assert_eq(take(LEASE_REPLY)->outcome, rows[i].is, "row %zu", i);
        cr_assert_eq(event.wait_ns, 7);
    }
}

Test(lease_driver, a_request_that_the_client_does_not_take_is_refused)
{
    request_rc = -ESHUTDOWN;
    ask(LEASE_GET, NULL);
    cr_assert_eq(take(LEASE_REPLY)->outcome, LEASE_REFUSED);
    cr_assert_eq(event.request, 9);
}

/* A holder that is too long is cut, and then none of ours; so is a term that no pod writes. */
Test(lease_driver, records_of_others_are_not_ours)
{
    char json[2048], name[400];

    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    (void)snprintf(
        json, sizeof(json),
        "{'kind':'Lease','metadata':{'name':'headlessd','uid':'u1','resourceVersion':'1',"
        "'annotations':{'headlessd.io/term':'3','headlessd.io/fence':'lease',"
        "'headlessd.io/writer':'%s','headlessd.io/writer-uid':'u1'}},"
        "'spec':{'holderIdentity':'%s'}}",
        name, name);
    tell(PLATFORM_ADDED, json);
    cr_assert_not(lease_is_ours(take(LEASE_SEEN)->record));
    tell(PLATFORM_MODIFIED,
         "{'kind':'Lease','metadata':{'name':'headlessd','uid':'u1','resourceVersion':'2',"
         "'annotations':{'headlessd.io/term':'18446744073709551615','headlessd.io/"
         "fence':'peers'," WRITER
         ",'headlessd.io/list':'1/99999999999','headlessd.io/stamp':'-1'}},"
         "'spec':{'holderIdentity':'a_0000000000000001','leaseDurationSeconds':-4}}");
    cr_assert_not(lease_is_ours(take(LEASE_SEEN)->record));
    cr_assert_eq(event.record->list.term, 0);
    cr_assert_eq(event.record->stamp_ns, 0);
    cr_assert_eq(event.record->duration_ns, 0);
}
