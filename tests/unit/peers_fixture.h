/*
 * peers_fixture: a peer table over the counters of two workers, and leader lists to update it with.
 */
#ifndef PEERS_FIXTURE_H
#define PEERS_FIXTURE_H

#include <criterion/criterion.h>
#include <stdlib.h>

#include "control/peers.h"

#define MS UINT64_C(1000000)
#define A  0xa1
#define B  0xb2

static struct data_plane data_plane;
static struct worker *workers;
static struct config config;
static struct peers peers;

/* Failures count as a mismatch after one second. */
static void setup(void)
{
    size_t bytes = (2 * sizeof(*workers) + 63) / 64 * 64;

    workers = aligned_alloc(64, bytes);
    cr_assert_not_null(workers);
    memset(workers, 0, bytes);
    data_plane.workers = workers;
    data_plane.worker_count = 2;
    config.heartbeat_interval_ns = 500 * MS;
    config.heartbeat_misses = 2;
    peers_init(&peers, &config);
    peers_set_data_plane(&peers, &data_plane);
}

static void teardown(void)
{
    free(workers);
}

static __attribute__((unused)) void list_is(size_t count, const uint64_t *instances)
{
    static struct election_list list;

    list.count = (uint16_t)count;
    for (size_t i = 0; i < count; i++)
        list.members[i] = (struct election_member){.instance = instances[i]};
    peers_update(&peers, &list);
}

static __attribute__((unused)) void only_member_is(uint64_t instance)
{
    list_is(1, &instance);
}

/* Let all other indexes be used in between, so that this instance gets the index of the last one. */
static __attribute__((unused)) void replace_at_same_index(uint64_t former, uint64_t instance)
{
    uint16_t index = peers_index(&peers, former);

    cr_assert_neq(index, MEMBER_INDEX_NONE);
    for (uint64_t i = 0; peers.next != index; i++)
        only_member_is(0xffff0000 + i);
    only_member_is(instance);
    cr_assert_eq(peers_index(&peers, instance), index);
}

#endif
