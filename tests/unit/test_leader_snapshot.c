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
    draft->leader.term = term;
    snapshot_publish(&publisher, draft);
}

Test(snapshot, the_first_has_no_leader_and_no_members)
{
    const struct leader_snapshot *snapshot = snapshot_acquire(&publisher, &reader);

    cr_assert_eq(snapshot->generation, 1);
    cr_assert_eq(snapshot->leader.term, 0);
    cr_assert_eq(snapshot->leader.kind, LEADER_NONE);
    cr_assert_eq(snapshot->leader.member_count, 0);
    cr_assert_not(address_is_set(&snapshot->leader.address));
    cr_assert_not_null(snapshot->leader.cause);
    cr_assert_not(leadership_leads(&snapshot->leader, 1));
}

Test(snapshot, a_draft_is_a_copy_and_unseen_until_published)
{
    struct leader_snapshot *draft = snapshot_draft(&publisher);

    draft->leader.term = 5;
    draft->settings.hold_time_ns = 77;
    draft->leader.member_count = MEMBERS_MAX;
    draft->leader.members[MEMBERS_MAX - 1].instance = 99;
    atomic_store(&draft->leader.valid_until_ns, 1234);
    cr_assert_eq(snapshot_acquire(&publisher, &reader)->leader.term, 0);
    snapshot_publish(&publisher, draft);
    cr_assert_eq(snapshot_acquire(&publisher, &reader)->leader.term, 5);

    draft = snapshot_draft(&publisher);
    cr_assert_neq(draft, snapshot_current(&publisher));
    cr_assert_eq(draft->generation, 3);
    cr_assert_eq(draft->leader.term, 5);
    cr_assert_eq(draft->settings.hold_time_ns, 77);
    cr_assert_eq(draft->leader.members[MEMBERS_MAX - 1].instance, 99);
    cr_assert_eq(atomic_load(&draft->leader.valid_until_ns), 1234);
}

Test(snapshot, reader_that_holds_a_snapshot_keeps_it_and_stops_the_publisher)
{
    const struct leader_snapshot *held = snapshot_acquire(&publisher, &reader);

    for (uint64_t term = 1; term < SNAPSHOT_BUFFERS; term++)
        publish_term(term);
    cr_assert_null(snapshot_draft(&publisher), "all other buffers may still be acquired");
    cr_assert_eq(held->generation, 1);
    cr_assert_eq(held->leader.term, 0);
    cr_assert_eq(snapshot_acquire(&publisher, &reader)->leader.term, SNAPSHOT_BUFFERS - 1);
    for (uint64_t term = SNAPSHOT_BUFFERS; term < 2 * SNAPSHOT_BUFFERS - 1; term++)
        publish_term(term);
    cr_assert_null(snapshot_draft(&publisher));
}

Test(snapshot, sleeping_readers_do_not_stop_the_publisher)
{
    (void)snapshot_acquire(&publisher, &reader);
    snapshot_release(&reader);
    for (uint64_t term = 1; term < 100; term++)
        publish_term(term);
    cr_assert_eq(snapshot_acquire(&publisher, &reader)->leader.term, 99);
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

/* Until the reader has announced a generation, it may use any buffer. */
Test(snapshot, a_reader_that_wakes_stops_the_publisher)
{
    publish_term(1);
    atomic_store(&reader.announced, 0);
    cr_assert_null(snapshot_draft(&publisher));
    cr_assert_eq(snapshot_acquire(&publisher, &reader)->leader.term, 1);
    cr_assert_not_null(snapshot_draft(&publisher));
}

Test(snapshot, snapshot_is_newer_until_it_is_acquired)
{
    (void)snapshot_acquire(&publisher, &reader);
    cr_assert_not(snapshot_is_newer(&publisher, &reader));
    publish_term(1);
    cr_assert(snapshot_is_newer(&publisher, &reader));
    (void)snapshot_acquire(&publisher, &reader);
    cr_assert_not(snapshot_is_newer(&publisher, &reader));
}

Test(snapshot, readers_beyond_the_maximum_are_refused)
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

    atomic_store(&snapshot->leader.valid_until_ns, 100);
    snapshot->leader.kind = LEADER_SELF;
    cr_assert(leadership_leads(&snapshot->leader, 99));
    cr_assert_not(leadership_leads(&snapshot->leader, 100));
    snapshot->leader.kind = LEADER_MEMBER;
    cr_assert_not(leadership_leads(&snapshot->leader, 99));
    snapshot->leader.kind = LEADER_OUTSIDE;
    cr_assert_not(leadership_leads(&snapshot->leader, 99));
    snapshot->leader.kind = LEADER_NONE;
    cr_assert_not(leadership_leads(&snapshot->leader, 99));
}

Test(snapshot, replies_of_an_old_term_pass_only_within_their_grace)
{
    struct leader_snapshot *snapshot = snapshot_draft(&publisher);

    atomic_store(&snapshot->leader.valid_until_ns, 1000);
    snapshot->leader.term = 7;
    snapshot->leader.previous_term = 6;
    snapshot->leader.previous_until_ns = 100;
    cr_assert(leadership_accepts_reply(&snapshot->leader, 7, 999));
    cr_assert_not(leadership_accepts_reply(&snapshot->leader, 7, 1000),
                  "the leader's time is over");
    cr_assert(leadership_accepts_reply(&snapshot->leader, 8, 999),
              "a claim that is still on its way to us");
    cr_assert_not(leadership_accepts_reply(&snapshot->leader, 8, 1000));
    cr_assert(leadership_accepts_reply(&snapshot->leader, 6, 99));
    cr_assert_not(leadership_accepts_reply(&snapshot->leader, 6, 100));
    cr_assert_not(leadership_accepts_reply(&snapshot->leader, 5, 99));
    snapshot->leader.previous_until_ns = 0;
    cr_assert_not(leadership_accepts_reply(&snapshot->leader, 6, 0), "it had none");
}

Test(snapshot, replies_of_a_former_leader_that_serves_pass_while_the_leader_is_valid)
{
    struct leader_snapshot *snapshot = snapshot_draft(&publisher);

    atomic_store(&snapshot->leader.valid_until_ns, 1000);
    snapshot->leader.term = 7;
    snapshot->leader.former =
        (struct former_leader){.instance = 9, .term = 6, .until_ns = 500, .replies_until_ns = 600};
    cr_assert(leadership_has_former(&snapshot->leader, 499));
    cr_assert_not(leadership_has_former(&snapshot->leader, 500), "drain.time is over");
    cr_assert(leadership_accepts_reply(&snapshot->leader, 6, 599), "to a request from before");
    cr_assert_not(leadership_accepts_reply(&snapshot->leader, 5, 599));
    cr_assert_not(leadership_accepts_reply(&snapshot->leader, 6, 600), "reply.grace is over");
    atomic_store(&snapshot->leader.valid_until_ns, 400);
    cr_assert_not(leadership_accepts_reply(&snapshot->leader, 6, 400), "the leader is silent");
    atomic_store(&snapshot->leader.valid_until_ns, 1000);
    snapshot->settings.reply_grace_ns = 1;
    cr_assert_not(snapshot_is_settled(snapshot, 1, 550), "its app pushes");
    snapshot->leader.former.instance = 0;
    cr_assert(snapshot_is_settled(snapshot, 1, 550));
    cr_assert(leadership_accepts_reply(&snapshot->leader, 6, 599), "its time has ended");
}

Test(snapshot, session_is_settled_after_the_grace_of_the_leaders_and_of_its_request)
{
    struct leader_snapshot *snapshot = snapshot_draft(&publisher);

    snapshot->leader.settled_ns = 1000;
    snapshot->settings.reply_grace_ns = 100;
    cr_assert_not(snapshot_is_settled(snapshot, 800, 999), "the former leader may still reply");
    cr_assert(snapshot_is_settled(snapshot, 800, 1000));
    cr_assert_not(snapshot_is_settled(snapshot, 950, 1049), "the app may still reply");
    cr_assert(snapshot_is_settled(snapshot, 950, 1050));
    snapshot->settings.reply_grace_ns = 0;
    cr_assert_not(snapshot_is_settled(snapshot, 800, 5000), "replies and pushes look the same");
}

Test(snapshot, members_are_found_by_ip_alone)
{
    struct leader_snapshot *snapshot = snapshot_draft(&publisher);
    struct address ip;

    snapshot->leader.member_count = 2;
    cr_assert_eq(address_parse_ip("10.0.0.1", &snapshot->leader.members[0].address), 0);
    cr_assert_eq(address_parse_ip("fd00::2", &snapshot->leader.members[1].address), 0);
    cr_assert_eq(address_parse_ip("10.0.0.9", &snapshot->leader.members[2].address), 0);
    cr_assert_eq(address_parse("10.0.0.1:4711", 0, &ip), 0);
    cr_assert_eq(leadership_find_member(&snapshot->leader, &ip), &snapshot->leader.members[0]);
    cr_assert_eq(address_parse("[fd00::2]:1", 0, &ip), 0);
    cr_assert_eq(leadership_find_member(&snapshot->leader, &ip), &snapshot->leader.members[1]);
    cr_assert_eq(address_parse_ip("10.0.0.9", &ip), 0);
    cr_assert_null(leadership_find_member(&snapshot->leader, &ip), "beyond the count");
    ip = (struct address){0};
    cr_assert_null(leadership_find_member(&snapshot->leader, &ip));
}
