/*
 * platform: a client of the cluster's API server (Kubernetes, OpenShift).
 *
 * A thread of its own, "platform", sends the requests and follows the watches. Others hand it requests
 * without waiting for it; it reports by callbacks, which run in the platform thread, one at a time. A callback
 * must not block; it passes results on by a triple buffer and a waker (base/triple_buffer.h, base/waker.h).
 *
 *     platform_open        main, before the seccomp filter: loads libcurl; NULL unless config_needs_platform
 *     platform_add_watch   main, at most PLATFORM_WATCHES times, before platform_start
 *     platform_start       main, after the filter
 *     platform_request     any thread, also in a callback; waits for nothing, allocates nothing
 *     platform_stop        main; no callback runs after it has returned
 *     platform_close       main
 *
 * All functions take NULL for a process without the client: they do nothing, and platform_request fails.
 *
 * Connections: HTTP/1.1 over TLS, one for the requests and one for each watch. Over HTTP/2, libcurl keeps
 * using a dead connection (curl 7.88: a timeout resets the stream only).
 *
 * The server's documents are bounded: PLATFORM_BODY_MAX for a document, PLATFORM_LINE_MAX for a list and for a
 * line of a watch, PLATFORM_VALUES_MAX JSON values in either, of which PLATFORM_CONTAINERS_MAX are objects and arrays.
 */
#ifndef HEADLESS_PLATFORM_API_H
#define HEADLESS_PLATFORM_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/config/config.h"

#define PLATFORM_REQUESTS       8 /* outstanding, finished ones do not count */
#define PLATFORM_WATCHES        2
#define PLATFORM_BODY_MAX       ((size_t)1 << 20) /* bytes: a document, received or sent */
#define PLATFORM_LINE_MAX       ((size_t)4 << 20) /* bytes: a list, or a line of a watch */
#define PLATFORM_WHY_MAX        512               /* bytes of a problem in words, with NUL */

/* JSON values in a document; json-c takes about 100 bytes for each, and about 800 for an object or array, also if that
 * is empty. Slices of 1,000 endpoints have less than a third of both. */
#define PLATFORM_VALUES_MAX     ((size_t)1 << 18)
#define PLATFORM_CONTAINERS_MAX ((size_t)1 << 15)

struct json_object; /* json-c */
struct platform;

/* As in RBAC rules; HTTP's GET, GET, GET, POST, PUT and PATCH. */
enum platform_verb {
    PLATFORM_GET,
    PLATFORM_LIST,
    PLATFORM_WATCH,
    PLATFORM_CREATE,
    PLATFORM_UPDATE,
    PLATFORM_PATCH, /* the body is a JSON merge patch (RFC 7386) */
    PLATFORM_VERB_COUNT
};

/* A kind of object, or one object; constant, and valid until platform_close. */
struct platform_object {
    const char *group;    /* "coordination.k8s.io"; "": the core group */
    const char *version;  /* "v1" */
    const char *resource; /* "leases" */
    const char *space;    /* its namespace; NULL: platform.namespace */
    const char *name;     /* NULL: all in the namespace; needed for get, update and patch */
    const char *part;     /* its subresource, "status"; NULL: the object itself */
    const char *labels;   /* NULL: all; of a watch: labelSelector, not escaped, "app=a,tier=b" */
};

/* The outcome of a request. */
enum platform_outcome {
    PLATFORM_OK,           /* 2xx, and a JSON object */
    PLATFORM_CONFLICT,     /* 409; perhaps by this request itself, of which there may be a copy */
    PLATFORM_UNAUTHORIZED, /* 401, also with the token read anew */
    PLATFORM_FORBIDDEN,    /* 403 */
    PLATFORM_NOT_FOUND,    /* 404 */
    PLATFORM_GONE,         /* 410: the resourceVersion is too old */
    PLATFORM_INVALID,      /* 400, 422 and other codes below 500: no effect */
    PLATFORM_THROTTLED,    /* 429: no effect; retry_after_ns */
    PLATFORM_UNSENT,       /* no connection, TLS failed, no token, cancelled: no effect */
    PLATFORM_SERVER_ERROR, /* 5xx: a write may have taken effect */
    PLATFORM_UNKNOWN,      /* timeout, reset: a write may have taken effect, or may later */
    PLATFORM_BAD,          /* 2xx, not a JSON object or too large: a write may have taken effect */
    PLATFORM_OUTCOME_COUNT
};

/* A write may have taken effect, though it was not confirmed. */
static inline bool platform_is_undecided(enum platform_outcome outcome)
{
    return outcome >= PLATFORM_SERVER_ERROR;
}

/* Valid during the callback. */
struct platform_result {
    enum platform_verb verb;
    const struct platform_object *object;
    enum platform_outcome outcome;
    unsigned status;         /* HTTP's; 0: none */
    uint64_t sent_ns;        /* clock_now_ns() before the last attempt was handed to libcurl */
    uint64_t received_ns;    /* clock_now_ns() after its last byte, or when it failed */
    uint64_t retry_after_ns; /* from Retry-After, at most a minute; 0: none */
    /* The body if it is a JSON object, also of an error (a Status), otherwise NULL. A callback that keeps it
     * calls json_object_get. */
    struct json_object *document;
    /* Of a failure: one sentence with verb, object and, for a 403, the missing RBAC rule. Otherwise "". */
    const char *why;
};

struct platform_request {
    enum platform_verb verb; /* get, create, update or patch */
    const struct platform_object *object;
    uint64_t timeout_ns; /* since platform_request, with a second attempt; at most a minute */
    bool is_fresh;       /* on a connection of its own */
    bool is_background;  /* on a connection of its own, one of these at a time: delays no other */
    bool is_optional;    /* its failure is neither logged nor a platform_problem */
    /*
     * After so long without a response a copy is sent on a connection of its own, since a reused one may be dead, or its
     * API server; the first response of the two counts. 0: never. A copy of an update that was applied makes the other one a
     * conflict, so a conflict may be with the request itself.
     */
    uint64_t hedge_ns;
    /*
     * In the platform thread, before each attempt: writes at most room bytes of JSON to body and returns their
     * number. 0 cancels the request: PLATFORM_UNSENT. NULL: no body.
     */
    size_t (*write_body)(void *context, char *body, size_t room);
    /* Called once, unless platform_stop was called. */
    void (*done)(void *context, const struct platform_result *result);
    void *context;
};

/* Any thread; the request is copied. Returns 0; -EAGAIN: PLATFORM_REQUESTS are outstanding; -ESHUTDOWN: no
 * client, or not started. */
int platform_request(struct platform *platform, const struct platform_request *request)
    __attribute__((warn_unused_result));

/*
 * A watch lists the objects, then receives each change. It goes on from the last version after the server has
 * ended it, which it does every 5 to 10 minutes, and lists again when that version is too old. After a failure
 * it tries again, in 0.2 to 5 s (full jitter). 75 s without a byte is a failure: the server sends a bookmark
 * each minute.
 */
enum platform_news_kind {
    PLATFORM_LISTED,   /* document: the list, with "items"; replaces all */
    PLATFORM_ADDED,    /* document: the object; may be known already, after RESUMED */
    PLATFORM_MODIFIED, /* document: the object */
    PLATFORM_DELETED,  /* document: the object's last state */
    PLATFORM_FAILED,   /* an attempt: result; documents received before may be stale from now on */
    PLATFORM_RESUMED,  /* the first success after FAILED without a list: no change was lost */
    PLATFORM_NEWS_COUNT
};

/* Valid during the callback. */
struct platform_news {
    enum platform_news_kind kind;
    struct json_object *document;
    const struct platform_result *result; /* only of FAILED */
    uint64_t received_ns;
};

struct platform_watch {
    const struct platform_object *object; /* of one object: a field selector for its name */
    void (*on_news)(void *context, const struct platform_news *news);
    void *context; /* valid until platform_stop has returned */
};

/* Before platform_start. Returns 0 or -ENOSPC. */
int platform_add_watch(struct platform *platform, const struct platform_watch *watch)
    __attribute__((warn_unused_result));

/*
 * Load libcurl, find the API server, make all sockets that the seccomp filter forbids later. *ret_platform is
 * NULL unless config_needs_platform. Blocks on no volume. Returns 0 or a negative errno, logged.
 */
int platform_open(const struct config *config, struct platform **ret_platform)
    __attribute__((warn_unused_result));
int platform_start(struct platform *platform) __attribute__((warn_unused_result));

/* No callback runs afterwards. Returns soon, even if the thread reads from a volume that does not respond. */
void platform_stop(struct platform *platform);
void platform_close(struct platform *platform);

/* The namespace of objects that have none: platform.namespace, or the pod's own; "": not read yet. Any
 * thread; constant once it is known. Words and numbers for operators are in report.h. */
const char *platform_namespace(const struct platform *platform);

#endif
