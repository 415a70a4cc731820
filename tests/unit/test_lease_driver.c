/* lease_driver: requests of lease_step become JSON, and documents of the API server become its events. */
#include "lease_driver_fixture.h"

TestSuite(lease_driver, .init = setup, .fini = teardown);

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

Test(lease_driver, a_creation_names_no_uid_and_no_holder)
{
    const struct lease_record record = {.exists = true};
    struct json_object *lease, *metadata = NULL;

    ask(LEASE_POST, &record);
    cr_assert_eq(request.verb, PLATFORM_CREATE);
    lease = body();
    cr_assert_str_eq(text_at(lease, "/metadata/name"), "headlessd");
    cr_assert_eq(json_pointer_get(lease, "/metadata/uid", &metadata), -1);
    cr_assert_str_empty(text_at(lease, "/spec/holderIdentity"));
    cr_assert_eq(json_pointer_get(lease, "/metadata/annotations/headlessd.io~1writer", &metadata),
                 -1);
    cr_assert_eq(json_pointer_get(lease, "/metadata/annotations/headlessd.io~1fence", &metadata),
                 -1);
    cr_assert_eq(json_pointer_get(lease, "/metadata/annotations/headlessd.io~1list", &metadata),
                 -1);
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
