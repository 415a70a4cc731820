#include "places.h"

#include <errno.h>
#include <stdlib.h>

struct place {
    uint64_t sequence, sent_ns;
    uint16_t flow;
    uint16_t next, previous; /* in use: the list; free: next free one, previous unused */
    bool used;
};

int places_init(struct places *ps, unsigned capacity)
{
    struct place *all = calloc(capacity + 1U, sizeof(*all));

    if (!all)
        return -ENOMEM;
    for (unsigned i = 1; i < capacity; i++)
        all[i].next = (uint16_t)(i + 1);
    *ps = (struct places){.places = all, .first_free = 1, .capacity = capacity};
    return 0;
}

void places_fini(struct places *ps)
{
    free(ps->places);
    *ps = (struct places){0};
}

uint16_t places_take(struct places *ps, uint16_t flow, uint64_t sequence, uint64_t sent_ns)
{
    struct place *head = &ps->places[0];
    uint16_t tag = ps->first_free;
    struct place *p = &ps->places[tag];

    ps->first_free = p->next;
    *p = (struct place){.sequence = sequence,
                        .sent_ns = sent_ns,
                        .flow = flow,
                        .previous = head->previous,
                        .used = true};
    ps->places[head->previous].next = tag;
    head->previous = tag;
    ps->used++;
    return tag;
}

static void free_place(struct places *ps, uint16_t tag)
{
    struct place *p = &ps->places[tag];

    ps->places[p->previous].next = p->next;
    ps->places[p->next].previous = p->previous;
    p->used = false;
    p->next = ps->first_free;
    ps->first_free = tag;
    ps->used--;
}

bool places_release(struct places *ps, uint16_t tag, uint16_t flow, uint64_t sequence)
{
    const struct place *p = &ps->places[tag];

    if (tag == 0 || tag > ps->capacity || !p->used || p->flow != flow || p->sequence != sequence)
        return false;
    free_place(ps, tag);
    return true;
}

unsigned places_expire(struct places *ps, uint64_t sent_before_ns)
{
    unsigned expired = 0;

    while (places_oldest_ns(ps) < sent_before_ns) {
        free_place(ps, ps->places[0].next);
        expired++;
    }
    return expired;
}

uint64_t places_oldest_ns(const struct places *ps)
{
    return ps->used ? ps->places[ps->places[0].next].sent_ns : UINT64_MAX;
}
