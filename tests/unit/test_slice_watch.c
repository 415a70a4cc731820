/* slice_watch: what the API server's client reports becomes a list of pods for the supervisor. */
#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>

#include "client_fixture.h"
#include "control/slice_watch.h"
#include "json_fixture.h"

/* ---- the tested one ---- */

static struct config config;
static struct slice_watch watch;
static struct waker waker;

static void setup(void)
{
    cr_assert_eq(waker_init(&waker, false), 0);
    memset(&config, 0, sizeof(config));
    config.self = (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, 1}};
    (void)snprintf(config.discovery_kubernetes, sizeof(config.discovery_kubernetes), "peers");
    cr_assert_eq(slice_watch_open(&watch, &config, NULL, &waker), 0);
}

static void teardown(void)
{
    slice_watch_close(&watch);
    waker_fini(&waker);
}

TestSuite(slice_watch, .init = setup, .fini = teardown);

static void tell(enum platform_news_kind kind, const char *text)
{
    struct platform_news news = {.kind = kind, .document = text ? parse(text) : NULL};

    client.on_news(client.context, &news);
    json_object_put(news.document);
}

static void tell_failure(unsigned status)
{
    const struct platform_result result = {.status = status, .why = "list endpointslices: refused"};

    client.on_news(client.context,
                   &(struct platform_news){.kind = PLATFORM_FAILED, .result = &result});
}

static enum supervisor_slices state(void)
{
    return slice_watch_state(&watch);
}

#define ITEM(name, endpoints) \
    "{'metadata':{'name':'" name "'},'addressType':'IPv4','endpoints':[" endpoints "]}"
#define LIST(items) "{'kind':'EndpointSliceList','items':[" items "]}"
#define POD(last)   "{'addresses':['10.0.0." last "'],'targetRef':{'uid':'u" last "'}}"

static const struct slice_list *take(size_t count)
{
    const struct slice_list *list;

    cr_assert(slice_watch_has_news(&watch));
    list = slice_watch_take(&watch);
    cr_assert_not(slice_watch_has_news(&watch));
    cr_assert_eq(list->count, count, "%zu", list->count);
    return list;
}

Test(slice_watch, without_a_service_nothing_is_watched)
{
    struct slice_watch none;

    config.discovery_kubernetes[0] = '\0';
    add_rc = -ENOSPC;
    cr_assert_eq(slice_watch_open(&none, &config, NULL, &waker), 0);
    cr_assert_not(slice_watch_has_news(&none));
    cr_assert_eq(slice_watch_take(&none)->count, 0);
    cr_assert_eq(slice_watch_state(&none), SUPERVISOR_SLICES_NONE);
    slice_watch_close(&none);
}

Test(slice_watch, a_client_without_room_is_an_error)
{
    struct slice_watch other;

    add_rc = -ENOSPC;
    cr_assert_eq(slice_watch_open(&other, &config, NULL, &waker), -ENOSPC);
    cr_assert_null(other.shared);
}

Test(slice_watch, it_watches_the_slices_of_the_service)
{
    cr_assert_str_eq(client.object->group, "discovery.k8s.io");
    cr_assert_str_eq(client.object->version, "v1");
    cr_assert_str_eq(client.object->resource, "endpointslices");
    cr_assert_str_eq(client.object->labels, "kubernetes.io/service-name=peers");
    cr_assert_null(client.object->space);
    cr_assert_null(client.object->name);
    cr_assert_eq(state(), SUPERVISOR_SLICES_WAITING);
    cr_assert_not(slice_watch_has_news(&watch));
}

Test(slice_watch, a_list_and_its_changes_are_handed_on)
{
    const struct slice_list *list;

    tell(PLATFORM_LISTED, LIST(ITEM("a", POD("2") "," POD("1"))));
    list = take(2);
    cr_assert(list->is_current && list->is_complete);
    cr_assert_eq(list->members[0].address.ip[3], 1);
    cr_assert_eq(state(), SUPERVISOR_SLICES_CURRENT);
    tell(PLATFORM_MODIFIED, ITEM("a", POD("1") "," POD("2")));
    cr_assert_not(slice_watch_has_news(&watch), "the same in another order");
    tell(PLATFORM_ADDED, ITEM("b", POD("3")));
    (void)take(3);
    tell(PLATFORM_DELETED, ITEM("a", ""));
    (void)take(1);
    tell(PLATFORM_LISTED, LIST(ITEM("c", POD("7"))));
    cr_assert_eq(take(1)->members[0].address.ip[3], 7);
}

Test(slice_watch, another_pod_or_its_end_is_a_change)
{
    tell(PLATFORM_LISTED, LIST(ITEM("a", POD("1"))));
    cr_assert_not(take(1)->members[0].is_terminating);
    tell(PLATFORM_MODIFIED,
         ITEM("a", "{'addresses':['10.0.0.1'],'targetRef':{'uid':'u1'},'conditions':{'terminating':"
                   "true}}"));
    cr_assert(take(1)->members[0].is_terminating);
    tell(PLATFORM_MODIFIED, ITEM("a", "{'addresses':['10.0.0.1'],'targetRef':{'uid':'other'}}"));
    cr_assert_not(take(1)->members[0].is_terminating);
}

Test(slice_watch, a_failure_keeps_the_list_and_says_so)
{
    const struct slice_list *list;

    tell(PLATFORM_LISTED, LIST(ITEM("a", POD("1") "," POD("2"))));
    (void)take(2);
    tell_failure(403);
    list = take(2);
    cr_assert_not(list->is_current);
    cr_assert_eq(state(), SUPERVISOR_SLICES_FAILED);
    tell_failure(0);
    cr_assert_not(slice_watch_has_news(&watch), "nothing new");
    tell(PLATFORM_RESUMED, NULL);
    list = take(2);
    cr_assert(list->is_current);
    cr_assert_eq(state(), SUPERVISOR_SLICES_CURRENT);
}

Test(slice_watch, a_failure_at_the_start_names_no_pod)
{
    tell_failure(403);
    cr_assert_eq(state(), SUPERVISOR_SLICES_FAILED);
    cr_assert_not(slice_watch_has_news(&watch));
    cr_assert_eq(slice_watch_take(&watch)->count, 0);
}

/* A Service that selects nothing, for example for a mistake in its selector, ends no pod. */
Test(slice_watch, an_empty_service_keeps_the_list)
{
    const struct slice_list *list;

    tell(PLATFORM_LISTED, LIST(""));
    cr_assert_eq(state(), SUPERVISOR_SLICES_EMPTY);
    cr_assert_eq(slice_watch_take(&watch)->count, 0);
    tell(PLATFORM_ADDED, ITEM("a", POD("1")));
    cr_assert(take(1)->is_current);
    tell(PLATFORM_MODIFIED, ITEM("a", ""));
    list = take(1);
    cr_assert_not(list->is_current);
    cr_assert_eq(state(), SUPERVISOR_SLICES_EMPTY);
}

/* Kubernetes 1.20 has v1beta1 only; during an upgrade the one that was there may go. */
Test(slice_watch, without_a_version_the_other_is_tried)
{
    tell_failure(404);
    cr_assert_str_eq(client.object->version, "v1beta1");
    tell(PLATFORM_LISTED, LIST(ITEM("a", POD("1"))));
    cr_assert(take(1)->is_current);
    tell_failure(403);
    cr_assert_str_eq(client.object->version, "v1beta1");
    tell_failure(404);
    cr_assert_str_eq(client.object->version, "v1");
}

Test(slice_watch, other_documents_change_nothing)
{
    tell(PLATFORM_LISTED, LIST(ITEM("a", POD("1"))));
    (void)take(1);
    tell(PLATFORM_MODIFIED, "{'kind':'Pod','metadata':{'name':'a'}}");
    tell(PLATFORM_DELETED, "{}");
    tell(PLATFORM_LISTED, "{'kind':'PodList'}");
    cr_assert_not(slice_watch_has_news(&watch));
    cr_assert_eq(state(), SUPERVISOR_SLICES_CURRENT);
}

Test(slice_watch, a_list_with_too_many_endpoints_is_not_complete)
{
    static char text[1 << 16];
    const struct slice_list *list;
    size_t n = (size_t)snprintf(text, sizeof(text),
                                "{'metadata':{'name':'a'},'addressType':'IPv4',"
                                "'endpoints':[");

    for (unsigned i = 0; i <= DISCOVERY_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s{'addresses':['10.1.0.%u']}",
                              i ? "," : "", i);
    (void)snprintf(text + n, sizeof(text) - n, "]}");
    tell(PLATFORM_LISTED, LIST(""));
    tell(PLATFORM_ADDED, text);
    list = take(DISCOVERY_MAX);
    cr_assert(list->is_current);
    cr_assert_not(list->is_complete);
}
