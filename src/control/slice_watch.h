/*
 * slice_watch: the addresses of other pods by the EndpointSlices of the Service discovery.kubernetes.
 *
 * The API server's client (platform/api.h) follows the slices; each change is handed to the supervisor.
 * In a cluster without discovery.k8s.io/v1 (Kubernetes 1.20 and older) it follows v1beta1. While the
 * API server is away, or refuses, the last result stays, marked as not current: then discovery.dns is
 * used as well. Slices without a usable endpoint say nothing about any pod: the last result stays, too.
 *
 * Threads: the main thread opens and closes; the platform thread writes; the supervisor calls the rest,
 * and waits for nothing.
 */
#ifndef CONTROL_SLICE_WATCH_H
#define CONTROL_SLICE_WATCH_H

#include "discovery.h"
#include "headless/control/supervisor.h"
#include "headless/platform/api.h"
#include "headless/platform/slices.h"

struct slice_watch_shared;
struct slice_watch {
    struct slice_watch_shared *shared; /* NULL: discovery.kubernetes is none */
};

struct slice_list {
    struct slices_member members[DISCOVERY_MAX]; /* sorted */
    size_t count;
    bool is_current;  /* and has endpoints; otherwise from before, or none */
    bool is_complete; /* is_current, and there was room for all */
};

/* Before platform_start. reader_waker is woken for each change. Returns 0, also without
 * discovery.kubernetes; or a negative errno. */
int slice_watch_open(struct slice_watch *watch, const struct config *config,
                     struct platform *platform, struct waker *reader_waker)
    __attribute__((warn_unused_result));
/* After platform_stop. */
void slice_watch_close(struct slice_watch *watch);

/* There is a result that slice_watch_take has not returned yet. */
bool slice_watch_has_news(const struct slice_watch *watch);
/* The last result; valid until the next call. */
const struct slice_list *slice_watch_take(struct slice_watch *watch);

/* Any thread. */
enum supervisor_slices slice_watch_state(const struct slice_watch *watch);

#endif
