/* GET /events: the events of a stream, the limit of streams, slow readers. */
#include "admin_fixture.h"
#include "list_fixture.h"

#define PATIENCE_MS 30000
#define REQUEST     "GET /events HTTP/1.1\r\nHost: pod\r\n\r\n"

TestSuite(events, .init = setup, .fini = teardown, .timeout = 60);

/* As the supervisor would: pod 7, which may be led by until then. */
static void publish(uint64_t term, uint64_t until_ns)
{
    struct leader_snapshot *leadership = NULL;

    while (!leadership) /* the threads let go of an older one; the test has a time limit */
        leadership = snapshot_draft(&data_plane.publisher);
    leadership->kind = LEADER_MEMBER;
    leadership->term = term;
    leadership->cause = "command";
    leadership->leader_instance = 7;
    cr_assert_eq(address_parse_ip("10.0.0.7", &leadership->leader), 0);
    atomic_store_explicit(&leadership->valid_until_ns, until_ns, memory_order_relaxed);
    snapshot_publish(&data_plane.publisher, leadership);
    data_plane_wake(&data_plane);
}

/* A line of the stream, without its end; "(end)" when there is none. */
static const char *read_line(int fd)
{
    static char line[65536];
    size_t n = 0;

    while (n == 0 || line[n - 1] != '\n') {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        ssize_t here;
        const char *end;

        cr_assert_eq(poll(&ready, 1, PATIENCE_MS), 1, "nothing more after \"%.*s\"", (int)n, line);
        here = recv(fd, line + n, sizeof(line) - n, MSG_PEEK);
        if (here <= 0)
            return "(end)";
        end = memchr(line + n, '\n', (size_t)here);
        here = recv(fd, line + n, end ? (size_t)(end + 1 - (line + n)) : (size_t)here, 0);
        n += (size_t)here;
    }
    line[n - 1] = '\0';
    return line;
}

static int open_stream_from(const char *source)
{
    int fd = dial_from(source, "127.0.0.1");

    say(fd, REQUEST);
    cr_assert_str_eq(read_line(fd), "HTTP/1.1 200 OK\r");
    while (strcmp(read_line(fd), "\r") != 0)
        ;
    return fd;
}

static int open_stream(void)
{
    return open_stream_from("127.0.0.1");
}

/* The next event: its id; its data into answer. */
static unsigned long long hear_event(int fd)
{
    unsigned long long id = 0;

    cr_assert_str_eq(read_line(fd), "retry: 1000");
    cr_assert_eq(sscanf(read_line(fd), "id: %llu", &id), 1);
    cr_assert_str_eq(read_line(fd), "event: leader");
    (void)snprintf(answer, sizeof(answer), "%s", read_line(fd));
    cr_assert_eq(strncmp(answer, "data: {", 7), 0);
    cr_assert_eq(answer[strlen(answer) - 1], '}');
    cr_assert_str_eq(read_line(fd), "");
    return id;
}

/* The first event that says so: a state may be told twice. */
static unsigned long long hear_until(int fd, const char *part)
{
    unsigned long long id = hear_event(fd);

    while (!strstr(answer, part)) { /* the test has a time limit */
        unsigned long long next = hear_event(fd);

        cr_assert_gt(next, id);
        id = next;
    }
    return id;
}

static void wait_for_count(size_t count)
{
    while (events_count(&admin.events) != count)
        (void)usleep(1000); /* the test has a time limit */
}

Test(events, the_state_at_the_start_and_then_each_change)
{
    unsigned long long id;
    int fd;

    start();
    fd = open_stream();
    id = hear_event(fd);
    cr_assert_not_null(strstr(answer, "data: {\"leader\":null,"));
    for (unsigned term = 3; term < 20; term++) {
        char expected[32];

        publish(term, SNAPSHOT_NO_EXPIRY);
        (void)snprintf(expected, sizeof(expected), "\"term\":%u,", term);
        cr_assert_gt(hear_until(fd, expected), id);
        id++;
    }
    (void)close(fd);
}

Test(events, event_data_is_the_leader_document)
{
    char *told;
    int fd;

    start();
    publish(3, SNAPSHOT_NO_EXPIRY);
    fd = open_stream();
    (void)hear_until(fd, "\"term\":3,");
    cr_assert_geq(asprintf(&told, "%s\n", answer + strlen("data: ")), 0);
    cr_assert_eq(get("/leader"), 200);
    cr_assert_str_eq(told, body());
    free(told);
    (void)close(fd);
}

Test(events, expired_leader_is_an_event_without_a_new_snapshot)
{
    int fd;

    start();
    fd = open_stream();
    publish(3, clock_now_ns() + 5 * NS_PER_SEC); /* enough for a slow machine to tell it first */
    (void)hear_until(fd, "data: {\"leader\":{\"address\":\"10.0.0.7\"");
    (void)hear_until(fd, "data: {\"leader\":null,\"term\":3");
    (void)close(fd);
}

static void backdate(uint64_t by_ns)
{
    (void)pthread_mutex_lock(&admin.events.lock);
    for (size_t i = 0; i < EVENTS_STREAMS_MAX; i++)
        admin.events.streams[i].told_ns -= by_ns;
    (void)pthread_mutex_unlock(&admin.events.lock);
}

Test(events, idle_stream_gets_keep_alive_comments)
{
    const char *line = "data: ";
    int fd;

    start();
    fd = open_stream();
    (void)hear_until(fd, "\"term\":0,");
    for (; strcmp(line, ": ") != 0; line = read_line(fd)) {
        if (strncmp(line, "data: ", 6) == 0) /* the notifier's first look may say it once more */
            backdate(EVENTS_KEEP_ALIVE_NS);
    }
    publish(3, SNAPSHOT_NO_EXPIRY);
    (void)hear_until(fd, "\"term\":3,");
    (void)close(fd);
}

/* ---- how many ---- */

Test(events, one_stream_too_many_is_refused_and_probes_succeed)
{
    int streams[EVENTS_STREAMS_MAX], silent[63];

    start();
    for (size_t i = 0; i < EVENTS_STREAMS_MAX; i++)
        streams[i] = open_stream_from(i < EVENTS_STREAMS_EACH ? "127.0.0.2" : "127.0.0.3");
    for (size_t i = 0; i < 63; i++)
        silent[i] = dial("127.0.0.1");
    cr_assert_eq(get("/events"), 503);
    cr_assert_eq(strncmp(body(), "16 streams are open", 19), 0);
    cr_assert_eq(ask("HEAD /events HTTP/1.1\r\nHost: pod\r\n\r\n"), 503);
    cr_assert_eq(get("/livez"), 200);
    cr_assert_eq(get("/metrics"), 200);
    cr_assert_not_null(strstr(body(), "\nheadlessd_event_streams 16\n"));
    publish(3, SNAPSHOT_NO_EXPIRY);
    for (size_t i = 0; i < EVENTS_STREAMS_MAX; i++)
        (void)hear_until(streams[i], "\"term\":3,");
    for (size_t i = 0; i < 63; i++)
        (void)close(silent[i]);
    for (size_t i = 0; i < EVENTS_STREAMS_MAX; i++)
        (void)close(streams[i]);
    wait_for_count(0); /* found without a word to them */
    (void)close(open_stream());
}

/* It has as many as it gets; others get theirs, and it gets another when one of its own has gone.
 */
Test(events, one_client_cannot_use_every_stream)
{
    int streams[EVENTS_STREAMS_EACH], other;

    start();
    for (size_t i = 0; i < EVENTS_STREAMS_EACH; i++)
        streams[i] = open_stream();
    cr_assert_eq(get("/events"), 503);
    cr_assert_eq(strncmp(body(), "8 streams are open from your address", 36), 0);
    other = open_stream_from("127.0.0.2");
    publish(3, SNAPSHOT_NO_EXPIRY);
    (void)hear_until(other, "\"term\":3,");
    (void)hear_until(streams[0], "\"term\":3,");
    (void)close(streams[3]);
    wait_for_count(EVENTS_STREAMS_EACH);
    streams[3] = open_stream();
    cr_assert_eq(get("/events"), 503);
    for (size_t i = 0; i < EVENTS_STREAMS_EACH; i++)
        (void)close(streams[i]);
    (void)close(other);
}

Test(events, head_gets_the_header_and_frees_its_stream)
{
    start();
    for (size_t i = 0; i < 3U * EVENTS_STREAMS_MAX; i++) {
        cr_assert_eq(ask("HEAD /events HTTP/1.1\r\nHost: pod\r\n\r\n"), 200);
        cr_assert_not_null(strstr(answer, "Content-Type: text/event-stream\r\n"));
        cr_assert_str_eq(body(), "");
        wait_for_count(0);
    }
}

Test(events, only_get_and_head)
{
    start();
    cr_assert_eq(ask("POST /events HTTP/1.1\r\nHost: pod\r\nContent-Length: 2\r\n\r\nhi"), 405);
    cr_assert_eq(events_count(&admin.events), 0);
}

/* ---- slow readers, and the end ---- */

/* A list as long as can be, so that a few states fill every buffer. */
static void publish_longest_list(void)
{
    struct leader_snapshot *leadership = snapshot_draft(&data_plane.publisher);

    cr_assert_not_null(leadership);
    fill_list(leadership);
    snapshot_publish(&data_plane.publisher, leadership);
}

Test(events, slow_reader_gets_the_latest_state_and_delays_no_other)
{
    const int bytes = 4096;
    const unsigned changes = 100;
    unsigned heard = 1;
    int slow, quick;

    start();
    publish_longest_list();
    slow = open_stream();
    quick = open_stream();
    (void)setsockopt(slow, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    for (unsigned term = 1; term <= changes; term++) {
        char expected[32];

        publish(term, SNAPSHOT_NO_EXPIRY);
        (void)snprintf(expected, sizeof(expected), "\"term\":%u,", term);
        (void)hear_until(quick, expected);
    }
    cr_assert_eq(get("/livez"), 200);
    for (; !strstr(answer, "\"term\":100,"); heard++)
        (void)hear_event(slow);
    cr_assert_lt(heard, changes / 2, "%u states were kept for it", heard);
    (void)close(slow);
    (void)close(quick);
}

Test(events, the_end_of_the_server_ends_the_streams)
{
    uint64_t before_ns;
    int fd;

    start();
    fd = open_stream();
    (void)hear_event(fd);
    before_ns = clock_now_ns();
    admin_stop(&admin);
    cr_assert_lt(clock_now_ns() - before_ns, 10 * NS_PER_SEC);
    while (strcmp(read_line(fd), "(end)") != 0)
        ;
    cr_assert_eq(events_count(&admin.events), 0);
    (void)close(fd);
}

Test(events, stalled_reader_does_not_delay_the_stop)
{
    const int bytes = 4096;
    uint64_t before_ns;
    int fd;

    start();
    publish_longest_list();
    fd = open_stream();
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    for (unsigned term = 1; term <= 20; term++) {
        publish(term, SNAPSHOT_NO_EXPIRY);
        (void)usleep(5000); /* to be told most of them; none of it is necessary */
    }
    before_ns = clock_now_ns();
    admin_stop(&admin);
    cr_assert_lt(clock_now_ns() - before_ns, 10 * NS_PER_SEC);
    (void)close(fd);
}
