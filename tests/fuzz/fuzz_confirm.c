/*
 * Kept frames and their confirmations (frame types 6 to 8). The input is a script: frames are kept and
 * sent over two streams, and then come, are lost, come twice or late; confirmations come, are lost, or
 * are false, as a member may send them; time passes, and receivers are lost.
 *
 * A receiver takes each number of a stream once and in order. Every kept frame ends once, the counts of
 * what is kept are right, and at the end nothing is kept.
 */
#include <string.h>

#include "data/relay/confirm.h"
#include "data/relay/kept.h"
#include "fuzz.h"

#define RING_BYTES 4096
#define FLIGHT_MAX 64
#define SLOTS      2
#define KEEP_NS    NS_PER_SEC

struct input {
    const uint8_t *next, *end;
};

struct flying {
    struct frame_place place;
    uint8_t slot;
};

static struct kept kept;
static struct confirm confirm;
static struct flying flying[FLIGHT_MAX];
static size_t flying_count;
static uint64_t put, ended;
static uint64_t taken[SLOTS]; /* the last number that was taken of each slot */

static uint8_t take(struct input *in)
{
    return in->next < in->end ? *in->next++ : 0;
}

static void on_end(void *context, const struct kept_frame *frame, bool is_lost)
{
    (void)context;
    (void)is_lost;
    FUZZ_CHECK(frame->state == KEPT_DONE);
    ended++;
}

/* ---- the sender ---- */

static void fly(uint8_t slot, const struct frame_place *place)
{
    flying[flying_count++ % FLIGHT_MAX] = (struct flying){*place, slot};
}

static void put_frame(struct input *in)
{
    const uint8_t slot = take(in) % SLOTS, kind = take(in);
    const struct kept_frame like = {.type = kind & 1 ? FRAME_DATA : FRAME_REPLY,
                                    .hops = kind & 2 ? 2 : 1,
                                    .records = kind & 4 ? 2 : 1,
                                    .begun = kind & 8 ? 1 : 0,
                                    .bytes = take(in) * (kind & 16 ? 20U : 1U)};
    struct frame_place place;
    struct kept_frame *frame = kept_put(&kept, slot, &like, &place);

    FUZZ_CHECK(place.oldest >= 1 && place.oldest <= place.number);
    put += frame != NULL;
    if (frame)
        memset(kept_records(frame), 0x5a, frame->bytes);
    if (!frame || frame->sent_ns)
        fly(slot, &place);
}

static void send_again(void)
{
    for (uint8_t slot = 0; slot < SLOTS; slot++) {
        const struct kept_frame *frame;

        while ((frame = kept_next(&kept, slot))) {
            const struct frame_place place = kept_place(&kept, frame);

            FUZZ_CHECK(frame->slot == slot && frame->state == KEPT_WAITING);
            fly(slot, &place);
        }
    }
}

static void begin_receiver(void)
{
    confirm_fini(&confirm);
    FUZZ_CHECK(confirm_init(&confirm, SLOTS) == 0);
    confirm.now_ns = kept.now_ns;
    memset(flying, 0, sizeof(flying));
    memset(taken, 0, sizeof(taken));
}

/* The link is closed, or its receiver is another process by now. */
static void lose_stream(struct input *in)
{
    const uint8_t slot = take(in) % SLOTS, what = take(in);

    kept_lose(&kept, slot, what & 1);
    if (what & 2)
        begin_receiver();
}

static void route_again(struct input *in)
{
    struct kept_frame *frame;

    (void)in;
    while ((frame = kept_orphan(&kept, NULL))) {
        kept_move(&kept, frame);
        kept_end_moves(&kept);
    }
    FUZZ_CHECK(kept.orphans == 0);
}

/* Another leader, or news of the one before. */
static void follow(struct input *in)
{
    const uint8_t slot = take(in) % (SLOTS + 1), what = take(in);

    if (what & 2 && slot < SLOTS)
        kept_refuse(&kept, slot);
    else
        kept_follow(&kept, slot < SLOTS ? slot : KEPT_SLOT_NONE, kept.leader_term + (what >> 2 & 1),
                    what & 1 ? kept.leader_term : kept.ending_term);
    if (kept_is_settled(&kept))
        FUZZ_CHECK(kept.orphans == 0 && kept.ending_slot == KEPT_SLOT_NONE);
}

/* ---- the receiver ---- */

static void arrive(struct input *in)
{
    const struct flying *one = &flying[take(in) % FLIGHT_MAX];
    const struct frame_place *place = &one->place;

    if (!place->stream)
        return;
    if (take(in) & 1) {
        confirm_refuse(&confirm, one->slot, one->slot + 1U, place);
        return;
    }
    if (confirm_take(&confirm, one->slot, one->slot + 1U, place) == CONFIRM_TAKEN) {
        FUZZ_CHECK(place->number > taken[one->slot]);
        taken[one->slot] = place->number;
    }
}

static void settle(struct input *in)
{
    const uint64_t puts[CONFIRM_GATES] = {take(in), take(in)};
    const uint64_t left[CONFIRM_GATES] = {take(in), take(in)};

    confirm_settle(&confirm, puts, left);
    if (take(in) & 1)
        confirm_resume(&confirm);
}

/* The confirmation comes, or is lost. */
static void tell(struct input *in)
{
    const bool is_lost = take(in) & 1;

    for (uint32_t i = 0; i < confirm.listed; i++) {
        struct confirmation told;

        if (!confirm_is_due(&confirm, confirm.list[i], true))
            continue;
        told = confirm_tell(&confirm, confirm.list[i]);
        FUZZ_CHECK(told.confirmed <= told.received);
        if (!is_lost)
            kept_take(&kept, &told);
    }
    confirm_tidy(&confirm);
}

/* As a member may send it: frame_open has checked only the bounds of confirmation_get. */
static void tell_falsely(struct input *in)
{
    const uint8_t slot = take(in) % SLOTS;
    uint8_t bytes[CONFIRMATION_BYTES];
    struct confirmation told = {.stream = kept.streams[slot].id,
                                .flags = take(in) & 1,
                                .received = kept.streams[slot].next + take(in) - 128,
                                .confirmed = kept.streams[slot].next + take(in) - 128};

    if (take(in) & 1)
        told.received = UINT64_C(1) << take(in) % 64;
    confirmation_put(bytes, &told);
    if (confirmation_get(bytes, sizeof(bytes), &told))
        kept_take(&kept, &told);
}

/* ---- the script ---- */

static void step(struct input *in)
{
    static void (*const steps[])(struct input *) = {
        put_frame, put_frame, put_frame,    arrive,      arrive,      arrive, settle,
        tell,      tell,      tell_falsely, lose_stream, route_again, follow};
    const uint8_t what = take(in);

    if (what & 0x80) { /* time passes */
        kept.now_ns += (uint64_t)(what & 0x7f) * NS_PER_MS;
        confirm.now_ns = kept.now_ns;
        kept_tick(&kept, KEEP_NS);
        send_again();
        return;
    }
    steps[what % (sizeof(steps) / sizeof(steps[0]))](in);
}

static void check_counts(void)
{
    const struct kept_frame *frame = arena_queue_oldest(&kept.ring);
    uint64_t requests = 0, orphans = 0, waiting = 0;

    for (; frame; frame = arena_queue_next(&kept.ring, frame)) {
        const bool is_over = frame->state == KEPT_DONE;

        requests += !is_over && frame->type == FRAME_DATA ? frame->records : 0;
        orphans += frame->state == KEPT_ORPHAN;
        waiting += !is_over;
    }
    FUZZ_CHECK(requests == kept.requests && orphans == kept.orphans);
    FUZZ_CHECK(put == ended + waiting);
    for (uint8_t slot = 0; slot < SLOTS; slot++)
        FUZZ_CHECK(kept_in_flight(&kept, slot) <= kept.streams[slot].end);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};

    FUZZ_CHECK(kept_init(&kept, RING_BYTES) == 0);
    kept.on_end = on_end;
    kept.pace_bytes = RING_BYTES / 4;
    kept.now_ns = NS_PER_SEC;
    begin_receiver();
    flying_count = 0;
    put = ended = 0;
    while (in.next < in.end) {
        step(&in);
        check_counts();
    }
    kept.now_ns += 2 * KEEP_NS;
    kept_tick(&kept, KEEP_NS);
    FUZZ_CHECK(put == ended && kept.requests == 0 && kept.ring.used == 0);
    kept_fini(&kept);
    confirm_fini(&confirm);
    return 0;
}
