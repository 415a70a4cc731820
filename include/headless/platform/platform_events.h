/*
 * platform events: writes Events (events.k8s.io/v1, in Kubernetes since 1.19) about one object, which
 * "kubectl describe" and "kubectl get events" show.
 *
 * They are for people: nothing waits for them, and nothing is repeated. At most PLATFORM_EVENTS_BURST at once, and one
 * each 10 s in the long run; at most one request at a time, in the client's background lane. An Event that was not written is counted; the
 * first failure after a success is logged. After a 403 or a 404 none is sent for ten minutes.
 *
 * Threads: the main thread opens and closes; one thread calls platform_events_post; any thread reads the counts.
 * Blocking: never.
 */
#ifndef HEADLESS_PLATFORM_PLATFORM_EVENTS_H
#define HEADLESS_PLATFORM_PLATFORM_EVENTS_H

#include "headless/platform/api.h"

#define PLATFORM_EVENTS_BURST    8
#define PLATFORM_EVENTS_NOTE_MAX 512 /* bytes, with NUL; a longer note is cut */
#define PLATFORM_EVENTS_UID_MAX  128

struct platform_events;

/* Constant texts, which the caller keeps. */
struct platform_events_about {
    const char *version, *kind, *name; /* of the object: "coordination.k8s.io/v1", "Lease" */
    const char *reporter;              /* the name of this pod */
};

struct platform_event {
    bool is_warning;
    const char *reason, *action; /* constant texts in CamelCase */
    const char *uid;             /* of the object; "": not known */
    const char *note;            /* one sentence; copied */
};

enum platform_events_result {
    PLATFORM_EVENTS_WRITTEN,
    PLATFORM_EVENTS_FAILED,  /* the API server refused it, or did not reply */
    PLATFORM_EVENTS_LIMITED, /* too many, or none are sent after a refusal */
    PLATFORM_EVENTS_RESULT_COUNT
};

struct platform_events_counts {
    bool is_on;
    uint64_t of[PLATFORM_EVENTS_RESULT_COUNT];
};

/* Before platform_start. Returns 0 or -ENOMEM. */
int platform_events_open(struct platform *platform, const struct platform_events_about *about,
                         struct platform_events **ret_events) __attribute__((warn_unused_result));
/* After platform_stop; NULL is allowed. */
void platform_events_close(struct platform_events *events);

/* NULL is allowed: does nothing. */
void platform_events_post(struct platform_events *events, const struct platform_event *event,
                          uint64_t now_ns);

/* Any thread; NULL is allowed. */
void platform_events_read(const struct platform_events *events,
                          struct platform_events_counts *ret_counts);
const char *platform_events_result_name(enum platform_events_result result);

#endif
