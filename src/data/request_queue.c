#include "headless/data/request_queue.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

_Static_assert(sizeof(struct queued_request) <= REQUEST_QUEUE_ALIGN,
               "a filler's head must fit every rest");

int request_queue_init(struct request_queue *queue, size_t arena_bytes)
{
    *queue = (struct request_queue){0};
    arena_bytes -= arena_bytes % REQUEST_QUEUE_ALIGN;
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

void request_queue_fini(struct request_queue *queue)
{
    if (queue->arena)
        (void)munmap(queue->arena, queue->arena_bytes);
    *queue = (struct request_queue){0};
}

size_t request_queue_bytes(const struct request *request)
{
    size_t bytes = sizeof(struct queued_request) + request->record.length;

    return bytes + (REQUEST_QUEUE_ALIGN - bytes % REQUEST_QUEUE_ALIGN) % REQUEST_QUEUE_ALIGN;
}

static struct queued_request *entry_at(const struct request_queue *queue, size_t offset)
{
    return (struct queued_request *)(void *)(queue->arena + offset);
}

/* Room for bytes in one piece, behind a filler if need be; or NULL, and nothing has changed. */
static struct queued_request *find_room(struct request_queue *queue, size_t bytes)
{
    size_t tail, rest;

    if (bytes > queue->arena_bytes)
        return NULL;
    tail = (queue->head + queue->used) % queue->arena_bytes;
    rest = queue->arena_bytes - tail;
    if (queue->arena_bytes - queue->used < (rest < bytes ? rest + bytes : bytes))
        return NULL;
    if (rest >= bytes)
        return entry_at(queue, tail);
    *entry_at(queue, tail) = (struct queued_request){.bytes = rest, .is_filler = true};
    queue->used += rest;
    return entry_at(queue, 0);
}

struct queued_request *request_queue_put(struct request_queue *queue, const struct request *request)
{
    size_t bytes = request_queue_bytes(request);
    struct queued_request *entry = find_room(queue, bytes);
    uint8_t *payload;

    if (!entry)
        return NULL;
    payload = (uint8_t *)(entry + 1);
    *entry = (struct queued_request){.bytes = bytes, .request = *request};
    memcpy(payload, request->record.payload, request->record.length);
    entry->request.record.payload = payload;
    queue->used += bytes;
    return entry;
}

static void forget_oldest(struct request_queue *queue)
{
    size_t bytes = entry_at(queue, queue->head)->bytes;

    queue->head = (queue->head + bytes) % queue->arena_bytes;
    queue->used -= bytes;
    if (queue->used == 0)
        queue->head = 0;
}

struct queued_request *request_queue_oldest(struct request_queue *queue)
{
    while (queue->used > 0 && entry_at(queue, queue->head)->is_filler)
        forget_oldest(queue);
    return queue->used > 0 ? entry_at(queue, queue->head) : NULL;
}

void request_queue_pop(struct request_queue *queue)
{
    if (request_queue_oldest(queue))
        forget_oldest(queue);
}

/* From where the oldest begins to this one. */
static size_t distance(const struct request_queue *queue, const struct queued_request *entry)
{
    size_t offset = (size_t)((const uint8_t *)entry - queue->arena);

    return (offset + queue->arena_bytes - queue->head) % queue->arena_bytes;
}

size_t request_queue_since(const struct request_queue *queue, const struct queued_request *entry)
{
    return queue->used - distance(queue, entry);
}

void request_queue_cut(struct request_queue *queue, const struct queued_request *entry)
{
    (void)request_queue_oldest(queue); /* no filler at the head */
    queue->used = distance(queue, entry);
    if (queue->used == 0)
        queue->head = 0;
}
