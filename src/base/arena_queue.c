#include "headless/base/arena_queue.h"

#include <errno.h>
#include <sys/mman.h>

/* In front of each entry. */
struct head {
    _Alignas(16) size_t bytes; /* of the whole entry, this head included */
    bool is_filler;
};

_Static_assert(sizeof(struct head) <= ARENA_QUEUE_ALIGN, "a filler's head must fit every rest");

int arena_queue_init(struct arena_queue *queue, size_t arena_bytes)
{
    *queue = (struct arena_queue){0};
    arena_bytes -= arena_bytes % ARENA_QUEUE_ALIGN;
    if (arena_bytes == 0)
        return 0;
    queue->arena = mmap(NULL, arena_bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (queue->arena == MAP_FAILED) {
        queue->arena = NULL;
        return -ENOMEM;
    }
    queue->arena_bytes = arena_bytes;
    return 0;
}

void arena_queue_fini(struct arena_queue *queue)
{
    if (queue->arena)
        (void)munmap(queue->arena, queue->arena_bytes);
    *queue = (struct arena_queue){0};
}

size_t arena_queue_bytes(size_t size)
{
    size_t bytes = sizeof(struct head) + size;

    return bytes + (ARENA_QUEUE_ALIGN - bytes % ARENA_QUEUE_ALIGN) % ARENA_QUEUE_ALIGN;
}

static struct head *head_at(const struct arena_queue *queue, size_t offset)
{
    return (struct head *)(void *)(queue->arena + offset);
}

/* Room for bytes in one piece, behind a filler if need be; or NULL, and nothing has changed. */
static struct head *find_room(struct arena_queue *queue, size_t bytes)
{
    size_t tail, rest;

    if (bytes > queue->arena_bytes)
        return NULL;
    tail = queue->head + queue->used;
    tail -= tail >= queue->arena_bytes ? queue->arena_bytes : 0;
    rest = queue->arena_bytes - tail;
    if (queue->arena_bytes - queue->used < (rest < bytes ? rest + bytes : bytes))
        return NULL;
    if (rest >= bytes)
        return head_at(queue, tail);
    *head_at(queue, tail) = (struct head){.bytes = rest, .is_filler = true};
    queue->used += rest;
    return head_at(queue, 0);
}

void *arena_queue_put(struct arena_queue *queue, size_t size)
{
    size_t bytes = arena_queue_bytes(size);
    struct head *head = find_room(queue, bytes);

    if (!head)
        return NULL;
    *head = (struct head){.bytes = bytes};
    queue->used += bytes;
    return head + 1;
}

static void remove_oldest(struct arena_queue *queue)
{
    queue->used -= head_at(queue, queue->head)->bytes;
    queue->head += head_at(queue, queue->head)->bytes;
    if (queue->head == queue->arena_bytes || queue->used == 0)
        queue->head = 0;
}

void *arena_queue_oldest(struct arena_queue *queue)
{
    while (queue->used > 0 && head_at(queue, queue->head)->is_filler)
        remove_oldest(queue);
    return queue->used > 0 ? head_at(queue, queue->head) + 1 : NULL;
}

void arena_queue_pop(struct arena_queue *queue)
{
    if (arena_queue_oldest(queue))
        remove_oldest(queue);
}

/* From the head of the queue to this entry. */
static size_t distance(const struct arena_queue *queue, const void *entry)
{
    size_t offset = (size_t)((const uint8_t *)entry - sizeof(struct head) - queue->arena);

    return (offset + queue->arena_bytes - queue->head) % queue->arena_bytes;
}

size_t arena_queue_since(const struct arena_queue *queue, const void *entry)
{
    return queue->used - distance(queue, entry);
}

void *arena_queue_next(const struct arena_queue *queue, const void *entry)
{
    const struct head *head = (const struct head *)entry - 1;
    size_t next = distance(queue, entry) + head->bytes;

    for (; next < queue->used; next += head->bytes) {
        head = head_at(queue, (queue->head + next) % queue->arena_bytes);
        if (!head->is_filler)
            return (void *)(uintptr_t)(head + 1);
    }
    return NULL;
}

void arena_queue_cut(struct arena_queue *queue, const void *entry)
{
    (void)arena_queue_oldest(queue); /* no filler at the head */
    queue->used = distance(queue, entry);
    if (queue->used == 0)
        queue->head = 0;
}
