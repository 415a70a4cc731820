/* Requests that other threads hand in. */
#include <errno.h>
#include <json-c/json.h>
#include <string.h>

#include "headless/base/clock.h"
#include "platform/platform_internal.h"

#define REQUEST_MAX_NS     (60 * NS_PER_SEC)
#define RETRY_AFTER_MAX_NS (60 * NS_PER_SEC)

/* ---- any thread ---- */

static struct request_slot *claim_slot(struct platform *platform)
{
    for (size_t i = 0; i < PLATFORM_REQUESTS; i++) {
        struct request_slot *slot = &platform->slots[i];
        int expected = SLOT_FREE;

        /* Acquire: the platform thread's last read of the slot is before its release of FREE. */
        if (atomic_compare_exchange_strong_explicit(&slot->state, &expected, SLOT_FILLING,
                                                    memory_order_acquire, memory_order_relaxed))
            return slot;
    }
    return NULL;
}

int platform_request(struct platform *platform, const struct platform_request *request)
{
    struct request_slot *slot;
    uint64_t timeout_ns = request->timeout_ns;

    if (!platform || !atomic_load_explicit(&platform->is_started, memory_order_acquire) ||
        atomic_load_explicit(&platform->is_stopping, memory_order_relaxed))
        return -ESHUTDOWN;
    slot = claim_slot(platform);
    if (!slot)
        return -EAGAIN;
    slot->request = *request;
    slot->is_hedged = slot->is_undecided = false;
    slot->deadline_ns =
        clock_now_ns() + (timeout_ns < REQUEST_MAX_NS ? timeout_ns : REQUEST_MAX_NS);
    slot->order = atomic_fetch_add_explicit(&platform->order, 1, memory_order_relaxed);
    atomic_store_explicit(&slot->state, SLOT_QUEUED, memory_order_release); /* find_queued */
    (void)platform->curl.multi_wakeup(platform->multi);
    return 0;
}

/* ---- the platform thread ---- */

static enum request_lane_kind lane_of(const struct platform_request *request)
{
    if (request->is_background)
        return LANE_BACKGROUND;
    return request->is_fresh ? LANE_FRESH : LANE_COMMON;
}

/* The oldest one for this lane. */
static struct request_slot *find_queued(struct platform *platform, enum request_lane_kind lane)
{
    struct request_slot *oldest = NULL;

    for (size_t i = 0; i < PLATFORM_REQUESTS; i++) {
        struct request_slot *slot = &platform->slots[i];

        if (atomic_load_explicit(&slot->state, memory_order_acquire) != SLOT_QUEUED ||
            lane_of(&slot->request) != lane)
            continue;
        if (!oldest || (int32_t)(slot->order - oldest->order) < 0)
            oldest = slot;
    }
    return oldest;
}

/* The other lane, if it has a copy of the same request; otherwise NULL. */
static struct request_lane *twin_of(struct request_lane *lane)
{
    struct platform *platform = lane->transfer.platform;
    struct request_lane *common = &platform->lanes[LANE_COMMON];
    struct request_lane *other = lane == common ? &platform->lanes[LANE_FRESH] : common;

    return other->slot == lane->slot ? other : NULL;
}

/* A copy without a response may have taken effect, whatever this one's response says. */
static enum platform_outcome outcome_of_copies(const struct request_slot *slot,
                                               enum platform_outcome outcome)
{
    return slot->is_undecided && slot->request.write_body && outcome != PLATFORM_OK &&
                   outcome != PLATFORM_CONFLICT
               ? PLATFORM_UNKNOWN
               : outcome;
}

/* The slot is free before done is called, which may hand in the next request. */
static void request_finish(struct request_lane *lane, const struct trouble *trouble,
                           struct json_object *document, uint64_t sent_ns)
{
    struct platform *platform = lane->transfer.platform;
    const struct platform_request request = lane->slot->request;
    char why[PLATFORM_WHY_MAX] = "";
    curl_off_t retry_after_s = 0;
    struct platform_result result = {.verb = request.verb,
                                     .object = request.object,
                                     .outcome = outcome_of_copies(lane->slot, trouble->outcome),
                                     .status = trouble->status,
                                     .sent_ns = sent_ns,
                                     .received_ns = clock_now_ns(),
                                     .document = document,
                                     .why = why};

    if (trouble->status) {
        (void)platform->curl.easy_getinfo(lane->transfer.easy, CURLINFO_RETRY_AFTER,
                                          &retry_after_s);
        if (retry_after_s > 0)
            result.retry_after_ns =
                retry_after_s < 60 ? (uint64_t)retry_after_s * NS_PER_SEC : RETRY_AFTER_MAX_NS;
    }
    if (request.is_optional)
        problems_describe(platform, request.verb, request.object, trouble, why);
    else
        problems_note(platform, request.verb, request.object, trouble, why);
    atomic_store_explicit(&lane->slot->state, SLOT_FREE, memory_order_release); /* claim_slot */
    lane->slot = NULL;
    if (platform_enter(platform)) {
        request.done(request.context, &result);
        platform_leave(platform);
    }
    (void)json_object_put(document);
}

static void request_finish_unsent(struct request_lane *lane, struct trouble trouble)
{
    trouble.outcome = PLATFORM_UNSENT;
    request_finish(lane, &trouble, NULL, clock_now_ns());
}

/* Returns false if the callback has cancelled the request. */
static bool write_body(struct request_lane *lane, struct transfer_plan *plan)
{
    const struct platform_request *request = &lane->slot->request;
    struct platform *platform = lane->transfer.platform;

    if (!request->write_body)
        return true;
    if (!platform_enter(platform))
        return false;
    lane->length = plan->length =
        request->write_body(request->context, lane->body, PLATFORM_BODY_MAX);
    platform_leave(platform);
    plan->body = lane->body;
    return plan->length > 0 && plan->length <= PLATFORM_BODY_MAX;
}

static void request_attempt(struct request_lane *lane)
{
    const struct request_slot *slot = lane->slot;
    struct transfer_plan plan = {.verb = slot->request.verb,
                                 .object = slot->request.object,
                                 .is_alone = lane_of(&slot->request) != LANE_COMMON};
    uint64_t now_ns = clock_now_ns();
    struct trouble trouble = {.kind = TROUBLE_QUEUED};

    lane->attempts++;
    lane->length = 0;
    if (now_ns >= slot->deadline_ns) {
        request_finish_unsent(lane, trouble);
        return;
    }
    plan.timeout_ns = slot->deadline_ns - now_ns;
    trouble.kind = TROUBLE_CANCELLED;
    if (!write_body(lane, &plan))
        request_finish_unsent(lane, trouble);
    else if (transfer_start(&lane->transfer, &plan, &trouble))
        request_finish_unsent(lane, trouble);
}

void requests_start(struct platform *platform)
{
    for (enum request_lane_kind i = LANE_COMMON; i < REQUEST_LANES; i++) {
        struct request_lane *lane = &platform->lanes[i];

        while (!lane->slot && (lane->slot = find_queued(platform, i))) {
            atomic_store_explicit(&lane->slot->state, SLOT_RUNNING, memory_order_relaxed);
            lane->attempts = 0;
            request_attempt(lane); /* it is over already if nothing could be sent */
        }
    }
}

/* ---- copies ---- */

static void send_copy(struct request_lane *from, struct request_lane *to, uint64_t now_ns)
{
    struct request_slot *slot = from->slot;
    struct transfer_plan plan = {.verb = slot->request.verb,
                                 .object = slot->request.object,
                                 .is_alone = true,
                                 .timeout_ns = slot->deadline_ns - now_ns,
                                 .body = from->length ? to->body : NULL,
                                 .length = from->length};
    struct trouble trouble;

    slot->is_hedged = true;
    memcpy(to->body, from->body, from->length); /* the same bytes: one validity counts from both */
    if (transfer_start(&to->transfer, &plan, &trouble) == 0)
        to->slot = slot;
}

void requests_hedge(struct platform *platform, uint64_t now_ns, uint64_t *due_ns)
{
    struct request_lane *common = &platform->lanes[LANE_COMMON];
    struct request_lane *copy = &platform->lanes[LANE_FRESH];
    const struct request_slot *slot = common->slot;
    uint64_t at_ns;

    if (!slot || slot->is_hedged || !slot->request.hedge_ns || copy->slot)
        return;
    at_ns = common->transfer.sent_ns + slot->request.hedge_ns;
    if (at_ns >= slot->deadline_ns)
        return;
    if (now_ns >= at_ns && now_ns < slot->deadline_ns)
        send_copy(common, copy, now_ns);
    else if (at_ns < *due_ns)
        *due_ns = at_ns;
}

/* True: the request goes on with its other copy. */
static bool has_ended_alone(struct request_lane *lane, const struct trouble *trouble)
{
    struct request_lane *twin = twin_of(lane);

    if (!twin)
        return false;
    lane->slot->is_undecided |= trouble->status != 0 || platform_is_undecided(trouble->outcome);
    if (trouble->status != 0) {
        transfer_abort(&twin->transfer);
        twin->slot = NULL;
        return false;
    }
    lane->slot = NULL;
    return true;
}

/* A token that was replaced is read again at once, and the request sent a second time. */
void requests_on_end(struct transfer *transfer, CURLcode code)
{
    struct platform *platform = transfer->platform;
    struct request_lane *lane = transfer->context;
    struct json_object *document;
    struct trouble trouble;

    transfer_judge(transfer, code, &trouble, &document);
    problems_count(platform, lane->slot->request.verb, trouble.status);
    if (has_ended_alone(lane, &trouble))
        return;
    if (trouble.outcome == PLATFORM_UNAUTHORIZED && lane->attempts == 1 && !lane->slot->is_hedged &&
        token_refresh(&platform->token, clock_now_ns(), true) == 0) {
        (void)json_object_put(document);
        request_attempt(lane);
        return;
    }
    request_finish(lane, &trouble, document, transfer->sent_ns);
}
