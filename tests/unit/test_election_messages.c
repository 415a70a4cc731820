/* The wire format must accept every message that the election sends; the election must ignore some
 * that the wire format accepts. */
#include <criterion/criterion.h>
#include <string.h>

#include "headless/base/clock.h"
#include "headless/control/election.h"
#include "headless/wire/peer.h"

#define CLUSTER 77

enum { SELF = 1, MEMBER = 2, FOREIGN = 3 };

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

/* Two pods without a quorum, led by this one. */
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

/* Without a quorum two clusters may form. The losing leader brings its members to the other one. */
Test(election_messages, messages_of_a_merge_of_clusters_are_accepted)
{
    const struct election_member foreign = member(FOREIGN);
    struct election_message hello = {.type = ELECTION_HELLO,
                                     .from = FOREIGN,
                                     .to = SELF,
                                     .term = 9,
                                     .seen = 9,
                                     .leader = FOREIGN,
                                     .leader_address = foreign.address,
                                     .flags = ELECTION_FLAG_LEADS | ELECTION_FLAG_LISTED,
                                     .member_count = 1};
    const struct election_event event = {
        .type = ELECTION_MESSAGE, .message = &hello, .members = &foreign, .from = foreign.address};
    unsigned told = 0;

    lead_two();
    election_step(&e, &event, 10 * NS_PER_SEC, &actions);
    cr_assert_eq(e.leader, FOREIGN);
    for (size_t i = 0; i < actions.count; i++) {
        cr_assert(is_readable(&actions.list[i]), "%s",
                  election_message_name(actions.list[i].message.type));
        told +=
            actions.list[i].type == ELECTION_SEND_ALL && actions.list[i].message.leader == FOREIGN;
    }
    cr_assert_eq(told, 1);
}

/* A larger lease grant would let this pod lead beyond every fence. */
Test(election_messages, lease_grant_is_bounded_by_the_request)
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
