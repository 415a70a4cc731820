/*
 * A UDP server as the app of pod A, by one connected socket for each session: the app is on IPv6
 * loopback, and its port cannot be looked up, as on another host. Each slice is called by hand.
 */
#ifndef PLANE_APP_FIXTURE_H
#define PLANE_APP_FIXTURE_H

#include "plane_fixture.h"

#include "data/app/udp_app.h"

static struct udp_socket app;

static inline struct udp_app *udp(void)
{
    return data_planes[A]->workers[0].routing.app.udp;
}

static inline struct app_watch *watch(void)
{
    return &udp()->watch;
}

static void open_app(const struct address *at)
{
    const struct udp_options options = {0};

    cr_assert_eq(udp_open(at, &options, &app), 0);
}

static void setup_app(void)
{
    const struct address any = ip("::1");

    setup();
    open_app(&any);
    configs[A].app_target = (struct config_app_target){CONFIG_APP_UDP, app.local};
    configs[A].app_fail_ns = 3600 * NS_PER_SEC;
    data_plane_close(data_planes[A]);
    cr_assert_eq(data_plane_open(&configs[A], &supervisor_wakers[A], &data_planes[A]), 0);
    udp_lookup_close(&watch()->lookup);
    publish_both(A, 1);
}

static void teardown_app(void)
{
    udp_close(&app);
    teardown();
}

static void client_says(const char *text)
{
    say(A, text);
    run(A);
}

/* The app takes the oldest request that waits, and answers it. */
static void app_answers(void)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof(from);
    char text[100];
    ssize_t n =
        recvfrom(app.fd, text, sizeof(text), MSG_DONTWAIT, (struct sockaddr *)&from, &length);

    cr_assert_geq(n, 0);
    cr_assert_eq(sendto(app.fd, text, (size_t)n, 0, (struct sockaddr *)&from, length), n);
    run(A);
    cr_assert_neq(heard()[0], '\0');
}

static void check_now(void)
{
    watch()->judge.check_ns = 0;
    run(A);
}

#endif
