/* The reply to a probe. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "headless/wire/leader_command.h"

struct output {
    char *out;
    size_t limit, length;
    bool is_full;
};

static void probe_put_bytes(struct output *o, const char *bytes, size_t length)
{
    if (length > o->limit - o->length)
        o->is_full = true;
    if (o->is_full)
        return;
    memcpy(o->out + o->length, bytes, length);
    o->length += length;
}

static void probe_put_string(struct output *o, const char *value)
{
    char escape[7];

    if (!value) {
        probe_put_bytes(o, "null", 4);
        return;
    }
    probe_put_bytes(o, "\"", 1);
    for (const char *c = value; *c && !o->is_full; c++) {
        if (*c == '"' || *c == '\\')
            probe_put_bytes(o, "\\", 1);
        if (*c >= ' ' && *c <= '~') {
            probe_put_bytes(o, c, 1);
        } else {
            (void)snprintf(escape, sizeof(escape), "\\u%04x", (uint8_t)*c);
            probe_put_bytes(o, escape, 6);
        }
    }
    probe_put_bytes(o, "\"", 1);
}

static void probe_put_member(struct output *o, const char *separator_and_key, const char *value)
{
    probe_put_bytes(o, separator_and_key, strlen(separator_and_key));
    probe_put_string(o, value);
}

size_t probe_reply_put(char *out, size_t limit, const struct probe_reply *reply)
{
    struct output full = {.out = out, .limit = limit};
    struct output brief = full;
    char term[sizeof(",\"term\":18446744073709551615}\n")];

    (void)snprintf(term, sizeof(term), ",\"term\":%" PRIu64 "}\n", reply->term);
    probe_put_member(&full, "{\"probe\":", reply->nonce);
    probe_put_member(&full, ",\"leader\":", reply->leader_name);
    probe_put_member(&full, ",\"address\":", reply->leader_address);
    probe_put_member(&full, ",\"via\":", reply->via_address);
    probe_put_bytes(&full, term, strlen(term));
    if (!full.is_full)
        return full.length;

    probe_put_member(&brief, "{\"probe\":", reply->nonce);
    probe_put_bytes(&brief, "}", 1);
    return brief.is_full ? 0 : brief.length;
}
