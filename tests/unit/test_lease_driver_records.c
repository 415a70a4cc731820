/* lease_driver: records of other clusters and of others, and those of a backup. */
#include "lease_driver_fixture.h"

TestSuite(lease_driver_records, .init = setup, .fini = teardown);

static void expect_foreign(const struct lease_record *r)
{
    cr_assert_eq(lease_driver_state(&driver), SUPERVISOR_LEASE_FOREIGN);
    cr_assert_not(lease_is_ours(r));
    cr_assert_str_empty(r->writer);
    cr_assert_eq(r->term, 0);
    cr_assert_str_eq(r->holder, "a_0000000000000001");
}

/* It has expired when they no longer renew it, and no other rule applies. */
Test(lease_driver_records, a_record_of_another_cluster_is_not_ours)
{
    static const char json[] =
        "{'kind':'Lease','metadata':{'name':'headlessd','uid':'u1','resourceVersion':'7','"
        "annotations':"
        "{'headlessd.io/term':'42','headlessd.io/fence':'peers'," WRITER
        ",'headlessd.io/cluster':'green'}},'spec':{'holderIdentity':'a_0000000000000001'}}";
    struct lease_record r;
    struct json_object *lease;

    tell(PLATFORM_MODIFIED, json);
    r = *take(LEASE_SEEN)->record;
    expect_foreign(&r);
    ask(LEASE_PUT, &r);
    lease = body();
    cr_assert_not_null(lease);
    cr_assert_str_eq(text_at(lease, "/metadata/annotations/headlessd.io~1cluster"), "blue");
    json_object_put(lease);
    (void)record_of("8");
    cr_assert_eq(lease_driver_state(&driver), SUPERVISOR_LEASE_KNOWN);
}

static void expect_sent(void)
{
    struct json_object *lease = body();

    cr_assert_not_null(lease);
    json_object_put(lease);
}

/* The API server's data were restored from a backup: an update must name the version that it has now. */
Test(lease_driver_records, an_older_version_that_was_read_later_counts)
{
    struct lease_record r = record_of("70");
    struct platform_result result = {.verb = PLATFORM_GET, .outcome = PLATFORM_OK};

    ask(LEASE_GET, NULL);
    result.document = parse(LEASE("50"));
    result.sent_ns = 1; /* before version 70 was known */
    request.done(request.context, &result);
    (void)take(LEASE_REPLY);
    ask(LEASE_PUT, &r);
    expect_sent(); /* 70 is still the newest */
    reply(PLATFORM_CONFLICT, NULL);
    (void)take(LEASE_REPLY);
    ask(LEASE_GET, NULL);
    result.sent_ns = clock_now_ns();
    request.done(request.context, &result);
    json_object_put(result.document);
    r = *take(LEASE_REPLY)->record;
    cr_assert_str_eq(r.version, "50");
    ask(LEASE_PUT, &r);
    expect_sent();
}

/* A holder that is too long is cut, and then none of ours; so is a term that no pod writes. */
Test(lease_driver_records, records_of_others_are_not_ours)
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
