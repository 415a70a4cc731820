/* The sessions of a pod's app: the clients and the addresses that the app sees. */
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "ctl/parts.h"
#include "headless/ctl/ctl.h"

#define CLIENT_WIDTH_MAX 47 /* of any IPv6 address and port */
#define IP_WIDTH_MAX     39

/* Is address the text, or its IP? "10.0.0.1:7" matches 10.0.0.1, "[::1]:7" matches ::1. */
static bool is_address_of(const char *text, const char *address)
{
    size_t length = strlen(address);

    if (strcmp(text, address) == 0)
        return true;
    if (*text == '[' && *address != '[')
        return strncmp(text + 1, address, length) == 0 && text[1 + length] == ']';
    return strncmp(text, address, length) == 0 && text[length] == ':' &&
           (*text == '[' || !strchr(address, ':'));
}

/* Removes the sessions of other addresses from the document. Returns the number kept. */
static size_t keep_only(struct json_object *document, const char *address)
{
    const struct json_object *all = field_of(document, "sessions");
    struct json_object *kept = json_object_new_array();

    for (size_t i = 0; i < field_count(all); i++) {
        struct json_object *session = json_object_array_get_idx(all, i);

        if (is_address_of(field_text(session, "client"), address) ||
            is_address_of(field_text(session, "app_address"), address))
            (void)json_object_array_add(kept, json_object_get(session));
    }
    (void)json_object_object_add(document, "sessions", kept);
    return field_count(kept);
}

struct widths {
    int client, asked, ingress, app;
};

static void put_session(FILE *out, const struct json_object *session, const struct widths *widths)
{
    parts_put_column(out, field_text(session, "client"), widths->client);
    parts_put_column(out, field_text(session, "asked"), widths->asked);
    parts_put_column(out, field_text(session, "ingress"), widths->ingress);
    parts_put_column(out, field_text(session, "app_address"), widths->app);
    (void)fprintf(
        out, "%9.1f s%9.1f s%10" PRIu64 "\n", (double)field_number(session, "age_ms") / 1000,
        (double)field_number(session, "idle_ms") / 1000, field_number(session, "requests"));
}

void ctl_show_sessions(FILE *out, const struct json_object *document)
{
    const struct json_object *list = field_of(document, "sessions");
    struct json_object *complete = NULL;
    const struct widths widths = {.client = parts_width(list, "client", 6, CLIENT_WIDTH_MAX),
                                  .asked = parts_width(list, "asked", 5, CLIENT_WIDTH_MAX),
                                  .ingress = parts_width(list, "ingress", 7, IP_WIDTH_MAX),
                                  .app = parts_width(list, "app_address", 8, IP_WIDTH_MAX)};

    (void)fprintf(out, "%-*s %-*s %-*s %-*s %11s%11s%10s\n", widths.client, "CLIENT", widths.asked,
                  "ASKED", widths.ingress, "THROUGH", widths.app, "APP SEES", "AGE", "IDLE",
                  "REQUESTS");
    for (size_t i = 0; i < field_count(list); i++)
        put_session(out, json_object_array_get_idx(list, i), &widths);
    (void)fprintf(out, "%zu of %" PRIu64 " sessions\n", field_count(list),
                  field_number(document, "total"));
    if (json_object_object_get_ex(document, "complete", &complete) &&
        !json_object_get_boolean(complete))
        (void)fputs("a busy worker did not report its sessions: ask again\n", out);
}

int ctl_sessions(const struct ctl_options *options, const char *address)
{
    struct json_object *document;
    size_t seen, kept;
    int rc = ctl_get_json(options, "/sessions", &document);

    if (rc)
        return rc;
    seen = kept = field_count(field_of(document, "sessions"));
    if (address)
        kept = keep_only(document, address);
    if (options->json)
        ctl_put_json(stdout, document);
    else
        ctl_show_sessions(stdout, document);
    if (address && kept == 0) {
        (void)fprintf(stderr,
                      "headlessctl: no session of \"%s\" among the newest %zu; the pod that leads "
                      "has them\n",
                      address, seen);
        rc = CTL_NO;
    }
    (void)json_object_put(document);
    return rc;
}
