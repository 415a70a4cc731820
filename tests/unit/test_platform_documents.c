/* Documents of the API server are parsed within bounds. */
#include <criterion/criterion.h>
#include <json-c/json.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "headless/platform/api.h"
#include "platform/buffer.h"
#include "platform/document.h"

static bool is_document(const char *text)
{
    struct json_object *document = document_parse(text, strlen(text));
    bool is_one = document != NULL;

    (void)json_object_put(document);
    return is_one;
}

Test(platform_documents, only_one_json_object_is_a_document)
{
    cr_expect(is_document("{}"));
    cr_expect(is_document(" {\"a\":[1,2]}\n"));
    cr_expect_not(is_document(""));
    cr_expect_not(is_document("[]"));
    cr_expect_not(is_document("1"));
    cr_expect_not(is_document("{\"a\":"));
    cr_expect_not(is_document("{} {}"));
    cr_expect_not(is_document("<html>"));
}

Test(platform_documents, values_and_nesting_are_bounded)
{
    size_t count = PLATFORM_VALUES_MAX, length = 0;
    char *text = malloc(2 * count + 64);
    char deep[2 * DOCUMENT_DEPTH + 16] = "{\"a\":";

    cr_assert(text);
    length = (size_t)sprintf(text, "{\"a\":[0");
    for (size_t i = 0; i < count; i++) {
        text[length++] = ',';
        text[length++] = '0';
    }
    text[length++] = ']';
    text[length++] = '}';
    cr_expect_null(document_parse(text, length), "too many");
    memset(text, ',', 2 * count);
    memcpy(text, "{\"a\":\"\\\"", 8);
    memcpy(text + count + 8, "\"}", 3);
    cr_expect(is_document(text), "commas in a string are no values");
    free(text);
    memset(deep + 5, '[', DOCUMENT_DEPTH);
    memset(deep + 5 + DOCUMENT_DEPTH, ']', DOCUMENT_DEPTH);
    deep[5 + 2 * DOCUMENT_DEPTH] = '}';
    cr_expect_not(is_document(deep));
}

/* {"a":[X,X,...]}, count times; for free. */
static char *repeat(const char *element, size_t count)
{
    size_t length = strlen(element);
    char *text = malloc(count * (length + 1) + 16), *at = text;

    cr_assert(text);
    at += sprintf(at, "{\"a\":[");
    for (size_t i = 0; i < count; i++)
        at += sprintf(at, "%s%s", i ? "," : "", element);
    (void)sprintf(at, "]}");
    return text;
}

/* With the sanitizers' allocator mallinfo2 knows nothing. */
static void expect_bounded(const char *element, size_t count)
{
    char *text = repeat(element, count);
    size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
    struct json_object *document = document_parse(text, strlen(text));
    size_t after = mallinfo2().uordblks + mallinfo2().hblkhd;

    cr_expect(after - before < (size_t)64 << 20, "%zu of %s take %zu bytes", count, element,
              after - before);
    (void)json_object_put(document);
    free(text);
}

static bool is_document_of(const char *element, size_t count)
{
    char *text = repeat(element, count);
    bool is_one = is_document(text);

    free(text);
    return is_one;
}

Test(platform_documents, memory_of_a_document_is_bounded)
{
    static const char *const elements[] = {"{}", "[]", "[0]", "{\"a\":0}", "0", "\"\"", "null"};

    for (size_t i = 0; i < sizeof(elements) / sizeof(elements[0]); i++) {
        expect_bounded(elements[i], PLATFORM_CONTAINERS_MAX - 2);
        expect_bounded(elements[i], PLATFORM_VALUES_MAX / 2 - 2);
        expect_bounded(elements[i], PLATFORM_VALUES_MAX - 2);
    }
    cr_expect(is_document_of("{}", PLATFORM_CONTAINERS_MAX - 2));
    cr_expect_not(is_document_of("{}", PLATFORM_CONTAINERS_MAX - 1));
    cr_expect(is_document_of("0", PLATFORM_VALUES_MAX - 2));
}

Test(platform_documents, texts_are_found_by_their_keys)
{
    static const char text[] =
        "{\"metadata\":{\"resourceVersion\":\"7\",\"n\":7},\"type\":\"ADDED\"}";
    struct json_object *document = document_parse(text, sizeof(text) - 1);

    cr_assert(document);
    cr_expect_str_eq(document_text(document, "metadata", "resourceVersion"), "7");
    cr_expect_str_eq(document_text(document, NULL, "type"), "ADDED");
    cr_expect_null(document_text(document, "metadata", "n"), "no text");
    cr_expect_null(document_text(document, "type", "n"), "no object");
    cr_expect_null(document_text(document, "none", "n"));
    (void)json_object_put(document);
}

Test(platform_documents, a_buffer_takes_so_many_bytes_and_no_more)
{
    struct buffer buffer = {0};

    cr_expect(buffer_append(&buffer, "abc", 3, 5));
    cr_expect_not(buffer_append(&buffer, "def", 3, 5));
    cr_expect(buffer_append(&buffer, "de", 2, 5));
    buffer_drop(&buffer, 2);
    cr_expect_eq(buffer.length, 3);
    cr_expect_eq(memcmp(buffer.data, "cde", 3), 0);
    buffer_drop(&buffer, 3);
    cr_expect_eq(buffer.length, 0);
    buffer_fini(&buffer);
}
