#include "headless/data/leader_snapshot.h"

#include <errno.h>

static uint64_t valid_until(const struct leader_snapshot *snapshot)
{
    return atomic_load_explicit(&snapshot->valid_until_ns, memory_order_relaxed);
}

void snapshot_publisher_init(struct snapshot_publisher *publisher)
{
    memset(publisher, 0, sizeof(*publisher));
    publisher->slots[0].generation = 1;
    publisher->slots[0].cause = "start";
    atomic_init(&publisher->slots[0].valid_until_ns, SNAPSHOT_NO_EXPIRY);
    atomic_init(&publisher->current, &publisher->slots[0]);
}

void snapshot_publisher_wipe(struct snapshot_publisher *publisher)
{
    for (size_t i = 0; i < SNAPSHOT_BUFFERS; i++) {
        keyring_wipe(&publisher->slots[i].keyring);
        sodium_memzero(&publisher->slots[i].signing, sizeof(publisher->slots[i].signing));
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

/* A slot is free when every reader is asleep or has announced a generation behind it. */
static bool slot_is_free(const struct snapshot_publisher *publisher,
                         const struct leader_snapshot *slot)
{
    for (size_t i = 0; i < publisher->reader_count; i++) {
        if (atomic_load_explicit(&publisher->readers[i]->announced, memory_order_seq_cst) <=
            slot->generation)
            return false;
    }
    return true;
}

struct leader_snapshot *snapshot_draft(struct snapshot_publisher *publisher)
{
    struct leader_snapshot *current = snapshot_current(publisher);

    for (size_t i = 0; i < SNAPSHOT_BUFFERS; i++) {
        struct leader_snapshot *slot = &publisher->slots[i];

        if (slot == current || !slot_is_free(publisher, slot))
            continue;
        memcpy(slot, current, offsetof(struct leader_snapshot, valid_until_ns));
        atomic_store_explicit(&slot->valid_until_ns, valid_until(current), memory_order_relaxed);
        memcpy((char *)slot + offsetof(struct leader_snapshot, previous_term),
               (char *)current + offsetof(struct leader_snapshot, previous_term),
               sizeof(*slot) - offsetof(struct leader_snapshot, previous_term));
        slot->generation = current->generation + 1;
        return slot;
    }
    return NULL;
}

void snapshot_publish(struct snapshot_publisher *publisher, struct leader_snapshot *draft)
{
    /* seq_cst: before the loads of announced, and before the look at the wakers' states */
    atomic_store_explicit(&publisher->current, draft, memory_order_seq_cst);
}

const struct leader_snapshot *snapshot_acquire(struct snapshot_publisher *publisher,
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
        if (snapshot == reader->snapshot)
            return snapshot;
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

const struct member *leader_snapshot_find_member(const struct leader_snapshot *snapshot,
                                                 const struct address *ip)
{
    for (size_t i = 0; i < snapshot->member_count; i++) {
        if (address_equal_ip(&snapshot->members[i].address, ip))
            return &snapshot->members[i];
    }
    return NULL;
}

const struct member *leader_snapshot_find_instance(const struct leader_snapshot *snapshot,
                                                   uint64_t instance)
{
    for (size_t i = 0; instance && i < snapshot->member_count; i++) {
        if (snapshot->members[i].instance == instance)
            return &snapshot->members[i];
    }
    return NULL;
}

/* ---- who led ---- */

void leader_history_begin(struct leader_history *history, uint64_t now_ns, uint64_t gap_ns,
                          uint64_t term)
{
    memmove(history->changes + 1, history->changes,
            (LEADER_CHANGES_MAX - 1) * sizeof(history->changes[0]));
    history->changes[0] =
        (struct leader_change){.since_ns = now_ns, .gap_ns = gap_ns, .term = term, .cause = ""};
    history->count += history->count < LEADER_CHANGES_MAX;
}

/* A name may be learned late: as long as it leads, it is what the snapshot says. */
void leader_history_put(struct leader_history *history, struct leader_snapshot *draft)
{
    struct leader_change *newest = &history->changes[0];

    if (history->count && draft->kind != LEADER_NONE && newest->term == draft->term) {
        newest->leader = draft->leader;
        memcpy(newest->leader_name, draft->leader_name, sizeof(newest->leader_name));
        newest->cause = draft->cause;
    }
    draft->history = *history;
}
