/*
 * A UDP app that cannot be reached, or for which this pod has no more sockets: each errno of each
 * system call, as the kernel would return it.
 */
#include <errno.h>
#include <sys/epoll.h>

#include "plane_app_fixture.h"

/* ---- the kernel ---- */

enum call { CALL_NONE, CALL_SOCKET, CALL_BIND, CALL_CONNECT, CALL_EPOLL, CALL_SEND };

static enum call failing_call;
static int failing_errno;

/* True: this call fails. */
static bool is_failing(enum call call)
{
    if (call != failing_call)
        return false;
    errno = failing_errno;
    return true;
}

int __real_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol);
int __wrap_socket(int domain, int type, int protocol)
{
    return is_failing(CALL_SOCKET) ? -1 : __real_socket(domain, type, protocol);
}

int __real_bind(int fd, const struct sockaddr *sa, socklen_t length);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t length);
int __wrap_bind(int fd, const struct sockaddr *sa, socklen_t length)
{
    return is_failing(CALL_BIND) ? -1 : __real_bind(fd, sa, length);
}

int __real_connect(int fd, const struct sockaddr *sa, socklen_t length);
int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t length);
int __wrap_connect(int fd, const struct sockaddr *sa, socklen_t length)
{
    return is_failing(CALL_CONNECT) ? -1 : __real_connect(fd, sa, length);
}

int __real_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event);
int __wrap_epoll_ctl(int epoll_fd, int op, int fd, struct epoll_event *event)
{
    return is_failing(CALL_EPOLL) ? -1 : __real_epoll_ctl(epoll_fd, op, fd, event);
}

int __real_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags);
int __wrap_sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags)
{
    return is_failing(CALL_SEND) ? -1 : __real_sendmmsg(fd, headers, count, flags);
}

static void fail(enum call call, int error_number)
{
    failing_call = call;
    failing_errno = error_number;
}

TestSuite(plane_app_unreachable, .init = setup_app, .fini = teardown_app, .timeout = 30);

struct error_case {
    enum call call;
    int error_number;
    enum drop_reason reason;
    enum app_health health; /* after the first one */
};

static const struct error_case error_cases[] = {
    {CALL_CONNECT, ENETUNREACH, DROP_app_unreachable, APP_SUSPECT},
    {CALL_CONNECT, EHOSTUNREACH, DROP_app_unreachable, APP_SUSPECT},
    {CALL_CONNECT, ENETDOWN, DROP_app_unreachable, APP_SUSPECT},
    {CALL_CONNECT, EACCES, DROP_app_unreachable, APP_SUSPECT},
    {CALL_CONNECT, EPERM, DROP_app_unreachable, APP_SUSPECT},
    {CALL_CONNECT, EINVAL, DROP_app_unreachable, APP_SUSPECT},
    {CALL_CONNECT, EADDRNOTAVAIL, DROP_app_unreachable, APP_SUSPECT},
    {CALL_CONNECT, EAGAIN, DROP_app_no_socket, APP_UP},
    {CALL_BIND, EADDRINUSE, DROP_app_no_socket, APP_UP},
    {CALL_BIND, ENOBUFS, DROP_app_no_socket, APP_UP},
    {CALL_BIND, ENOMEM, DROP_app_no_socket, APP_UP},
    {CALL_SOCKET, EAFNOSUPPORT, DROP_app_unreachable, APP_SUSPECT},
    {CALL_SOCKET, EMFILE, DROP_app_no_socket, APP_UP},
    {CALL_SOCKET, ENFILE, DROP_app_no_socket, APP_UP},
    {CALL_SOCKET, ENOBUFS, DROP_app_no_socket, APP_UP},
    {CALL_SOCKET, ENOMEM, DROP_app_no_socket, APP_UP},
    {CALL_EPOLL, ENOMEM, DROP_app_no_socket, APP_UP},
    {CALL_EPOLL, ENOSPC, DROP_app_no_socket, APP_UP},
    {CALL_SEND, ENETUNREACH, DROP_app_unreachable, APP_SUSPECT},
    {CALL_SEND, EHOSTUNREACH, DROP_app_unreachable, APP_SUSPECT},
    {CALL_SEND, ENETDOWN, DROP_app_unreachable, APP_SUSPECT},
    {CALL_SEND, EACCES, DROP_app_unreachable, APP_SUSPECT},
    {CALL_SEND, EPERM, DROP_app_unreachable, APP_SUSPECT},
    {CALL_SEND, EADDRNOTAVAIL, DROP_app_unreachable, APP_SUSPECT},
    {CALL_SEND, ENOBUFS, DROP_send_full, APP_UP},
    {CALL_SEND, ENOMEM, DROP_send_full, APP_UP},
    {CALL_SEND, EMSGSIZE, DROP_send_too_big, APP_UP},
    {CALL_SEND, EINVAL, DROP_send_failed, APP_UP},
    {CALL_SEND, EIO, DROP_send_failed, APP_UP},
};
#define ERROR_CASES (sizeof(error_cases) / sizeof(error_cases[0]))

/* Then the pod is as before: no descriptor is lost, and the next request is served. */
static void expect_case(const struct error_case *expected)
{
    const char *text = strerror(expected->error_number);
    size_t dropped = COUNTER_DROPPED + (size_t)expected->reason;
    uint64_t before = count(A, dropped);

    fail(expected->call, expected->error_number);
    client_says("lost");
    cr_expect_eq(count(A, dropped), before + 1, "call %d, %s", (int)expected->call, text);
    cr_expect_eq(watch()->judge.health, expected->health, "call %d, %s: %d", (int)expected->call,
                 text, (int)watch()->judge.health);
    fail(CALL_NONE, 0);
    if (expected->health != APP_UP) {
        client_says("held, or the check");
        check_now();
        check_now();
    } else {
        client_says("served");
    }
    cr_expect_eq(watch()->judge.health, APP_UP, "call %d, %s: up again", (int)expected->call, text);
    app_answers();
}

/* A process for each: sessions of earlier cases would be evidence. */
static void expect_call(enum call call)
{
    for (size_t i = 0; i < ERROR_CASES; i++) {
        if (error_cases[i].call != call)
            continue;
        expect_case(&error_cases[i]);
        teardown_app();
        setup_app();
    }
}

Test(plane_app_unreachable, connect_fails)
{
    expect_call(CALL_CONNECT);
}

Test(plane_app_unreachable, bind_fails)
{
    expect_call(CALL_BIND);
}

Test(plane_app_unreachable, socket_fails)
{
    expect_call(CALL_SOCKET);
}

Test(plane_app_unreachable, epoll_fails)
{
    expect_call(CALL_EPOLL);
}

Test(plane_app_unreachable, send_fails)
{
    expect_call(CALL_SEND);
}

/* The lead then goes to a pod whose app can be reached; this one is up again without a request. */
Test(plane_app_unreachable, app_without_a_route_is_down_until_there_is_one)
{
    fail(CALL_CONNECT, ENETUNREACH);
    client_says("lost");
    cr_assert(data_plane_app_is_up(data_planes[A]));
    for (int i = 0; i < 2; i++)
        check_now();
    cr_assert_not(data_plane_app_is_up(data_planes[A]));
    cr_assert_not(data_plane_needs_request(data_planes[A]), "it is checked without clients");
    client_says("held");
    check_now();
    cr_assert_eq(count(A, DROPPED(app_unreachable)), 1, "held requests are no checks");
    publish_both(B, 2);
    run(A);
    fail(CALL_NONE, 0);
    check_now();
    cr_assert(data_plane_app_is_up(data_planes[A]));
}

Test(plane_app_unreachable, firewall_that_denies_one_client_leaves_the_app_up)
{
    client_says("one");
    app_answers();
    udp_close(&client);
    cr_assert_eq(udp_open(&(struct address){.family = ADDRESS_V4, .ip = {127, 0, 0, 1}},
                          &(struct udp_options){0}, &client),
                 0);
    fail(CALL_SEND, EPERM);
    for (int i = 0; i < 5; i++)
        client_says("denied");
    cr_assert_eq(count(A, DROPPED(app_unreachable)), 5);
    cr_assert_eq(watch()->judge.health, APP_UP);
}

/* A request that is not sent proves nothing. */
Test(plane_app_unreachable, withheld_request_is_no_check_of_the_app)
{
    const struct sessions *sessions = &data_planes[A]->workers[0].routing.app.udp->sessions;

    client_says("one");
    app_answers();
    refused_clients_add(&watch()->clients, sessions_number(sessions, &sessions->table[0]),
                        clock_now_ns());
    watch()->judge.was_tried = false;
    client_says("withheld");
    cr_assert_eq(count(A, DROPPED(app_refuses_client)), 1);
    cr_assert_not(watch()->judge.was_tried);
}

/* ---- workers and pods without clients ---- */

/* This worker was refused so long ago, and no session can check the app. */
static struct app_watch *set_down(size_t worker, uint64_t ago_ns)
{
    struct app_watch *watch = &data_planes[A]->workers[worker].routing.app.udp->watch;

    watch->judge.health = APP_DOWN;
    watch->judge.check_ns = 0;
    watch->refused_ns = clock_now_ns() - ago_ns;
    app_watch_publish(watch);
    return watch;
}

static void run_worker(size_t worker)
{
    for (int i = 0; i < 2; i++)
        (void)inline_worker_agent_ops.do_work(&data_planes[A]->inline_workers[worker]);
}

static void use_two_workers(void)
{
    data_plane_close(data_planes[A]);
    configs[A].receivers = 2;
    cr_assert_eq(data_plane_open(&configs[A], &supervisor_wakers[A], &data_planes[A]), 0);
    for (size_t i = 0; i < 2; i++)
        udp_lookup_close(&data_planes[A]->workers[i].routing.app.udp->watch.lookup);
    publish_both(A, 1);
}

Test(plane_app_unreachable, worker_without_clients_learns_from_another_that_the_app_is_up)
{
    struct app_watch *busy;

    use_two_workers();
    busy = set_down(0, 5 * NS_PER_SEC);
    (void)set_down(1, 5 * NS_PER_SEC);
    run_worker(1);
    cr_assert_not(data_plane_app_is_up(data_planes[A]));
    app_watch_answered(busy, 0, clock_now_ns());
    app_judge_up(&busy->judge);
    app_watch_publish(busy);
    run_worker(0);
    (void)set_down(1, 5 * NS_PER_SEC);
    run_worker(1);
    cr_assert(data_plane_app_is_up(data_planes[A]));
}

/* It may be the last reply of an app that has ended since. */
Test(plane_app_unreachable, reply_of_before_the_refusal_is_no_sign)
{
    struct app_watch *busy;

    use_two_workers();
    busy = set_down(0, 0);
    app_watch_answered(busy, 0, clock_now_ns());
    app_judge_up(&busy->judge);
    app_watch_publish(busy);
    run_worker(0);
    (void)set_down(1, 0);
    run_worker(1);
    cr_assert_not(data_plane_app_is_up(data_planes[A]));
}

Test(plane_app_unreachable, follower_that_cannot_check_its_app_may_lead_again)
{
    publish_both(B, 1);
    (void)set_down(0, 9 * NS_PER_SEC);
    run(A);
    cr_assert_not(data_plane_app_is_up(data_planes[A]));
    (void)set_down(0, 11 * NS_PER_SEC);
    run(A);
    cr_assert(data_plane_app_is_up(data_planes[A]));
}

/* Otherwise the lead would go round while no app is up. */
Test(plane_app_unreachable, follower_waits_while_no_app_is_up)
{
    publish_both(B, 1);
    data_plane_note_no_app(data_planes[A], true);
    (void)set_down(0, 11 * NS_PER_SEC);
    run(A);
    cr_assert_not(data_plane_app_is_up(data_planes[A]));
}

Test(plane_app_unreachable, leader_tries_its_app_with_requests_only)
{
    (void)set_down(0, 11 * NS_PER_SEC);
    run(A);
    cr_assert_not(data_plane_app_is_up(data_planes[A]));
    cr_assert(data_plane_needs_request(data_planes[A]));
}
