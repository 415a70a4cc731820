/* The label of the pod that leads: what is wanted, what is confirmed, and one request at a time. */
#include "role_label.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "headless/base/clock.h"

#define ROLE_TIMEOUT_NS (5 * NS_PER_SEC)
#define ROLE_REPEAT_NS  (60 * NS_PER_SEC) /* a leader's, in case somebody has removed it */
#define ROLE_RETRY_NS   NS_PER_SEC        /* after the first failure; doubled with each */
#define ROLE_RETRIES    6                 /* then each 64 s */

enum role_state { ROLE_UNKNOWN, ROLE_SET, ROLE_UNSET };

struct role_label {
    /* Constant. */
    struct platform *platform;
    struct waker *waker;
    char own_name[CONFIG_NAME_MAX];
    struct platform_object own, other;

    /* The supervisor's, and constant while a request runs. */
    char former[CONFIG_NAME_MAX];  /* whose label is to be removed; "": nobody's */
    char patched[CONFIG_NAME_MAX]; /* other's name */
    bool is_own, sets;             /* the request */

    /* The supervisor's. */
    bool is_running; /* the request */
    bool led;
    enum role_state known; /* of our own pod */
    unsigned failures;     /* in a row */
    uint64_t due_ns;       /* of the next request */

    /* Written by the platform thread at the end of a request. */
    _Atomic bool is_done;
    bool is_ok;
    uint64_t retry_after_ns;

    /* For reports. */
    _Atomic bool is_set;
    _Atomic uint64_t failed;
};

/* ---- the platform thread ---- */

static size_t role_label_write(void *context, char *body, size_t room)
{
    const struct role_label *label = context;

    return (size_t)snprintf(body, room, "{\"metadata\":{\"labels\":{\"headlessd.io/role\":%s}}}",
                            label->sets ? "\"leader\"" : "null");
}

/* A former leader's pod that does not exist any more has no label. */
static void role_label_done(void *context, const struct platform_result *result)
{
    struct role_label *label = context;

    label->is_ok =
        result->outcome == PLATFORM_OK || (result->outcome == PLATFORM_NOT_FOUND && !label->is_own);
    label->retry_after_ns = result->retry_after_ns;
    atomic_store_explicit(&label->is_done, true, memory_order_release);
    waker_wake(label->waker);
}

/* ---- the supervisor ---- */

static void role_label_fail(struct role_label *label, uint64_t now_ns)
{
    uint64_t pause_ns = ROLE_RETRY_NS << label->failures;

    if (label->failures < ROLE_RETRIES)
        label->failures++;
    (void)atomic_fetch_add_explicit(&label->failed, 1, memory_order_relaxed);
    label->due_ns = now_ns + (pause_ns > label->retry_after_ns ? pause_ns : label->retry_after_ns);
}

static void role_label_take(struct role_label *label, uint64_t now_ns)
{
    if (!label->is_running || !atomic_load_explicit(&label->is_done, memory_order_acquire))
        return;
    label->is_running = false;
    if (!label->is_ok) {
        role_label_fail(label, now_ns);
        return;
    }
    label->failures = 0;
    label->due_ns = now_ns + ROLE_REPEAT_NS;
    if (label->is_own) {
        label->known = label->sets ? ROLE_SET : ROLE_UNSET;
        atomic_store_explicit(&label->is_set, label->sets, memory_order_relaxed);
    } else if (strcmp(label->former, label->patched) == 0) {
        label->former[0] = '\0';
    }
}

static void role_label_send(struct role_label *label, const struct platform_object *object,
                            bool sets, uint64_t now_ns)
{
    const struct platform_request request = {.verb = PLATFORM_PATCH,
                                             .object = object,
                                             .timeout_ns = ROLE_TIMEOUT_NS,
                                             .is_background = true,
                                             .is_optional = object != &label->own,
                                             .write_body = role_label_write,
                                             .done = role_label_done,
                                             .context = label};

    label->sets = sets;
    label->is_own = object == &label->own;
    if (label->is_own)
        label->known = ROLE_UNKNOWN; /* until the reply */
    else
        memcpy(label->patched, label->former, sizeof(label->patched));
    atomic_store_explicit(&label->is_done, false, memory_order_relaxed);
    label->is_running = platform_request(label->platform, &request) == 0;
    if (!label->is_running)
        role_label_fail(label, now_ns);
}

static void role_label_change(struct role_label *label, bool leads, const char *former,
                              uint64_t now_ns)
{
    label->led = leads;
    label->due_ns = now_ns;
    label->former[0] = '\0';
    if (leads && strcmp(former, label->own_name) != 0)
        (void)snprintf(label->former, sizeof(label->former), "%s", former);
}

void role_label_run(struct role_label *label, bool leads, const char *former, uint64_t now_ns)
{
    bool is_due;

    if (!label)
        return;
    role_label_take(label, now_ns);
    if (leads != label->led)
        role_label_change(label, leads, former, now_ns);
    is_due = now_ns >= label->due_ns;
    if (label->is_running || (label->failures > 0 && !is_due))
        return;
    if (label->known != (leads ? ROLE_SET : ROLE_UNSET))
        role_label_send(label, &label->own, leads, now_ns);
    else if (label->former[0])
        role_label_send(label, &label->other, false, now_ns);
    else if (leads && is_due)
        role_label_send(label, &label->own, true, now_ns);
}

/* ---- open, close, report ---- */

int role_label_open(const struct config *config, struct platform *platform, struct waker *waker,
                    struct role_label **ret_label)
{
    static const struct platform_object pod = {
        .group = "", .version = "v1", .resource = "pods", .part = "status"};
    struct role_label *label;

    *ret_label = NULL;
    if (!config->platform_role_label)
        return 0;
    label = calloc(1, sizeof(*label));
    if (!label)
        return -ENOMEM;
    label->platform = platform;
    label->waker = waker;
    (void)snprintf(label->own_name, sizeof(label->own_name), "%s", config->name);
    label->own = label->other = pod;
    label->own.name = label->own_name;
    label->other.name = label->patched;
    *ret_label = label;
    return 0;
}

void role_label_close(struct role_label *label)
{
    free(label);
}

void role_label_read(const struct role_label *label, struct supervisor_role_report *ret_report)
{
    *ret_report = (struct supervisor_role_report){.is_on = label != NULL};
    if (!label)
        return;
    ret_report->is_set = atomic_load_explicit(&label->is_set, memory_order_relaxed);
    ret_report->failures = atomic_load_explicit(&label->failed, memory_order_relaxed);
}
