/* What the election sends must be what the wire lets through, or nobody hears it; and not all that
 * the wire lets through can be meant. */
#include <criterion/criterion.h>
#include <string.h>

#include "headless/base/clock.h"
#include "headless/control/election.h"
#include "headless/wire/peer.h"

#define CLUSTER 77

enum { SELF = 1, MEMBER = 2, STRANGER = 3 };

static struct election e;
static struct election_actions actions;

static struct election_member member(uint8_t instance)
{
    struct election_member m = {.instance = instance, .is_eligible = true, .name.text = "pod-0"};

    m.name.text[4] = (char)('0' + instance);
    m.address = (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, instance}};
    return m;
}

static bool is_readable(const struct election_action *action)
{
    struct election_member members[ELECTION_PAGE];
    struct election_message message;
    uint8_t bytes[PEER_BYTES_MAX];
    size_t length = peer_put(bytes, CLUSTER, &action->message, action->members);

    return peer_open(bytes, length, CLUSTER, &message, members) == PEER_OK;
}

/* Two pods without a quorum, and we lead them. */
static void lead_two(void)
{
    const struct election_config config = {
        .self = member(SELF), .interval_ns = 200 * NS_PER_MS, .misses = 4};
    const struct election_event tick = {.type = ELECTION_TICK};

    memset(&e, 0, sizeof(e));
    election_init(&e, &config, NS_PER_SEC);
    for (uint64_t ms = 0; ms < 5000 && e.state != ELECTION_LEADER; ms += 10)
        election_step(&e, &tick, NS_PER_SEC + ms * NS_PER_MS, &actions);
    cr_assert_eq(e.state, ELECTION_LEADER);
    e.list.members[1] = member(MEMBER);
    e.list.count = 2;
}

/* Without a quorum two clusters may grow apart. The loser's leader takes its members with it. */
Test(election_messages, who_goes_over_to_another_cluster_is_understood)
{
    const struct election_member stranger = member(STRANGER);
    struct election_message here = {.type = ELECTION_HELLO,
                                    .from = STRANGER,
                                    .to = SELF,
                                    .term = 9,
                                    .seen = 9,
                                    .leader = STRANGER,
                                    .leader_address = stranger.address,
                                    .flags = ELECTION_FLAG_LEADS | ELECTION_FLAG_LISTED,
                                    .member_count = 1};
    const struct election_event event = {
        .type = ELECTION_MESSAGE, .message = &here, .members = &stranger, .from = stranger.address};
    unsigned told = 0;

    lead_two();
    election_step(&e, &event, 10 * NS_PER_SEC, &actions);
    cr_assert_eq(e.leader, STRANGER);
    for (size_t i = 0; i < actions.count; i++) {
        cr_assert(is_readable(&actions.list[i]), "%s",
                  election_message_name(actions.list[i].message.type));
        told +=
            actions.list[i].type == ELECTION_SEND_ALL && actions.list[i].message.leader == STRANGER;
    }
    cr_assert_eq(told, 1);
}

/* Else one wrong number makes a leader of us that no fence ends. */
Test(election_messages, a_vote_promises_no_more_than_was_asked_for)
{
    const struct election_message vote = {.type = ELECTION_VOTE_REPLY,
                                          .from = MEMBER,
                                          .to = SELF,
                                          .term = 2,
                                          .seen = 2,
                                          .flags = ELECTION_FLAG_GRANTED,
                                          .stamp_ns = 10 * NS_PER_SEC,
                                          .lease_grant_ns = 100 * NS_PER_SEC};
    const struct election_event event = {
        .type = ELECTION_MESSAGE, .message = &vote, .from = member(MEMBER).address};

    lead_two();
    e.campaign = (struct election_campaign){
        .stage = ELECTION_STAGE_VOTE, .term = 2, .started_ns = 9 * NS_PER_SEC};
    election_step(&e, &event, 10 * NS_PER_SEC, &actions);
    cr_assert_gt(e.peers[1].lease_until_ns, 10 * NS_PER_SEC);
    cr_assert_leq(e.peers[1].lease_until_ns, 10 * NS_PER_SEC + 800 * NS_PER_MS);
}
