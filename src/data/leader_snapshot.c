#include "headless/data/leader_snapshot.h"

#include <errno.h>

void snapshot_publisher_init(struct snapshot_publisher *publisher)
{
    struct leader_snapshot *first = &publisher->buffers[0];

    memset(publisher, 0, sizeof(*publisher));
    first->generation = 1;
    first->leader.cause = "start";
    atomic_init(&first->leader.valid_until_ns, SNAPSHOT_NO_EXPIRY);
    atomic_init(&publisher->current, first);
}

void snapshot_publisher_wipe(struct snapshot_publisher *publisher)
{
    for (size_t i = 0; i < SNAPSHOT_BUFFERS; i++) {
        struct data_keys *keys = &publisher->buffers[i].keys;

        keyring_wipe(&keys->keyring);
        sodium_memzero(&keys->signing, sizeof(keys->signing));
    }
}

int snapshot_publisher_register(struct snapshot_publisher *publisher,
                                struct snapshot_reader *reader)
{
    if (publisher->reader_count == SNAPSHOT_READERS_MAX)
        return -ENOSPC;
    atomic_init(&reader->announced, SNAPSHOT_NO_EXPIRY);
    reader->snapshot = NULL;
    publisher->readers[publisher->reader_count++] = reader;
    return 0;
}

struct leader_snapshot *snapshot_current(struct snapshot_publisher *publisher)
{
    return atomic_load_explicit(&publisher->current, memory_order_relaxed);
}

/* A buffer is free when every reader is asleep or has announced a generation behind it. */
static bool is_free(const struct snapshot_publisher *publisher,
                    const struct leader_snapshot *buffer)
{
    for (size_t i = 0; i < publisher->reader_count; i++) {
        if (atomic_load_explicit(&publisher->readers[i]->announced, memory_order_seq_cst) <=
            buffer->generation)
            return false;
    }
    return true;
}

/* Not by memcpy as a whole: valid_until_ns is atomic. */
static void copy_leadership(struct leadership *to, const struct leadership *from)
{
    const size_t before = offsetof(struct leadership, valid_until_ns);
    const size_t after = offsetof(struct leadership, previous_term);

    memcpy(to, from, before);
    atomic_store_explicit(&to->valid_until_ns,
                          atomic_load_explicit(&from->valid_until_ns, memory_order_relaxed),
                          memory_order_relaxed);
    memcpy((char *)to + after, (const char *)from + after, sizeof(*to) - after);
}

struct leader_snapshot *snapshot_draft(struct snapshot_publisher *publisher)
{
    const struct leader_snapshot *current = snapshot_current(publisher);

    for (size_t i = 0; i < SNAPSHOT_BUFFERS; i++) {
        struct leader_snapshot *draft = &publisher->buffers[i];

        if (draft == current || !is_free(publisher, draft))
            continue;
        draft->generation = current->generation + 1;
        copy_leadership(&draft->leader, &current->leader);
        draft->settings = current->settings;
        draft->keys = current->keys;
        return draft;
    }
    return NULL;
}

void snapshot_publish(struct snapshot_publisher *publisher, struct leader_snapshot *draft)
{
    /* seq_cst: before the loads of announced, and before the look at the wakers' states */
    atomic_store_explicit(&publisher->current, draft, memory_order_seq_cst);
}

const struct leader_snapshot *snapshot_switch(struct snapshot_publisher *publisher,
                                              struct snapshot_reader *reader)
{
    const struct leader_snapshot *snapshot;

    if (!reader->snapshot) {
        /* Waking: first say that any generation may be in use, then look. */
        atomic_store_explicit(&reader->announced, 0, memory_order_seq_cst);
        snapshot = atomic_load_explicit(&publisher->current, memory_order_seq_cst);
    } else {
        /* acquire: pairs with snapshot_publish */
        snapshot = atomic_load_explicit(&publisher->current, memory_order_acquire);
    }
    reader->snapshot = snapshot;
    /* release: we have read the older ones for the last time */
    atomic_store_explicit(&reader->announced, snapshot->generation, memory_order_release);
    return snapshot;
}

void snapshot_release(struct snapshot_reader *reader)
{
    reader->snapshot = NULL;
    atomic_store_explicit(&reader->announced, SNAPSHOT_NO_EXPIRY, memory_order_release);
}

bool snapshot_is_newer(struct snapshot_publisher *publisher, const struct snapshot_reader *reader)
{
    return atomic_load_explicit(&publisher->current, memory_order_seq_cst) != reader->snapshot;
}

const struct member *leadership_find_member(const struct leadership *leadership,
                                            const struct address *ip)
{
    for (size_t i = 0; i < leadership->member_count; i++) {
        if (address_equal_ip(&leadership->members[i].address, ip))
            return &leadership->members[i];
    }
    return NULL;
}

const struct member *leadership_find_instance(const struct leadership *leadership,
                                              uint64_t instance)
{
    for (size_t i = 0; instance && i < leadership->member_count; i++) {
        if (leadership->members[i].instance == instance)
            return &leadership->members[i];
    }
    return NULL;
}
