/* Members that read the TOS byte of a record: what a leader and a follower know, and announce. */
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

    peers_learn_tos(&peers, &election.list, &message);
}

static uint16_t flag_of(enum election_message_type type)
{
    const struct election_message message = {.type = (uint8_t)type, .list = election.list.id};

    return peers_tos_flag(&message, &election, peers_read_tos(&peers, &election));
}

static const uint64_t two[] = {A, B, 0}, three[] = {A, B, 0xc3, 0};

TestSuite(peers_tos, .init = setup, .fini = teardown, .timeout = 30);

Test(peers_tos, pod_alone_has_nobody_to_ask)
{
    list_of(ELECTION_LEADER, 1, (const uint64_t[]){0});
    cr_assert(peers_read_tos(&peers, &election));
}

Test(peers_tos, leader_announces_it_when_every_member_has_acknowledged_with_the_flag)
{
    list_of(ELECTION_LEADER, 1, two);
    cr_assert_eq(flag_of(ELECTION_HEARTBEAT), 0);
    hear(ELECTION_ACK, A, ELECTION_FLAG_TOS | ELECTION_FLAG_APP);
    cr_assert_eq(flag_of(ELECTION_HEARTBEAT), 0);
    hear(ELECTION_ACK, B, ELECTION_FLAG_TOS);
    cr_assert(peers_read_tos(&peers, &election));
    cr_assert_eq(flag_of(ELECTION_HEARTBEAT), ELECTION_FLAG_TOS);
    cr_assert_eq(flag_of(ELECTION_VOTE), 0, "no other message carries it");
}

Test(peers_tos, every_ack_has_the_flag)
{
    list_of(ELECTION_FOLLOWER, 1, two);
    cr_assert_eq(flag_of(ELECTION_ACK), ELECTION_FLAG_TOS);
    cr_assert_eq(flag_of(ELECTION_HEARTBEAT), 0);
}

/* A member of the version before acknowledges without the flag, until it is removed: also while it
 * counts as dead, because its frames may still come. */
Test(peers_tos, member_of_the_version_before_ends_it)
{
    list_of(ELECTION_LEADER, 1, two);
    hear(ELECTION_ACK, A, ELECTION_FLAG_TOS);
    hear(ELECTION_ACK, B, ELECTION_FLAG_APP);
    cr_assert_not(peers_read_tos(&peers, &election));
    cr_assert_eq(flag_of(ELECTION_HEARTBEAT), 0);
    election.peers[2].heard_ns = 0;
    cr_assert_not(election_may_be_alive(&election, 2));
    cr_assert_not(peers_read_tos(&peers, &election));
    list_of(ELECTION_LEADER, 2, (const uint64_t[]){A, 0xb3, 0});
    cr_assert_not(peers_read_tos(&peers, &election), "its successor has not replied yet");
    hear(ELECTION_ACK, 0xb3, ELECTION_FLAG_TOS);
    cr_assert(peers_read_tos(&peers, &election));
}

/* A new leader hears nothing of the one that died. */
Test(peers_tos, dead_and_unknown_member_does_not_count)
{
    list_of(ELECTION_LEADER, 1, two);
    hear(ELECTION_ACK, A, ELECTION_FLAG_TOS);
    election.peers[2].heard_ns = 0;
    cr_assert(peers_read_tos(&peers, &election));
    election.peers[2].heard_ns = election.now_ns;
    cr_assert_not(peers_read_tos(&peers, &election), "it is back");
}

/* The snapshot of the first list with a new member already lacks it. */
Test(peers_tos, new_member_ends_it_with_the_list_that_has_it)
{
    static const enum election_state states[] = {ELECTION_LEADER, ELECTION_FOLLOWER};

    for (size_t i = 0; i < 2; i++) {
        list_of(states[i], 1, two);
        hear(ELECTION_ACK, A, ELECTION_FLAG_TOS);
        hear(ELECTION_ACK, B, ELECTION_FLAG_TOS);
        cr_assert(peers_read_tos(&peers, &election));
        election.list.members[3].instance = 0xc3;
        election.list.count = 4;
        election.list.id.version = 2;
        election.peers[3].heard_ns = election.now_ns;
        cr_assert_not(peers_read_tos(&peers, &election), "before the table has it");
        list_of(states[i], 2, three);
        cr_assert_not(peers_read_tos(&peers, &election));
    }
}

Test(peers_tos, follower_learns_the_live_members_from_a_heartbeat)
{
    list_of(ELECTION_FOLLOWER, 1, three);
    election.live_list = election.list.id;
    election.live[0] = 0xf;
    hear(ELECTION_HEARTBEAT, A, ELECTION_FLAG_COMMITTED);
    cr_assert_not(peers_read_tos(&peers, &election));
    hear(ELECTION_HEARTBEAT, A, ELECTION_FLAG_TOS); /* live: this pod, A and B */
    cr_assert_eq(peers_find(&peers, B)->tos, PEER_TOS_READ);
    cr_assert_eq(peers_find(&peers, 0xc3)->tos, PEER_TOS_UNKNOWN);
    cr_assert_not(peers_read_tos(&peers, &election));
    election.live[0] = 0x7;
    cr_assert(peers_read_tos(&peers, &election));
}

Test(peers_tos, bits_of_another_list_say_nothing)
{
    struct election_message message = {.type = ELECTION_HEARTBEAT,
                                       .from = A,
                                       .flags = ELECTION_FLAG_TOS,
                                       .list = {.term = 1, .version = 7},
                                       .live = {0x7}};

    list_of(ELECTION_FOLLOWER, 8, two);
    peers_learn_tos(&peers, &election.list, &message);
    cr_assert_eq(peers_find(&peers, A)->tos, PEER_TOS_READ, "its sender");
    cr_assert_eq(peers_find(&peers, B)->tos, PEER_TOS_UNKNOWN);
    message.list = (struct election_list_id){.term = 1, .version = 7};
    cr_assert_eq(peers_tos_flag(&message, &election, true), 0, "nor does ours announce it");
}

/* The same instances under another leader: nothing has to be learned again. */
Test(peers_tos, what_is_known_of_an_instance_stays)
{
    list_of(ELECTION_FOLLOWER, 1, two);
    hear(ELECTION_HEARTBEAT, A, ELECTION_FLAG_TOS);
    list_of(ELECTION_LEADER, 1, two);
    cr_assert(peers_read_tos(&peers, &election));
    hear(ELECTION_HEARTBEAT, A, 0);
    cr_assert(peers_read_tos(&peers, &election), "not all members, as A sees it");
}
