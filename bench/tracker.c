#include "tracker.h"

#include <errno.h>
#include <stdlib.h>

int tracker_init(struct tracker *t)
{
    *t = (struct tracker){0};
    t->slots = calloc(TRACKER_SLOTS, sizeof(*t->slots));
    t->bits = calloc(TRACKER_FLOWS, TRACKER_WINDOW / 8);
    if (t->slots && t->bits)
        return 0;
    tracker_fini(t);
    return -ENOMEM;
}

void tracker_fini(struct tracker *t)
{
    free(t->slots);
    free(t->bits);
    *t = (struct tracker){0};
}

static struct tracked_flow *start_flow(struct tracker *t, struct tracked_flow *slot,
                                       const struct payload *p)
{
    uint64_t *bits = t->bits + t->flows * (TRACKER_WINDOW / 64);

    slot->run = p->run;
    slot->flow = p->flow;
    window_init(&slot->window, bits, TRACKER_WINDOW);
    t->flows++;
    return slot;
}

struct tracked_flow *tracker_find(struct tracker *t, const struct payload *p)
{
    uint64_t at = payload_mix(p->run ^ ((uint64_t)p->flow << 48));
    struct tracked_flow *slot = t->last;

    if (slot && slot->run == p->run && slot->flow == p->flow)
        return slot;
    /* At least half of the slots are free, so the search ends. */
    for (slot = &t->slots[at % TRACKER_SLOTS]; slot->run; slot = &t->slots[++at % TRACKER_SLOTS])
        if (slot->run == p->run && slot->flow == p->flow)
            return t->last = slot;
    if (t->flows == TRACKER_FLOWS)
        return NULL;
    return t->last = start_flow(t, slot, p);
}

bool tracker_count(const struct tracker *t, uint64_t run, uint64_t *ret_unique)
{
    uint64_t unique = 0;

    for (unsigned i = 0; run && i < TRACKER_SLOTS; i++)
        if (t->slots[i].run == run)
            unique += t->slots[i].window.unique;
    if (unique)
        *ret_unique = unique;
    return unique > 0;
}

uint64_t tracker_gaps(const struct tracker *t)
{
    uint64_t gaps = 0;

    for (unsigned i = 0; i < TRACKER_SLOTS; i++)
        if (t->slots[i].run)
            gaps += window_gaps(&t->slots[i].window);
    return gaps;
}
