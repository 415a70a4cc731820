/* The endpoints of a Service: reads EndpointSlices, and keeps their union. */
#include "headless/platform/slices.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>

static const char *const reject_names[SLICES_REJECT_COUNT] = {
    [SLICES_LOOPBACK] = "loopback",   [SLICES_UNSPECIFIED] = "unspecified",
    [SLICES_MULTICAST] = "multicast", [SLICES_FOREIGN] = "foreign",
    [SLICES_DUPLICATE] = "duplicate", [SLICES_OVERFLOW] = "overflow",
};

const char *slices_reject_name(enum slices_reject reject)
{
    return reject_names[reject];
}

static void forget_all(struct slices *slices)
{
    for (size_t i = 0; i < SLICES_MAX; i++)
        slices->names[i][0] = '\0';
    slices->count = 0;
}

void slices_init(struct slices *slices, enum address_family family)
{
    slices->family = family;
    memset(slices->rejected, 0, sizeof(slices->rejected));
    forget_all(slices);
}

/* ---- JSON: a member of the wrong type counts as missing ---- */

static struct json_object *slices_get(struct json_object *object, const char *key, json_type type)
{
    struct json_object *value = NULL;

    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, type))
        return NULL;
    return value;
}

static const char *slices_text(struct json_object *object, const char *key)
{
    struct json_object *value = slices_get(object, key, json_type_string);

    return value ? json_object_get_string(value) : "";
}

static bool slices_flag(struct json_object *object, const char *key, bool preset)
{
    struct json_object *value = slices_get(object, key, json_type_boolean);

    return value ? json_object_get_boolean(value) : preset;
}

static void copy_label(char to[static SLICES_LABEL_MAX], const char *text)
{
    size_t length = strnlen(text, SLICES_LABEL_MAX - 1);

    memcpy(to, text, length);
    to[length] = '\0';
}

/* FNV-1a. A uid is random, so 64 bits of a hash tell the pods of a Service apart. */
static uint64_t hash_uid(const char *uid)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    if (!*uid)
        return 0;
    for (; *uid; uid++)
        hash = (hash ^ (uint8_t)*uid) * UINT64_C(0x100000001b3);
    return hash ? hash : 1;
}

/* ---- one endpoint ---- */

/* Returns the reason for which an address cannot be a pod's, or SLICES_REJECT_COUNT. */
static enum slices_reject judge_address(const struct slices *slices, const char *text,
                                        struct address *ret_address)
{
    struct address address;

    if (strchr(text, '%') || address_parse_ip(text, &address) ||
        address.family != (uint8_t)slices->family)
        return SLICES_FOREIGN;
    if (address_is_loopback(&address))
        return SLICES_LOOPBACK;
    if (address_is_any(&address))
        return SLICES_UNSPECIFIED;
    if (address_is_multicast(&address) || address_is_broadcast(&address))
        return SLICES_MULTICAST;
    *ret_address = address;
    return SLICES_REJECT_COUNT;
}

static void read_endpoint(struct json_object *object, struct slices_endpoint *endpoint)
{
    struct json_object *conditions = slices_get(object, "conditions", json_type_object);
    struct json_object *pod = slices_get(object, "targetRef", json_type_object);
    struct json_object *topology = slices_get(object, "topology", json_type_object);
    const char *node = slices_text(object, "nodeName");

    endpoint->pod = hash_uid(slices_text(pod, "uid"));
    endpoint->is_serving =
        slices_flag(conditions, "serving", slices_flag(conditions, "ready", true));
    endpoint->is_terminating = slices_flag(conditions, "terminating", false);
    copy_label(endpoint->name, slices_text(pod, "name"));
    copy_label(endpoint->host, slices_text(object, "hostname"));
    copy_label(endpoint->node, *node ? node : slices_text(topology, "kubernetes.io/hostname"));
}

static bool is_in_slice(const struct slices *slices, const struct slices_endpoint *endpoint)
{
    for (size_t i = 0; i < slices->count; i++) {
        const struct slices_endpoint *other = &slices->endpoints[i];

        if (other->slice == endpoint->slice && other->pod == endpoint->pod &&
            address_equal(&other->address, &endpoint->address))
            return true;
    }
    return false;
}

/* "addresses" has one element: all of them mean the same pod, and consumers use the first. */
static void add_endpoint(struct slices *slices, uint16_t slice, struct json_object *object)
{
    struct json_object *addresses = slices_get(object, "addresses", json_type_array);
    struct json_object *first = addresses ? json_object_array_get_idx(addresses, 0) : NULL;
    struct slices_endpoint endpoint = {.slice = slice};
    enum slices_reject reject = SLICES_FOREIGN;

    if (json_object_is_type(first, json_type_string))
        reject = judge_address(slices, json_object_get_string(first), &endpoint.address);
    if (reject == SLICES_REJECT_COUNT) {
        read_endpoint(object, &endpoint);
        if (is_in_slice(slices, &endpoint))
            reject = SLICES_DUPLICATE;
        else if (slices->count == SLICES_ENDPOINTS_MAX)
            reject = SLICES_OVERFLOW;
    }
    if (reject == SLICES_REJECT_COUNT)
        slices->endpoints[slices->count++] = endpoint;
    else
        slices->rejected[reject]++;
}

/* ---- one slice ---- */

/* Its name, or NULL: the document is no EndpointSlice. */
static const char *name_of_slice(struct json_object *slice)
{
    const char *name = slices_text(slices_get(slice, "metadata", json_type_object), "name");
    size_t length = strnlen(name, SLICES_NAME_MAX);

    if (length == 0 || length == SLICES_NAME_MAX || !*slices_text(slice, "addressType"))
        return NULL;
    return name;
}

static bool is_of_family(const struct slices *slices, struct json_object *slice)
{
    return strcmp(slices_text(slice, "addressType"),
                  slices->family == ADDRESS_V6 ? "IPv6" : "IPv4") == 0;
}

static uint16_t find_slice(const struct slices *slices, const char *name)
{
    uint16_t i = 0;

    while (i < SLICES_MAX && strcmp(slices->names[i], name) != 0)
        i++;
    return i;
}

static void forget_slice(struct slices *slices, const char *name)
{
    uint16_t slice = find_slice(slices, name);
    size_t kept = 0;

    if (slice == SLICES_MAX)
        return;
    slices->names[slice][0] = '\0';
    for (size_t i = 0; i < slices->count; i++) {
        if (slices->endpoints[i].slice != slice)
            slices->endpoints[kept++] = slices->endpoints[i];
    }
    slices->count = kept;
}

/* An empty slice takes no place: its name is not needed to remove nothing. */
static void put_slice(struct slices *slices, const char *name, struct json_object *object)
{
    struct json_object *list = slices_get(object, "endpoints", json_type_array);
    size_t count = list ? json_object_array_length(list) : 0;
    uint16_t slice;

    forget_slice(slices, name);
    slice = find_slice(slices, "");
    if (count == 0 || !is_of_family(slices, object))
        return;
    if (slice == SLICES_MAX) {
        slices->rejected[SLICES_OVERFLOW] += count;
        return;
    }
    memcpy(slices->names[slice], name, strlen(name) + 1);
    for (size_t i = 0; i < count; i++)
        add_endpoint(slices, slice, json_object_array_get_idx(list, i));
}

int slices_replace(struct slices *slices, struct json_object *slice)
{
    const char *name = name_of_slice(slice);

    if (!name)
        return -EBADMSG;
    put_slice(slices, name, slice);
    return 0;
}

int slices_remove(struct slices *slices, struct json_object *slice)
{
    const char *name = name_of_slice(slice);

    if (!name)
        return -EBADMSG;
    forget_slice(slices, name);
    return 0;
}

/* Items of a list have no kind of their own. A slice that is named twice counts once, the last. */
int slices_replace_all(struct slices *slices, struct json_object *list)
{
    struct json_object *items = slices_get(list, "items", json_type_array);
    size_t count = items ? json_object_array_length(items) : 0;

    if (!items && !json_object_is_type(list, json_type_object))
        return -EBADMSG;
    if (!items && strcmp(slices_text(list, "kind"), "EndpointSliceList") != 0)
        return -EBADMSG; /* "items": null is an empty list */
    for (size_t i = 0; i < count; i++) {
        if (!name_of_slice(json_object_array_get_idx(items, i)))
            return -EBADMSG;
    }
    forget_all(slices);
    for (size_t i = 0; i < count; i++) {
        struct json_object *slice = json_object_array_get_idx(items, i);

        put_slice(slices, name_of_slice(slice), slice);
    }
    return 0;
}

/* ---- the union ---- */

static int compare_members(const void *a, const void *b)
{
    const struct slices_member *x = a, *y = b;
    int order = memcmp(&x->address, &y->address, sizeof(x->address));

    if (order)
        return order;
    if (x->is_terminating != y->is_terminating)
        return x->is_terminating - y->is_terminating;
    return (x->pod > y->pod) - (x->pod < y->pod);
}

size_t slices_members(const struct slices *slices, struct slices_member *ret_list, size_t room,
                      size_t *ret_left_out)
{
    struct slices_member all[SLICES_ENDPOINTS_MAX];
    size_t count = 0, kept;

    *ret_left_out = 0;
    if (slices->count == 0)
        return 0;
    for (size_t i = 0; i < slices->count; i++)
        all[i] = (struct slices_member){.address = slices->endpoints[i].address,
                                        .pod = slices->endpoints[i].pod,
                                        .is_terminating = slices->endpoints[i].is_terminating};
    qsort(all, slices->count, sizeof(all[0]), compare_members);
    for (size_t i = 0; i < slices->count; i++) {
        if (count == 0 || !address_equal(&all[count - 1].address, &all[i].address))
            all[count++] = all[i];
    }
    kept = count < room ? count : room;
    for (size_t i = 0; i < kept; i++)
        ret_list[i] = all[i];
    *ret_left_out = count - kept;
    return kept;
}
