/* A member of three, for single steps of the election. */
#ifndef ELECTION_FIXTURE_H
#define ELECTION_FIXTURE_H

#include <criterion/criterion.h>
#include <stdio.h>

#include "headless/base/clock.h"
#include "headless/control/election.h"

#define MS NS_PER_MS

/* The tested instance is 1 of three. */
enum { SELF = 1 };

static struct election e;
static struct election_actions actions;
static uint64_t now_ns;

static struct election_member member(uint64_t instance)
{
    struct election_member m = {.instance = instance, .is_eligible = true};

    m.address = (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, (uint8_t)instance}};
    (void)snprintf(m.name.text, sizeof(m.name.text), "pod-%u", (unsigned)instance);
    return m;
}

/* It follows no leader yet, and has granted no lease. */
static void join_three(void)
{
    const struct election_config config = {.self = member(SELF),
                                           .interval_ns = 200 * MS,
                                           .misses = 4,
                                           .quorum = ELECTION_QUORUM_MAJORITY,
                                           .expect = 3,
                                           .on_refused_fast = true,
                                           .forget_ns = 60 * NS_PER_SEC,
                                           .tenure_ns = NS_PER_SEC};

    now_ns = 100 * NS_PER_SEC;
    memset(&e, 0, sizeof(e));
    election_init(&e, &config, now_ns);
    e.state = ELECTION_SUSPECT;
    e.list = (struct election_list){.id = {.term = 1, .version = 1}, .count = 3};
    for (uint16_t i = 0; i < 3; i++)
        e.list.members[i] = member(i + 1U);
    e.self_index = 0;
    e.is_volatile = false;
    now_ns += 10 * NS_PER_SEC;
}

#endif
