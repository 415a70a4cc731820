/* The datagrams to app.notify. */
#include <criterion/criterion.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>

#include "data/data_plane_internal.h"
#include "headless/admin/notify.h"
#include "headless/base/clock.h"
#include "list_fixture.h"

#define PATIENCE_MS 30000

static struct config config;
static struct data_plane data_plane;
static struct supervisor_report report;
static struct notifier notifier;
static struct udp_socket app;

static void setup(void)
{
    struct address at;
    const struct udp_options options = {0};

    cr_assert_eq(address_parse("127.0.0.1:0", 0, &at), 0);
    cr_assert_eq(udp_open(&at, &options, &app), 0);
    config.app_notify = app.local;
    snapshot_publisher_init(&data_plane.publisher);
    data_plane.identity.instance = 1;
}

static void start(void)
{
    cr_assert_eq(notifier_start(&notifier, &config, &data_plane, &report, NULL), 0);
}

static void teardown(void)
{
    notifier_stop(&notifier);
    udp_close(&app);
}

TestSuite(notify, .init = setup, .fini = teardown, .timeout = 60);

/* As the supervisor does; instance 0: no leader. */
static void publish(uint64_t term, uint64_t instance, uint64_t until_ns)
{
    struct leader_snapshot *draft = snapshot_draft(&data_plane.publisher);

    cr_assert_not_null(draft);
    draft->leader.term = term;
    draft->leader.cause = "command";
    draft->leader.kind = instance ? LEADER_MEMBER : LEADER_NONE;
    draft->leader.instance = instance;
    (void)address_parse_ip("10.0.0.7", &draft->leader.address);
    atomic_store_explicit(&draft->leader.valid_until_ns, until_ns, memory_order_relaxed);
    snapshot_publish(&data_plane.publisher, draft);
    data_plane_wake(&data_plane);
}

/* The next datagram that the app is sent. */
static const char *heard(void)
{
    static char text[65536];
    struct pollfd ready = {.fd = app.fd, .events = POLLIN};
    ssize_t n;

    cr_assert_eq(poll(&ready, 1, PATIENCE_MS), 1, "nothing was sent");
    n = recv(app.fd, text, sizeof(text) - 1, 0);
    cr_assert_geq(n, 0);
    text[n] = '\0';
    return text;
}

#define EXPECT_HEARD(part)                                        \
    do {                                                          \
        const char *text = heard();                               \
        cr_expect(strstr(text, part), "no %s in %s", part, text); \
    } while (0)

Test(notify, the_state_at_the_start_and_then_each_change)
{
    start();
    EXPECT_HEARD("{\"leader\":null,\"term\":0");
    publish(3, 7, SNAPSHOT_NO_EXPIRY);
    EXPECT_HEARD("{\"leader\":{\"address\":\"10.0.0.7\"");
    publish(3, 7, SNAPSHOT_NO_EXPIRY); /* another leadership that says the same */
    publish(4, 7, SNAPSHOT_NO_EXPIRY);
    EXPECT_HEARD("\"term\":4");
    publish(5, 8, SNAPSHOT_NO_EXPIRY);
    EXPECT_HEARD("\"term\":5");
    publish(5, 0, 0);
    EXPECT_HEARD("{\"leader\":null,\"term\":5");
}

Test(notify, expired_leader_is_an_event_without_a_new_snapshot)
{
    start();
    EXPECT_HEARD("{\"leader\":null");
    publish(3, 7, clock_now_ns() + 5 * NS_PER_SEC); /* enough for a slow machine to tell it first */
    EXPECT_HEARD("{\"leader\":{\"address\":\"10.0.0.7\"");
    EXPECT_HEARD("{\"leader\":null,\"term\":3");
}

Test(notify, a_refusal_does_not_cost_the_next_one)
{
    start();
    EXPECT_HEARD("\"term\":0");
    udp_close(&app);
    publish(3, 7, SNAPSHOT_NO_EXPIRY);
    while (atomic_load(&notifier.counters.value[COUNTER_NOTIFIED]) < 2)
        ; /* the test has a time limit */
    cr_assert_eq(udp_open(&config.app_notify, &(struct udp_options){0}, &app), 0);
    publish(4, 7, SNAPSHOT_NO_EXPIRY);
    EXPECT_HEARD("\"term\":4");
}

/* The thread also serves /events. */
Test(notify, receiver_that_does_not_read_blocks_nobody)
{
    const int bytes = 1;

    cr_assert_eq(setsockopt(app.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
    start();
    for (uint64_t term = 1; term <= 1000; term++) {
        publish(term, 7, SNAPSHOT_NO_EXPIRY);
        while (atomic_load(&notifier.counters.value[COUNTER_NOTIFIED]) +
                   atomic_load(&notifier.counters.value[COUNTER_NOTIFY_FAILED]) <
               term)
            ; /* the test has a time limit */
    }
}

Test(notify, the_longest_list_fits_into_a_datagram)
{
    struct json_object *told, *list;
    struct leader_snapshot *draft = snapshot_draft(&data_plane.publisher);

    cr_assert_not_null(draft);
    fill_list(&draft->leader);
    snapshot_publish(&data_plane.publisher, draft);
    start();
    told = json_tokener_parse(heard());
    cr_assert(json_object_object_get_ex(told, "leader_list", &list));
    cr_assert_eq(json_object_array_length(list), MEMBERS_MAX);
    (void)json_object_put(told);
}

Test(notify, nothing_is_sent_without_app_notify)
{
    config.app_notify = (struct address){0};
    start();
    cr_assert_eq(notifier.socket.fd, -1);
    cr_assert_null(data_plane.watcher);
}
