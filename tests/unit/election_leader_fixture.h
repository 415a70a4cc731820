/* The tested instance leads the list 1, 2, 3; the others have acknowledged that. */
#ifndef ELECTION_LEADER_FIXTURE_H
#define ELECTION_LEADER_FIXTURE_H

#include "election_fixture.h"

enum { OTHER = 2, THIRD = 3, NEW = 9 };

static void step(const struct election_event *event)
{
    election_step(&e, event, now_ns, &actions);
}

static void tick(void)
{
    step(&(struct election_event){.type = ELECTION_TICK});
}

static void hear(const struct election_message *m, const struct election_member *sender)
{
    step(&(struct election_event){
        .type = ELECTION_MESSAGE, .message = m, .members = sender, .from = sender->address});
}

/* The member acknowledges the last heartbeat and the present list. */
static void ack_from(uint64_t instance)
{
    const struct election_member sender = member(instance);
    const struct election_message m = {.type = ELECTION_ACK,
                                       .from = instance,
                                       .to = SELF,
                                       .term = e.term,
                                       .stamp_ns = now_ns,
                                       .lease_grant_ns = 800 * MS,
                                       .list = e.list.id,
                                       .flags = ELECTION_FLAG_APP};

    hear(&m, &sender);
}

static void lead_three(void)
{
    join_three();
    e.state = ELECTION_LEADER;
    e.term = e.seen_term = 1;
    e.leader = SELF;
    e.is_list_committed = true;
    e.led_since_ns = now_ns - NS_PER_SEC * 5;
    e.fenced_ns = now_ns + 800 * MS;
    e.heartbeat_ns = now_ns + 200 * MS;
    ack_from(OTHER);
    ack_from(THIRD);
}

#endif
