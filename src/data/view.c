#include "headless/data/view.h"

#include <errno.h>

static uint64_t valid_until(const struct view *view)
{
    return atomic_load_explicit(&view->valid_until_ns, memory_order_relaxed);
}

void view_board_init(struct view_board *board)
{
    memset(board, 0, sizeof(*board));
    board->slots[0].generation = 1;
    board->slots[0].cause = "start";
    atomic_init(&board->slots[0].valid_until_ns, VIEW_FOREVER);
    atomic_init(&board->current, &board->slots[0]);
}

void view_board_wipe(struct view_board *board)
{
    for (size_t i = 0; i < VIEW_SLOTS; i++) {
        keyring_wipe(&board->slots[i].keyring);
        sodium_memzero(&board->slots[i].signing, sizeof(board->slots[i].signing));
    }
}

int view_board_register(struct view_board *board, struct view_reader *reader)
{
    if (board->reader_count == VIEW_READERS_MAX)
        return -ENOSPC;
    atomic_init(&reader->announced, VIEW_FOREVER);
    reader->view = NULL;
    board->readers[board->reader_count++] = reader;
    return 0;
}

struct view *view_current(struct view_board *board)
{
    return atomic_load_explicit(&board->current, memory_order_relaxed);
}

/* A slot is free when every reader is asleep or has announced a generation behind it. */
static bool slot_is_free(const struct view_board *board, const struct view *slot)
{
    for (size_t i = 0; i < board->reader_count; i++) {
        if (atomic_load_explicit(&board->readers[i]->announced, memory_order_seq_cst) <=
            slot->generation)
            return false;
    }
    return true;
}

struct view *view_draft(struct view_board *board)
{
    struct view *current = view_current(board);

    for (size_t i = 0; i < VIEW_SLOTS; i++) {
        struct view *slot = &board->slots[i];

        if (slot == current || !slot_is_free(board, slot))
            continue;
        memcpy(slot, current, offsetof(struct view, valid_until_ns));
        atomic_store_explicit(&slot->valid_until_ns, valid_until(current), memory_order_relaxed);
        memcpy((char *)slot + offsetof(struct view, previous_term),
               (char *)current + offsetof(struct view, previous_term),
               sizeof(*slot) - offsetof(struct view, previous_term));
        slot->generation = current->generation + 1;
        return slot;
    }
    return NULL;
}

void view_publish(struct view_board *board, struct view *draft)
{
    /* seq_cst: before the loads of announced, and before the look at the wakers' states */
    atomic_store_explicit(&board->current, draft, memory_order_seq_cst);
}

const struct view *view_acquire(struct view_board *board, struct view_reader *reader)
{
    const struct view *view;

    if (!reader->view) {
        /* Waking: first say that any generation may be in use, then look. */
        atomic_store_explicit(&reader->announced, 0, memory_order_seq_cst);
        view = atomic_load_explicit(&board->current, memory_order_seq_cst);
    } else {
        /* acquire: pairs with view_publish */
        view = atomic_load_explicit(&board->current, memory_order_acquire);
        if (view == reader->view)
            return view;
    }
    reader->view = view;
    /* release: we have read the older ones for the last time */
    atomic_store_explicit(&reader->announced, view->generation, memory_order_release);
    return view;
}

void view_release(struct view_reader *reader)
{
    reader->view = NULL;
    atomic_store_explicit(&reader->announced, VIEW_FOREVER, memory_order_release);
}

bool view_is_news(struct view_board *board, const struct view_reader *reader)
{
    return atomic_load_explicit(&board->current, memory_order_seq_cst) != reader->view;
}

const struct member *view_find_member(const struct view *view, const struct address *ip)
{
    for (size_t i = 0; i < view->member_count; i++) {
        if (address_equal_ip(&view->members[i].address, ip))
            return &view->members[i];
    }
    return NULL;
}

const struct member *view_find_instance(const struct view *view, uint64_t instance)
{
    for (size_t i = 0; instance && i < view->member_count; i++) {
        if (view->members[i].instance == instance)
            return &view->members[i];
    }
    return NULL;
}

/* ---- who led ---- */

void view_history_begin(struct view_history *history, uint64_t now_ns, uint64_t gap_ns,
                        uint64_t term)
{
    memmove(history->changes + 1, history->changes,
            (VIEW_CHANGES_MAX - 1) * sizeof(history->changes[0]));
    history->changes[0] =
        (struct view_change){.since_ns = now_ns, .gap_ns = gap_ns, .term = term, .cause = ""};
    history->count += history->count < VIEW_CHANGES_MAX;
}

/* A name may be learned late: as long as it leads, it is what the view says. */
void view_history_put(struct view_history *history, struct view *draft)
{
    struct view_change *newest = &history->changes[0];

    if (history->count && draft->kind != VIEW_LEADER_NONE && newest->term == draft->term) {
        newest->leader = draft->leader;
        memcpy(newest->leader_name, draft->leader_name, sizeof(newest->leader_name));
        newest->cause = draft->cause;
    }
    draft->history = *history;
}
