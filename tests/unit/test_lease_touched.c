/* lease_step: replies that are lost, and a Lease that is deleted, edited, or restored from a copy or a backup. */
#include "lease_fixture.h"

TestSuite(lease_touched, .init = setup);

/* Its term is the one that was asked for, and its validity counts from the send of the PUT. */
Test(lease_touched, lost_reply_is_found_by_get)
{
    uint64_t sent_ns;

    seal(6, true);
    sent_ns = now_ns;
    record = lease.record;
    (void)snprintf(record.version, sizeof(record.version), "101");
    now_ns += NS_PER_SEC;
    reply(LEASE_UNKNOWN);
    cr_assert_eq(lease.verb, LEASE_GET, "at once");
    cr_assert_neq(l.told.failed_seal, e.campaign.seal);
    reply(LEASE_OK);
    cr_assert_eq(lease.news.held_term, 6);
    cr_assert_eq(lease.news.until_ns, sent_ns + DURATION / 3 * 2);
    cr_assert_neq(l.told.failed_seal, e.campaign.seal);
}

Test(lease_touched, put_without_reply_is_repeated_once)
{
    seal(6, true);
    reply(LEASE_UNKNOWN);
    cr_assert_eq(lease.verb, LEASE_GET);
    reply(LEASE_OK);
    cr_assert_eq(lease.verb, LEASE_PUT, "the record is as before");
    cr_assert_eq(lease.record.term, 6);
    cr_assert_str_eq(lease.record.version, "100");
    reply(LEASE_UNKNOWN);
    cr_assert_eq(l.told.failed_seal, e.campaign.seal);
    cr_assert_not(l.told.is_writable);
}

Test(lease_touched, read_without_reply_fails_the_seal)
{
    seal(6, true);
    reply(LEASE_UNKNOWN);
    reply(LEASE_UNKNOWN);
    cr_assert_eq(l.told.failed_seal, e.campaign.seal);
}

/* A second copy of our own PUT was applied first. */
Test(lease_touched, conflict_with_our_own_write_is_found_by_get)
{
    seal(6, true);
    record = lease.record;
    (void)snprintf(record.version, sizeof(record.version), "101");
    reply(LEASE_CONFLICT);
    cr_assert_eq(lease.verb, LEASE_GET);
    reply(LEASE_OK);
    cr_assert_eq(lease.news.held_term, 6);
}

/* The annotations are those of its writer, whose rights an edit does not change. */
Test(lease_touched, votes_suffice_against_an_edited_holder)
{
    (void)snprintf(record.holder, sizeof(record.holder), "nobody");
    see("101");
    seal(6, false);
    cr_assert_eq(lease.verb, LEASE_NOTHING);
    seal(6, true);
    cr_assert_eq(lease.verb, LEASE_PUT);
    cr_assert_eq(lease.record.fence, LEASE_FENCE_PEERS);
}

Test(lease_touched, evidence_is_of_the_writer_not_of_the_named_holder)
{
    e.config.on_refused_fast = true;
    record.fence = LEASE_FENCE_LEASE;
    (void)snprintf(record.holder, sizeof(record.holder), "pod-3_0000000000000003");
    see("101");
    e.refused = 3;
    e.refused_ns = now_ns;
    tick(NS_PER_SEC);
    cr_assert_not(l.told.is_free);
    e.refused = 2;
    tick(0);
    cr_assert(l.told.is_free);
}

Test(lease_touched, deleted_lease_is_not_free_at_once)
{
    record.exists = false;
    see("101");
    cr_assert_not(l.told.is_free);
    tick(DURATION);
    cr_assert_not(l.told.is_free, "it must exist first");
}

/* A POST is guarded by nothing, so it names no holder. The term tells others that the Lease was held. */
Test(lease_touched, deleted_lease_is_created_without_a_holder)
{
    e.state = ELECTION_SUSPECT;
    e.seen_term = 5;
    record.exists = false;
    see("101");
    cr_assert_eq(lease.verb, LEASE_POST);
    cr_assert_str_empty(lease.record.uid);
    cr_assert_str_empty(lease.record.holder);
    cr_assert_eq(lease.record.term, 5);
    record = lease.record;
    (void)snprintf(record.uid, sizeof(record.uid), "uid-2");
    (void)snprintf(record.version, sizeof(record.version), "102");
    reply(LEASE_OK);
    tick(DURATION - 1);
    cr_assert_not(l.told.is_free);
    tick(1);
    cr_assert(l.told.is_free);
    seal(6, false);
    cr_assert_eq(lease.verb, LEASE_PUT);
    cr_assert_str_eq(lease.record.uid, "uid-2");
}

Test(lease_touched, follower_leaves_the_creation_to_its_leader_for_a_while)
{
    e.state = ELECTION_FOLLOWER;
    record.exists = false;
    see("101");
    cr_assert_eq(lease.verb, LEASE_NOTHING);
    tick(DURATION / 6);
    cr_assert_eq(lease.verb, LEASE_POST);
}

/* As the leader by a record of ours with version 101. */
static void lead(void)
{
    seal(6, true);
    record = lease.record;
    (void)snprintf(record.version, sizeof(record.version), "101");
    reply(LEASE_OK);
    e.state = ELECTION_LEADER;
    e.term = 6;
    e.campaign.stage = ELECTION_STAGE_NONE;
    tick(0);
    cr_assert_eq(l.told.held_term, 6);
}

static void expect_written_again(const char *uid)
{
    cr_assert_eq(l.told.held_term, 6, "it leads on");
    cr_assert_eq(lease.verb, LEASE_PUT);
    cr_assert_eq(lease.record.term, 6);
    cr_assert_str_eq(lease.record.uid, uid);
    cr_assert_str_eq(lease.record.writer_uid, uid);
    cr_assert_str_eq(lease.record.holder, "pod-1_0000000000000001");
}

Test(lease_touched, leader_writes_a_restored_copy_again)
{
    lead();
    (void)snprintf(record.uid, sizeof(record.uid), "uid-2");
    see("103");
    expect_written_again("uid-2");
}

Test(lease_touched, leader_writes_an_empty_lease_again)
{
    lead();
    record = (struct lease_record){.exists = true, .uid = "uid-2"};
    see("103");
    expect_written_again("uid-2");
}

Test(lease_touched, leader_writes_an_absurd_term_again)
{
    lead();
    record.term = UINT64_MAX;
    see("103");
    expect_written_again("uid-1");
}

Test(lease_touched, leader_creates_a_deleted_lease_and_takes_it)
{
    lead();
    record.exists = false;
    see("102");
    cr_assert_eq(lease.verb, LEASE_POST);
    cr_assert_eq(l.told.held_term, 6);
    record = lease.record;
    (void)snprintf(record.uid, sizeof(record.uid), "uid-2");
    (void)snprintf(record.version, sizeof(record.version), "103");
    reply(LEASE_OK);
    expect_written_again("uid-2");
}

/* Another pod may have taken what somebody restored, after the duration. */
Test(lease_touched, leader_whose_time_is_over_writes_nothing_again)
{
    lead();
    now_ns += DURATION / 3 * 2;
    (void)snprintf(record.uid, sizeof(record.uid), "uid-2");
    see("103");
    cr_assert_eq(l.told.held_term, 0);
    cr_assert_neq(lease.verb, LEASE_PUT);
}

Test(lease_touched, leader_of_an_edited_record_loses_it)
{
    lead();
    (void)snprintf(record.holder, sizeof(record.holder), "nobody");
    see("103");
    cr_assert_eq(l.told.held_term, 0);
}

/* ---- an API server whose data were restored from a backup ---- */

Test(lease_touched, older_version_of_a_read_counts)
{
    tick(20 * NS_PER_SEC);
    cr_assert_eq(lease.verb, LEASE_GET);
    (void)snprintf(record.version, sizeof(record.version), "50");
    reply(LEASE_OK);
    cr_assert_str_eq(l.seen.version, "50");
    e.stepped_down_term = 5;
    tick(0);
    cr_assert_not(l.told.is_free, "holders since the backup are not known");
    tick(DURATION);
    cr_assert(l.told.is_free);
}

Test(lease_touched, older_version_of_a_read_is_late_after_a_newer_one_of_the_watch)
{
    tick(20 * NS_PER_SEC);
    cr_assert_eq(lease.verb, LEASE_GET);
    now_ns++;
    see("101");
    (void)snprintf(record.version, sizeof(record.version), "99");
    reply(LEASE_OK);
    cr_assert_str_eq(l.seen.version, "101");
}
