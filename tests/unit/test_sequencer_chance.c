/* sequencer: input that no member ever sends, and random runs. */
#include "sequencer_checks.h"

/* ---- bad input ---- */

Test(sequencer, entries_of_other_senders_are_dropped)
{
    const struct entry_range range = {.first = 1, .oldest = 1, .last = 1};
    struct frame_reader reader = {0};

    begin_world(false);
    send_many(0, 5);
    pass(&w, 20);
    take_entries(&w.pods[1], w.pods[2].instance, w.term, &range, 3, &reader);
    cr_assert_eq(drops(&w.pods[1], DROP_order), 3, "not the leader's");
    take_entries(&w.pods[1], w.pods[0].instance, w.term - 1, &range, 1, &reader);
    cr_assert_eq(drops(&w.pods[1], DROP_order), 4, "an old term");
    take_entries(&w.pods[1], w.pods[0].instance, w.term + 1, &range, 1, &reader);
    cr_assert_eq(drops(&w.pods[1], DROP_order), 5, "a term that is not known yet");
    cr_assert_eq(delivered(1), 5);
    world_end(&w);
}

Test(sequencer, indices_of_the_future_are_not_taken)
{
    const struct entry_range range = {
        .first = ENTRY_INDEX_MAX, .oldest = 1, .last = ENTRY_INDEX_MAX, .term_first = 1};
    struct frame_reader reader = {0};

    begin_world(false);
    send_many(0, 5);
    pass(&w, 20);
    take_entries(&w.pods[1], w.pods[0].instance, w.term, &range, 2, &reader);
    flush(&w.pods[1]);
    cr_assert_eq(drops(&w.pods[1], DROP_ahead), 2);
    send_many(0, 5);
    pass(&w, 50);
    cr_assert_eq(delivered(1), 10);
    cr_assert_eq(w.pods[1].app.missing, 0);
    world_end(&w);
}

Test(sequencer, endless_requests_get_replies_within_a_budget)
{
    const struct entry_ack ack = {.request = 1};
    uint64_t sum[COUNTER_COUNT] = {0};

    begin_world(false);
    send_many(0, 100);
    pass(&w, 20);
    for (unsigned i = 0; i < 1000; i++) {
        take_ack(&w.pods[0], w.pods[1].instance, w.term, &ack);
        flush(&w.pods[0]);
    }
    take_ack(&w.pods[0], 4711, w.term, &ack); /* of an unknown instance */
    counters_collect(&w.pods[0].counters, sum);
    cr_assert_leq(sum[COUNTER_ORDER_RESENT], 500);
    cr_assert_eq(sum[COUNTER_ORDER_REFUSED], 1);
    pass(&w, 300);
    check_agreement();
    world_end(&w);
}

/* ---- chance ---- */

/* A leader may change at any moment, and not all pods learn it at once. */
static void change_leader(void)
{
    size_t leader = draw(&w, PODS);

    while (!w.pods[leader].is_alive)
        leader = draw(&w, PODS);
    w.term++;
    for (size_t i = 0; i < PODS; i++) {
        if (i == leader || draw(&w, 100) < 70)
            pod_learns_leader(&w, i, leader, w.term);
    }
}

/* All pods learn the latest leader, as they do by heartbeats. */
static size_t all_learn_the_leader(void)
{
    size_t leader = 0;

    for (size_t i = 0; i < PODS; i++) {
        if (w.pods[i].is_alive && w.pods[i].snapshot.term == w.term && w.pods[i].snapshot.leads)
            leader = i;
    }
    for (size_t i = 0; i < PODS; i++)
        pod_learns_leader(&w, i, leader, w.term);
    return leader;
}

static bool all_agree(void)
{
    for (size_t i = 0; i < PODS; i++) {
        if (!w.pods[i].is_alive || w.pods[i].sequencer.normal_term != w.term)
            return false;
    }
    return true;
}

/* It comes back with an empty log. */
static void restart_one(void)
{
    size_t pod = draw(&w, PODS);

    if (!all_agree() || w.pods[pod].snapshot.leads)
        return;
    pod_kill(&w, pod);
    pod_start(&w, pod);
    if (!w.commits) /* no report can correct what it had when it died */
        memset(w.pods[pod].app.known, 0, sizeof(w.pods[pod].app.known));
    (void)all_learn_the_leader();
}

/* A pod that has just restarted leads, while another has been cut off for some entries. */
static void let_the_newest_lead(void)
{
    size_t pod = draw(&w, PODS), away = (pod + 1 + draw(&w, PODS - 1)) % PODS;
    size_t leader = all_learn_the_leader();

    if (!all_agree() || pod == leader || away == leader)
        return;
    isolate(away, true);
    send_many(leader, 20 + (unsigned)draw(&w, 100));
    pass(&w, 20);
    pod_kill(&w, pod);
    pod_start(&w, pod);
    if (!w.commits)
        memset(w.pods[pod].app.known, 0, sizeof(w.pods[pod].app.known));
    (void)all_learn_the_leader();
    pass(&w, 10);
    memset(w.cuts, 0, sizeof(w.cuts));
    w.term++;
    for (size_t i = 0; i < PODS; i++)
        pod_learns_leader(&w, i, pod, w.term);
    pass(&w, 50);
}

static void live(uint64_t seed, bool commits)
{
    size_t leader;

    world_begin(&w, seed, commits, seed % 3 ? MIB : 128 * KIB);
    all_learn(&w, 0);
    w.loss = seed % 2 ? (unsigned)draw(&w, 30) : 0;
    w.keeps_all = w.loss == 0;
    w.twice = (unsigned)draw(&w, 20);
    w.late = (unsigned)draw(&w, 5);
    for (unsigned step = 0; step < 300; step++) {
        switch (draw(&w, 40)) {
        case 0:
            change_leader();
            break;
        case 1:
            (void)all_learn_the_leader();
            break;
        case 2:
            restart_one();
            break;
        case 3:
            w.cuts[draw(&w, PODS)][draw(&w, PODS)] ^= true;
            break;
        case 4:
            memset(w.cuts, 0, sizeof(w.cuts));
            break;
        case 5:
            let_the_newest_lead();
            break;
        default:
            break;
        }
        for (size_t i = 0; i < PODS; i++) /* each that believes that it leads */
            client_sends(&w, i);
        pass(&w, 1 + (unsigned)draw(&w, 5));
        if (commits)
            check_indices();
    }
    memset(w.cuts, 0, sizeof(w.cuts));
    w.loss = w.twice = w.late = 0;
    leader = all_learn_the_leader();
    pass(&w, 1000);
    cr_assert(sequencer_is_leading(&w.pods[leader].sequencer), "seed %llu",
              (unsigned long long)seed);
    send_many(leader, 10);
    pass(&w, 200);
    check_agreement();
    for (size_t i = 0; i < PODS && commits; i++)
        cr_assert_eq(w.pods[i].app.diverged, 0, "seed %llu", (unsigned long long)seed);
    world_end(&w);
}

Test(sequencer, chance)
{
    for (uint64_t seed = 1; seed <= 50; seed++)
        live(seed, false);
}

Test(sequencer, chance_with_commit)
{
    for (uint64_t seed = 1; seed <= 50; seed++)
        live(seed, true);
}
