/*
 * fuzz_election: the election of one instance; the input plays the clock, the ICMP refusals, the
 * commands, and all other members, which may send whatever the wire can carry. election_world.h has
 * the conditions that hold after each step.
 */
#include "election_world.h"

#define STEPS_MAX  400
#define FAR_NS     (100 * NS_PER_SEC)
#define OP_MESSAGE 0x80

/* ---- the input ---- */

struct input {
    const uint8_t *next, *end;
};

static uint8_t take(struct input *in)
{
    return in->next < in->end ? *in->next++ : 0;
}

static uint64_t take_u64(struct input *in)
{
    uint64_t value = 0;

    for (size_t i = 0; i < 8; i++)
        value = value << 8 | take(in);
    return value;
}

/* Mostly near the expected value: a byte is the distance in units, or selects another value. */
static uint64_t take_near(struct input *in, uint64_t expected, uint64_t unit)
{
    static const uint64_t odd[] = {0, 1, UINT64_MAX, UINT64_MAX - 1, UINT64_C(1) << 63, 1000};
    uint8_t code = take(in);

    if (code < 0xc0)
        return expected + (uint64_t)((int)(code ^ 0x20) - 0x20) * unit;
    if (code < 0xf0)
        return odd[code % (sizeof(odd) / sizeof(odd[0]))];
    return take_u64(in);
}

static uint64_t take_instance(struct input *in)
{
    return take(in) % INSTANCES + 1;
}

/* ---- messages of others ---- */

/* A message may waive the lease grant to its subject: see election_vote.c. */
static void waive(const struct election_message *m)
{
    bool is_request = m->type == ELECTION_VOTE || m->type == ELECTION_PREVOTE;

    if (m->type == ELECTION_STEP_DOWN)
        world.granted_until_ns[m->from] = 0;
    if (is_request && m->flags & ELECTION_FLAG_STEPPED_DOWN && m->leader <= INSTANCES)
        world.granted_until_ns[m->leader] = 0;
}

/* Delivers a message through the wire format, which rejects what it cannot carry. */
static void hear(const struct election_message *message, const struct election_member *members,
                 const struct address *from)
{
    struct election_event event = {.type = ELECTION_MESSAGE, .from = *from};
    struct election_member opened_members[ELECTION_PAGE];
    struct election_message opened;
    uint8_t bytes[PEER_BYTES_MAX];
    size_t length = peer_put(bytes, CLUSTER, message, members);

    if (peer_open(bytes, length, CLUSTER, &opened, opened_members) != PEER_OK)
        return;
    waive(&opened);
    event.message = &opened;
    event.members = opened_members;
    step(&event);
}

static void fill_members(struct input *in, struct election_message *m,
                         struct election_member members[static ELECTION_PAGE])
{
    uint8_t code = take(in);

    m->member_count = m->type == ELECTION_LIST_PAGE ? code % (ELECTION_PAGE + 1) : 1;
    for (size_t i = 0; i < m->member_count; i++) {
        members[i] = member_of(m->type == ELECTION_LIST_PAGE ? take_instance(in) : m->from);
        if (code & 0x80)
            members[i].is_eligible = take(in) & 1;
        if (code & 0x40)
            members[i].address = address_of(take_instance(in));
    }
}

/* Any type, any fields; fields that the input leaves out have the value of a correct member. */
static void hear_anything(struct input *in, uint8_t code)
{
    const struct election *e = &world.election;
    struct election_message m = {.type = code % ELECTION_MESSAGE_COUNT, .to = SELF};
    struct election_member members[ELECTION_PAGE];
    struct address from;

    m.from = take_instance(in);
    from = address_of(m.from);
    m.leader = take_instance(in);
    m.term = take_near(in, e->term, 1);
    m.list.term = take_near(in, e->list.id.term, 1);
    m.list.version = (uint32_t)take_near(in, e->list.id.version, 1);
    m.flags = (uint16_t)((unsigned)take(in) << 8 | take(in));
    m.seen = take_near(in, m.term, 1);
    m.stamp_ns = take_near(in, world.now_ns, NS_PER_MS);
    m.interval_ns = take_near(in, e->config.interval_ns, 10 * NS_PER_MS);
    m.misses = (uint8_t)take_near(in, e->config.misses, 1);
    m.count = (uint16_t)take_near(in, e->list.count, 1);
    m.lease_grant_ns =
        m.type == ELECTION_ACK || take(in) & 1 ? take_near(in, e->detection_ns, 10 * NS_PER_MS) : 0;
    m.wait_ns = take_near(in, 0, 10 * NS_PER_MS);
    m.deposed_term = take_near(in, e->term, 1);
    m.cause = take(in) % ELECTION_CAUSE_COUNT;
    m.floor = take(in) % 8;
    m.first = take(in) % 16;
    m.generation = take(in);
    m.live[0] = m.ready[0] = take(in);
    m.leader_address = address_of(m.leader);
    fill_members(in, &m, members);
    hear(&m, members, &from);
}

/* Replies to one of the messages that it has just sent, as a correct member does. */
static void hear_reply(struct input *in)
{
    static const uint8_t reply_type[ELECTION_MESSAGE_COUNT] = {
        [ELECTION_DISCOVER] = ELECTION_HELLO,
        [ELECTION_HEARTBEAT] = ELECTION_ACK,
        [ELECTION_PROBE] = ELECTION_ALIVE,
        [ELECTION_PROBE_REQUEST] = ELECTION_PROBE_REPORT,
        [ELECTION_PREVOTE] = ELECTION_PREVOTE_REPLY,
        [ELECTION_VOTE] = ELECTION_VOTE_REPLY,
        [ELECTION_LEAVE] = ELECTION_LEAVE,
    };
    const struct election *e = &world.election;
    uint8_t code = take(in);
    struct election_message m, request;
    struct election_member member;
    struct address from;

    if (world.sent_count == 0)
        return;
    request = world.sent[code % world.sent_count];
    from = world.sent_to[code % world.sent_count];
    m = request;
    m.from = address_is_set(&from) ? from.ip[3] : code / 16 % PODS + 1;
    if (request.to)
        m.from = request.to;
    if (m.from == SELF || m.from > INSTANCES || !reply_type[request.type])
        return;
    from = address_of(m.from);
    member = member_of(m.from);
    m.to = SELF;
    m.type = reply_type[request.type];
    m.lease_grant_ns = e->detection_ns;
    m.flags = m.type == ELECTION_ACK ? ELECTION_FLAG_APP : ELECTION_FLAG_GRANTED;
    if (m.type == ELECTION_HELLO) {
        m.flags = 0;
        m.list = (struct election_list_id){0, 0};
        m.leader = 0;
        m.leader_address = (struct address){0};
    }
    hear(&m, &member, &from);
}

/* A leader with a list of four: a heartbeat, then its list if it is newer than ours. */
static void hear_leader(struct input *in)
{
    struct election *e = &world.election;
    uint8_t code = take(in);
    struct election_message m = {.type = ELECTION_HEARTBEAT, .to = SELF};
    struct election_member members[ELECTION_PAGE];
    struct address from;

    m.from = code % (PODS - 1) + 2;
    m.term = m.seen = e->term + (code >> 6 & 1) + (e->term == 0);
    m.list = (struct election_list_id){m.term, 1};
    m.stamp_ns = world.now_ns;
    m.interval_ns = e->config.interval_ns;
    m.misses = (uint8_t)e->config.misses;
    m.count = ELECTION_PAGE;
    m.live[0] = m.ready[0] = 0xf;
    from = address_of(m.from);
    hear(&m, NULL, &from);
    if (election_list_id_compare(e->list.id, m.list) >= 0 || code & 0x80)
        return;
    m.type = ELECTION_LIST_PAGE;
    m.member_count = ELECTION_PAGE;
    for (uint64_t i = 0; i < ELECTION_PAGE; i++)
        members[i] = member_of(i + SELF);
    hear(&m, members, &from);
}

/* ---- other events ---- */

static void pass_time(uint8_t code)
{
    uint64_t deadline_ns = world.election.deadline_ns;

    if (code < 8)
        world.now_ns += code * NS_PER_MS;
    else if (code < 16)
        world.now_ns += (code - 7U) * NS_PER_SEC * 4;
    else if (deadline_ns > world.now_ns)
        world.now_ns = deadline_ns < world.now_ns + FAR_NS ? deadline_ns : world.now_ns + FAR_NS;
    tick();
}

static void set_candidates(struct input *in)
{
    struct election_event event = {.type = ELECTION_CANDIDATES};
    struct address candidates[PODS];
    uint8_t code = take(in);

    event.is_blind = code & 0x80;
    event.candidates = candidates;
    for (uint64_t i = 1; i <= PODS; i++) {
        if (code >> (i - 1) & 1)
            candidates[event.candidate_count++] = address_of(i);
    }
    step(&event);
}

static void send_command(struct input *in)
{
    struct election_event event = {.type = ELECTION_COMMAND, .instance = take_instance(in)};
    uint8_t code = take(in);

    event.token = take(in);
    event.if_term = code & 1 ? take_near(in, world.election.term, 1) : 0;
    event.generation = code & 2 ? take(in) : 0;
    if (world.commands[event.token] == UINT8_MAX)
        return;
    world.commands[event.token]++;
    step(&event);
}

static void run_event(struct input *in, uint8_t op)
{
    struct election_event event = {0};

    event.is_up = op & 0x10;
    switch (op % 16) {
    case 0:
        pass_time(take(in));
        return;
    case 1:
        set_candidates(in);
        return;
    case 2:
        event.type = ELECTION_REFUSED;
        event.instance = take_instance(in);
        world.granted_until_ns[event.instance] = 0;
        break;
    case 3:
        event.type = ELECTION_AUTH_FAILED;
        break;
    case 4:
        event.type = ELECTION_APP;
        break;
    case 5:
        event.type = ELECTION_PROGRESS;
        break;
    case 6:
        send_command(in);
        return;
    case 7:
        event.type = op & 0x10 ? ELECTION_STOP : op & 0x20 ? ELECTION_QUIT : ELECTION_FORCE;
        break;
    case 11:
        event.type = ELECTION_CLOSED;
        event.instance = take_instance(in);
        break;
    case 12:
        event.type = ELECTION_CONNECT_REFUSED;
        event.instance = take_instance(in);
        world.granted_until_ns[event.instance] = 0;
        break;
    case 8:
    case 9:
    case 10:
        hear_leader(in);
        return;
    default:
        hear_reply(in);
        return;
    }
    step(&event);
}

static void init_world(struct input *in)
{
    uint8_t code = take(in);
    struct election_config config = {.self = member_of(SELF),
                                     .interval_ns = 200 * NS_PER_MS,
                                     .misses = 4,
                                     .quorum = code % 3,
                                     .expect = code / 4 % 8,
                                     .on_refused_fast = code & 0x20,
                                     .holds_on_step_down = code & 0x40,
                                     .is_discovering = code & 0x80,
                                     .forget_ns = 60 * NS_PER_SEC,
                                     .tenure_ns = 5 * NS_PER_SEC};

    code = take(in);
    config.self.is_eligible = !(code & 1);
    if (code & 2)
        config.leader = member_of(take_instance(in));
    if (code & 4)
        config.order[config.order_count++] = member_of(take_instance(in));
    if (code & 8)
        config.stored_term = take_near(in, 1, 1);
    config.generation = code >> 6;
    memset(&world, 0, sizeof(world));
    world.now_ns = NS_PER_SEC;
    election_init(&world.election, &config, world.now_ns);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, data + size};

    init_world(&in);
    for (unsigned i = 0; i < STEPS_MAX && in.next < in.end; i++) {
        uint8_t op = take(&in);

        if (op & OP_MESSAGE)
            hear_anything(&in, op & 0x7f);
        else
            run_event(&in, op);
    }
    return 0;
}
