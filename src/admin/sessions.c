/*
 * The JSON document of sessions, printed without json-c: numbers and addresses need no escapes, and a
 * tree of a thousand objects would cost more.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/documents.h"

static uint64_t ms_since(uint64_t then_ns, uint64_t now_ns)
{
    return now_ns > then_ns ? (now_ns - then_ns) / NS_PER_MS : 0;
}

/* ,"key":"10.0.0.1", or null if it is not set. */
static void put_session_ip(FILE *out, const char *key, const struct address *ip)
{
    char text[ADDRESS_TEXT_MAX];

    if (address_is_set(ip))
        (void)fprintf(out, ",\"%s\":\"%s\"", key, address_format_ip(ip, text));
    else
        (void)fprintf(out, ",\"%s\":null", key);
}

static void put_session_entry(FILE *out, const struct session_entry *entry, uint64_t now_ns)
{
    char client[ADDRESS_TEXT_MAX], asked[ADDRESS_TEXT_MAX];

    (void)fprintf(out, "{\"client\":\"%s\",\"asked\":\"%s\"",
                  address_format(&entry->client, client), address_format(&entry->asked, asked));
    put_session_ip(out, "ingress", &entry->ingress);
    put_session_ip(out, "app_address", &entry->app);
    (void)fprintf(out, ",\"age_ms\":%" PRIu64 ",\"idle_ms\":%" PRIu64 ",\"requests\":%" PRIu64 "}",
                  ms_since(entry->opened_ns, now_ns), ms_since(entry->active_ns, now_ns),
                  entry->requests);
}

char *admin_document_sessions(const struct sessions_snapshot *snapshot, size_t *ret_length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_length);

    if (!out)
        return NULL;
    (void)fprintf(out, "{\"total\":%" PRIu64 ",\"complete\":%s,\"sessions\":[", snapshot->total,
                  snapshot->is_complete ? "true" : "false");
    for (size_t i = 0; i < snapshot->count; i++) {
        (void)fputs(i > 0 ? "," : "", out);
        put_session_entry(out, &snapshot->entries[i], snapshot->now_ns);
    }
    (void)fputs("]}\n", out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}
