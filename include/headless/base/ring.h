/*
 * ring: a lock-free queue of pointers from one thread to one other (SPSC).
 *
 *   producer:  ring_try_stage(a), ring_try_stage(b), ...   then once a batch: ring_publish
 *   consumer:  n = ring_take(out, max)
 *
 * Free-running indices and a mask: tail - head is the number of elements, also when they wrap.
 * Each side keeps its own copy of the other's index and looks at the shared one only when that copy
 * says full or empty, so in the steady state a batch costs one shared load and one shared store.
 * Each side's fields have cache lines of their own.
 *
 * Synchronization:
 *   slots[i]   plain; written before the store of tail, read after the load of it
 *   tail       stored seq_cst by the producer (ring_publish): with ring_is_empty it is one half of
 *              the Dekker pair that base/waker.h explains; loaded acquire by ring_take
 *   head       stored release by the consumer (ring_take) when slots are free again;
 *              loaded acquire by the producer (ring_try_stage)
 *
 * Technique: aeron_spsc_concurrent_array_queue (cached other index), ck_ring (free-running
 * indices). Threads: one producer, one consumer; ring_count: any. Never blocks. Only init
 * allocates.
 */
#ifndef HEADLESS_BASE_RING_H
#define HEADLESS_BASE_RING_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CACHE_LINE_BYTES 64

struct ring {
    /* Constant after init. */
    _Alignas(CACHE_LINE_BYTES) void **slots;
    uint32_t mask;

    /* Producer's line. */
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t tail; /* published: pairs with ring_take */
    uint32_t staged;    /* index behind the last written element, published or not */
    uint32_t head_seen; /* the producer's copy of head */

    /* Consumer's line. */
    _Alignas(CACHE_LINE_BYTES) _Atomic uint32_t head; /* consumed: pairs with ring_try_stage */
    uint32_t taken;                                   /* index of the next element to read */
    uint32_t tail_seen;                               /* the consumer's copy of tail */
};

/*
 * capacity: a power of two, 2..2^30. Returns 0, -EINVAL or -ENOMEM. start: the first value of the
 * indices, 0 except in tests of their wrap.
 */
int ring_init(struct ring *ring, uint32_t capacity, uint32_t start)
    __attribute__((warn_unused_result));
void ring_fini(struct ring *ring);

/* Producer: append one element, which the consumer sees after ring_publish. False: full. */
static inline bool ring_try_stage(struct ring *ring, void *element)
{
    if (ring->staged - ring->head_seen > ring->mask) {
        /* acquire: pairs with the release in ring_take; the slot was read before it is reused */
        ring->head_seen = atomic_load_explicit(&ring->head, memory_order_acquire);
        if (ring->staged - ring->head_seen > ring->mask)
            return false;
    }
    ring->slots[ring->staged++ & ring->mask] = element;
    return true;
}

/* Producer: publish all staged elements. True if there were any: then wake the consumer. */
static inline bool ring_publish(struct ring *ring)
{
    if (atomic_load_explicit(&ring->tail, memory_order_relaxed) == ring->staged)
        return false;
    /* seq_cst: ordered before the load of the consumer's sleep flag (waker_wake) */
    atomic_store_explicit(&ring->tail, ring->staged, memory_order_seq_cst);
    return true;
}

/* Consumer: take up to max elements, oldest first; returns their number. */
static inline size_t ring_take(struct ring *ring, void **ret_elements, size_t max)
{
    size_t n;

    if (ring->tail_seen == ring->taken) {
        /* acquire: pairs with ring_publish; the elements were written before */
        ring->tail_seen = atomic_load_explicit(&ring->tail, memory_order_acquire);
        if (ring->tail_seen == ring->taken)
            return 0;
    }
    n = ring->tail_seen - ring->taken;
    if (n > max)
        n = max;
    for (size_t i = 0; i < n; i++)
        ret_elements[i] = ring->slots[ring->taken++ & ring->mask];
    /* release: pairs with ring_try_stage; the reads of the slots come first */
    atomic_store_explicit(&ring->head, ring->taken, memory_order_release);
    return n;
}

/* Consumer: the check between waker_prepare and waker_sleep. */
static inline bool ring_is_empty(struct ring *ring)
{
    /* seq_cst: ordered after the store of our sleep flag (waker_prepare) */
    return atomic_load_explicit(&ring->tail, memory_order_seq_cst) == ring->taken;
}

/* Any thread: elements published and not taken; may be outdated when it returns. */
static inline uint32_t ring_count(const struct ring *ring)
{
    uint32_t head = atomic_load_explicit(&ring->head, memory_order_acquire);

    return atomic_load_explicit(&ring->tail, memory_order_acquire) - head;
}

#endif
