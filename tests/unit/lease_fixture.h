/* lease_fixture: lease_step with an election that joined a cluster of three, and a record of pod-2. */
#ifndef HEADLESS_TESTS_LEASE_FIXTURE_H
#define HEADLESS_TESTS_LEASE_FIXTURE_H

#include "election_fixture.h"
#include "headless/control/lease.h"

#define DURATION (15 * NS_PER_SEC)

static struct lease l;
static struct lease_actions lease;
static struct lease_record record;

static __attribute__((unused)) void lease_event(const struct lease_event *event)
{
    lease_step(&l, event, &e, now_ns, &lease);
}

static __attribute__((unused)) void tick(uint64_t after_ns)
{
    now_ns += after_ns;
    lease_event(&(struct lease_event){.type = LEASE_TICK});
}

static __attribute__((unused)) void reply(enum lease_outcome outcome)
{
    lease_event(&(struct lease_event){
        .type = LEASE_REPLY, .outcome = outcome, .request = l.request, .record = &record});
}

static __attribute__((unused)) void see(const char *version)
{
    (void)snprintf(record.version, sizeof(record.version), "%s", version);
    lease_event(&(struct lease_event){.type = LEASE_SEEN, .record = &record});
}

/* A record of pod-2, instance 2, with a majority. */
static __attribute__((unused)) void setup(void)
{
    const struct lease_config config = {.duration_ns = DURATION, .refresh_ns = 20 * NS_PER_SEC};

    memset(&actions, 0, sizeof(actions));
    join_three();
    e.config.has_lease = true;
    e.term = 5;
    e.leader = 2;
    lease_init(&l, &config, &e.config, now_ns);
    record = (struct lease_record){.exists = true,
                                   .uid = "uid-1",
                                   .holder = "pod-2_0000000000000002",
                                   .writer = "pod-2_0000000000000002",
                                   .writer_uid = "uid-1",
                                   .term = 5,
                                   .list = {.term = 1, .version = 1},
                                   .duration_ns = DURATION,
                                   .stamp_ns = 1};
    tick(0);
    cr_assert_eq(lease.verb, LEASE_GET);
    (void)snprintf(record.version, sizeof(record.version), "100");
    reply(LEASE_OK);
}

static __attribute__((unused)) void seal(uint64_t term, bool is_voted)
{
    e.state = ELECTION_SEALING;
    e.campaign = (struct election_campaign){

        .stage = ELECTION_STAGE_SEAL,
        .seal = e.campaign.seal + 1,
        .term = term,
        .is_voted = is_voted};
    tick(NS_PER_MS);
}

#endif
