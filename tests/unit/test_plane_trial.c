/* Route ordered: a held request that is to check the app waits until the new leader has adopted a log. */
#include "plane_fixture.h"

#include "data/app/udp_app.h"

TestSuite(plane_trial, .init = setup, .fini = teardown, .timeout = 30);

static struct app_watch *watch(void)
{
    return &data_planes[A]->workers[0].routing.app.udp->watch;
}

static const struct sequencer *sequencer(void)
{
    return &data_planes[A]->workers[0].routing.runner->sequencer;
}

Test(plane_trial, leader_that_adopts_a_log_appends_no_held_request)
{
    configs[A].app_target =
        (struct config_app_target){CONFIG_APP_UDP, address_with_port(ip("127.0.0.1"), 9)};
    for (int i = 0; i < PODS; i++)
        configs[i].ordered_history_bytes = 1 << 20;
    use_route(CONFIG_ROUTE_ORDERED);
    publish_both(A, 1); /* B does not run, so A has no reply of it */
    run(A);
    udp_lookup_close(&watch()->lookup);
    watch()->judge.health = APP_SUSPECT;
    say(A, "held");
    run(A);
    cr_assert_not(sequencer_is_leading(sequencer()));
    cr_assert_eq(count(A, COUNTER_ORDER_NUMBERED), 0);
    cr_assert_eq(count(A, COUNTER_DELIVERED), 0);
    while (!sequencer_is_leading(sequencer())) {
        run(B);
        run(A);
    }
    run(A);
    cr_assert_eq(count(A, COUNTER_ORDER_NUMBERED), 1);
}
