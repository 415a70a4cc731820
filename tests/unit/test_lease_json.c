/* A Lease: what is read of it, and that an update keeps what it does not change. */
#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>

#include "headless/platform/lease_json.h"
#include "json_fixture.h"

/* As an API server returns it (1.37), with the additions of others. */
static const char of_ours[] =
    "{'kind':'Lease','apiVersion':'coordination.k8s.io/v1','metadata':{'name':'headlessd',"
    "'namespace':'udp','uid':'5f0e3c0e-8f0c-4c4f-9d2e-1b2a3c4d5e6f','resourceVersion':'1234',"
    "'creationTimestamp':'2026-11-30T14:00:00Z','labels':{'app.kubernetes.io/name':'headlessd'},"
    "'annotations':{'headlessd.io/term':'42','headlessd.io/fence':'peers',"
    "'headlessd.io/address':'10.244.1.5','headlessd.io/cluster':'headlessd',"
    "'headlessd.io/wanted':'headlessd-2','example.com/note':'do not touch'},"
    "'ownerReferences':[{'apiVersion':'apps/v1','kind':'StatefulSet','name':'headlessd',"
    "'uid':'0b8f2c1a-0000-4000-8000-000000000001'}],"
    "'managedFields':[{'manager':'headlessd','operation':'Update','fieldsType':'FieldsV1',"
    "'fieldsV1':{'f:spec':{'f:holderIdentity':{}}}}]},"
    "'spec':{'holderIdentity':'headlessd-0_0123456789abcdef','leaseDurationSeconds':15,"
    "'acquireTime':'2026-11-30T14:00:00.000001Z','renewTime':'2026-11-30T14:00:10.250000Z',"
    "'leaseTransitions':3}}";

static char text[1 << 16];

static int read_text(const char *json, struct lease_document *record)
{
    struct json_object *object = parse(json);
    int rc = lease_read(object, record);

    json_object_put(object);
    return rc;
}

Test(lease_json, the_record_of_a_leader_is_read)
{
    struct lease_document r;

    cr_assert_eq(read_text(of_ours, &r), 0);
    cr_assert_str_eq(r.name, "headlessd");
    cr_assert_str_eq(r.uid, "5f0e3c0e-8f0c-4c4f-9d2e-1b2a3c4d5e6f");
    cr_assert_str_eq(r.resource_version, "1234");
    cr_assert_str_eq(r.holder, "headlessd-0_0123456789abcdef");
    cr_assert_eq(r.duration_s, 15);
    cr_assert_eq(r.transitions, 3);
    cr_assert_str_eq(r.acquire_time, "2026-11-30T14:00:00.000001Z");
    cr_assert_str_eq(r.renew_time, "2026-11-30T14:00:10.250000Z");
    cr_assert_eq(r.term_state, LEASE_TERM_OK);
    cr_assert_eq(r.term, 42);
    cr_assert_eq(r.fence, LEASE_DOCUMENT_FENCE_PEERS);
    cr_assert_str_eq(r.address, "10.244.1.5");
    cr_assert_str_eq(r.cluster, "headlessd");
    cr_assert_str_eq(r.wanted, "headlessd-2");
    cr_assert_str_eq(r.strategy, "");
    cr_assert_not(r.is_deleting);
}

/* As the manifests ship it, and as a foreign elector writes it. */
Test(lease_json, what_is_missing_is_none)
{
    struct lease_document r;

    cr_assert_eq(
        read_text(
            "{'kind':'Lease','metadata':{'name':'l','uid':'u','resourceVersion':'1'},'spec':{}}",
            &r),
        0);
    cr_assert_str_eq(r.holder, "");
    cr_assert_eq(r.duration_s, 0);
    cr_assert_eq(r.term_state, LEASE_TERM_NONE);
    cr_assert_eq(r.fence, LEASE_DOCUMENT_FENCE_NONE);
    cr_assert_eq(
        read_text("{'kind':'Lease','metadata':{'name':'l','uid':'u','resourceVersion':'1',"
                  "'deletionTimestamp':'2026-11-30T14:00:00Z'},'spec':{'holderIdentity':null,"
                  "'leaseDurationSeconds':'15','leaseTransitions':-1,'strategy':"
                  "'OldestEmulationVersion','renewTime':7}}",
                  &r),
        0);
    cr_assert_str_eq(r.holder, "");
    cr_assert_eq(r.duration_s, 0);
    cr_assert_eq(r.transitions, 0);
    cr_assert_str_eq(r.renew_time, "");
    cr_assert_str_eq(r.strategy, "OldestEmulationVersion");
    cr_assert(r.is_deleting);
}

Test(lease_json, a_term_is_a_decimal_number_of_the_election)
{
    static const struct {
        const char *term;
        enum lease_document_term state;
        uint64_t value;
    } cases[] = {
        {"'1'", LEASE_TERM_OK, 1},
        {"'4611686018427387904'", LEASE_TERM_OK, UINT64_C(1) << 62},
        {"'4611686018427387905'", LEASE_TERM_BAD, 0},
        {"'18446744073709551615'", LEASE_TERM_BAD, 0}, /* 2^64 - 1 */
        {"'18446744073709551616'", LEASE_TERM_BAD, 0},
        {"'99999999999999999999999999999999'", LEASE_TERM_BAD, 0},
        {"'0'", LEASE_TERM_BAD, 0},
        {"'007'", LEASE_TERM_BAD, 0},
        {"'-1'", LEASE_TERM_BAD, 0},
        {"'+1'", LEASE_TERM_BAD, 0},
        {"' 1'", LEASE_TERM_BAD, 0},
        {"'1 '", LEASE_TERM_BAD, 0},
        {"'0x1'", LEASE_TERM_BAD, 0},
        {"''", LEASE_TERM_BAD, 0},
        {"1", LEASE_TERM_BAD, 0}, /* annotations are strings */
        {"null", LEASE_TERM_BAD, 0},
    };
    char json[512];
    struct lease_document r;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(json, sizeof(json),
                       "{'kind':'Lease','metadata':{'name':'l','uid':'u','resourceVersion':'1',"
                       "'annotations':{'headlessd.io/term':%s}}}",
                       cases[i].term);
        cr_assert_eq(read_text(json, &r), 0);
        cr_assert_eq(r.term_state, cases[i].state, "%s", cases[i].term);
        cr_assert_eq(r.term, cases[i].value, "%s", cases[i].term);
    }
}

Test(lease_json, without_identity_it_is_refused)
{
    static const char *const wrong[] = {
        "{}",
        "[]",
        "{'kind':'Lease'}",
        "{'kind':'Status','metadata':{'name':'l','uid':'u','resourceVersion':'1'}}",
        "{'kind':'Lease','metadata':{'name':'l','uid':'u'}}",
        "{'kind':'Lease','metadata':{'name':'l','resourceVersion':'1'}}",
        "{'kind':'Lease','metadata':{'uid':'u','resourceVersion':'1'}}",
        "{'kind':'Lease','metadata':{'name':'l','uid':'u','resourceVersion':1}}",
        /* 128 digits: cut, another version could have the same text */
        "{'kind':'Lease','metadata':{'name':'l','uid':'u','resourceVersion':"
        "'11111111111111111111111111111111111111111111111111111111111111111111111111111111"
        "111111111111111111111111111111111111111111111111'}}",
    };
    struct lease_document r = {.term = 5};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_eq(read_text(wrong[i], &r), -EBADMSG, "%s", wrong[i]);
        cr_assert_eq(r.term, 5, "%s", wrong[i]);
    }
}

/* ---- writing ---- */

static const struct lease_change change = {.holder = "headlessd-1_fedcba9876543210",
                                           .duration_s = 137,
                                           .transitions = 4,
                                           .acquire_us = 1764511200000000,
                                           .renew_us = 1764511200123456,
                                           .term = 43,
                                           .fence = LEASE_DOCUMENT_FENCE_LEASE,
                                           .address = "10.244.2.7",
                                           .cluster = "headlessd"};

static void write_and_read(const char *json, const struct lease_change *what,
                           struct lease_document *record)
{
    struct json_object *before = json ? parse(json) : NULL, *after;
    size_t length = lease_write(before, "made", what, text, sizeof(text));

    cr_assert_neq(length, 0);
    cr_assert_eq(strlen(text), length);
    json_object_put(before);
    after = json_tokener_parse(text);
    if (json)
        cr_assert_eq(lease_read(after, record), 0, "%s", text);
    json_object_put(after);
}

Test(lease_json, an_update_changes_the_record_and_keeps_the_rest)
{
    struct lease_document r;

    write_and_read(of_ours, &change, &r);
    cr_assert_str_eq(r.uid, "5f0e3c0e-8f0c-4c4f-9d2e-1b2a3c4d5e6f");
    cr_assert_str_eq(r.resource_version, "1234");
    cr_assert_str_eq(r.holder, change.holder);
    cr_assert_eq(r.duration_s, 137);
    cr_assert_eq(r.transitions, 4);
    cr_assert_str_eq(r.acquire_time, "2025-11-30T14:00:00.000000Z");
    cr_assert_str_eq(r.renew_time, "2025-11-30T14:00:00.123456Z");
    cr_assert_eq(r.term, 43);
    cr_assert_eq(r.fence, LEASE_DOCUMENT_FENCE_LEASE);
    cr_assert_str_eq(r.address, "10.244.2.7");
    cr_assert_str_eq(r.wanted, "headlessd-2");
    cr_assert_not_null(strstr(text, "\"example.com/note\":\"do not touch\""));
    cr_assert_not_null(strstr(text, "\"labels\":{\"app.kubernetes.io/name\":\"headlessd\"}"));
    cr_assert_not_null(strstr(text, "\"ownerReferences\":[{"));
    cr_assert_not_null(strstr(text, "\"namespace\":\"udp\""));
    cr_assert_null(strstr(text, "managedFields"));
}

Test(lease_json, a_release_keeps_the_times_and_takes_the_annotations_away)
{
    const struct lease_change release = {.holder = "", .transitions = 3, .removes_wanted = true};
    struct lease_document r;

    write_and_read(of_ours, &release, &r);
    cr_assert_str_eq(r.holder, "");
    cr_assert_eq(r.duration_s, 0, "left out: 0 is refused");
    cr_assert_null(strstr(text, "leaseDurationSeconds"));
    cr_assert_str_eq(r.renew_time, "2026-11-30T14:00:10.250000Z");
    cr_assert_eq(r.term_state, LEASE_TERM_NONE);
    cr_assert_eq(r.fence, LEASE_DOCUMENT_FENCE_NONE);
    cr_assert_str_eq(r.wanted, "");
    cr_assert_not_null(strstr(text, "example.com/note"));
}

/* Annotations, labels or a spec that are null, or no objects. */
Test(lease_json, an_update_repairs_what_has_another_type)
{
    struct lease_document r;

    write_and_read("{'kind':'Lease','metadata':{'name':'l','uid':'u','resourceVersion':'1',"
                   "'annotations':null,'labels':null},'spec':null}",
                   &change, &r);
    cr_assert_eq(r.term, 43);
    cr_assert_str_eq(r.holder, change.holder);
    write_and_read("{'kind':'Lease','metadata':{'name':'l','uid':'u','resourceVersion':'1',"
                   "'annotations':[1]},'spec':'x'}",
                   &change, &r);
    cr_assert_eq(r.term, 43);
}

Test(lease_json, an_update_keeps_a_strategy_for_the_caller_to_see)
{
    struct lease_document r;

    write_and_read("{'kind':'Lease','metadata':{'name':'l','uid':'u','resourceVersion':'1'},"
                   "'spec':{'strategy':'S','preferredHolder':'p'}}",
                   &change, &r);
    cr_assert_str_eq(r.strategy, "S");
    cr_assert_not_null(strstr(text, "\"preferredHolder\":\"p\""));
}

Test(lease_json, a_new_lease_has_a_name_and_no_identity)
{
    write_and_read(NULL, &change, NULL);
    cr_assert_not_null(strstr(text, "\"apiVersion\":\"coordination.k8s.io/v1\""));
    cr_assert_not_null(strstr(text, "\"kind\":\"Lease\""));
    cr_assert_not_null(strstr(text, "\"name\":\"made\""));
    cr_assert_null(strstr(text, "uid"));
    cr_assert_null(strstr(text, "resourceVersion"));
}

Test(lease_json, an_update_that_does_not_fit_is_not_written)
{
    struct json_object *before = parse(of_ours);
    char small[200];

    small[0] = 'x';
    cr_assert_eq(lease_write(before, NULL, &change, small, sizeof(small)), 0);
    cr_assert_eq(small[0], 'x');
    json_object_put(before);
}

/* The API server refuses any other number of digits. */
Test(lease_json, times_have_six_digits)
{
    static const struct {
        uint64_t us;
        const char *text;
    } cases[] = {
        {0, "1970-01-01T00:00:00.000000Z"},
        {1, "1970-01-01T00:00:00.000001Z"},
        {1764511200123456, "2025-11-30T14:00:00.123456Z"},
        {1709210096000000, "2024-02-29T12:34:56.000000Z"},
        {UINT64_C(253402300799999999), "9999-12-31T23:59:59.999999Z"},
        {UINT64_MAX, "9999-12-31T23:59:59.551615Z"},
    };
    char time[LEASE_TIME_MAX];

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        lease_format_time(cases[i].us, time);
        cr_assert_str_eq(time, cases[i].text);
    }
}
