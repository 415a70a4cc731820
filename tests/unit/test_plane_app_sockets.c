/* Sessions with sockets of their own, and checks of an app whose port cannot be looked up. */
#include <dirent.h>

#include "plane_app_fixture.h"

#include "data/app/session_list.h"

TestSuite(plane_app_sockets, .init = setup_app, .fini = teardown_app, .timeout = 30);

/* The only session, as a new one or one that rests. */
static struct session *only_session(void)
{
    cr_assert_eq(udp()->sessions.used, 1);
    return &udp()->sessions.table[0];
}

static size_t open_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    size_t n = 0;

    cr_assert_not_null(directory);
    while (readdir(directory))
        n++;
    (void)closedir(directory);
    return n;
}

/* Close it as app.idle does. */
static void session_rests(struct session *session)
{
    (void)close(session->fd);
    session->fd = -1;
    sessions_rest(&udp()->sessions, session);
}

/* A request of a client that the app refused less than a second ago. */
static void refused_client_says(const struct session *session)
{
    refused_clients_clear(&udp()->watch.clients);
    refused_clients_add(&udp()->watch.clients, sessions_number(&udp()->sessions, session),
                        clock_now_ns());
    client_says("dropped");
}

Test(plane_app_sockets, dropped_requests_of_a_resting_session_leave_no_sockets_behind)
{
    struct session *session;
    size_t before;

    client_says("one");
    app_answers();
    session = only_session();
    session_rests(session);
    refused_client_says(session);
    before = open_descriptors();
    for (unsigned i = 0; i < 50; i++)
        refused_client_says(session);
    cr_assert_eq(count(A, DROPPED(app_refuses_client)), 51);
    cr_assert_eq(open_descriptors(), before, "%zu, were %zu", open_descriptors(), before);
    cr_assert_eq(atomic_load(&udp()->sessions.count), session->fd >= 0,
                 "a session with a socket is an open one");
}

Test(plane_app_sockets, session_that_checks_the_app_does_not_become_idle)
{
    const struct address at = configs[A].app_target.address;
    struct session *session;

    client_says("one");
    app_answers();
    session = only_session();
    udp_close(&app);
    client_says("lost");
    check_now();
    cr_assert_neq(udp()->watch.judge.health, APP_UP);
    cr_assert_not(data_plane_needs_request(data_planes[A]));
    session->used -= session_tick(3600 * NS_PER_SEC);
    check_now();
    cr_assert_not(session_is_idle(session, 60 * NS_PER_SEC, clock_now_ns()));
    open_app(&at);
    check_now();
    check_now();
    cr_assert_eq(udp()->watch.judge.health, APP_UP);
}

Test(plane_app_sockets, app_that_never_answered_needs_a_request)
{
    const struct address at = configs[A].app_target.address;

    udp_close(&app);
    cr_assert_not(data_plane_needs_request(data_planes[A]));
    client_says("lost");
    client_says("held");
    check_now();
    cr_assert_neq(udp()->watch.judge.health, APP_UP);
    cr_assert(data_plane_needs_request(data_planes[A]));
    open_app(&at);
    client_says("check");
    check_now();
    check_now();
    cr_assert_eq(udp()->watch.judge.health, APP_UP);
    cr_assert_not(data_plane_needs_request(data_planes[A]));
}
