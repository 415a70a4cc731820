/* The endpoints of a Service from EndpointSlices: the union, the conditions, what is left out. */
#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>

#include "headless/platform/slices.h"
#include "json_fixture.h"

static struct slices slices;
static struct slices_member list[SLICES_ENDPOINTS_MAX];
static size_t left_out;

static void setup(void)
{
    slices_init(&slices, ADDRESS_V4);
}

TestSuite(slices, .init = setup);

/* ---- documents ---- */

typedef int apply_fn(struct slices *slices, struct json_object *object);

static int apply(apply_fn *how, const char *text)
{
    struct json_object *object = parse(text);
    int rc = how(&slices, object);

    json_object_put(object);
    return rc;
}

/* A slice of one endpoint list, in JSON. */
static const char *slice(const char *name, const char *endpoints)
{
    static char text[1 << 17];

    (void)snprintf(text, sizeof(text),
                   "{'metadata':{'name':'%s'},'addressType':'IPv4','endpoints':[%s]}", name,
                   endpoints);
    return text;
}

static const char *endpoint(const char *address, const char *uid, const char *conditions)
{
    static char text[8][256];
    static unsigned next;
    char *out = text[next++ % 8];

    (void)snprintf(out, sizeof(text[0]),
                   "{'addresses':['%s'],'conditions':{%s},'targetRef':{'kind':'Pod','name':'p',"
                   "'uid':'%s'}}",
                   address, conditions, uid);
    return out;
}

/* The union as "10.0.0.1 10.0.0.2*", with * where it terminates. */
static const char *members(void)
{
    static char text[4096];
    size_t count = slices_members(&slices, list, SLICES_ENDPOINTS_MAX, &left_out), n = 0;
    char address[ADDRESS_TEXT_MAX];

    text[0] = '\0';
    for (size_t i = 0; i < count; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s", n ? " " : "",
                              address_format_ip(&list[i].address, address),
                              list[i].is_terminating ? "*" : "");
    return text;
}

static void has(const char *expected)
{
    cr_assert_str_eq(members(), expected);
}

static uint64_t rejected(void)
{
    uint64_t total = 0;

    for (int i = 0; i < SLICES_REJECT_COUNT; i++)
        total += slices.rejected[i];
    return total;
}

/* ---- the union ---- */

Test(slices, a_slice_replaces_its_own_part_only)
{
    char both[600];

    cr_assert_eq(apply(slices_replace, slice("a", endpoint("10.0.0.1", "u1", ""))), 0);
    (void)snprintf(both, sizeof(both), "%s,%s", endpoint("10.0.0.2", "u2", ""),
                   endpoint("10.0.0.3", "u3", ""));
    cr_assert_eq(apply(slices_replace, slice("b", both)), 0);
    has("10.0.0.1 10.0.0.2 10.0.0.3");
    cr_assert_eq(apply(slices_replace, slice("b", endpoint("10.0.0.4", "u4", ""))), 0);
    has("10.0.0.1 10.0.0.4");
    cr_assert_eq(apply(slices_remove, slice("a", "")), 0);
    has("10.0.0.4");
    cr_assert_eq(apply(slices_remove, slice("unknown", "")), 0);
    has("10.0.0.4");
}

/* The controller moves endpoints between slices: added there first, removed here later. */
Test(slices, an_endpoint_in_two_slices_counts_once)
{
    cr_assert_eq(apply(slices_replace, slice("a", endpoint("10.0.0.1", "u1", ""))), 0);
    cr_assert_eq(apply(slices_replace, slice("b", endpoint("10.0.0.1", "u1", ""))), 0);
    has("10.0.0.1");
    cr_assert_eq(apply(slices_replace, slice("a", "")), 0);
    has("10.0.0.1");
    cr_assert_eq(rejected(), 0);
}

Test(slices, a_list_replaces_everything)
{
    cr_assert_eq(apply(slices_replace, slice("a", endpoint("10.0.0.1", "u1", ""))), 0);
    cr_assert_eq(
        apply(slices_replace_all,
              "{'kind':'EndpointSliceList','items':[{'metadata':{'name':'b'},'addressType':"
              "'IPv4','endpoints':[{'addresses':['10.0.0.2']}]}]}"),
        0);
    has("10.0.0.2");
    cr_assert_eq(apply(slices_replace_all, "{'kind':'EndpointSliceList','items':null}"), 0);
    has("");
}

/* A headless Service of Kubernetes 1.20 has an empty IPv6 slice beside that of IPv4. */
Test(slices, slices_of_another_family_and_empty_ones_say_nothing)
{
    cr_assert_eq(apply(slices_replace, slice("a", endpoint("10.0.0.1", "u1", ""))), 0);
    cr_assert_eq(apply(slices_replace, "{'metadata':{'name':'six'},'addressType':'IPv6',"
                                       "'endpoints':null}"),
                 0);
    cr_assert_eq(apply(slices_replace, "{'metadata':{'name':'six'},'addressType':'IPv6',"
                                       "'endpoints':[{'addresses':['fd00::1']}]}"),
                 0);
    cr_assert_eq(apply(slices_replace, "{'metadata':{'name':'name'},'addressType':'FQDN',"
                                       "'endpoints':[{'addresses':['a.example']}]}"),
                 0);
    has("10.0.0.1");
    cr_assert_eq(rejected(), 0);
}

Test(slices, ipv6_pods_have_ipv6_endpoints)
{
    slices_init(&slices, ADDRESS_V6);
    cr_assert_eq(apply(slices_replace, "{'metadata':{'name':'six'},'addressType':'IPv6',"
                                       "'endpoints':[{'addresses':['fd00::1','fd00::2']}]}"),
                 0);
    cr_assert_eq(apply(slices_replace, slice("a", endpoint("10.0.0.1", "u1", ""))), 0);
    has("fd00::1");
}

/* ---- conditions ---- */

Test(slices, conditions_have_the_defaults_of_the_api)
{
    static const struct {
        const char *conditions;
        bool is_serving, is_terminating;
    } cases[] = {
        {"", true, false},
        {"'ready':null,'serving':null,'terminating':null", true, false},
        {"'ready':true,'serving':true,'terminating':false", true, false},
        {"'ready':false", false, false}, /* v1beta1 of 1.20 has nothing else */
        {"'ready':true,'serving':false,'terminating':true", false, true},
        {"'ready':false,'serving':true,'terminating':true", true, true},
        {"'ready':'no','terminating':1", true, false}, /* of another type */
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_assert_eq(
            apply(slices_replace, slice("a", endpoint("10.0.0.1", "u", cases[i].conditions))), 0);
        cr_assert_eq(slices.endpoints[0].is_serving, cases[i].is_serving, "%zu", i);
        cr_assert_eq(slices.endpoints[0].is_terminating, cases[i].is_terminating, "%zu", i);
    }
    cr_assert_eq(apply(slices_replace, "{'metadata':{'name':'a'},'addressType':'IPv4','endpoints':"
                                       "[{'addresses':['10.0.0.1'],'conditions':null}]}"),
                 0);
    cr_assert(slices.endpoints[0].is_serving);
}

/* ---- identity ---- */

Test(slices, a_new_pod_at_an_address_has_another_identity)
{
    uint64_t first;

    cr_assert_eq(apply(slices_replace, slice("a", endpoint("10.0.0.1", "u1", ""))), 0);
    has("10.0.0.1");
    first = list[0].pod;
    cr_assert_neq(first, 0);
    cr_assert_eq(apply(slices_replace, slice("a", endpoint("10.0.0.1", "u1", "'ready':false"))), 0);
    has("10.0.0.1");
    cr_assert_eq(list[0].pod, first);
    cr_assert_eq(apply(slices_replace, slice("a", endpoint("10.0.0.1", "u2", ""))), 0);
    has("10.0.0.1");
    cr_assert_neq(list[0].pod, first);
    cr_assert_eq(apply(slices_replace, "{'metadata':{'name':'a'},'addressType':'IPv4','endpoints':"
                                       "[{'addresses':['10.0.0.1'],'targetRef':null}]}"),
                 0);
    has("10.0.0.1");
    cr_assert_eq(list[0].pod, 0, "a hand-made slice need not name a pod");
}

/* The former pod still terminates when the next one has its address already. */
Test(slices, of_two_pods_at_one_address_the_one_that_stays_counts)
{
    char both[600];
    uint64_t next;

    cr_assert_eq(apply(slices_replace, slice("a", endpoint("10.0.0.1", "next", ""))), 0);
    has("10.0.0.1");
    next = list[0].pod;
    (void)snprintf(both, sizeof(both), "%s,%s",
                   endpoint("10.0.0.1", "former", "'terminating':true"),
                   endpoint("10.0.0.1", "next", ""));
    cr_assert_eq(apply(slices_replace, slice("a", both)), 0);
    has("10.0.0.1");
    cr_assert_eq(list[0].pod, next);
    cr_assert_eq(
        apply(slices_replace, slice("a", endpoint("10.0.0.1", "former", "'terminating':true"))), 0);
    has("10.0.0.1*");
}

/* ---- what is left out ---- */

Test(slices, addresses_that_no_pod_has_are_counted)
{
    static const struct {
        const char *address;
        enum slices_reject reject;
    } cases[] = {
        {"127.0.0.1", SLICES_LOOPBACK},
        {"127.255.0.9", SLICES_LOOPBACK},
        {"0.0.0.0", SLICES_UNSPECIFIED},
        {"224.0.0.1", SLICES_MULTICAST},
        {"255.255.255.255", SLICES_MULTICAST},
        {"fd00::1", SLICES_FOREIGN},
        {"::ffff:127.0.0.1", SLICES_LOOPBACK},
        {"10.0.0.1:80", SLICES_FOREIGN},
        {"10.0.0.1%eth0", SLICES_FOREIGN},
        {"010.0.0.1", SLICES_FOREIGN},
        {"pod-1", SLICES_FOREIGN},
        {"", SLICES_FOREIGN},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        slices_init(&slices, ADDRESS_V4);
        cr_assert_eq(apply(slices_replace, slice("a", endpoint(cases[i].address, "u", ""))), 0);
        has("");
        cr_assert_eq(slices.rejected[cases[i].reject], 1, "%s", cases[i].address);
        cr_assert_eq(rejected(), 1, "%s", cases[i].address);
    }
}

Test(slices, an_endpoint_without_an_address_is_counted)
{
    cr_assert_eq(
        apply(slices_replace, slice("a", "{},{'addresses':[]},{'addresses':null},"
                                         "{'addresses':'10.0.0.1'},{'addresses':[7]},null,3")),
        0);
    has("");
    cr_assert_eq(slices.rejected[SLICES_FOREIGN], 7);
}

Test(slices, an_endpoint_twice_in_a_slice_is_counted)
{
    char both[600];

    (void)snprintf(both, sizeof(both), "%s,%s", endpoint("10.0.0.1", "u", ""),
                   endpoint("10.0.0.1", "u", ""));
    cr_assert_eq(apply(slices_replace, slice("a", both)), 0);
    has("10.0.0.1");
    cr_assert_eq(slices.rejected[SLICES_DUPLICATE], 1);
}

static void fill_slice(const char *name, unsigned first, unsigned count)
{
    static char text[1 << 16];
    size_t n = 0;

    for (unsigned i = first; i < first + count; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%s{'addresses':['10.1.%u.%u']}",
                              n ? "," : "", i / 256, i % 256);
    cr_assert_eq(apply(slices_replace, slice(name, text)), 0);
}

Test(slices, endpoints_and_slices_are_bounded)
{
    char name[16];

    fill_slice("a", 0, 1000);
    fill_slice("b", 1000, 100);
    cr_assert_eq(slices.count, SLICES_ENDPOINTS_MAX);
    cr_assert_eq(slices.rejected[SLICES_OVERFLOW], 1100 - SLICES_ENDPOINTS_MAX);
    fill_slice("a", 0, 10);
    fill_slice("b", 1000, 100);
    cr_assert_eq(slices.count, 110, "there is room again");
    slices_init(&slices, ADDRESS_V4);
    for (unsigned i = 0; i < SLICES_MAX + 5; i++) {
        (void)snprintf(name, sizeof(name), "s%u", i);
        fill_slice(name, i, 1);
    }
    cr_assert_eq(slices.count, SLICES_MAX);
    cr_assert_eq(slices.rejected[SLICES_OVERFLOW], 5);
}

/* The same in all pods. */
Test(slices, of_too_many_addresses_the_first_are_kept)
{
    fill_slice("a", 0, 20);
    cr_assert_eq(slices_members(&slices, list, 8, &left_out), 8);
    cr_assert_eq(left_out, 12);
    cr_assert_eq(list[7].address.ip[3], 7);
}

/* ---- real API servers: transcripts of "kubectl delete pod headlessd-1" ---- */

static FILE *transcript;

static void open_transcript(const char *name)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/tests/unit/documents/%s", SOURCE_TREE, name);
    transcript = fopen(path, "r");
    cr_assert_not_null(transcript, "%s", path);
}

/* The next line: a list, or a changed slice. */
static void play_line(void)
{
    static char line[1 << 16];
    struct json_object *object;

    cr_assert_not_null(fgets(line, sizeof(line), transcript));
    object = json_tokener_parse(line + 1);
    cr_assert_eq((line[0] == 'L' ? slices_replace_all : slices_replace)(&slices, object), 0);
    json_object_put(object);
}

Test(slices, a_pod_is_replaced_in_kubernetes_1_37)
{
    uint64_t former;

    open_transcript("slices_1.37");
    play_line();
    has("10.244.1.2 10.244.1.3 10.244.1.4");
    former = list[2].pod;
    cr_assert_str_eq(slices.endpoints[2].name, "headlessd-1");
    cr_assert_str_eq(slices.endpoints[2].host, "headlessd-1");
    cr_assert_str_eq(slices.endpoints[2].node, "node-1");
    play_line();
    has("10.244.1.2 10.244.1.3 10.244.1.4*");
    cr_assert_eq(list[2].pod, former);
    cr_assert(slices.endpoints[2].is_serving);
    play_line();
    has("10.244.1.2 10.244.1.3");
    play_line();
    has("10.244.1.2 10.244.1.3 10.244.1.5");
    cr_assert_neq(list[2].pod, former);
    cr_assert_not(slices.endpoints[2].is_serving, "not yet");
    cr_assert_eq(rejected(), 0);
    (void)fclose(transcript);
}

/* v1beta1, with an empty slice of IPv6, and no word of a pod that ends. */
Test(slices, a_pod_is_replaced_in_kubernetes_1_20)
{
    open_transcript("slices_1.20");
    play_line();
    has("10.244.1.2 10.244.1.3 10.244.1.4");
    cr_assert_str_eq(slices.endpoints[0].name, "headlessd-1");
    cr_assert_str_eq(slices.endpoints[0].node, "node-3");
    cr_assert_neq(list[0].pod, 0);
    play_line();
    has("10.244.1.2 10.244.1.4");
    play_line();
    has("10.244.1.2 10.244.1.4 10.244.1.5");
    cr_assert_eq(rejected(), 0);
    (void)fclose(transcript);
}

/* ---- other documents ---- */

Test(slices, other_documents_change_nothing)
{
    static const char *const wrong[] = {
        "{}",
        "[]",
        "'text'",
        "{'metadata':{'name':'a'}}",
        "{'metadata':{'name':7},'addressType':'IPv4'}",
        "{'metadata':{'name':''},'addressType':'IPv4'}",
        "{'addressType':'IPv4','endpoints':[]}",
        "{'kind':'Status','status':'Failure','reason':'Forbidden','code':403}",
    };
    static const char *const wrong_lists[] = {
        "{}",
        "[]",
        "{'kind':'PodList','items':null}",
        "{'kind':'EndpointSliceList','items':[{'metadata':{'name':'b'},'addressType':'IPv4'},{}]}",
        "{'kind':'EndpointSliceList','items':[null]}",
    };

    cr_assert_eq(apply(slices_replace, slice("a", endpoint("10.0.0.1", "u1", ""))), 0);
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        cr_assert_eq(apply(slices_replace, wrong[i]), -EBADMSG, "%s", wrong[i]);
        cr_assert_eq(apply(slices_remove, wrong[i]), -EBADMSG, "%s", wrong[i]);
    }
    for (size_t i = 0; i < sizeof(wrong_lists) / sizeof(wrong_lists[0]); i++)
        cr_assert_eq(apply(slices_replace_all, wrong_lists[i]), -EBADMSG, "%s", wrong_lists[i]);
    has("10.0.0.1");
}

Test(slices, each_reject_has_a_name)
{
    for (int i = 0; i < SLICES_REJECT_COUNT; i++)
        cr_assert_not_null(slices_reject_name((enum slices_reject)i));
}
