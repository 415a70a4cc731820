/* Reads and writes a Lease; what we do not know of it stays. */
#include "headless/platform/lease_json.h"

#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "platform/document.h"

#define LEASE_KIND    "Lease"
#define LEASE_VERSION "coordination.k8s.io/v1"
#define PREFIX        "headlessd.io/"
#define US_PER_S      UINT64_C(1000000)
#define YEAR_9999_S   UINT64_C(253402300799)

static const char *const fences[] = {
    [LEASE_DOCUMENT_FENCE_PEERS] = "peers", [LEASE_DOCUMENT_FENCE_LEASE] = "lease"};

/* ---- reading ---- */

static struct json_object *lease_get(struct json_object *object, const char *key, json_type type)
{
    struct json_object *value = NULL;

    if (!json_object_is_type(object, json_type_object) ||
        !json_object_object_get_ex(object, key, &value) || !json_object_is_type(value, type))
        return NULL;
    return value;
}

static const char *lease_text(struct json_object *object, const char *key)
{
    struct json_object *value = lease_get(object, key, json_type_string);

    return value ? json_object_get_string(value) : "";
}

static bool copy_whole(char *to, size_t room, const char *text)
{
    size_t length = strlen(text);

    if (length >= room)
        return false;
    memcpy(to, text, length + 1);
    return true;
}

static void copy_cut(char *to, size_t room, const char *text)
{
    (void)snprintf(to, room, "%s", text);
}

static uint32_t lease_read_count(struct json_object *spec, const char *key)
{
    struct json_object *value = lease_get(spec, key, json_type_int);
    int64_t number = value ? json_object_get_int64(value) : 0;

    return number < 0 || number > INT32_MAX ? 0 : (uint32_t)number;
}

/* No sign, no space, no leading zero: a term has one spelling. */
static bool parse_term(const char *text, uint64_t *ret_term)
{
    uint64_t term = 0;

    if (*text < '1' || *text > '9')
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || term > LEASE_TERM_MAX / 10)
            return false;
        term = term * 10 + (uint64_t)(*text - '0');
    }
    *ret_term = term;
    return term <= LEASE_TERM_MAX;
}

static void read_term(struct json_object *annotations, struct lease_document *record)
{
    struct json_object *value = NULL;

    if (!annotations || !json_object_object_get_ex(annotations, PREFIX "term", &value)) {
        record->term_state = LEASE_TERM_NONE;
        return;
    }
    record->term_state = LEASE_TERM_BAD;
    if (json_object_is_type(value, json_type_string) &&
        parse_term(json_object_get_string(value), &record->term))
        record->term_state = LEASE_TERM_OK;
    else
        record->term = 0;
}

static enum lease_document_fence read_fence(struct json_object *annotations)
{
    const char *text = lease_text(annotations, PREFIX "fence");

    if (!*text)
        return LEASE_DOCUMENT_FENCE_NONE;
    for (enum lease_document_fence i = LEASE_DOCUMENT_FENCE_PEERS; i <= LEASE_DOCUMENT_FENCE_LEASE;
         i++) {
        if (strcmp(text, fences[i]) == 0)
            return i;
    }
    return LEASE_DOCUMENT_FENCE_UNKNOWN;
}

static uint64_t read_stamp(struct json_object *annotations)
{
    const char *text = lease_text(annotations, PREFIX "stamp");

    return *text >= '1' && *text <= '9' ? strtoull(text, NULL, 10) : 0;
}

static bool read_identity(struct json_object *metadata, struct lease_document *record)
{
    return copy_whole(record->name, sizeof(record->name), lease_text(metadata, "name")) &&
           copy_whole(record->uid, sizeof(record->uid), lease_text(metadata, "uid")) &&
           copy_whole(record->resource_version, sizeof(record->resource_version),
                      lease_text(metadata, "resourceVersion")) &&
           record->name[0] && record->uid[0] && record->resource_version[0];
}

int lease_read(struct json_object *document, struct lease_document *ret_record)
{
    struct json_object *metadata = lease_get(document, "metadata", json_type_object);
    struct json_object *spec = lease_get(document, "spec", json_type_object);
    struct json_object *annotations = lease_get(metadata, "annotations", json_type_object);
    struct lease_document record = {0};

    if (strcmp(lease_text(document, "kind"), LEASE_KIND) != 0 || !read_identity(metadata, &record))
        return -EBADMSG;
    record.duration_s = lease_read_count(spec, "leaseDurationSeconds");
    record.transitions = lease_read_count(spec, "leaseTransitions");
    copy_cut(record.holder, sizeof(record.holder), lease_text(spec, "holderIdentity"));
    copy_cut(record.acquire_time, sizeof(record.acquire_time), lease_text(spec, "acquireTime"));
    copy_cut(record.renew_time, sizeof(record.renew_time), lease_text(spec, "renewTime"));
    record.is_deleting = *lease_text(metadata, "deletionTimestamp");
    record.fence = read_fence(annotations);
    read_term(annotations, &record);
    record.stamp = read_stamp(annotations);
    copy_cut(record.writer, sizeof(record.writer), lease_text(annotations, PREFIX "writer"));
    copy_cut(record.writer_uid, sizeof(record.writer_uid),
             lease_text(annotations, PREFIX "writer-uid"));
    copy_cut(record.list, sizeof(record.list), lease_text(annotations, PREFIX "list"));
    copy_cut(record.address, sizeof(record.address), lease_text(annotations, PREFIX "address"));
    copy_cut(record.cluster, sizeof(record.cluster), lease_text(annotations, PREFIX "cluster"));
    copy_cut(record.wanted, sizeof(record.wanted), lease_text(annotations, PREFIX "wanted"));
    copy_cut(record.strategy, sizeof(record.strategy), lease_text(spec, "strategy"));
    *ret_record = record;
    return 0;
}

/* ---- lists and other documents ---- */

static bool add_kind(struct json_object *lease)
{
    return document_put_text(lease, "kind", LEASE_KIND) &&
           document_put_text(lease, "apiVersion", LEASE_VERSION);
}

int lease_first(struct json_object *list, struct json_object **ret_lease)
{
    struct json_object *items = lease_get(list, "items", json_type_array);
    struct json_object *item = items ? json_object_array_get_idx(items, 0) : NULL;
    struct json_object *lease = NULL;

    if (strcmp(lease_text(list, "kind"), LEASE_KIND "List") != 0)
        return -EBADMSG;
    if (!items || json_object_array_length(items) == 0)
        return -ENOENT;
    if (!json_object_is_type(item, json_type_object))
        return -EBADMSG;
    if (json_object_deep_copy(item, &lease, NULL))
        return -ENOMEM;
    if (add_kind(lease)) {
        *ret_lease = lease;
        return 0;
    }
    json_object_put(lease);
    return -ENOMEM;
}

const char *lease_list_version(struct json_object *list)
{
    return lease_text(lease_get(list, "metadata", json_type_object), "resourceVersion");
}

bool lease_is_absent(struct json_object *status)
{
    return strcmp(lease_text(lease_get(status, "details", json_type_object), "kind"), "leases") ==
           0;
}

struct json_object *lease_keep(struct json_object *document)
{
    return json_object_get(document);
}

void lease_drop(struct json_object *document)
{
    json_object_put(document);
}

/* ---- writing ---- */

void lease_format_time(uint64_t us, char text[static LEASE_TIME_MAX])
{
    uint64_t s = us / US_PER_S < YEAR_9999_S ? us / US_PER_S : YEAR_9999_S;
    time_t seconds = (time_t)s;
    struct tm utc = {0};

    (void)gmtime_r(&seconds, &utc);
    (void)snprintf(text, LEASE_TIME_MAX, "%04d-%02d-%02dT%02d:%02d:%02d.%06uZ",
                   (utc.tm_year + 1900) % 10000, utc.tm_mon + 1, utc.tm_mday, utc.tm_hour,
                   utc.tm_min, utc.tm_sec, (unsigned)(us % US_PER_S));
}

static bool lease_put_time(struct json_object *spec, const char *key, uint64_t us)
{
    char text[LEASE_TIME_MAX];

    if (us == 0)
        return true;
    lease_format_time(us, text);
    return document_put_text(spec, key, text);
}

/* The object at key, made if there is none, or something else; NULL: no memory. */
static struct json_object *make_object(struct json_object *parent, const char *key)
{
    struct json_object *object = lease_get(parent, key, json_type_object);

    if (object)
        return object;
    object = json_object_new_object();
    return document_put(parent, key, object) ? object : NULL;
}

static void lease_print_number(uint64_t number, char *text, size_t room)
{
    text[0] = '\0';
    if (number)
        (void)snprintf(text, room, "%" PRIu64, number);
}

static bool put_annotations(struct json_object *metadata, const struct lease_change *change)
{
    struct json_object *annotations = make_object(metadata, "annotations");
    const char *fence =
        change->fence == LEASE_DOCUMENT_FENCE_PEERS || change->fence == LEASE_DOCUMENT_FENCE_LEASE
            ? fences[change->fence]
            : NULL;
    char term[24], stamp[24];

    if (!annotations)
        return false;
    lease_print_number(change->term, term, sizeof(term));
    lease_print_number(change->stamp, stamp, sizeof(stamp));
    if (change->removes_wanted)
        json_object_object_del(annotations, PREFIX "wanted");
    return document_put_text(annotations, PREFIX "term", term) &&
           document_put_text(annotations, PREFIX "fence", fence) &&
           document_put_text(annotations, PREFIX "writer", change->writer) &&
           document_put_text(annotations, PREFIX "writer-uid", change->writer_uid) &&
           document_put_text(annotations, PREFIX "list", change->list) &&
           document_put_text(annotations, PREFIX "stamp", stamp) &&
           document_put_text(annotations, PREFIX "address", change->address) &&
           document_put_text(annotations, PREFIX "cluster", change->cluster);
}

/* A duration of 0 and times of none are refused by the API server: they are left out. */
static bool put_spec(struct json_object *spec, const struct lease_change *change)
{
    if (change->duration_s == 0)
        json_object_object_del(spec, "leaseDurationSeconds");
    else if (!document_put(spec, "leaseDurationSeconds", json_object_new_int64(change->duration_s)))
        return false;
    return document_put(spec, "holderIdentity", json_object_new_string(change->holder)) &&
           document_put(spec, "leaseTransitions", json_object_new_int64(change->transitions)) &&
           lease_put_time(spec, "acquireTime", change->acquire_us) &&
           lease_put_time(spec, "renewTime", change->renew_us);
}

static bool change_lease(struct json_object *lease, const char *name,
                         const struct lease_change *change)
{
    struct json_object *metadata = make_object(lease, "metadata");
    struct json_object *spec = make_object(lease, "spec");

    if (!metadata || !spec || !document_put_text(lease, "apiVersion", LEASE_VERSION) ||
        !document_put_text(lease, "kind", LEASE_KIND))
        return false;
    json_object_object_del(metadata, "managedFields");
    return (!name || document_put_text(metadata, "name", name)) &&
           put_annotations(metadata, change) && put_spec(spec, change);
}

size_t lease_write(struct json_object *document, const char *name,
                   const struct lease_change *change, char *text, size_t room)
{
    struct json_object *lease = NULL;
    const char *json = NULL;
    size_t length = 0;

    if (!document)
        lease = json_object_new_object();
    else if (json_object_deep_copy(document, &lease, NULL))
        lease = NULL;
    if (lease && change_lease(lease, document ? NULL : name, change))
        json = json_object_to_json_string_length(
            lease, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
    if (!json || length >= room)
        length = 0;
    if (length)
        memcpy(text, json, length + 1);
    json_object_put(lease);
    return length;
}
