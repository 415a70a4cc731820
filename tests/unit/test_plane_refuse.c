/* data_plane_refuse_clients: what was received is handled, what comes meanwhile is not received. */
#include <errno.h>

#include "plane_fixture.h"

TestSuite(plane_refuse, .init = setup, .fini = teardown, .timeout = 30);

Test(plane_refuse, received_requests_are_handled_and_later_ones_are_refused)
{
    publish(A, A, 1, 0);
    for (unsigned i = 0; i < 2; i++) {
        say(A, "before");
        cr_assert_eq(data_plane_refuse_clients(data_planes[A], true), 0);
        say(A, "meanwhile");
        run(A);
        cr_assert_str_eq(heard(), "before");
        cr_assert_str_eq(heard(), "");
        cr_assert_eq(data_plane_refuse_clients(data_planes[A], false), 0);
        say(A, "after");
        run(A);
        cr_assert_str_eq(heard(), "after");
    }
    cr_assert_eq(count(A, COUNTER_RECEIVED_DATA), 4);
}

Test(plane_refuse, other_pods_requests_are_received)
{
    publish_both(A, 1);
    cr_assert_eq(data_plane_refuse_clients(data_planes[A], true), 0);
    say(B, "by way of B");
    run(B);
    run(A);
    run(B);
    cr_assert_str_eq(heard(), "by way of B");
}

Test(plane_refuse, stopped_data_plane_refuses_for_good)
{
    struct data_plane_quiet quiet = {0};

    publish(A, A, 1, 0);
    data_plane_stop(data_planes[A], &quiet, 0);
    cr_assert_eq(data_plane_refuse_clients(data_planes[A], false), -ESHUTDOWN);
    say(A, "late");
    run(A);
    cr_assert_str_eq(heard(), "");
    cr_assert_eq(count(A, COUNTER_RECEIVED_DATA), 0);
}

Test(plane_refuse, more_than_one_receiver_never_refuses)
{
    configs[A].receivers = 2;
    use_route(CONFIG_ROUTE_LEADER);
    cr_assert_eq(data_plane_refuse_clients(data_planes[A], true), -ENOTSUP);
}
