/* relay.linger: copies of the leader wait to be batched, those of a follower do not. */
#include "plane_fixture.h"

TestSuite(plane_linger, .init = setup, .fini = teardown, .timeout = 30);

/* The client sends three, one after the other; as if less time than relay.linger passed. */
static void say_three(int pod)
{
    for (int i = 0; i < 3; i++) {
        say(pod, "hello");
        run(pod);
    }
}

static void linger_for_ever(enum config_route route)
{
    for (int i = 0; i < PODS; i++) {
        configs[i].relay_linger_ns = 3600 * NS_PER_SEC;
        configs[i].ordered_history_bytes = 1 << 20;
    }
    use_route(route);
}

Test(plane_linger, copies_of_the_leader_wait_for_more_copies)
{
    linger_for_ever(CONFIG_ROUTE_ALL);
    publish_both(A, 1);
    say_three(A);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 3, "its own app does not wait");
    cr_assert_eq(count(A, COUNTER_COPIES_SENT), 1, "the first leaves at once");
    atomic_store(&data_planes[A]->inline_workers[0].agent.stopping, true);
    run(A);
    cr_assert_eq(count(A, COUNTER_COPIES_SENT), 3, "at the end nothing waits");
    cr_assert_eq(count(A, COUNTER_FRAMES_SENT), 2);
    run(B);
    cr_assert_eq(count(B, COUNTER_DELIVERED), 3);
}

/* Here the client waits for the leader's app. */
Test(plane_linger, copies_of_a_follower_do_not_wait)
{
    linger_for_ever(CONFIG_ROUTE_ALL);
    publish_both(A, 1);
    say_three(B);
    cr_assert_eq(count(B, COUNTER_COPIES_SENT), 3);
    cr_assert_eq(count(B, COUNTER_FRAMES_SENT), 3);
    run(A);
}

Test(plane_linger, pod_that_ceases_to_lead_sends_waiting_copies)
{
    linger_for_ever(CONFIG_ROUTE_ALL);
    publish_both(A, 1);
    say_three(A);
    publish_both(B, 2);
    run(A);
    cr_assert_eq(count(A, COUNTER_COPIES_SENT), 3);
    run(B);
}

static void lead_alone(enum config_commit commit)
{
    struct leader_snapshot *snapshot;

    for (int i = 0; i < PODS; i++)
        configs[i].ordered_commit = commit;
    linger_for_ever(CONFIG_ROUTE_ORDERED);
    publish_both(A, 1);
    for (int i = 0; i < PODS; i++) {
        snapshot = snapshot_draft(&data_planes[i]->publisher);
        snapshot->leader.votes_needed = 1;
        snapshot_publish(&data_planes[i]->publisher, snapshot);
    }
    while (!sequencer_is_leading(&data_planes[A]->workers[0].routing.runner->sequencer)) {
        run(A);
        run(B);
    }
    say_three(A);
    cr_assert_eq(count(A, COUNTER_ORDER_NUMBERED), 3);
}

Test(plane_linger, ordered_entries_wait_for_their_batch)
{
    lead_alone(CONFIG_COMMIT_NONE);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 3);
    cr_assert_leq(count(A, COUNTER_COPIES_SENT), 1);
    atomic_store(&data_planes[A]->inline_workers[0].agent.stopping, true);
    run(A);
    cr_assert_eq(count(A, COUNTER_COPIES_SENT), 3);
}

/* Here the leader's app waits for the members. */
Test(plane_linger, messages_that_a_majority_must_have_do_not_wait)
{
    lead_alone(CONFIG_COMMIT_MAJORITY);
    cr_assert_eq(count(A, COUNTER_COPIES_SENT), 3);
}
