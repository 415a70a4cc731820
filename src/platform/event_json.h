/*
 * event_json: an Event (events.k8s.io/v1) as JSON. Private to platform/. Pure, but for json-c's memory.
 * Source: k8s.io/api/events/v1/types.go; pkg/apis/core/validation/events.go.
 */
#ifndef PLATFORM_EVENT_JSON_H
#define PLATFORM_EVENT_JSON_H

#include "headless/platform/platform_events.h"

/* space: the namespace of the object, and so of the Event. time_us: microseconds since 1970. Returns the length without
 * NUL; 0: no memory, or more than room. */
size_t event_json_write(const struct platform_events_about *about,
                        const struct platform_event *event, const char *space, uint64_t time_us,
                        char *text, size_t room);

#endif
