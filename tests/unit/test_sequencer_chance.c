/* order: what no member ever sends, and what chance brings about. */
#include "sequencer_checks.h"

/* ---- bad input ---- */

Test(s, runs_of_others_are_dropped)
{
    const struct entry_range range = {.first = 1, .oldest = 1, .last = 1};
    struct frame_reader reader = {0};
    struct sequencer *s = &w.pods[1].sequencer;

    begin_world(false);
    send_many(0, 5);
    pass(&w, 20);
    sequencer_take_entries(s, w.pods[2].instance, w.term, &range, 3, &reader);
    cr_assert_eq(drops(&w.pods[1], DROP_order), 3, "not the leader's");
    sequencer_take_entries(s, w.pods[0].instance, w.term - 1, &range, 1, &reader);
    cr_assert_eq(drops(&w.pods[1], DROP_order), 4, "an old term");
    sequencer_take_entries(s, w.pods[0].instance, w.term + 1, &range, 1, &reader);
    cr_assert_eq(drops(&w.pods[1], DROP_order), 5, "a term that is not known yet");
    cr_assert_eq(delivered(1), 5);
    world_end(&w);
}

Test(s, numbers_of_the_future_are_not_believed)
{
    const struct entry_range range = {
        .first = ENTRY_INDEX_MAX, .oldest = 1, .last = ENTRY_INDEX_MAX, .term_first = 1};
    struct frame_reader reader = {0};
    struct sequencer *s = &w.pods[1].sequencer;

    begin_world(false);
    send_many(0, 5);
    pass(&w, 20);
    sequencer_take_entries(s, w.pods[0].instance, w.term, &range, 2, &reader);
    sequencer_flush(s);
    cr_assert_eq(drops(&w.pods[1], DROP_ahead), 2);
    send_many(0, 5);
    pass(&w, 50);
    cr_assert_eq(delivered(1), 10);
    cr_assert_eq(w.pods[1].app.missing, 0);
    world_end(&w);
}

Test(s, questions_without_end_are_answered_within_a_budget)
{
    const struct entry_ack ack = {.request = 1};
    uint64_t sum[COUNTER_COUNT] = {0};

    begin_world(false);
    send_many(0, 100);
    pass(&w, 20);
    for (unsigned i = 0; i < 1000; i++) {
        sequencer_take_ack(&w.pods[0].sequencer, w.pods[1].instance, w.term, &ack);
        sequencer_flush(&w.pods[0].sequencer);
    }
    sequencer_take_ack(&w.pods[0].sequencer, 4711, w.term, &ack); /* a stranger's */
    counters_collect(&w.pods[0].counters, sum);
    cr_assert_leq(sum[COUNTER_ORDER_RESENT], 500);
    cr_assert_eq(sum[COUNTER_ORDER_REFUSED], 1);
    pass(&w, 300);
    check_agreement();
    world_end(&w);
}

/* ---- chance ---- */

/* Each leader follows the former at any moment, and not all hear of it at once. */
static void change_leader(void)
{
    size_t leader = draw(&w, PODS);

    while (!w.pods[leader].is_alive)
        leader = draw(&w, PODS);
    w.term++;
    for (size_t i = 0; i < PODS; i++) {
        if (i == leader || draw(&w, 100) < 70)
            pod_hears(&w, i, leader, w.term);
    }
}

/* The latest leader, and all that lags behind, as heartbeats would have it in the end. */
static size_t spread_news(void)
{
    size_t leader = 0;

    for (size_t i = 0; i < PODS; i++) {
        if (w.pods[i].is_alive && w.pods[i].view.term == w.term &&
            w.pods[i].view.kind == VIEW_LEADER_SELF)
            leader = i;
    }
    for (size_t i = 0; i < PODS; i++)
        pod_hears(&w, i, leader, w.term);
    return leader;
}

static bool all_are_of_one_mind(void)
{
    for (size_t i = 0; i < PODS; i++) {
        if (!w.pods[i].is_alive || w.pods[i].sequencer.normal_term != w.term)
            return false;
    }
    return true;
}

/* It comes back with nothing, as a restarted pod does. */
static void restart_one(void)
{
    size_t pod = draw(&w, PODS);

    if (!all_are_of_one_mind() || w.pods[pod].view.kind == VIEW_LEADER_SELF)
        return;
    pod_kill(&w, pod);
    pod_start(&w, pod);
    if (!w.commits) /* what it knew when it died nobody can correct */
        memset(w.pods[pod].app.known, 0, sizeof(w.pods[pod].app.known));
    (void)spread_news();
}

/* One that has just come back leads, while another has been away for some messages. */
static void let_the_newest_lead(void)
{
    size_t pod = draw(&w, PODS), away = (pod + 1 + draw(&w, PODS - 1)) % PODS;
    size_t leader = spread_news();

    if (!all_are_of_one_mind() || pod == leader || away == leader)
        return;
    isolate(away, true);
    send_many(leader, 20 + (unsigned)draw(&w, 100));
    pass(&w, 20);
    pod_kill(&w, pod);
    pod_start(&w, pod);
    if (!w.commits)
        memset(w.pods[pod].app.known, 0, sizeof(w.pods[pod].app.known));
    (void)spread_news();
    pass(&w, 10);
    memset(w.cuts, 0, sizeof(w.cuts));
    w.term++;
    for (size_t i = 0; i < PODS; i++)
        pod_hears(&w, i, pod, w.term);
    pass(&w, 50);
}

static void live(uint64_t seed, bool commits)
{
    size_t leader;

    world_begin(&w, seed, commits, seed % 3 ? MIB : 128 * KIB);
    all_hear(&w, 0);
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
            (void)spread_news();
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
        for (size_t i = 0; i < PODS; i++) /* whoever believes that it leads */
            client_sends(&w, i);
        pass(&w, 1 + (unsigned)draw(&w, 5));
        if (commits)
            check_orders();
    }
    memset(w.cuts, 0, sizeof(w.cuts));
    w.loss = w.twice = w.late = 0;
    leader = spread_news();
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

Test(s, chance)
{
    for (uint64_t seed = 1; seed <= 50; seed++)
        live(seed, false);
}

Test(s, chance_with_commit)
{
    for (uint64_t seed = 1; seed <= 50; seed++)
        live(seed, true);
}
