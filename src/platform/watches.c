/* Lists and watches: waiting -> listing -> watching -> waiting, or from watching to watching. */
#include <errno.h>
#include <json-c/json.h>
#include <stdio.h>
#include <string.h>

#include "headless/base/clock.h"
#include "platform/backoff.h"
#include "platform/document.h"
#include "platform/platform_internal.h"

#define LIST_NS          (10 * NS_PER_SEC)
#define WATCH_LEAST_S    300U /* the server ends a watch after 5 to 10 minutes */
#define WATCH_SPREAD_S   300U
#define WATCH_SILENT_NS  (75 * NS_PER_SEC) /* a bookmark comes each minute */
#define WATCH_ANSWER_NS  (10 * NS_PER_SEC) /* until the response begins */
#define WATCH_SETTLED_NS (5 * NS_PER_SEC)  /* one that ends earlier counts as a failure */

/* ---- telling ---- */

static void watch_tell(struct watch_state *w, enum platform_news_kind kind,
                       struct json_object *document, const struct platform_result *result)
{
    struct platform *platform = w->transfer.platform;
    const struct platform_news news = {
        .kind = kind, .document = document, .result = result, .received_ns = clock_now_ns()};

    if (!platform_enter(platform))
        return;
    w->watch.on_news(w->watch.context, &news);
    platform_leave(platform);
}

static void count_restart(struct watch_state *w, enum platform_restart why)
{
    (void)atomic_fetch_add_explicit(&w->transfer.platform->restarts[why], 1, memory_order_relaxed);
}

/* ---- waiting ---- */

static void wait_ns(struct watch_state *w, uint64_t pause_ns)
{
    w->phase = WATCH_WAITING;
    w->due_ns = clock_now_ns() + pause_ns;
}

static void back_off(struct watch_state *w, uint64_t least_ns)
{
    uint64_t pause_ns = backoff_ns(w->failures, platform_random(w->transfer.platform));

    w->failures++;
    wait_ns(w, pause_ns > least_ns ? pause_ns : least_ns);
}

static uint64_t retry_after_ns(const struct watch_state *w, const struct trouble *trouble)
{
    curl_off_t seconds = 0;

    if (!trouble->status)
        return 0;
    (void)w->transfer.platform->curl.easy_getinfo(w->transfer.easy, CURLINFO_RETRY_AFTER, &seconds);
    return seconds <= 0 ? 0 : seconds < 60 ? (uint64_t)seconds * NS_PER_SEC : 60 * NS_PER_SEC;
}

static enum platform_verb verb_of(const struct watch_state *w)
{
    return w->phase == WATCH_LISTING ? PLATFORM_LIST : PLATFORM_WATCH;
}

static void watch_fail(struct watch_state *w, const struct trouble *trouble)
{
    char why[PLATFORM_WHY_MAX];
    const struct platform_result result = {.verb = verb_of(w),
                                           .object = w->watch.object,
                                           .outcome = trouble->outcome,
                                           .status = trouble->status,
                                           .sent_ns = w->transfer.sent_ns,
                                           .received_ns = clock_now_ns(),
                                           .retry_after_ns = retry_after_ns(w, trouble),
                                           .why = why};

    problems_note(w->transfer.platform, result.verb, result.object, trouble, why);
    back_off(w, result.retry_after_ns);
    w->is_stale = true;
    watch_tell(w, PLATFORM_FAILED, NULL, &result);
}

/* ---- starting ---- */

static void watch_begin(struct watch_state *w, enum watch_phase phase)
{
    struct platform *platform = w->transfer.platform;
    uint64_t length_s = WATCH_LEAST_S + platform_random(platform) % WATCH_SPREAD_S;
    struct transfer_plan plan = {.verb = phase == WATCH_LISTING ? PLATFORM_LIST : PLATFORM_WATCH,
                                 .object = w->watch.object,
                                 .version = w->version,
                                 .timeout_ns =
                                     phase == WATCH_LISTING ? LIST_NS : length_s * NS_PER_SEC,
                                 .is_alone = true};
    struct trouble trouble;

    w->phase = phase;
    w->opened_ns = 0;
    w->bad = (struct trouble){.outcome = PLATFORM_OK};
    if (transfer_start(&w->transfer, &plan, &trouble))
        watch_fail(w, &trouble);
}

static void watch_begin_next(struct watch_state *w)
{
    watch_begin(w, w->version[0] ? WATCH_WATCHING : WATCH_LISTING);
}

/* ---- a line ---- */

static bool keep_version(struct watch_state *w, struct json_object *object)
{
    const char *version = document_text(object, "metadata", "resourceVersion");

    if (!version || !*version || strlen(version) >= sizeof(w->version))
        return false;
    (void)snprintf(w->version, sizeof(w->version), "%s", version);
    return true;
}

static unsigned error_code(struct json_object *status)
{
    struct json_object *code;
    int value = 0;

    if (json_object_object_get_ex(status, "code", &code))
        value = json_object_get_int(code);
    return value > 0 && value < 1000 ? (unsigned)value : 500;
}

/* An ERROR line is the last one. */
static bool take_error(struct watch_state *w, struct json_object *status)
{
    w->bad.status = error_code(status);
    w->bad.kind = TROUBLE_IN_WATCH;
    w->bad.outcome = outcome_of_status(w->bad.status, false);
    return false;
}

static bool take_event(struct watch_state *w, const char *type, struct json_object *object)
{
    static const struct {
        const char *type;
        enum platform_news_kind kind;
    } kinds[] = {
        {"ADDED", PLATFORM_ADDED}, {"MODIFIED", PLATFORM_MODIFIED}, {"DELETED", PLATFORM_DELETED}};

    if (strcmp(type, "ERROR") == 0)
        return take_error(w, object);
    if (!keep_version(w, object))
        return false;
    w->failures = 0;
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (strcmp(type, kinds[i].type) == 0)
            watch_tell(w, kinds[i].kind, object, NULL);
    return true; /* BOOKMARK, or a type of the future: only the version counts */
}

/* {"type":"ADDED","object":{...}} */
static bool take_line(struct watch_state *w, const char *line, size_t length)
{
    struct json_object *document = document_parse(line, length), *object;
    const char *type = document ? document_text(document, NULL, "type") : NULL;
    bool is_good = false;

    w->bad = (struct trouble){.outcome = PLATFORM_BAD, .status = 200, .kind = TROUBLE_NO_JSON};
    if (type && json_object_object_get_ex(document, "object", &object) &&
        json_object_is_type(object, json_type_object))
        is_good = take_event(w, type, object);
    (void)json_object_put(document);
    if (is_good)
        w->bad.outcome = PLATFORM_OK;
    return is_good;
}

/* Complete lines, then the begin of the next one. */
static bool take_lines(struct watch_state *w)
{
    struct buffer *received = &w->transfer.received;
    size_t done = 0;
    bool is_good = true;

    while (is_good && done < received->length) {
        const char *line = received->data + done;
        const char *end = memchr(line, '\n', received->length - done);

        if (!end)
            break;
        if (end > line)
            is_good = take_line(w, line, (size_t)(end - line));
        done += (size_t)(end - line) + 1;
    }
    buffer_drop(received, done);
    return is_good;
}

/* The buffer is searched only when a line may end, so that a long one is not searched again for each piece. */
bool watches_on_bytes(struct transfer *transfer, const char *bytes, size_t length)
{
    struct watch_state *w = transfer->context;

    if (!buffer_append(&transfer->received, bytes, length, PLATFORM_LINE_MAX)) {
        w->bad =
            (struct trouble){.outcome = PLATFORM_BAD, .status = 200, .kind = TROUBLE_TOO_LARGE};
        return false;
    }
    return !memchr(bytes, '\n', length) || take_lines(w);
}

/* ---- ends ---- */

void watches_on_open(struct transfer *transfer)
{
    static const struct trouble none = {.outcome = PLATFORM_OK};
    struct watch_state *w = transfer->context;
    char why[PLATFORM_WHY_MAX];

    if (w->opened_ns)
        return;
    w->opened_ns = clock_now_ns();
    w->is_second = false;
    problems_count(transfer->platform, PLATFORM_WATCH, 200);
    problems_note(transfer->platform, PLATFORM_WATCH, w->watch.object, &none, why);
    if (w->is_stale) {
        w->is_stale = false;
        watch_tell(w, PLATFORM_RESUMED, NULL, NULL);
    }
}

/* A token that was replaced is read again at once, and the same is tried once more. */
static bool is_tried_again(struct watch_state *w, const struct trouble *trouble)
{
    struct platform *platform = w->transfer.platform;

    w->is_second = trouble->outcome == PLATFORM_UNAUTHORIZED && !w->is_second &&
                   token_refresh(&platform->token, clock_now_ns(), true) == 0;
    if (w->is_second)
        wait_ns(w, 0);
    return w->is_second;
}

static void end_list(struct watch_state *w, CURLcode code)
{
    static const struct trouble bad = {
        .outcome = PLATFORM_BAD, .status = 200, .kind = TROUBLE_NO_JSON};
    struct platform *platform = w->transfer.platform;
    struct json_object *document;
    struct trouble trouble;
    char why[PLATFORM_WHY_MAX];

    transfer_judge(&w->transfer, code, &trouble, &document);
    problems_count(platform, PLATFORM_LIST, trouble.status);
    if (trouble.outcome == PLATFORM_OK && !keep_version(w, document))
        trouble = bad;
    if (trouble.outcome != PLATFORM_OK) {
        if (!is_tried_again(w, &trouble))
            watch_fail(w, &trouble);
    } else {
        problems_note(platform, PLATFORM_LIST, w->watch.object, &trouble, why);
        w->is_second = w->is_stale = false;
        wait_ns(w, 0);
        watch_tell(w, PLATFORM_LISTED, document, NULL);
    }
    (void)json_object_put(document);
}

/* The list is read again: at once, but not again and again. */
static void watch_expire(struct watch_state *w)
{
    static const struct trouble none = {.outcome = PLATFORM_OK};
    char why[PLATFORM_WHY_MAX];

    problems_note(w->transfer.platform, PLATFORM_WATCH, w->watch.object, &none, why);
    count_restart(w, PLATFORM_RESTART_EXPIRED);
    w->version[0] = '\0';
    if (w->failures++ == 0)
        wait_ns(w, 0);
    else
        back_off(w, 0);
}

/* Ended by the server, completely. */
static void watch_reopen(struct watch_state *w)
{
    count_restart(w, PLATFORM_RESTART_ENDED);
    if (clock_now_ns() >= w->opened_ns + WATCH_SETTLED_NS)
        wait_ns(w, 0);
    else
        back_off(w, 0);
}

static void end_watch(struct watch_state *w, CURLcode code)
{
    struct json_object *document = NULL;
    struct trouble trouble = w->bad;
    enum platform_restart why = PLATFORM_RESTART_BAD;
    bool is_open = w->opened_ns != 0;

    if (is_open && clock_now_ns() >= w->opened_ns + WATCH_SETTLED_NS)
        w->failures = 0;
    if (!is_open)
        problems_count(w->transfer.platform, PLATFORM_WATCH, transfer_status(&w->transfer));
    if (trouble.outcome == PLATFORM_OK && is_open && code == CURLE_OK) {
        watch_reopen(w);
        return;
    }
    if (trouble.outcome == PLATFORM_OK) {
        transfer_judge(&w->transfer, code, &trouble, &document);
        (void)json_object_put(document);
        why = trouble.kind == TROUBLE_CURL ? PLATFORM_RESTART_LOST : PLATFORM_RESTART_REFUSED;
    }
    if (trouble.outcome == PLATFORM_GONE) {
        watch_expire(w);
        return;
    }
    count_restart(w, trouble.kind == TROUBLE_IN_WATCH ? PLATFORM_RESTART_REFUSED : why);
    if (!is_tried_again(w, &trouble))
        watch_fail(w, &trouble);
}

void watches_on_end(struct transfer *transfer, CURLcode code)
{
    struct watch_state *w = transfer->context;

    if (w->phase == WATCH_LISTING)
        end_list(w, code);
    else
        end_watch(w, code);
    buffer_clear(&transfer->received);
}

/* ---- time ---- */

/* Lists have libcurl's own limit. */
static void end_silent(struct watch_state *w, uint64_t now_ns, uint64_t *due_ns)
{
    const struct trouble trouble = {.outcome = PLATFORM_UNKNOWN, .kind = TROUBLE_SILENT};
    uint64_t end_ns = w->transfer.heard_ns + (w->opened_ns ? WATCH_SILENT_NS : WATCH_ANSWER_NS);

    if (now_ns < end_ns) {
        *due_ns = end_ns < *due_ns ? end_ns : *due_ns;
        return;
    }
    transfer_abort(&w->transfer);
    buffer_clear(&w->transfer.received);
    if (!w->opened_ns)
        problems_count(w->transfer.platform, PLATFORM_WATCH, 0);
    count_restart(w, PLATFORM_RESTART_SILENT);
    watch_fail(w, &trouble);
    /* A server whose data were restored from a backup is silent about a version that it does not know yet. */
    w->version[0] = '\0';
}

void watches_run(struct platform *platform, uint64_t now_ns, uint64_t *due_ns)
{
    for (size_t i = 0; i < platform->watch_count; i++) {
        struct watch_state *w = &platform->watches[i];

        if (w->phase == WATCH_WATCHING)
            end_silent(w, now_ns, due_ns);
        if (w->phase == WATCH_WAITING && now_ns >= w->due_ns)
            watch_begin_next(w);
        if (w->phase == WATCH_WAITING && w->due_ns < *due_ns)
            *due_ns = w->due_ns;
    }
}
