#include "platform/event_json.h"

#include <json-c/json.h>
#include <string.h>

#include "headless/platform/lease_json.h"
#include "platform/document.h"

struct event_reference {
    const char *version, *kind, *name, *space, *uid;
};

static bool event_put_reference(struct json_object *object, const char *key,
                                const struct event_reference *to)
{
    struct json_object *reference = json_object_new_object();

    return document_put(object, key, reference) &&
           document_put_text(reference, "apiVersion", to->version) &&
           document_put_text(reference, "kind", to->kind) &&
           document_put_text(reference, "name", to->name) &&
           document_put_text(reference, "namespace", to->space) &&
           document_put_text(reference, "uid", to->uid);
}

static bool event_put_metadata(struct json_object *object, const char *space)
{
    struct json_object *metadata = json_object_new_object();

    return document_put(object, "metadata", metadata) &&
           document_put_text(metadata, "generateName", "headlessd-") &&
           document_put_text(metadata, "namespace", space);
}

static bool event_fill(struct json_object *object, const struct platform_events_about *about,
                       const struct platform_event *event, const char *space)
{
    const struct event_reference regarding = {about->version, about->kind, about->name, space,
                                              event->uid};
    const struct event_reference related = {"v1", "Pod", about->reporter, space, ""};

    return event_put_metadata(object, space) &&
           document_put_text(object, "apiVersion", "events.k8s.io/v1") &&
           document_put_text(object, "kind", "Event") &&
           document_put_text(object, "type", event->is_warning ? "Warning" : "Normal") &&
           document_put_text(object, "reason", event->reason) &&
           document_put_text(object, "action", event->action) &&
           document_put_text(object, "note", event->note) &&
           document_put_text(object, "reportingController", "headlessd.io/headlessd") &&
           document_put_text(object, "reportingInstance", about->reporter) &&
           event_put_reference(object, "regarding", &regarding) &&
           event_put_reference(object, "related", &related);
}

size_t event_json_write(const struct platform_events_about *about,
                        const struct platform_event *event, const char *space, uint64_t time_us,
                        char *text, size_t room)
{
    struct json_object *object = json_object_new_object();
    const char *json = NULL;
    char time[LEASE_TIME_MAX];
    size_t length = 0;

    lease_format_time(time_us, time);
    if (object && event_fill(object, about, event, space) &&
        document_put_text(object, "eventTime", time))
        json = json_object_to_json_string_length(
            object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
    if (!json || length >= room)
        length = 0;
    if (length)
        memcpy(text, json, length + 1);
    json_object_put(object);
    return length;
}
