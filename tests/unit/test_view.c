#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "headless/data/view.h"

static struct view_board board;
static struct view_reader reader, second;

static void setup(void)
{
    view_board_init(&board);
    cr_assert_eq(view_board_register(&board, &reader), 0);
    cr_assert_eq(view_board_register(&board, &second), 0);
}

TestSuite(view, .init = setup, .timeout = 60);

static void publish_term(uint64_t term)
{
    struct view *draft = view_draft(&board);

    cr_assert_not_null(draft);
    draft->term = term;
    view_publish(&board, draft);
}

Test(view, the_first_has_no_leader_and_no_members)
{
    const struct view *view = view_acquire(&board, &reader);

    cr_assert_eq(view->generation, 1);
    cr_assert_eq(view->term, 0);
    cr_assert_eq(view->kind, VIEW_LEADER_NONE);
    cr_assert_eq(view->member_count, 0);
    cr_assert_not(address_is_set(&view->leader));
    cr_assert_not_null(view->cause);
    cr_assert_not(view_leads(view, 1));
}

Test(view, a_draft_is_a_copy_and_unseen_until_published)
{
    struct view *draft = view_draft(&board);

    draft->term = 5;
    draft->hold_time_ns = 77;
    draft->member_count = VIEW_MEMBERS_MAX;
    draft->members[VIEW_MEMBERS_MAX - 1].instance = 99;
    atomic_store(&draft->valid_until_ns, 1234);
    cr_assert_eq(view_acquire(&board, &reader)->term, 0);
    view_publish(&board, draft);
    cr_assert_eq(view_acquire(&board, &reader)->term, 5);

    draft = view_draft(&board);
    cr_assert_neq(draft, view_current(&board));
    cr_assert_eq(draft->generation, 3);
    cr_assert_eq(draft->term, 5);
    cr_assert_eq(draft->hold_time_ns, 77);
    cr_assert_eq(draft->members[VIEW_MEMBERS_MAX - 1].instance, 99);
    cr_assert_eq(atomic_load(&draft->valid_until_ns), 1234);
}

Test(view, a_reader_that_holds_a_view_keeps_it_and_stops_the_publisher)
{
    const struct view *held = view_acquire(&board, &reader);

    for (uint64_t term = 1; term < VIEW_SLOTS; term++)
        publish_term(term);
    cr_assert_null(view_draft(&board), "all other slots may still be acquired");
    cr_assert_eq(held->generation, 1);
    cr_assert_eq(held->term, 0);
    cr_assert_eq(view_acquire(&board, &reader)->term, VIEW_SLOTS - 1);
    for (uint64_t term = VIEW_SLOTS; term < 2 * VIEW_SLOTS - 1; term++)
        publish_term(term);
    cr_assert_null(view_draft(&board));
}

Test(view, readers_that_sleep_stop_nobody)
{
    (void)view_acquire(&board, &reader);
    view_release(&reader);
    for (uint64_t term = 1; term < 100; term++)
        publish_term(term);
    cr_assert_eq(view_acquire(&board, &reader)->term, 99);
}

Test(view, the_slowest_reader_decides)
{
    (void)view_acquire(&board, &second);
    for (uint64_t term = 1; term < VIEW_SLOTS; term++) {
        publish_term(term);
        (void)view_acquire(&board, &reader);
    }
    cr_assert_null(view_draft(&board));
    view_release(&second);
    cr_assert_not_null(view_draft(&board));
}

/* Between saying that it wakes and knowing what it reads, every slot may be its. */
Test(view, a_reader_that_wakes_stops_the_publisher)
{
    publish_term(1);
    atomic_store(&reader.announced, 0);
    cr_assert_null(view_draft(&board));
    cr_assert_eq(view_acquire(&board, &reader)->term, 1);
    cr_assert_not_null(view_draft(&board));
}

Test(view, news_is_what_was_not_acquired)
{
    (void)view_acquire(&board, &reader);
    cr_assert_not(view_is_news(&board, &reader));
    publish_term(1);
    cr_assert(view_is_news(&board, &reader));
    (void)view_acquire(&board, &reader);
    cr_assert_not(view_is_news(&board, &reader));
}

Test(view, takes_only_so_many_readers)
{
    static struct view_reader more[VIEW_READERS_MAX];

    for (size_t i = 2; i < VIEW_READERS_MAX; i++)
        cr_assert_eq(view_board_register(&board, &more[i]), 0);
    cr_assert_eq(view_board_register(&board, &more[0]), -ENOSPC);
    cr_assert_eq(board.reader_count, VIEW_READERS_MAX);
}

Test(view, leads_until_its_time_is_over)
{
    struct view *view = view_draft(&board);

    atomic_store(&view->valid_until_ns, 100);
    view->kind = VIEW_LEADER_SELF;
    cr_assert(view_leads(view, 99));
    cr_assert_not(view_leads(view, 100));
    view->kind = VIEW_LEADER_MEMBER;
    cr_assert_not(view_leads(view, 99));
    view->kind = VIEW_LEADER_OUTSIDE;
    cr_assert_not(view_leads(view, 99));
    view->kind = VIEW_LEADER_NONE;
    cr_assert_not(view_leads(view, 99));
}

Test(view, answers_of_an_old_term_pass_only_within_their_grace)
{
    struct view *view = view_draft(&board);

    atomic_store(&view->valid_until_ns, 1000);
    view->term = 7;
    view->previous_term = 6;
    view->previous_until_ns = 100;
    cr_assert(view_accepts_reply(view, 7, 999));
    cr_assert_not(view_accepts_reply(view, 7, 1000), "the leader's time is over");
    cr_assert(view_accepts_reply(view, 8, 999), "a claim that is still on its way to us");
    cr_assert_not(view_accepts_reply(view, 8, 1000));
    cr_assert(view_accepts_reply(view, 6, 99));
    cr_assert_not(view_accepts_reply(view, 6, 100));
    cr_assert_not(view_accepts_reply(view, 5, 99));
    view->previous_until_ns = 0;
    cr_assert_not(view_accepts_reply(view, 6, 0), "it had none");
}

Test(view, members_are_found_by_ip_alone)
{
    struct view *view = view_draft(&board);
    struct address ip;

    view->member_count = 2;
    cr_assert_eq(address_parse_ip("10.0.0.1", &view->members[0].address), 0);
    cr_assert_eq(address_parse_ip("fd00::2", &view->members[1].address), 0);
    cr_assert_eq(address_parse_ip("10.0.0.9", &view->members[2].address), 0);
    cr_assert_eq(address_parse("10.0.0.1:4711", 0, &ip), 0);
    cr_assert_eq(view_find_member(view, &ip), &view->members[0]);
    cr_assert_eq(address_parse("[fd00::2]:1", 0, &ip), 0);
    cr_assert_eq(view_find_member(view, &ip), &view->members[1]);
    cr_assert_eq(address_parse_ip("10.0.0.9", &ip), 0);
    cr_assert_null(view_find_member(view, &ip), "beyond the count");
    ip = (struct address){0};
    cr_assert_null(view_find_member(view, &ip));
}

/* ---- who led ---- */

static struct view *draft_led_by(uint64_t term, const char *name, const char *cause)
{
    struct view *draft = view_draft(&board);

    cr_assert_not_null(draft);
    draft->kind = VIEW_LEADER_MEMBER;
    draft->term = term;
    draft->cause = cause;
    (void)strcpy(draft->leader_name, name);
    return draft;
}

Test(view, the_history_has_the_newest_leader_first)
{
    struct view_history history = {0};
    struct view *draft;

    view_history_begin(&history, 100, 5, 1);
    draft = draft_led_by(1, "", "bootstrap");
    view_history_put(&history, draft);
    (void)strcpy(draft->leader_name, "pod-1"); /* learned late */
    view_history_put(&history, draft);
    view_history_begin(&history, 200, 35, 2);
    draft = draft_led_by(2, "pod-2", "verdict");
    view_history_put(&history, draft);
    cr_assert_eq(draft->history.count, 2);
    cr_assert_str_eq(draft->history.changes[0].leader_name, "pod-2");
    cr_assert_str_eq(draft->history.changes[0].cause, "verdict");
    cr_assert_eq(draft->history.changes[0].since_ns, 200);
    cr_assert_eq(draft->history.changes[0].gap_ns, 35);
    cr_assert_eq(draft->history.changes[0].term, 2);
    cr_assert_str_eq(draft->history.changes[1].leader_name, "pod-1");
    cr_assert_str_eq(draft->history.changes[1].cause, "bootstrap");
}

Test(view, a_view_without_a_leader_changes_nothing_in_the_history)
{
    struct view_history history = {0};
    struct view *draft = draft_led_by(1, "pod-1", "bootstrap");

    view_history_begin(&history, 100, 0, 1);
    view_history_put(&history, draft);
    draft->kind = VIEW_LEADER_NONE;
    draft->leader_name[0] = '\0';
    draft->cause = "silence";
    view_history_put(&history, draft);
    cr_assert_eq(draft->history.count, 1);
    cr_assert_str_eq(draft->history.changes[0].leader_name, "pod-1");
    cr_assert_str_eq(draft->history.changes[0].cause, "bootstrap");
}

Test(view, the_history_forgets_the_oldest)
{
    struct view_history history = {0};

    for (uint64_t term = 1; term <= 3 * VIEW_CHANGES_MAX; term++)
        view_history_begin(&history, 10 * term, 0, term);
    cr_assert_eq(history.count, VIEW_CHANGES_MAX);
    for (size_t i = 0; i < VIEW_CHANGES_MAX; i++)
        cr_assert_eq(history.changes[i].term, 3 * VIEW_CHANGES_MAX - i);
}
