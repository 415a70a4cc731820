#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "headless/data/leader_snapshot.h"

static struct snapshot_publisher publisher;
static struct snapshot_reader reader, second;

static void setup(void)
{
    snapshot_publisher_init(&publisher);
    cr_assert_eq(snapshot_publisher_register(&publisher, &reader), 0);
    cr_assert_eq(snapshot_publisher_register(&publisher, &second), 0);
}

TestSuite(snapshot, .init = setup, .timeout = 60);

static void publish_term(uint64_t term)
{
    struct leader_snapshot *draft = snapshot_draft(&publisher);

    cr_assert_not_null(draft);
    draft->term = term;
    snapshot_publish(&publisher, draft);
}

Test(snapshot, the_first_has_no_leader_and_no_members)
{
    const struct leader_snapshot *snapshot = snapshot_acquire(&publisher, &reader);

    cr_assert_eq(snapshot->generation, 1);
    cr_assert_eq(snapshot->term, 0);
    cr_assert_eq(snapshot->kind, LEADER_NONE);
    cr_assert_eq(snapshot->member_count, 0);
    cr_assert_not(address_is_set(&snapshot->leader));
    cr_assert_not_null(snapshot->cause);
    cr_assert_not(leader_snapshot_leads(snapshot, 1));
}

Test(snapshot, a_draft_is_a_copy_and_unseen_until_published)
{
    struct leader_snapshot *draft = snapshot_draft(&publisher);

    draft->term = 5;
    draft->hold_time_ns = 77;
    draft->member_count = MEMBERS_MAX;
    draft->members[MEMBERS_MAX - 1].instance = 99;
    atomic_store(&draft->valid_until_ns, 1234);
    cr_assert_eq(snapshot_acquire(&publisher, &reader)->term, 0);
    snapshot_publish(&publisher, draft);
    cr_assert_eq(snapshot_acquire(&publisher, &reader)->term, 5);

    draft = snapshot_draft(&publisher);
    cr_assert_neq(draft, snapshot_current(&publisher));
    cr_assert_eq(draft->generation, 3);
    cr_assert_eq(draft->term, 5);
    cr_assert_eq(draft->hold_time_ns, 77);
    cr_assert_eq(draft->members[MEMBERS_MAX - 1].instance, 99);
    cr_assert_eq(atomic_load(&draft->valid_until_ns), 1234);
}

Test(snapshot, a_reader_that_holds_a_view_keeps_it_and_stops_the_publisher)
{
    const struct leader_snapshot *held = snapshot_acquire(&publisher, &reader);

    for (uint64_t term = 1; term < SNAPSHOT_BUFFERS; term++)
        publish_term(term);
    cr_assert_null(snapshot_draft(&publisher), "all other slots may still be acquired");
    cr_assert_eq(held->generation, 1);
    cr_assert_eq(held->term, 0);
    cr_assert_eq(snapshot_acquire(&publisher, &reader)->term, SNAPSHOT_BUFFERS - 1);
    for (uint64_t term = SNAPSHOT_BUFFERS; term < 2 * SNAPSHOT_BUFFERS - 1; term++)
        publish_term(term);
    cr_assert_null(snapshot_draft(&publisher));
}

Test(snapshot, readers_that_sleep_stop_nobody)
{
    (void)snapshot_acquire(&publisher, &reader);
    snapshot_release(&reader);
    for (uint64_t term = 1; term < 100; term++)
        publish_term(term);
    cr_assert_eq(snapshot_acquire(&publisher, &reader)->term, 99);
}

Test(snapshot, the_slowest_reader_decides)
{
    (void)snapshot_acquire(&publisher, &second);
    for (uint64_t term = 1; term < SNAPSHOT_BUFFERS; term++) {
        publish_term(term);
        (void)snapshot_acquire(&publisher, &reader);
    }
    cr_assert_null(snapshot_draft(&publisher));
    snapshot_release(&second);
    cr_assert_not_null(snapshot_draft(&publisher));
}

/* Between saying that it wakes and knowing what it reads, every slot may be its. */
Test(snapshot, a_reader_that_wakes_stops_the_publisher)
{
    publish_term(1);
    atomic_store(&reader.announced, 0);
    cr_assert_null(snapshot_draft(&publisher));
    cr_assert_eq(snapshot_acquire(&publisher, &reader)->term, 1);
    cr_assert_not_null(snapshot_draft(&publisher));
}

Test(snapshot, news_is_what_was_not_acquired)
{
    (void)snapshot_acquire(&publisher, &reader);
    cr_assert_not(snapshot_is_newer(&publisher, &reader));
    publish_term(1);
    cr_assert(snapshot_is_newer(&publisher, &reader));
    (void)snapshot_acquire(&publisher, &reader);
    cr_assert_not(snapshot_is_newer(&publisher, &reader));
}

Test(snapshot, takes_only_so_many_readers)
{
    static struct snapshot_reader more[SNAPSHOT_READERS_MAX];

    for (size_t i = 2; i < SNAPSHOT_READERS_MAX; i++)
        cr_assert_eq(snapshot_publisher_register(&publisher, &more[i]), 0);
    cr_assert_eq(snapshot_publisher_register(&publisher, &more[0]), -ENOSPC);
    cr_assert_eq(publisher.reader_count, SNAPSHOT_READERS_MAX);
}

Test(snapshot, leads_until_its_time_is_over)
{
    struct leader_snapshot *snapshot = snapshot_draft(&publisher);

    atomic_store(&snapshot->valid_until_ns, 100);
    snapshot->kind = LEADER_SELF;
    cr_assert(leader_snapshot_leads(snapshot, 99));
    cr_assert_not(leader_snapshot_leads(snapshot, 100));
    snapshot->kind = LEADER_MEMBER;
    cr_assert_not(leader_snapshot_leads(snapshot, 99));
    snapshot->kind = LEADER_OUTSIDE;
    cr_assert_not(leader_snapshot_leads(snapshot, 99));
    snapshot->kind = LEADER_NONE;
    cr_assert_not(leader_snapshot_leads(snapshot, 99));
}

Test(snapshot, answers_of_an_old_term_pass_only_within_their_grace)
{
    struct leader_snapshot *snapshot = snapshot_draft(&publisher);

    atomic_store(&snapshot->valid_until_ns, 1000);
    snapshot->term = 7;
    snapshot->previous_term = 6;
    snapshot->previous_until_ns = 100;
    cr_assert(leader_snapshot_accepts_reply(snapshot, 7, 999));
    cr_assert_not(leader_snapshot_accepts_reply(snapshot, 7, 1000), "the leader's time is over");
    cr_assert(leader_snapshot_accepts_reply(snapshot, 8, 999),
              "a claim that is still on its way to us");
    cr_assert_not(leader_snapshot_accepts_reply(snapshot, 8, 1000));
    cr_assert(leader_snapshot_accepts_reply(snapshot, 6, 99));
    cr_assert_not(leader_snapshot_accepts_reply(snapshot, 6, 100));
    cr_assert_not(leader_snapshot_accepts_reply(snapshot, 5, 99));
    snapshot->previous_until_ns = 0;
    cr_assert_not(leader_snapshot_accepts_reply(snapshot, 6, 0), "it had none");
}

Test(snapshot, members_are_found_by_ip_alone)
{
    struct leader_snapshot *snapshot = snapshot_draft(&publisher);
    struct address ip;

    snapshot->member_count = 2;
    cr_assert_eq(address_parse_ip("10.0.0.1", &snapshot->members[0].address), 0);
    cr_assert_eq(address_parse_ip("fd00::2", &snapshot->members[1].address), 0);
    cr_assert_eq(address_parse_ip("10.0.0.9", &snapshot->members[2].address), 0);
    cr_assert_eq(address_parse("10.0.0.1:4711", 0, &ip), 0);
    cr_assert_eq(leader_snapshot_find_member(snapshot, &ip), &snapshot->members[0]);
    cr_assert_eq(address_parse("[fd00::2]:1", 0, &ip), 0);
    cr_assert_eq(leader_snapshot_find_member(snapshot, &ip), &snapshot->members[1]);
    cr_assert_eq(address_parse_ip("10.0.0.9", &ip), 0);
    cr_assert_null(leader_snapshot_find_member(snapshot, &ip), "beyond the count");
    ip = (struct address){0};
    cr_assert_null(leader_snapshot_find_member(snapshot, &ip));
}

/* ---- who led ---- */

static struct leader_snapshot *draft_led_by(uint64_t term, const char *name, const char *cause)
{
    struct leader_snapshot *draft = snapshot_draft(&publisher);

    cr_assert_not_null(draft);
    draft->kind = LEADER_MEMBER;
    draft->term = term;
    draft->cause = cause;
    (void)strcpy(draft->leader_name, name);
    return draft;
}

Test(snapshot, the_history_has_the_newest_leader_first)
{
    struct leader_history history = {0};
    struct leader_snapshot *draft;

    leader_history_begin(&history, 100, 5, 1);
    draft = draft_led_by(1, "", "bootstrap");
    leader_history_put(&history, draft);
    (void)strcpy(draft->leader_name, "pod-1"); /* learned late */
    leader_history_put(&history, draft);
    leader_history_begin(&history, 200, 35, 2);
    draft = draft_led_by(2, "pod-2", "verdict");
    leader_history_put(&history, draft);
    cr_assert_eq(draft->history.count, 2);
    cr_assert_str_eq(draft->history.changes[0].leader_name, "pod-2");
    cr_assert_str_eq(draft->history.changes[0].cause, "verdict");
    cr_assert_eq(draft->history.changes[0].since_ns, 200);
    cr_assert_eq(draft->history.changes[0].gap_ns, 35);
    cr_assert_eq(draft->history.changes[0].term, 2);
    cr_assert_str_eq(draft->history.changes[1].leader_name, "pod-1");
    cr_assert_str_eq(draft->history.changes[1].cause, "bootstrap");
}

Test(snapshot, a_view_without_a_leader_changes_nothing_in_the_history)
{
    struct leader_history history = {0};
    struct leader_snapshot *draft = draft_led_by(1, "pod-1", "bootstrap");

    leader_history_begin(&history, 100, 0, 1);
    leader_history_put(&history, draft);
    draft->kind = LEADER_NONE;
    draft->leader_name[0] = '\0';
    draft->cause = "silence";
    leader_history_put(&history, draft);
    cr_assert_eq(draft->history.count, 1);
    cr_assert_str_eq(draft->history.changes[0].leader_name, "pod-1");
    cr_assert_str_eq(draft->history.changes[0].cause, "bootstrap");
}

Test(snapshot, the_history_forgets_the_oldest)
{
    struct leader_history history = {0};

    for (uint64_t term = 1; term <= 3 * LEADER_CHANGES_MAX; term++)
        leader_history_begin(&history, 10 * term, 0, term);
    cr_assert_eq(history.count, LEADER_CHANGES_MAX);
    for (size_t i = 0; i < LEADER_CHANGES_MAX; i++)
        cr_assert_eq(history.changes[i].term, 3 * LEADER_CHANGES_MAX - i);
}
