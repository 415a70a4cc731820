/*
 * A Lease as anybody may have left it. It is refused, or read with texts that end; and what is written
 * from it is a Lease that says what was to be changed, has the same identity, and keeps the labels,
 * annotations and owners of others.
 */
#include <errno.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <string.h>

#include "fuzz.h"
#include "headless/platform/lease_json.h"

#define DEPTH_MAX 32 /* as the client's */
#define ROOM      (1U << 18)

static char text[ROOM];

static struct json_object *parse_text(const char *json, size_t length)
{
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    struct json_object *document;

    if (!tokener)
        abort();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    document = json_tokener_parse_ex(tokener, json, (int)length);
    if (json_tokener_get_error(tokener) != json_tokener_success)
        document = NULL;
    json_tokener_free(tokener);
    return document;
}

static void check_texts(const struct lease_document *record)
{
    FUZZ_CHECK(strlen(record->name) > 0 && strlen(record->name) < sizeof(record->name));
    FUZZ_CHECK(strlen(record->uid) > 0 && strlen(record->resource_version) > 0);
    FUZZ_CHECK(memchr(record->holder, '\0', sizeof(record->holder)) != NULL);
    FUZZ_CHECK(memchr(record->wanted, '\0', sizeof(record->wanted)) != NULL);
    FUZZ_CHECK((record->term != 0) == (record->term_state == LEASE_TERM_OK));
    FUZZ_CHECK(record->term <= LEASE_TERM_MAX);
}

static struct json_object *member(struct json_object *object, const char *key)
{
    struct json_object *value = NULL;

    return json_object_is_type(object, json_type_object) &&
                   json_object_object_get_ex(object, key, &value)
               ? value
               : NULL;
}

/* As text: a number that is no number equals nothing. */
static bool is_same(struct json_object *a, struct json_object *b)
{
    return strcmp(json_object_to_json_string_ext(a, JSON_C_TO_STRING_PLAIN),
                  json_object_to_json_string_ext(b, JSON_C_TO_STRING_PLAIN)) == 0;
}

/* Labels, owners and annotations of others are as they were. */
static void check_kept(struct json_object *before, struct json_object *after)
{
    struct json_object *was = member(before, "metadata"), *is = member(after, "metadata");
    struct json_object *annotations = member(was, "annotations");
    struct json_object_iterator at, end;

    FUZZ_CHECK(is_same(member(was, "labels"), member(is, "labels")));
    FUZZ_CHECK(is_same(member(was, "ownerReferences"), member(is, "ownerReferences")));
    FUZZ_CHECK(!member(is, "managedFields"));
    if (!json_object_is_type(annotations, json_type_object))
        return;
    at = json_object_iter_begin(annotations);
    end = json_object_iter_end(annotations);
    for (; !json_object_iter_equal(&at, &end); json_object_iter_next(&at)) {
        const char *key = json_object_iter_peek_name(&at);

        if (strncmp(key, "headlessd.io/", 13) != 0)
            FUZZ_CHECK(
                is_same(json_object_iter_peek_value(&at), member(member(is, "annotations"), key)));
    }
}

static void check_written(struct json_object *document, const struct lease_document *before)
{
    const struct lease_change change = {.holder = "pod-1_0123456789abcdef",
                                        .duration_s = 15,
                                        .transitions = before->transitions,
                                        .acquire_us = 1,
                                        .renew_us = 1764511200123456,
                                        .term = 77,
                                        .fence = LEASE_DOCUMENT_FENCE_PEERS,
                                        .address = "10.0.0.1",
                                        .cluster = "c"};
    size_t length = lease_write(document, "unused", &change, text, ROOM);
    struct json_object *again = length ? parse_text(text, length) : NULL;
    struct lease_document after;

    if (length == 0)
        return; /* longer than ROOM */
    FUZZ_CHECK(again && lease_read(again, &after) == 0);
    FUZZ_CHECK(strcmp(after.name, before->name) == 0 && strcmp(after.uid, before->uid) == 0);
    FUZZ_CHECK(strcmp(after.resource_version, before->resource_version) == 0);
    FUZZ_CHECK(strcmp(after.holder, change.holder) == 0 && after.duration_s == 15);
    FUZZ_CHECK(strcmp(after.renew_time, "2025-11-30T14:00:00.123456Z") == 0);
    FUZZ_CHECK(after.term_state == LEASE_TERM_OK && after.term == 77);
    FUZZ_CHECK(strcmp(after.wanted, before->wanted) == 0);
    FUZZ_CHECK(strcmp(after.strategy, before->strategy) == 0);
    check_kept(document, again);
    json_object_put(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_object *document = parse_text((const char *)data, size);
    struct lease_document record = {.term = 5};
    int rc = document ? lease_read(document, &record) : -EBADMSG;

    if (rc) {
        FUZZ_CHECK(rc == -EBADMSG && record.term == 5);
    } else {
        check_texts(&record);
        check_written(document, &record);
    }
    json_object_put(document);
    return 0;
}
