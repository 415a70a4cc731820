/* Additions to the format of frames: what a leader and a follower know of the members, and announce. */
#include "peers_fixture.h"

#define SELF 0x5e

static struct election election;

/* This pod and the others of `instances`, 0 ending them, in a new list of which `live` is known. */
static void list_of(enum election_state state, uint32_t version, const uint64_t *instances)
{
    struct election_list *list = &election.list;

    election.state = state;
    election.leader = state == ELECTION_LEADER ? SELF : instances[0];
    election.config.self.instance = SELF;
    election.now_ns = 1000 * MS;
    election.detection_ns = 800 * MS;
    list->id = (struct election_list_id){.term = 1, .version = version};
    list->count = 1;
    list->members[0].instance = SELF;
    election.self_index = 0;
    memset(election.peers, 0, sizeof(election.peers));
    for (; instances[list->count - 1]; list->count++) {
        list->members[list->count].instance = instances[list->count - 1];
        election.peers[list->count].heard_ns = election.now_ns;
    }
    peers_update(&peers, list);
}

static void hear(enum election_message_type type, uint64_t from, uint16_t flags)
{
    const struct election_message message = {.type = (uint8_t)type,
                                             .from = from,
                                             .flags = flags,
                                             .list = election.list.id,
                                             .count = election.list.count,
                                             .live = {0x7}};

    peers_learn_additions(&peers, &election.list, &message);
}

static bool reads_tos(void)
{
    return peers_additions(&peers, &election) & ELECTION_FLAG_TOS;
}

static uint16_t flag_of(enum election_message_type type)
{
    const struct election_message message = {.type = (uint8_t)type, .list = election.list.id};

    return peers_addition_flags(&message, &election, peers_additions(&peers, &election));
}

static const uint64_t two[] = {A, B, 0}, three[] = {A, B, 0xc3, 0};

TestSuite(peers_additions, .init = setup, .fini = teardown, .timeout = 30);

Test(peers_additions, pod_alone_has_nobody_to_ask)
{
    list_of(ELECTION_LEADER, 1, (const uint64_t[]){0});
    cr_assert_eq(peers_additions(&peers, &election), ELECTION_ADDITIONS);
}

Test(peers_additions, each_addition_is_known_by_itself)
{
    list_of(ELECTION_LEADER, 1, two);
    hear(ELECTION_ACK, A, ELECTION_ADDITIONS);
    hear(ELECTION_ACK, B, ELECTION_FLAG_TOS);
    cr_assert_eq(peers_additions(&peers, &election), ELECTION_FLAG_TOS);
    cr_assert_eq(flag_of(ELECTION_HEARTBEAT), ELECTION_FLAG_TOS);
    list_of(ELECTION_FOLLOWER, 2, three);
    election.live_list = election.list.id;
    election.live[0] = 0xf;
    hear(ELECTION_ACK, 0xc3, ELECTION_ADDITIONS);
    cr_assert_eq(peers_additions(&peers, &election), ELECTION_FLAG_TOS, "B is as it was");
    list_of(ELECTION_FOLLOWER, 3, (const uint64_t[]){A, 0xc3, 0});
    cr_assert_eq(peers_additions(&peers, &election), ELECTION_ADDITIONS);
}

Test(peers_additions, leader_announces_it_when_every_member_has_acknowledged_with_the_flag)
{
    list_of(ELECTION_LEADER, 1, two);
    cr_assert_eq(flag_of(ELECTION_HEARTBEAT), 0);
    hear(ELECTION_ACK, A, ELECTION_FLAG_TOS | ELECTION_FLAG_APP);
    cr_assert_eq(flag_of(ELECTION_HEARTBEAT), 0);
    hear(ELECTION_ACK, B, ELECTION_FLAG_TOS);
    cr_assert(reads_tos());
    cr_assert_eq(flag_of(ELECTION_HEARTBEAT), ELECTION_FLAG_TOS);
    cr_assert_eq(flag_of(ELECTION_VOTE), 0, "no other message carries it");
}

Test(peers_additions, every_ack_has_the_flag)
{
    list_of(ELECTION_FOLLOWER, 1, two);
    cr_assert_eq(flag_of(ELECTION_ACK), ELECTION_ADDITIONS);
    cr_assert_eq(flag_of(ELECTION_HEARTBEAT), 0);
}

/* A member of the version before acknowledges without the flag, until it is removed: also while it
 * counts as dead, because its frames may still come. */
Test(peers_additions, member_of_the_version_before_ends_it)
{
    list_of(ELECTION_LEADER, 1, two);
    hear(ELECTION_ACK, A, ELECTION_FLAG_TOS);
    hear(ELECTION_ACK, B, ELECTION_FLAG_APP);
    cr_assert_not(reads_tos());
    cr_assert_eq(flag_of(ELECTION_HEARTBEAT), 0);
    election.peers[2].heard_ns = 0;
    cr_assert_not(election_may_be_alive(&election, 2));
    cr_assert_not(reads_tos());
    list_of(ELECTION_LEADER, 2, (const uint64_t[]){A, 0xb3, 0});
    cr_assert_not(reads_tos(), "its successor has not replied yet");
    hear(ELECTION_ACK, 0xb3, ELECTION_FLAG_TOS);
    cr_assert(reads_tos());
}

/* A new leader hears nothing of the one that died. */
Test(peers_additions, dead_and_unknown_member_does_not_count)
{
    list_of(ELECTION_LEADER, 1, two);
    hear(ELECTION_ACK, A, ELECTION_FLAG_TOS);
    election.peers[2].heard_ns = 0;
    cr_assert(reads_tos());
    election.peers[2].heard_ns = election.now_ns;
    cr_assert_not(reads_tos(), "it is back");
}

/* The snapshot of the first list with a new member already lacks it. */
Test(peers_additions, new_member_ends_it_with_the_list_that_has_it)
{
    static const enum election_state states[] = {ELECTION_LEADER, ELECTION_FOLLOWER};

    for (size_t i = 0; i < 2; i++) {
        list_of(states[i], 1, two);
        hear(ELECTION_ACK, A, ELECTION_FLAG_TOS);
        hear(ELECTION_ACK, B, ELECTION_FLAG_TOS);
        cr_assert(reads_tos());
        election.list.members[3].instance = 0xc3;
        election.list.count = 4;
        election.list.id.version = 2;
        election.peers[3].heard_ns = election.now_ns;
        cr_assert_not(reads_tos(), "before the table has it");
        list_of(states[i], 2, three);
        cr_assert_not(reads_tos());
    }
}

Test(peers_additions, follower_learns_the_live_members_from_a_heartbeat)
{
    list_of(ELECTION_FOLLOWER, 1, three);
    election.live_list = election.list.id;
    election.live[0] = 0xf;
    hear(ELECTION_HEARTBEAT, A, ELECTION_FLAG_COMMITTED);
    cr_assert_not(reads_tos());
    hear(ELECTION_HEARTBEAT, A, ELECTION_FLAG_TOS); /* live: this pod, A and B */
    cr_assert_eq(peers_find(&peers, B)->reads, ELECTION_FLAG_TOS);
    cr_assert_eq(peers_find(&peers, 0xc3)->reads | peers_find(&peers, 0xc3)->refuses, 0);
    cr_assert_not(reads_tos());
    election.live[0] = 0x7;
    cr_assert(reads_tos());
}

Test(peers_additions, bits_of_another_list_say_nothing)
{
    struct election_message message = {.type = ELECTION_HEARTBEAT,
                                       .from = A,
                                       .flags = ELECTION_FLAG_TOS,
                                       .list = {.term = 1, .version = 7},
                                       .live = {0x7}};

    list_of(ELECTION_FOLLOWER, 8, two);
    peers_learn_additions(&peers, &election.list, &message);
    cr_assert_eq(peers_find(&peers, A)->reads, ELECTION_FLAG_TOS, "its sender");
    cr_assert_eq(peers_find(&peers, B)->reads, 0);
    message.list = (struct election_list_id){.term = 1, .version = 7};
    cr_assert_eq(peers_addition_flags(&message, &election, ELECTION_ADDITIONS), 0,
                 "nor does ours announce it");
}

/* The same instances under another leader: nothing has to be learned again. */
Test(peers_additions, what_is_known_of_an_instance_stays)
{
    list_of(ELECTION_FOLLOWER, 1, two);
    hear(ELECTION_HEARTBEAT, A, ELECTION_FLAG_TOS);
    list_of(ELECTION_LEADER, 1, two);
    cr_assert(reads_tos());
    hear(ELECTION_HEARTBEAT, A, 0);
    cr_assert(reads_tos(), "not all members, as A sees it");
}
