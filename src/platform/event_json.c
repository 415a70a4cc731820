#include "platform/event_json.h"

#include <json-c/json.h>
#include <string.h>

#include "headless/platform/lease_json.h"

/* Takes value, which may be NULL: no memory. */
static bool event_put(struct json_object *object, const char *key, struct json_object *value)
{
    if (!value)
        return false;
    if (json_object_object_add(object, key, value) == 0)
        return true;
    json_object_put(value);
    return false;
}

/* An empty text is left out. */
static bool event_put_text(struct json_object *object, const char *key, const char *text)
{
    return !*text || event_put(object, key, json_object_new_string(text));
}

struct event_reference {
    const char *version, *kind, *name, *space, *uid;
};

static bool event_put_reference(struct json_object *object, const char *key,
                                const struct event_reference *to)
{
    struct json_object *reference = json_object_new_object();

    return event_put(object, key, reference) &&
           event_put_text(reference, "apiVersion", to->version) &&
           event_put_text(reference, "kind", to->kind) &&
           event_put_text(reference, "name", to->name) &&
           event_put_text(reference, "namespace", to->space) &&
           event_put_text(reference, "uid", to->uid);
}

static bool event_put_metadata(struct json_object *object, const char *space)
{
    struct json_object *metadata = json_object_new_object();

    return event_put(object, "metadata", metadata) &&
           event_put_text(metadata, "generateName", "headlessd-") &&
           event_put_text(metadata, "namespace", space);
}

static bool event_fill(struct json_object *object, const struct platform_events_about *about,
                       const struct platform_event *event, const char *space)
{
    const struct event_reference regarding = {about->version, about->kind, about->name, space,
                                              event->uid};
    const struct event_reference related = {"v1", "Pod", about->reporter, space, ""};

    return event_put_metadata(object, space) &&
           event_put_text(object, "apiVersion", "events.k8s.io/v1") &&
           event_put_text(object, "kind", "Event") &&
           event_put_text(object, "type", event->is_warning ? "Warning" : "Normal") &&
           event_put_text(object, "reason", event->reason) &&
           event_put_text(object, "action", event->action) &&
           event_put_text(object, "note", event->note) &&
           event_put_text(object, "reportingController", "headlessd.io/headlessd") &&
           event_put_text(object, "reportingInstance", about->reporter) &&
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
        event_put_text(object, "eventTime", time))
        json = json_object_to_json_string_length(
            object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &length);
    if (!json || length >= room)
        length = 0;
    if (length)
        memcpy(text, json, length + 1);
    json_object_put(object);
    return length;
}
