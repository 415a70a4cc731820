/* lease_step: single events; tests/sim runs it with an election, an API server and faults. */
#include "lease_fixture.h"

TestSuite(lease, .init = setup);

Test(lease, put_names_uid_and_version)
{
    seal(6, true);
    cr_assert_eq(lease.verb, LEASE_PUT);
    cr_assert_str_eq(lease.record.uid, "uid-1");
    cr_assert_str_eq(lease.record.version, "100");
    cr_assert_str_eq(lease.record.holder, "pod-1_0000000000000001");
    cr_assert_str_eq(lease.record.writer, lease.record.holder);
    cr_assert_eq(lease.record.term, 6);
    cr_assert_eq(lease.record.transitions, 1);
    cr_assert_eq(lease.record.fence, LEASE_FENCE_PEERS);
}

Test(lease, validity_counts_from_the_send)
{
    uint64_t sent_ns;

    seal(6, true);
    sent_ns = now_ns;
    now_ns += 4 * NS_PER_SEC;
    record = lease.record;
    (void)snprintf(record.version, sizeof(record.version), "101");
    reply(LEASE_OK);
    cr_assert(lease.has_news);
    cr_assert_eq(lease.news.held_term, 6);
    cr_assert_eq(lease.news.until_ns, sent_ns + DURATION / 3 * 2);
    cr_assert_not(lease.news.is_alone);
}

Test(lease, votes_do_not_suffice_against_fence_lease)
{
    record.fence = LEASE_FENCE_LEASE;
    see("101");
    seal(6, true);
    cr_assert_eq(lease.verb, LEASE_NOTHING);
    cr_assert_eq(lease.news.failed_seal, e.campaign.seal);
}

Test(lease, votes_need_the_list_of_the_record)
{
    record.list.version = 2;
    see("101");
    seal(6, true);
    cr_assert_eq(lease.verb, LEASE_NOTHING);
}

Test(lease, expires_after_its_duration_on_our_clock)
{
    tick(DURATION - 1);
    cr_assert_not(l.told.is_free);
    tick(1);
    cr_assert(l.told.is_free);
}

Test(lease, shorter_duration_of_somebody_does_not_count)
{
    record.duration_ns = NS_PER_SEC;
    see("101");
    tick(2 * NS_PER_SEC);
    cr_assert_not(l.told.is_free);
}

Test(lease, released_lease_is_free)
{
    record.fence = LEASE_FENCE_LEASE;
    record.holder[0] = record.writer[0] = '\0';
    see("101");
    cr_assert(l.told.is_free);
}

Test(lease, emptied_holder_is_not_free)
{
    record.fence = LEASE_FENCE_LEASE;
    record.holder[0] = '\0';
    see("101");
    cr_assert_not(l.told.is_free);
}

Test(lease, step_down_in_the_term_of_the_record_frees_it)
{
    e.stepped_down_term = 5;
    tick(0);
    cr_assert(l.told.is_free);
    e.term = e.stepped_down_term = 4;
    tick(0);
    cr_assert_not(l.told.is_free);
}

Test(lease, restored_copy_is_not_ours)
{
    cr_assert(lease_is_ours(&record));
    (void)snprintf(record.uid, sizeof(record.uid), "uid-2");
    cr_assert_not(lease_is_ours(&record));
}

Test(lease, restored_copy_of_our_own_record_is_not_held)
{
    seal(6, true);
    record = lease.record;
    (void)snprintf(record.version, sizeof(record.version), "101");
    reply(LEASE_OK);
    cr_assert_eq(l.told.held_term, 6);
    (void)snprintf(record.uid, sizeof(record.uid), "uid-2");
    see("102");
    cr_assert_eq(l.told.held_term, 0);
}

Test(lease, absurd_term_is_not_ours)
{
    record.term = UINT64_MAX;
    cr_assert_not(lease_is_ours(&record));
    see("101");
    seal(6, true);
    cr_assert_eq(lease.verb, LEASE_NOTHING);
    tick(DURATION);
    seal(7, false);
    cr_assert_eq(lease.verb, LEASE_PUT, "it expires as any other");
    cr_assert_eq(lease.record.term, 7);
}

Test(lease, late_record_is_ignored)
{
    see("99");
    cr_assert_str_eq(l.seen.version, "100");
}

Test(lease, conflict_reads_it_again)
{
    seal(6, true);
    reply(LEASE_CONFLICT);
    cr_assert_eq(lease.verb, LEASE_GET);
}

Test(lease, reply_to_an_earlier_request_is_ignored)
{
    seal(6, true);
    lease_event(&(struct lease_event){.type = LEASE_REPLY,
                                      .outcome = LEASE_UNKNOWN,
                                      .request = l.request - 1,
                                      .record = &record});
    cr_assert_eq(l.verb, LEASE_PUT);
}

Test(lease, retry_after_is_kept_until_the_next_renewal)
{
    seal(6, true);
    lease_event(&(struct lease_event){.type = LEASE_REPLY,
                                      .outcome = LEASE_REFUSED,
                                      .request = l.request,
                                      .wait_ns = 60 * NS_PER_SEC});
    e.campaign.stage = ELECTION_STAGE_NONE;
    tick(DURATION / 6 - 1);
    cr_assert_eq(lease.verb, LEASE_NOTHING);
    tick(1);
    cr_assert_eq(lease.verb, LEASE_GET);
}

Test(lease, versions_are_compared_as_numbers)
{
    cr_assert_lt(lease_compare_versions("99", "100"), 0);
    cr_assert_gt(lease_compare_versions("101", "100"), 0);
    cr_assert_eq(lease_compare_versions("100", "100"), 0);
    cr_assert_gt(lease_compare_versions("a", "b"), 0);
    cr_assert_eq(lease_compare_versions("a", "a"), 0);
}

Test(lease, holder_names_its_instance)
{
    cr_assert_eq(lease_holder_instance("a_b_00000000000000ff"), 255);
    cr_assert_eq(lease_holder_instance("elector"), 0);
}

/* ---- the election with it ---- */

static void grant(enum election_message_type type)
{
    struct election_message m = {.type = (uint8_t)type,
                                 .from = 3,
                                 .to = SELF,
                                 .flags = ELECTION_FLAG_GRANTED,
                                 .term = e.campaign.term,
                                 .seen = 5,
                                 .stamp_ns = now_ns,
                                 .lease_grant_ns = 800 * MS,
                                 .list = e.list.id};
    const struct election_event event = {
        .type = ELECTION_MESSAGE, .message = &m, .from = member(3).address};

    election_step(&e, &event, now_ns, &actions);
}

static void hear_lease(const struct election_lease *news)
{
    const struct election_event event = {.type = ELECTION_LEASE, .lease = news};

    election_step(&e, &event, now_ns, &actions);
}

/* Two of three votes, after evidence that the leader's process has ended. */
static void win(void)
{
    const struct election_event refused = {.type = ELECTION_REFUSED, .instance = 2};

    hear_lease(&l.told);
    election_step(&e, &refused, now_ns, &actions);
    cr_assert_eq(e.state, ELECTION_CANDIDATE);
    grant(ELECTION_PREVOTE_REPLY);
    grant(ELECTION_VOTE_REPLY);
}

Test(lease, elected_instance_leads_only_with_the_lease)
{
    struct election_lease news = l.told;

    win();
    cr_assert_eq(e.state, ELECTION_SEALING);
    cr_assert_neq(e.term, e.campaign.term);
    news.held_term = e.campaign.term;
    news.until_ns = now_ns + e.interval_ns + 100 * MS;
    hear_lease(&news);
    cr_assert_eq(e.state, ELECTION_LEADER);
    cr_assert_eq(actions.leadership.valid_until_ns, news.until_ns, "the least of both");
}

Test(lease, instance_that_cannot_write_it_is_a_candidate_again)
{
    struct election_lease news = l.told;

    win();
    news.failed_seal = e.campaign.seal;
    hear_lease(&news);
    cr_assert_eq(e.state, ELECTION_CANDIDATE);
    cr_assert_eq(e.term, 5);
}

Test(lease, leader_that_loses_it_steps_down)
{
    struct election_lease news = l.told;

    win();
    news.held_term = e.campaign.term;
    news.until_ns = now_ns + e.interval_ns + 100 * MS;
    hear_lease(&news);
    news.held_term = 0;
    hear_lease(&news);
    cr_assert_eq(e.state, ELECTION_STEPPING_DOWN);
    cr_assert_eq(actions.leadership.valid_until_ns, 0);
}

/* A heartbeat interval before the end: later, replies to requests that it has taken would be fenced. */
Test(lease, leader_steps_down_before_the_end_of_its_time)
{
    struct election_lease news = l.told;

    win();
    news.held_term = e.campaign.term;
    news.until_ns = now_ns + e.interval_ns + 100 * MS;
    hear_lease(&news);
    now_ns = news.until_ns - e.interval_ns - 1;
    election_step(&e, &(struct election_event){.type = ELECTION_TICK}, now_ns, &actions);
    cr_assert_eq(e.state, ELECTION_LEADER);
    now_ns++;
    election_step(&e, &(struct election_event){.type = ELECTION_TICK}, now_ns, &actions);
    cr_assert_eq(e.state, ELECTION_STEPPING_DOWN);
    cr_assert_eq(e.cause, ELECTION_BY_LEASE);
}
