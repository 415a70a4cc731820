#include "data/relay/confirm.h"

#include <errno.h>
#include <stdlib.h>

int confirm_init(struct confirm *confirm, uint32_t count)
{
    *confirm = (struct confirm){.count = count};
    confirm->streams = calloc(count, sizeof(*confirm->streams));
    confirm->list = calloc(count, sizeof(*confirm->list));
    if (confirm->streams && confirm->list)
        return 0;
    confirm_fini(confirm);
    return -ENOMEM;
}

void confirm_fini(struct confirm *confirm)
{
    free(confirm->streams);
    free(confirm->list);
    *confirm = (struct confirm){0};
}

/* ---- frames ---- */

static void enlist(struct confirm *confirm, struct confirm_stream *stream, uint32_t index)
{
    if (stream->is_listed)
        return;
    stream->is_listed = true;
    confirm->list[confirm->listed++] = index;
}

static void begin_stream(struct confirm_stream *stream, uint64_t instance,
                         const struct frame_place *place)
{
    bool is_listed = stream->is_listed;

    *stream = (struct confirm_stream){.instance = instance,
                                      .id = place->stream,
                                      .next = place->oldest,
                                      .gated = place->oldest,
                                      .settled = place->oldest,
                                      .told_next = place->oldest,
                                      .told_settled = place->oldest,
                                      .is_listed = is_listed};
}

/* Tell it soon. */
static void ask(const struct confirm *confirm, struct confirm_stream *stream, uint64_t delay_ns)
{
    uint64_t due_ns = confirm->now_ns + delay_ns;

    if (stream->told_ns && due_ns < stream->told_ns + CONFIRM_PAUSE_NS)
        due_ns = stream->told_ns + CONFIRM_PAUSE_NS;
    if (!stream->is_asked || due_ns < stream->due_ns)
        stream->due_ns = due_ns;
    stream->is_asked = true;
}

/* The stream of this frame; NULL: it is over. */
static struct confirm_stream *find(struct confirm *confirm, uint32_t index, uint64_t instance,
                                   const struct frame_place *place)
{
    struct confirm_stream *stream = &confirm->streams[index];

    if (stream->instance != instance || place->stream > stream->id)
        begin_stream(stream, instance, place);
    else if (place->stream < stream->id)
        return NULL;
    enlist(confirm, stream, index);
    if (place->oldest > stream->next)
        stream->next = place->oldest; /* the sender has forgotten those before it */
    return stream;
}

enum confirm_verdict confirm_take(struct confirm *confirm, uint32_t index, uint64_t instance,
                                  const struct frame_place *place)
{
    struct confirm_stream *stream = find(confirm, index, instance, place);

    if (!stream)
        return CONFIRM_DUPLICATE;
    if (place->number < stream->next) {
        ask(confirm, stream, 0);
        return CONFIRM_DUPLICATE;
    }
    if (place->number > stream->next) {
        stream->has_gap = true;
        ask(confirm, stream, 0);
        return CONFIRM_AHEAD;
    }
    stream->next++;
    stream->has_gap = false;
    if (++stream->frames >= CONFIRM_FRAMES)
        ask(confirm, stream, 0);
    else if (!stream->is_asked)
        ask(confirm, stream, CONFIRM_DELAY_NS);
    return CONFIRM_TAKEN;
}

void confirm_refuse(struct confirm *confirm, uint32_t index, uint64_t instance,
                    const struct frame_place *place)
{
    struct confirm_stream *stream = find(confirm, index, instance, place);

    if (!stream)
        return;
    if (place->number < stream->next)
        ask(confirm, stream, 0); /* its confirmation may have been lost */
    else
        stream->is_refused = confirm->has_refused = true;
}

void confirm_resume(struct confirm *confirm)
{
    for (uint32_t i = 0; i < confirm->listed && confirm->has_refused; i++) {
        struct confirm_stream *stream = &confirm->streams[confirm->list[i]];

        if (!stream->is_refused)
            continue;
        stream->is_refused = false;
        stream->has_gap = true;
        ask(confirm, stream, 0);
    }
    confirm->has_refused = false;
}

/* ---- the gate ---- */

static bool confirm_is_open(const struct confirm *confirm, const uint64_t put[static CONFIRM_GATES],
                            const uint64_t left[static CONFIRM_GATES])
{
    for (size_t i = 0; i < CONFIRM_GATES; i++) {
        /* A place that was emptied in another way has fewer than the mark. */
        uint64_t mark = put[i] < confirm->mark[i] ? put[i] : confirm->mark[i];

        if (left[i] < mark)
            return false;
    }
    return true;
}

static void pass_gate(struct confirm *confirm)
{
    for (uint32_t i = 0; i < confirm->listed; i++) {
        struct confirm_stream *stream = &confirm->streams[confirm->list[i]];

        stream->settled = stream->gated;
        if (stream->settled != stream->told_settled && !stream->is_asked)
            ask(confirm, stream, CONFIRM_DELAY_NS);
    }
    confirm->is_gated = false;
}

static void set_gate(struct confirm *confirm, const uint64_t put[static CONFIRM_GATES])
{
    for (uint32_t i = 0; i < confirm->listed; i++) {
        struct confirm_stream *stream = &confirm->streams[confirm->list[i]];

        stream->gated = stream->next;
    }
    for (size_t i = 0; i < CONFIRM_GATES; i++)
        confirm->mark[i] = put[i];
    confirm->is_gated = true;
}

void confirm_settle(struct confirm *confirm, const uint64_t put[static CONFIRM_GATES],
                    const uint64_t left[static CONFIRM_GATES])
{
    if (confirm->listed == 0)
        return;
    if (confirm->is_gated && !confirm_is_open(confirm, put, left))
        return;
    if (confirm->is_gated)
        pass_gate(confirm);
    set_gate(confirm, put);
    if (confirm_is_open(confirm, put, left))
        pass_gate(confirm);
}

/* ---- telling ---- */

static bool has_news(const struct confirm_stream *stream)
{
    return stream->next != stream->told_next || stream->settled != stream->told_settled;
}

bool confirm_is_due(const struct confirm *confirm, uint32_t index, bool goes_along)
{
    const struct confirm_stream *stream = &confirm->streams[index];

    return (goes_along && has_news(stream) &&
            confirm->now_ns >= stream->told_ns + CONFIRM_PAUSE_NS) ||
           (stream->is_asked && confirm->now_ns >= stream->due_ns);
}

struct confirmation confirm_tell(struct confirm *confirm, uint32_t index)
{
    struct confirm_stream *stream = &confirm->streams[index];

    stream->told_next = stream->next;
    stream->told_settled = stream->settled;
    stream->told_ns = confirm->now_ns;
    stream->frames = 0;
    stream->is_asked = false;
    return (struct confirmation){.to = stream->instance,
                                 .stream = stream->id,
                                 .flags = stream->has_gap ? CONFIRMATION_GAP : 0,
                                 .received = stream->next - 1,
                                 .confirmed = stream->settled - 1};
}

void confirm_tidy(struct confirm *confirm)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < confirm->listed; i++) {
        struct confirm_stream *stream = &confirm->streams[confirm->list[i]];

        stream->is_listed = has_news(stream) || stream->is_asked || stream->is_refused ||
                            stream->settled != stream->next;
        if (stream->is_listed)
            confirm->list[kept++] = confirm->list[i];
    }
    confirm->listed = kept;
}

uint64_t confirm_sleep_ns(const struct confirm *confirm)
{
    uint64_t sleep_ns = UINT64_MAX;

    for (uint32_t i = 0; i < confirm->listed; i++) {
        const struct confirm_stream *stream = &confirm->streams[confirm->list[i]];
        uint64_t due_ns = stream->due_ns > confirm->now_ns ? stream->due_ns - confirm->now_ns : 0;

        if (stream->is_asked && due_ns < sleep_ns)
            sleep_ns = due_ns;
    }
    return sleep_ns;
}
