#include "data/relay/kept_replies.h"

#include <errno.h>
#include <sys/mman.h>

/* NULL or memory of zeros, which is taken from the machine when it is touched. */
static void *reserve(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

int kept_replies_init(struct kept_replies *replies, uint32_t count)
{
    *replies = (struct kept_replies){.mask = count - 1};
    replies->tickets = reserve(count * sizeof(*replies->tickets));
    replies->lists = reserve(count * sizeof(*replies->lists));
    if (replies->tickets && replies->lists)
        return 0;
    kept_replies_fini(replies);
    return -ENOMEM;
}

void kept_replies_fini(struct kept_replies *replies)
{
    size_t count = (size_t)replies->mask + 1;

    if (replies->tickets)
        (void)munmap(replies->tickets, count * sizeof(*replies->tickets));
    if (replies->lists)
        (void)munmap(replies->lists, count * sizeof(*replies->lists));
    *replies = (struct kept_replies){0};
}

static struct kept_ticket *ticket_at(const struct kept_replies *replies, uint64_t number)
{
    return &replies->tickets[number & replies->mask];
}

/* A tag is a hash already. */
static struct kept_list *list_of(const struct kept_replies *replies, uint64_t tag)
{
    return &replies->lists[tag & replies->mask];
}

/* Remove those that are over from the beginning of a list. */
static void trim(struct kept_replies *replies, struct kept_list *list)
{
    while (list->first && replies->tickets[list->first - 1].is_over)
        list->first = replies->tickets[list->first - 1].next;
    if (!list->first)
        list->last = 0;
}

/* Every ticket before the oldest is over, so its list begins with it or behind it. */
static void advance(struct kept_replies *replies)
{
    while (replies->oldest < replies->next && ticket_at(replies, replies->oldest)->is_over) {
        trim(replies, list_of(replies, ticket_at(replies, replies->oldest)->tag));
        replies->oldest++;
    }
}

static void replied(struct kept *kept, struct kept_ticket *ticket)
{
    struct kept_frame *frame = ticket->frame;

    ticket->is_over = true;
    if (!frame || frame->unreplied == 0)
        return;
    if (--frame->unreplied == 0)
        kept_finish(kept, frame);
}

uint64_t kept_replies_issue(struct kept_replies *replies, struct kept *kept, uint64_t tag)
{
    struct kept_list *list = list_of(replies, tag);
    uint32_t place = (uint32_t)(replies->next & replies->mask) + 1;

    if (replies->next - replies->oldest > replies->mask) {
        replied(kept, ticket_at(replies, replies->oldest));
        advance(replies);
    }
    *ticket_at(replies, replies->next) = (struct kept_ticket){.tag = tag};
    if (list->last)
        replies->tickets[list->last - 1].next = place;
    else
        list->first = place;
    list->last = place;
    return replies->next++;
}

void kept_replies_bind(struct kept_replies *replies, struct kept_frame *frame, uint64_t first,
                       uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct kept_ticket *ticket = ticket_at(replies, first + i);

        ticket->frame = frame;
        ticket->is_over |= !frame;
    }
    advance(replies);
}

void kept_replies_pass(struct kept_replies *replies, struct kept *kept, uint64_t tag)
{
    struct kept_list *list = list_of(replies, tag);
    uint32_t place = list->first;

    while (place && (replies->tickets[place - 1].is_over || replies->tickets[place - 1].tag != tag))
        place = replies->tickets[place - 1].next;
    if (!place)
        return; /* a push, or a reply to a request that was forgotten */
    replied(kept, &replies->tickets[place - 1]);
    trim(replies, list);
    advance(replies);
}

void kept_replies_add(struct kept_replies *replies, struct kept *kept, uint64_t tag)
{
    if (replies->leaving_count == KEPT_REPLIES_BATCH) /* the outbox had no room for more either */
        kept_replies_flush(replies, kept, true);
    replies->leaving[replies->leaving_count++] = tag;
}

void kept_replies_flush(struct kept_replies *replies, struct kept *kept, bool have_passed)
{
    for (uint32_t i = 0; i < replies->leaving_count && have_passed; i++)
        kept_replies_pass(replies, kept, replies->leaving[i]);
    replies->leaving_count = 0;
}

void kept_replies_end(struct kept_replies *replies, const struct kept_frame *frame)
{
    for (uint32_t i = 0; i < frame->records; i++) {
        struct kept_ticket *ticket = ticket_at(replies, frame->first_ticket + i);

        if (ticket->frame == frame)
            ticket->is_over = true;
    }
    advance(replies);
}
