/* Sends the requests and follows the Lease in the platform thread; hands the outcomes to the supervisor. */
#include "lease_driver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/base/triple_buffer.h"
#include "headless/platform/lease_json.h"
#include "lease_convert.h"

/* A dead connection, or a dead API server behind the cluster's address, costs a take-over this much; a live one responds
 * in less, but under load. */
#define HEDGE_NS (150 * NS_PER_MS)

/* One outcome. */
struct lease_reply {
    uint32_t request;
    enum lease_outcome outcome;
    uint64_t wait_ns;
    struct lease_record record;
};

struct lease_driver_shared {
    struct triple_buffer seen, replies; /* the platform thread writes, the supervisor reads */
    struct lease_record records[TRIPLE_BUFFER_VERSIONS];
    struct lease_reply outcomes[TRIPLE_BUFFER_VERSIONS];
    struct lease_wanted wanted;
    struct waker *reader_waker;
    _Atomic int state; /* enum supervisor_lease_state */

    /* Constant. */
    struct platform *platform;
    struct platform_object object;
    uint64_t timeout_ns;
    char name[CONFIG_TEXT_MAX], cluster[CONFIG_TEXT_MAX], address[ADDRESS_TEXT_MAX];

    /* The supervisor's until platform_request, the platform thread's until it has published the outcome. */
    struct lease_actions request;

    /* The supervisor's. */
    struct lease_reply unsent; /* request 0: none */

    /* The platform thread's. */
    struct json_object *document; /* the newest; NULL: none yet */
    struct lease_record record;   /* of it */
    uint64_t kept_ns;             /* when it became the newest */
    enum lease_use use;           /* of it */
    bool is_stale; /* of the request: the record that it replaces is not the newest */
};

/* ---- the platform thread ---- */

/* Whether it exists does not matter here, nor who wrote it. */
static void note_state(struct lease_driver_shared *shared)
{
    static const enum supervisor_lease_state states[] = {
        [LEASE_USE_OURS] = SUPERVISOR_LEASE_KNOWN,
        [LEASE_USE_COORDINATED] = SUPERVISOR_LEASE_COORDINATED,
        [LEASE_USE_FOREIGN] = SUPERVISOR_LEASE_FOREIGN};
    enum supervisor_lease_state state = states[shared->use];
    bool is_news = atomic_load_explicit(&shared->state, memory_order_relaxed) != (int)state;

    if (is_news && state == SUPERVISOR_LEASE_COORDINATED)
        log_error(
            "lease_coordinated",
            "lease.name: Lease \"%s\" has spec.strategy, so the API server's own election may "
            "change it: this pod does not write it; remove strategy, or choose another Lease",
            shared->name);
    else if (is_news && state == SUPERVISOR_LEASE_FOREIGN)
        log_error("lease_foreign",
                  "lease.name: pods of another cluster than \"%s\" write Lease \"%s\": this pod "
                  "takes it only when they no longer renew it; choose another Lease",
                  shared->cluster, shared->name);
    atomic_store_explicit(&shared->state, (int)state, memory_order_relaxed);
}

static void log_unreadable(const struct lease_driver_shared *shared)
{
    log_warn_minutely("lease_unreadable", clock_now_ns(),
                      "a document about the Lease \"%s\" is no Lease and is ignored: what is "
                      "platform.api?",
                      shared->name);
}

/* Keeps it if it is the newest, and returns its record in any case. read_ns: it was read, not from a cache, by a request
 * of that time: if it is older than the newest one that was known then, the API server's data were restored from a backup.
 * 0: it was not. */
static int lease_driver_keep(struct lease_driver_shared *shared, struct json_object *document,
                             uint64_t read_ns, struct lease_record *ret_record)
{
    enum lease_use use;
    int rc = lease_convert_read(document, shared->cluster, ret_record, &use);

    if (rc) {
        log_unreadable(shared);
        return rc;
    }
    if (shared->document && read_ns <= shared->kept_ns &&
        lease_compare_versions(ret_record->version, shared->record.version) < 0)
        return 0;
    lease_drop(shared->document);
    shared->document = lease_keep(document);
    shared->record = *ret_record;
    shared->kept_ns = clock_now_ns();
    shared->use = use;
    lease_wanted_note(&shared->wanted, document, ret_record->stamp_ns);
    note_state(shared);
    return 0;
}

static void publish_seen(struct lease_driver_shared *shared, const struct lease_record *record)
{
    shared->records[shared->seen.writer_index] = *record;
    triple_buffer_publish(&shared->seen);
    waker_wake(shared->reader_waker);
}

/* The version from which on the Lease does not exist; one that is too long counts as unknown. */
static void tell_absence(struct lease_driver_shared *shared, const char *version)
{
    struct lease_record record = {0};

    if (strlen(version) < sizeof(record.version))
        (void)snprintf(record.version, sizeof(record.version), "%s", version);
    shared->use = LEASE_USE_OURS;
    note_state(shared);
    publish_seen(shared, &record);
}

static void tell_list(struct lease_driver_shared *shared, struct json_object *list)
{
    struct json_object *lease = NULL;
    struct lease_record record;
    int rc = lease_first(list, &lease);

    if (rc == -ENOENT)
        tell_absence(shared, lease_list_version(list));
    else if (rc)
        log_unreadable(shared);
    else if (lease_driver_keep(shared, lease, 0, &record) == 0)
        publish_seen(shared, &record);
    lease_drop(lease);
}

static void tell_object(struct lease_driver_shared *shared, struct json_object *document,
                        bool is_deleted)
{
    struct lease_record record;
    enum lease_use use;

    if (is_deleted) {
        if (lease_convert_read(document, shared->cluster, &record, &use) == 0)
            tell_absence(shared, record.version);
    } else if (lease_driver_keep(shared, document, 0, &record) == 0) {
        publish_seen(shared, &record);
    }
}

static void lease_driver_hear(void *context, const struct platform_news *news)
{
    struct lease_driver_shared *shared = context;

    switch (news->kind) {
    case PLATFORM_LISTED:
        tell_list(shared, news->document);
        break;
    case PLATFORM_ADDED:
    case PLATFORM_MODIFIED:
    case PLATFORM_DELETED:
        tell_object(shared, news->document, news->kind == PLATFORM_DELETED);
        break;
    case PLATFORM_FAILED: /* the client has logged the reason; requests go on */
    case PLATFORM_RESUMED:
    case PLATFORM_NEWS_COUNT:
        break;
    }
}

/* ---- one request, in the platform thread ---- */

static uint64_t lease_driver_real_us(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_REALTIME, &ts);
    return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / NS_PER_US;
}

static size_t lease_driver_write(void *context, char *body, size_t room)
{
    struct lease_driver_shared *shared = context;
    const struct lease_record *record = &shared->request.record;
    struct lease_convert_about about = {
        .name = shared->name, .address = shared->address, .cluster = shared->cluster};
    const struct lease_convert_text text = {.json = body, .room = room};
    bool is_update = shared->request.verb == LEASE_PUT;

    shared->is_stale =
        is_update && (!shared->document || strcmp(record->uid, shared->record.uid) != 0 ||
                      strcmp(record->version, shared->record.version) != 0);
    if (shared->is_stale || (is_update && shared->use == LEASE_USE_COORDINATED))
        return 0;
    about.removes_wanted =
        is_update && lease_wanted_leaves_out(&shared->wanted, shared->document, record->stamp_ns);
    return lease_convert_write(is_update ? shared->document : NULL, record, &about,
                               lease_driver_real_us(), &text);
}

static enum lease_outcome outcome_of(struct lease_driver_shared *shared,
                                     const struct platform_result *result,
                                     struct lease_record *ret_record)
{
    *ret_record = (struct lease_record){0};
    if (shared->is_stale || result->outcome == PLATFORM_CONFLICT)
        return LEASE_CONFLICT;
    if (result->verb == PLATFORM_GET && result->outcome == PLATFORM_NOT_FOUND &&
        lease_is_absent(result->document)) {
        shared->use = LEASE_USE_OURS;
        note_state(shared);
        return LEASE_OK;
    }
    if (result->outcome == PLATFORM_OK &&
        lease_driver_keep(shared, result->document,
                          result->verb == PLATFORM_GET ? result->sent_ns : 0, ret_record) == 0)
        return LEASE_OK;
    return result->outcome == PLATFORM_OK || platform_is_undecided(result->outcome) ? LEASE_UNKNOWN
                                                                                    : LEASE_REFUSED;
}

static void lease_driver_done(void *context, const struct platform_result *result)
{
    struct lease_driver_shared *shared = context;
    struct lease_reply *reply = &shared->outcomes[shared->replies.writer_index];

    reply->outcome = outcome_of(shared, result, &reply->record);
    reply->request = shared->request.request;
    reply->wait_ns = result->retry_after_ns;
    triple_buffer_publish(&shared->replies);
    waker_wake(shared->reader_waker);
}

/* ---- open and close ---- */

static struct lease_driver_shared *lease_driver_make(const struct config *config,
                                                     struct platform *platform,
                                                     struct waker *reader_waker)
{
    struct lease_driver_shared *shared = calloc(1, sizeof(*shared));

    if (!shared)
        return NULL;
    triple_buffer_init(&shared->seen);
    triple_buffer_init(&shared->replies);
    lease_wanted_init(&shared->wanted);
    atomic_init(&shared->state, SUPERVISOR_LEASE_WAITING);
    shared->reader_waker = reader_waker;
    shared->platform = platform;
    shared->timeout_ns = config->lease_timeout_ns;
    (void)snprintf(shared->name, sizeof(shared->name), "%s", config->lease_name);
    (void)snprintf(shared->cluster, sizeof(shared->cluster), "%s", config->cluster);
    (void)address_format_ip(&config->self, shared->address);
    shared->object = (struct platform_object){.group = "coordination.k8s.io",
                                              .version = "v1",
                                              .resource = "leases",
                                              .name = shared->name};
    return shared;
}

int lease_driver_open(struct lease_driver *driver, const struct config *config,
                      struct platform *platform, struct waker *reader_waker)
{
    struct lease_driver_shared *shared = lease_driver_make(config, platform, reader_waker);
    int rc;

    driver->shared = NULL;
    if (!shared)
        return -ENOMEM;
    rc = platform_add_watch(platform, &(struct platform_watch){.object = &shared->object,
                                                               .on_news = lease_driver_hear,
                                                               .context = shared});
    if (rc) {
        free(shared);
        return rc;
    }
    driver->shared = shared;
    return 0;
}

void lease_driver_close(struct lease_driver *driver)
{
    if (driver->shared)
        lease_drop(driver->shared->document);
    free(driver->shared);
    driver->shared = NULL;
}

/* ---- the supervisor's side: waits for nothing ---- */

bool lease_driver_has_news(const struct lease_driver *driver)
{
    const struct lease_driver_shared *shared = driver->shared;

    return shared->unsent.request || triple_buffer_has_news(&shared->replies) ||
           triple_buffer_has_news(&shared->seen);
}

struct lease_wanted *lease_driver_wanted(struct lease_driver *driver)
{
    return &driver->shared->wanted;
}

static struct lease_event reply_event(const struct lease_reply *reply)
{
    return (struct lease_event){.type = LEASE_REPLY,
                                .outcome = reply->outcome,
                                .request = reply->request,
                                .wait_ns = reply->wait_ns,
                                .record = &reply->record};
}

bool lease_driver_take(struct lease_driver *driver, struct lease_event *ret_event)
{
    struct lease_driver_shared *shared = driver->shared;

    if (shared->unsent.request) {
        *ret_event = reply_event(&shared->unsent);
        shared->unsent.request = 0;
        return true;
    }
    if (triple_buffer_take(&shared->replies)) {
        *ret_event = reply_event(&shared->outcomes[shared->replies.reader_index]);
        return true;
    }
    if (!triple_buffer_take(&shared->seen))
        return false;
    *ret_event = (struct lease_event){.type = LEASE_SEEN,
                                      .record = &shared->records[shared->seen.reader_index]};
    return true;
}

void lease_driver_send(struct lease_driver *driver, const struct lease_actions *actions)
{
    static const enum platform_verb verbs[] = {
        [LEASE_GET] = PLATFORM_GET, [LEASE_PUT] = PLATFORM_UPDATE, [LEASE_POST] = PLATFORM_CREATE};
    struct lease_driver_shared *shared = driver->shared;
    const struct platform_request request = {
        .verb = verbs[actions->verb],
        .object = &shared->object,
        .timeout_ns = shared->timeout_ns,
        .hedge_ns = HEDGE_NS,
        .write_body = actions->verb == LEASE_GET ? NULL : lease_driver_write,
        .done = lease_driver_done,
        .context = shared};

    shared->request = *actions;
    shared->is_stale = false;
    lease_wanted_hand_in(&shared->wanted);
    if (platform_request(shared->platform, &request))
        shared->unsent =
            (struct lease_reply){.request = actions->request, .outcome = LEASE_REFUSED};
}

enum supervisor_lease_state lease_driver_state(const struct lease_driver *driver)
{
    return (enum supervisor_lease_state)atomic_load_explicit(&driver->shared->state,
                                                             memory_order_relaxed);
}
