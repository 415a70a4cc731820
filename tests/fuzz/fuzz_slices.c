/*
 * Lines of a watch of EndpointSlices, as the API server's client hands them on: the first byte of each
 * line says whether it is a list (L), a change (M) or a deletion (D). Whatever they contain, the union
 * is bounded, sorted, and has addresses that pods may have, each once; a document that is refused
 * changes nothing, and a slice that is deleted leaves nothing.
 */
#include <json-c/json.h>
#include <string.h>

#include "fuzz.h"
#include "headless/platform/slices.h"

#define DEPTH_MAX 32 /* as the client's */

static struct slices slices;

static struct json_object *parse_line(const char *text, size_t length)
{
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH_MAX);
    struct json_object *document;

    if (!tokener)
        abort();
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    document = json_tokener_parse_ex(tokener, text, (int)length);
    if (json_tokener_get_error(tokener) != json_tokener_success)
        document = NULL;
    json_tokener_free(tokener);
    return document;
}

static size_t check_union(struct slices_member *list, size_t room)
{
    size_t left_out, count = slices_members(&slices, list, room, &left_out);

    FUZZ_CHECK(count <= room && count + left_out <= slices.count);
    FUZZ_CHECK(slices.count <= SLICES_ENDPOINTS_MAX);
    for (size_t i = 0; i < count; i++) {
        const struct address *a = &list[i].address;

        FUZZ_CHECK(address_is_canonical(a) && a->port == 0 && a->family == (int)slices.family);
        FUZZ_CHECK(!address_is_loopback(a) && !address_is_any(a) && !address_is_multicast(a));
        FUZZ_CHECK(i == 0 || memcmp(&list[i - 1].address, a, sizeof(*a)) < 0);
    }
    return count;
}

static int apply_line(char type, struct json_object *document)
{
    switch (type) {
    case 'L':
        return slices_replace_all(&slices, document);
    case 'D':
        return slices_remove(&slices, document);
    default:
        return slices_replace(&slices, document);
    }
}

static void run_line(const char *text, size_t length)
{
    static struct slices_member before[8], after[8];
    struct json_object *document = length ? parse_line(text + 1, length - 1) : NULL;
    size_t count = check_union(before, 8), total = slices.count;
    int rc = document ? apply_line(text[0], document) : -1;

    if (rc && document) {
        FUZZ_CHECK(slices.count == total && check_union(after, 8) == count);
        FUZZ_CHECK(memcmp(before, after, count * sizeof(before[0])) == 0);
    }
    (void)check_union(after, 8);
    if (rc == 0 && text[0] == 'D') {
        total = slices.count;
        FUZZ_CHECK(slices_remove(&slices, document) == 0 && slices.count == total);
    }
    json_object_put(document);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data, *end = text + size;

    slices_init(&slices, ADDRESS_V4);
    while (text < end) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t length = (size_t)((newline ? newline : end) - text);

        run_line(text, length);
        text += length + 1;
    }
    return 0;
}
