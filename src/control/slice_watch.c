/* Follows EndpointSlices in the platform thread, and shares the result with the supervisor. */
#include "slice_watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/base/triple_buffer.h"

#define HTTP_NOT_FOUND 404

struct slice_watch_shared {
    struct triple_buffer news; /* the platform thread writes, the supervisor reads */
    struct slice_list lists[TRIPLE_BUFFER_VERSIONS];
    struct waker *reader_waker;
    _Atomic int state; /* enum supervisor_slices */

    /* Constant. */
    char service[CONFIG_TEXT_MAX];
    char labels[CONFIG_TEXT_MAX + 32];

    /* The platform thread's. */
    struct platform_object object;
    struct slices slices;
    struct slice_list last;
    bool is_current, is_failing;
    uint64_t rejected_logged;
};

static const char versions[2][8] = {"v1", "v1beta1"};

/* ---- log ---- */

static void log_rejected(struct slice_watch_shared *shared)
{
    const uint64_t *rejected = shared->slices.rejected;
    uint64_t total = 0;
    char text[160] = "";
    size_t length = 0;

    for (int i = 0; i < SLICES_REJECT_COUNT; i++) {
        total += rejected[i];
        if (rejected[i] && length < sizeof(text))
            length += (size_t)snprintf(
                text + length, sizeof(text) - length, "%s%s %llu", length ? ", " : "",
                slices_reject_name((enum slices_reject)i), (unsigned long long)rejected[i]);
    }
    if (total == shared->rejected_logged)
        return;
    shared->rejected_logged = total;
    log_warn_minutely(
        "slices_rejected", clock_now_ns(),
        "discovery.kubernetes: endpoints of %s that cannot be pods are ignored; since "
        "the start: %s",
        shared->service, text);
}

static void log_left_out(const struct slice_watch_shared *shared, size_t left_out)
{
    if (left_out)
        log_warn_minutely("slices_rejected", clock_now_ns(),
                          "discovery.kubernetes: %s has %zu more endpoints than the %d that a "
                          "cluster may have: is it the Service of these pods only?",
                          shared->service, left_out, DISCOVERY_MAX);
}

/* ---- the platform thread ---- */

static bool slice_list_differs(const struct slice_list *a, const struct slice_list *b)
{
    if (a->count != b->count || a->is_current != b->is_current || a->is_complete != b->is_complete)
        return true;
    for (size_t i = 0; i < a->count; i++) {
        if (!address_equal(&a->members[i].address, &b->members[i].address) ||
            a->members[i].pod != b->members[i].pod ||
            a->members[i].is_terminating != b->members[i].is_terminating)
            return true;
    }
    return false;
}

static void log_changed(const struct slice_watch_shared *shared, const struct slice_list *list)
{
    size_t terminating = 0;

    for (size_t i = 0; i < list->count; i++)
        terminating += list->members[i].is_terminating;
    log_info("slices_changed",
             "discovery.kubernetes: %s has %zu endpoints, %zu of them terminating", shared->service,
             list->count, terminating);
}

static enum supervisor_slices state_of(const struct slice_watch_shared *shared, bool has_endpoints)
{
    if (!shared->is_current)
        return SUPERVISOR_SLICES_FAILED;
    return has_endpoints ? SUPERVISOR_SLICES_CURRENT : SUPERVISOR_SLICES_EMPTY;
}

/* Without an endpoint the last list stays: a Service that selects nothing does not end pods. */
static void slice_watch_publish(struct slice_watch_shared *shared)
{
    struct slice_list list = {0};
    size_t left_out;
    bool has_endpoints;

    list.count = slices_members(&shared->slices, list.members, DISCOVERY_MAX, &left_out);
    has_endpoints = list.count > 0;
    if (!has_endpoints)
        list = shared->last;
    list.is_current = shared->is_current && has_endpoints;
    list.is_complete = list.is_current && left_out == 0;
    log_rejected(shared);
    log_left_out(shared, left_out);
    atomic_store_explicit(&shared->state, state_of(shared, has_endpoints), memory_order_relaxed);
    if (!slice_list_differs(&list, &shared->last))
        return;
    if (list.is_current)
        log_changed(shared, &list);
    shared->last = shared->lists[shared->news.writer_index] = list;
    triple_buffer_publish(&shared->news);
    waker_wake(shared->reader_waker);
}

/* A cluster has one of the two, or, during its upgrade, both. */
static void change_version(struct slice_watch_shared *shared)
{
    const char *other = shared->object.version == versions[0] ? versions[1] : versions[0];

    log_info("slices_version",
             "discovery.kubernetes: the API server has no discovery.k8s.io/%s: trying %s",
             shared->object.version, other);
    shared->object.version = other;
}

/* The client has logged the reason (api_failed). */
static void hear_failure(struct slice_watch_shared *shared, const struct platform_result *result)
{
    shared->is_current = false;
    if (result->status == HTTP_NOT_FOUND)
        change_version(shared);
    else if (!shared->is_failing)
        log_warn(
            "slices_failed",
            "discovery.kubernetes: the endpoints of %s cannot be followed: the last known ones "
            "stay, and discovery.dns is used if it is set",
            shared->service);
    shared->is_failing |= result->status != HTTP_NOT_FOUND;
}

static void hear_success(struct slice_watch_shared *shared)
{
    shared->is_current = true;
    if (shared->is_failing)
        log_info("slices_back", "discovery.kubernetes: the endpoints of %s are current again",
                 shared->service);
    shared->is_failing = false;
}

static void log_news(enum platform_news_kind kind)
{
    static const char *const kinds[PLATFORM_NEWS_COUNT] = {
        [PLATFORM_LISTED] = "listed",     [PLATFORM_ADDED] = "added",
        [PLATFORM_MODIFIED] = "modified", [PLATFORM_DELETED] = "deleted",
        [PLATFORM_FAILED] = "failed",     [PLATFORM_RESUMED] = "resumed"};

    log_debug("slices", "%s", kinds[kind]);
}

static int apply_news(struct slice_watch_shared *shared, const struct platform_news *news)
{
    switch (news->kind) {
    case PLATFORM_LISTED:
        return slices_replace_all(&shared->slices, news->document);
    case PLATFORM_ADDED:
    case PLATFORM_MODIFIED:
        return slices_replace(&shared->slices, news->document);
    case PLATFORM_DELETED:
        return slices_remove(&shared->slices, news->document);
    case PLATFORM_FAILED:
        hear_failure(shared, news->result);
        return 0;
    case PLATFORM_RESUMED:
    case PLATFORM_NEWS_COUNT:
        break;
    }
    return 0;
}

static void slice_watch_hear(void *context, const struct platform_news *news)
{
    struct slice_watch_shared *shared = context;

    log_news(news->kind);
    if (apply_news(shared, news))
        log_warn_minutely("slices_rejected", news->received_ns,
                          "discovery.kubernetes: a document about %s is no EndpointSlice and is "
                          "ignored: what is platform.api?",
                          shared->service);
    else if (news->kind == PLATFORM_LISTED || news->kind == PLATFORM_RESUMED)
        hear_success(shared);
    slice_watch_publish(shared);
}

/* ---- open and close ---- */

static struct slice_watch_shared *slice_watch_make(const struct config *config,
                                                   struct waker *reader_waker)
{
    struct slice_watch_shared *shared = calloc(1, sizeof(*shared));

    if (!shared)
        return NULL;
    triple_buffer_init(&shared->news);
    atomic_init(&shared->state, SUPERVISOR_SLICES_WAITING);
    slices_init(&shared->slices, (enum address_family)config->self.family);
    shared->reader_waker = reader_waker;
    (void)snprintf(shared->service, sizeof(shared->service), "%s", config->discovery_kubernetes);
    (void)snprintf(shared->labels, sizeof(shared->labels), "kubernetes.io/service-name=%s",
                   shared->service);
    shared->object = (struct platform_object){.group = "discovery.k8s.io",
                                              .version = versions[0],
                                              .resource = "endpointslices",
                                              .labels = shared->labels};
    return shared;
}

int slice_watch_open(struct slice_watch *watch, const struct config *config,
                     struct platform *platform, struct waker *reader_waker)
{
    struct slice_watch_shared *shared;
    int rc;

    watch->shared = NULL;
    if (!config->discovery_kubernetes[0])
        return 0;
    shared = slice_watch_make(config, reader_waker);
    if (!shared)
        return -ENOMEM;
    rc = platform_add_watch(platform, &(struct platform_watch){.object = &shared->object,
                                                               .on_news = slice_watch_hear,
                                                               .context = shared});
    if (rc) {
        free(shared);
        return rc;
    }
    watch->shared = shared;
    return 0;
}

void slice_watch_close(struct slice_watch *watch)
{
    free(watch->shared);
    watch->shared = NULL;
}

/* ---- the supervisor's side: waits for nothing ---- */

bool slice_watch_has_news(const struct slice_watch *watch)
{
    return watch->shared && triple_buffer_has_news(&watch->shared->news);
}

const struct slice_list *slice_watch_take(struct slice_watch *watch)
{
    static const struct slice_list none;

    if (!watch->shared)
        return &none;
    (void)triple_buffer_take(&watch->shared->news);
    return &watch->shared->lists[watch->shared->news.reader_index];
}

enum supervisor_slices slice_watch_state(const struct slice_watch *watch)
{
    return watch->shared ? (enum supervisor_slices)atomic_load_explicit(&watch->shared->state,
                                                                        memory_order_relaxed)
                         : SUPERVISOR_SLICES_NONE;
}
