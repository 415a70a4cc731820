#include "data/ingress/receiver.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>

#include "data/worker.h"
#include "headless/base/log.h"

#define RECLAIM_BATCH 64

static int pairs_init(struct receiver *receiver, size_t slots, size_t workers)
{
    int rc = 0;

    receiver->pairs = aligned_alloc(CACHE_LINE_BYTES, workers * sizeof(*receiver->pairs));
    if (!receiver->pairs)
        return -ENOMEM;
    memset(receiver->pairs, 0, workers * sizeof(*receiver->pairs));
    for (; !rc && receiver->pair_count < workers; receiver->pair_count++) {
        struct ring_pair *pair = &receiver->pairs[receiver->pair_count];

        rc = ring_init(&pair->out, (uint32_t)slots, 0);
        if (!rc)
            rc = ring_init(&pair->back, (uint32_t)slots, 0);
    }
    return rc;
}

int receiver_init(struct receiver *receiver, enum datagram_source source, size_t slots,
                  size_t batch, size_t workers)
{
    int rc;

    memset(receiver, 0, sizeof(*receiver));
    receiver->source = source;
    receiver->batch = batch;
    randombytes_buf(receiver->hash_key, sizeof(receiver->hash_key));
    rc = waker_init(&receiver->waker, false);
    if (!rc)
        rc = slab_init(&receiver->slab, slots, 2 * batch);
    if (!rc)
        rc = inbox_init(&receiver->inbox, batch);
    if (!rc && workers)
        rc = pairs_init(receiver, slots, workers);
    if (rc)
        receiver_fini(receiver);
    return rc;
}

void receiver_fini(struct receiver *receiver)
{
    for (size_t i = 0; i < receiver->pair_count; i++) {
        ring_fini(&receiver->pairs[i].out);
        ring_fini(&receiver->pairs[i].back);
    }
    free(receiver->pairs);
    receiver->pairs = NULL;
    receiver->pair_count = 0;
    inbox_fini(&receiver->inbox);
    slab_fini(&receiver->slab);
}

static void arm_position(struct receiver *receiver, size_t index, struct datagram *datagram)
{
    inbox_arm(&receiver->inbox, index, datagram->slot, SLOT_BYTES, datagram->spill + SLOT_BYTES,
              SPILL_BYTES - SLOT_BYTES);
    receiver->armed[index] = datagram;
}

/*
 * Arms only the positions that the last read used up: a read of one datagram must not pay for a whole
 * batch. When the slab runs short, buffers from the end of the armed range fill the front.
 */
static void arm_used(struct receiver *receiver)
{
    struct datagram *datagram;
    size_t index;

    for (index = 0; index < receiver->used_count; index++) {
        datagram = slab_take(&receiver->slab);
        if (!datagram && receiver->armed_count > receiver->used_count)
            datagram = receiver->armed[--receiver->armed_count];
        if (!datagram)
            break;
        arm_position(receiver, index, datagram);
    }
    if (index < receiver->used_count)
        receiver->armed_count = index;
    receiver->used_count = 0;
    while (receiver->armed_count < receiver->batch && (datagram = slab_take(&receiver->slab)))
        arm_position(receiver, receiver->armed_count++, datagram);
}

/* Turns the message in one position into a datagram or GRO batch. False: it was truncated, and is
 * counted. */
static bool fill_datagram(struct receiver *receiver, size_t index, const struct address *local,
                          uint64_t session)
{
    struct datagram *datagram = receiver->armed[index];
    struct inbox_message message;

    inbox_read(&receiver->inbox, index, &message);
    datagram->source = (uint8_t)receiver->source;
    datagram->tos = message.tos;
    datagram->ttl = message.ttl;
    datagram->peer = message.peer;
    datagram->local = address_is_set(&message.local) ? message.local : *local;
    datagram->local.port = local->port;
    datagram->session = session;
    datagram->length = message.length;
    datagram->segment = message.segment < message.length ? message.segment : 0;
    datagram->payload = datagram->slot;
    if (message.truncated) { /* cannot happen below 66 KiB */
        counters_drop(&receiver->counters, DROP_truncated, datagram_count(datagram));
        return false;
    }
    if (message.length > SLOT_BYTES) {
        memcpy(datagram->spill, datagram->slot, SLOT_BYTES);
        datagram->payload = datagram->spill;
    } else {
        slab_give_spill(&receiver->slab, datagram);
    }
    return true;
}

int receiver_read(struct receiver *receiver, int fd, const struct address *local, uint64_t session,
                  int flags)
{
    uint64_t datagrams = 0, bytes = 0;
    int kept = 0;
    int n;

    arm_used(receiver);
    if (receiver->armed_count == 0)
        return -ENOBUFS;
    n = inbox_receive(&receiver->inbox, fd, receiver->armed_count, flags);
    for (int i = 0; i < n; i++) {
        struct datagram *datagram = receiver->armed[i];

        if (fill_datagram(receiver, (size_t)i, local, session))
            receiver->received[kept++] = datagram;
        else
            slab_give(&receiver->slab, datagram);
        datagrams += datagram_count(datagram);
        bytes += datagram->length;
    }
    receiver->used_count = n > 0 ? (size_t)n : 0;
    if (n <= 0)
        return n;
    counters_add(&receiver->counters, COUNTER_RECEIVE_CALLS, 1);
    counters_add(&receiver->counters, COUNTER_RECEIVE_GRO_BATCHES, (uint64_t)n);
    counters_add(&receiver->counters, COUNTER_RECEIVE_DATAGRAMS, datagrams);
    counters_observe(&receiver->counters, DISTRIBUTION_RECEIVE_BATCH, datagrams);
    if (receiver->source == SOURCE_DATA) {
        counters_add(&receiver->counters, COUNTER_RECEIVED_DATA, datagrams);
        counters_add(&receiver->counters, COUNTER_BYTES_DATA, bytes);
    } else if (receiver->source == SOURCE_GROUP) {
        counters_add(&receiver->counters, COUNTER_RECEIVED_GROUP, datagrams);
        counters_add(&receiver->counters, COUNTER_BYTES_GROUP, bytes);
    }
    return kept;
}

static size_t choose_pair(const struct receiver *receiver, const struct datagram *datagram)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t number;

    if (receiver->pair_count == 1)
        return 0;
    (void)crypto_shorthash(hash, (const uint8_t *)&datagram->peer, sizeof(datagram->peer),
                           receiver->hash_key);
    memcpy(&number, hash, sizeof(number));
    return number % receiver->pair_count;
}

void receiver_dispatch(struct receiver *receiver, size_t n)
{
    struct worker *last = NULL;

    for (size_t i = 0; i < n; i++) {
        struct datagram *datagram = receiver->received[i];
        struct ring_pair *pair = &receiver->pairs[choose_pair(receiver, datagram)];

        /* Never full: the ring has a place for every slot of the slab. */
        (void)ring_try_stage(&pair->out, datagram);
        pair->staged += datagram_count(datagram);
    }
    for (size_t i = 0; i < receiver->pair_count; i++) {
        struct ring_pair *pair = &receiver->pairs[i];

        atomic_store_explicit(&pair->dealt, pair->staged, memory_order_relaxed);
        if (!ring_publish(&pair->out))
            continue;
        if (last)
            worker_wake(last);
        last = pair->worker;
    }
    if (last)
        worker_call(last, n); /* the others are awake by now */
}

void receiver_reclaim(struct receiver *receiver)
{
    void *returned[RECLAIM_BATCH];
    size_t n;

    for (size_t i = 0; i < receiver->pair_count; i++) {
        while ((n = ring_take(&receiver->pairs[i].back, returned, RECLAIM_BATCH)) > 0) {
            for (size_t k = 0; k < n; k++)
                slab_give(&receiver->slab, returned[k]);
        }
    }
}

void receiver_recycle(struct receiver *receiver, struct datagram *const *datagrams, size_t n)
{
    for (size_t i = 0; i < n; i++)
        slab_give(&receiver->slab, datagrams[i]);
}

void receiver_wait_for_slots(struct receiver *receiver)
{
    waker_prepare(&receiver->waker);
    for (size_t i = 0; i < receiver->pair_count; i++) {
        if (!ring_is_empty(&receiver->pairs[i].back)) {
            waker_cancel(&receiver->waker);
            return;
        }
    }
    waker_sleep(&receiver->waker, AGENT_IDLE_MAX_NS);
}

static size_t receiver_do_work(void *self)
{
    struct receiver *receiver = self;
    int flags = agent_is_stopping(&receiver->agent) ? MSG_DONTWAIT : MSG_WAITFORONE;
    int n;

    receiver_reclaim(receiver);
    n = receiver_read(receiver, receiver->socket->fd, &receiver->socket->local, 0, flags);
    if (n == -ENOBUFS) {
        receiver_wait_for_slots(receiver);
        return 1; /* the socket was not read yet */
    }
    if (n <= 0) /* timeout, EINTR, or a pending error that concerns no datagram */
        return 0;
    receiver_dispatch(receiver, (size_t)n);
    return (size_t)n;
}

const struct agent_ops receiver_agent_ops = {.do_work = receiver_do_work, .idle = NULL};

/* The two are not read at one moment. taken is read first, so that the difference is never
 * negative. */
static uint64_t pair_queued(const struct ring_pair *pair)
{
    uint64_t taken = atomic_load_explicit(&pair->taken, memory_order_acquire);

    return atomic_load_explicit(&pair->dealt, memory_order_relaxed) - taken;
}

uint64_t receiver_queued(const struct receiver *receiver)
{
    uint64_t queued = 0;

    for (size_t i = 0; i < receiver->pair_count; i++)
        queued += pair_queued(&receiver->pairs[i]);
    return queued;
}
