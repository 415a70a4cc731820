/* headlessctl: asking pods, what it makes of their answers, and the pages it shows. */
#include <criterion/criterion.h>
#include <errno.h>
#include <json-c/json.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "headless/base/clock.h"
#include "headless/ctl/ctl.h"
#include "headless/net/multicast.h"

static char *text;
static size_t length;
static FILE *out;

static void setup(void)
{
    out = open_memstream(&text, &length);
}

static void teardown(void)
{
    (void)fclose(out);
    free(text);
}

TestSuite(ctl_answers, .init = setup, .fini = teardown, .timeout = 30);

/* The text written so far. */
static const char *written(void)
{
    (void)fflush(out);
    return text;
}

/* ---- answers ---- */

static struct ctl_pod pod;

static bool show_command(const char *reply, unsigned tries, bool has_if_term)
{
    cr_assert_eq(address_parse("10.0.0.1:12000", 0, &pod.address), 0);
    pod.replied = reply != NULL;
    pod.tries = tries;
    (void)snprintf(pod.reply, sizeof(pod.reply), "%s", reply ? reply : "");
    teardown();
    setup(); /* an empty page */
    return ctl_show_command_reply(out, &pod, has_if_term);
}

Test(ctl_answers, reply_ok_with_a_term_is_ok)
{
    cr_assert(show_command("ok 7\n", 1, false));
    cr_assert_str_eq(written(), "10.0.0.1:12000: ok 7\n");
}

Test(ctl_answers, refusals_are_repeated)
{
    cr_assert_not(show_command("no member\n", 1, false));
    cr_assert_str_eq(written(), "10.0.0.1:12000: no member\n");
    cr_assert_not(show_command("not alive\n", 1, false));
    cr_assert_str_eq(written(), "10.0.0.1:12000: not alive\n");
    cr_assert_not(show_command("not eligible\n", 1, false));
    cr_assert_str_eq(written(), "10.0.0.1:12000: not eligible\n");
    cr_assert_not(show_command("bad term\n", 1, true));
    cr_assert_str_eq(written(), "10.0.0.1:12000: bad term\n");
    cr_assert_not(show_command("bad term\n", 2, true));
    cr_assert_str_eq(written(), "10.0.0.1:12000: bad term (asked more than once: the first may "
                                "have been carried out)\n");
}

Test(ctl_answers, reply_of_an_app_is_not_ok)
{
    cr_assert_not(show_command("ok 7\nfine", 1, false));
    cr_assert_not(show_command("{\"leader\":\"\x1b[2J\"}", 1, false));
    cr_assert_str_eq(written(), "10.0.0.1:12000: no reply to a command, but "
                                "\"{\"leader\":\"?[2J\"}\": does control.accept allow commands "
                                "there?\n");
}

Test(ctl_answers, silence_has_a_reason)
{
    cr_assert_not(show_command(NULL, 3, false));
    cr_assert_str_eq(written(), "10.0.0.1:12000: no reply\n");
    pod.error = ECONNREFUSED;
    cr_assert_not(show_command(NULL, 3, false));
    cr_assert_str_eq(written(), "10.0.0.1:12000: no reply: nothing listens there\n");
}

Test(ctl_answers, probe_replies_are_lines)
{
    cr_assert_eq(address_parse("10.0.0.1:12000", 0, &pod.address), 0);
    pod.replied = true;
    pod.sent_ns = 1000;
    pod.replied_ns = 1000 + 1234567;
    (void)snprintf(pod.reply, sizeof(pod.reply), "%s",
                   "{\"probe\":\"n\",\"leader\":\"pod-1\",\"address\":\"10.0.0.3\","
                   "\"via\":\"10.0.0.1\",\"term\":7}\n");
    ctl_show_probe_reply(out, &pod);
    cr_assert_str_eq(written(), "10.0.0.1:12000: leader pod-1 (10.0.0.3), via 10.0.0.1, term 7, "
                                "1.235 ms\n");
}

/* ---- asking, over real sockets ---- */

static struct ctl_addresses addresses;
static struct udp_socket server;
static struct ctl_pod *pods;

static void open_server(void)
{
    const struct udp_options plain = {0};
    struct address at;

    cr_assert_eq(address_parse("127.0.0.1:0", 0, &at), 0);
    cr_assert_eq(udp_open(&at, &plain, &server), 0);
    addresses = (struct ctl_addresses){.list = {server.local}, .count = 1};
    cr_assert_eq(ctl_pods_open(&addresses, &pods), 0);
}

Test(ctl_answers, pod_without_a_reply_is_asked_again)
{
    const struct ctl_request request = {
        .text = "hello", .length = 5, .tries = 3, .wait_ns = 20 * NS_PER_MS};
    char got[16];

    open_server();
    cr_assert_eq(ctl_ask(pods, 1, &request), 0);
    for (int i = 0; i < 3; i++)
        cr_assert_eq(recv(server.fd, got, sizeof(got), MSG_DONTWAIT), 5);
    cr_assert_eq(recv(server.fd, got, sizeof(got), MSG_DONTWAIT), -1);
    ctl_pods_close(pods, 1);
    udp_close(&server);
}

Test(ctl_answers, stale_reply_is_ignored)
{
    const struct ctl_request request = {.text = "hello",
                                        .length = 5,
                                        .tries = 1,
                                        .wait_ns = 5 * NS_PER_SEC,
                                        .is_reply = ctl_is_probe_reply,
                                        .nonce = "new"};

    open_server();
    cr_assert_eq(
        udp_send_one(&server, &pods[0].socket.local, &server.local, "{\"probe\":\"old\"}", 15), 0);
    cr_assert_eq(
        udp_send_one(&server, &pods[0].socket.local, &server.local, "{\"probe\":\"new\"}", 15), 0);
    cr_assert_eq(ctl_ask(pods, 1, &request), 1);
    cr_assert_str_eq(pods[0].reply, "{\"probe\":\"new\"}");
    ctl_pods_close(pods, 1);
    udp_close(&server);
}

Test(ctl_answers, closed_port_ends_the_wait)
{
    const struct ctl_request request = {
        .text = "hello", .length = 5, .tries = 3, .wait_ns = 20 * NS_PER_SEC};

    open_server();
    udp_close(&server);
    cr_assert_eq(ctl_ask(pods, 1, &request), 0);
    cr_assert_eq(pods[0].error, ECONNREFUSED);
    ctl_pods_close(pods, 1);
}

/* ---- pages ---- */

Test(ctl_answers, response_is_header_and_body)
{
    struct ctl_response page;
    char good[] = "HTTP/1.1 503 Service Unavailable\r\nA: b\r\n\r\nbody\r\n\r\nmore";

    cr_assert_eq(ctl_response_parse(good, &page), 0);
    cr_assert_eq(page.status, 503);
    cr_assert_str_eq(page.body, "body\r\n\r\nmore");
}

Test(ctl_answers, text_without_an_http_header_is_refused)
{
    char wrong[][40] = {"",
                        "HTTP/1.",
                        "HTTP/1.1\r\n\r\n",
                        "HTTP/1.1 20\r\n\r\n",
                        "HTTP/1.1 200 OK\r\nA: b\r\n",
                        "SSH-2.0-x\r\n\r\n"};
    struct ctl_response page;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_eq(ctl_response_parse(wrong[i], &page), -EPROTO, "%s", wrong[i]);
}

static const char status_json[] =
    "{\"version\":\"0.1.0\",\"cluster\":\"headless\",\"leader\":{\"address\":\"10.0.0.1\",\"name\":"
    "\"pod-1\",\"instance\":\"a1\"},\"term\":7,\"cause\":\"command\",\"me\":{\"address\":"
    "\"10.0.0.2\",\"name\":\"pod-2\",\"instance\":\"00000000000000a2\",\"role\":\"follower\"},"
    "\"state\":\"follower\",\"members\":[{\"address\":\"10.0.0.1\",\"name\":\"pod-1\","
    "\"instance\":\"a1\",\"state\":\"leader\",\"heartbeat_age_ms\":120,\"rtt_us\":1500,"
    "\"evidence\":\"connection\",\"lost\":2},"
    "{\"address\":\"10.0.0.2\",\"name\":\"pod-2\","
    "\"instance\":\"a2\",\"state\":\"self\"}],\"uptime_seconds\":93784,\"ready\":true,\"ledger\":{"
    "\"requests\":0,\"answers\":"
    "0},\"counters\":{\"datagrams_received_total\":{\"data\":12,\"relay\":0},"
    "\"datagrams_delivered_total\":1,\"datagrams_relayed_total\":8,\"control_messages_total\":{"
    "\"ok\":0},\"datagrams_dropped_total\":{\"loop\":0,\"rate\":2,\"tag\":1},\"replies_sent_"
    "total\":"
    "5,\"replies_relayed_total\":6,\"replies_fenced_total\":0,\"socket_drops_total\":{\"data\":4,"
    "\"relay\":0}},\"gauges\":{\"datagrams_held\":3,\"datagrams_queued\":2,\"sessions\":9,"
    "\"socket_rcvbuf_bytes\":{\"data\":212992,\"relay\":425984}}}";

Test(ctl_answers, status_is_a_table)
{
    struct json_object *status = json_tokener_parse(status_json);

    cr_assert_not_null(status);
    ctl_show_status(out, status);
    cr_assert_str_eq(written(), "pod        pod-2 (10.0.0.2)\n"
                                "role       follower, instance 00000000000000a2\n"
                                "leader     pod-1 (10.0.0.1)\n"
                                "term       7, by command\n"
                                "cluster    headless, this pod is follower\n"
                                "uptime     1d 02:03:04, ready\n"
                                "evidence   1 by connection (peer.port/tcp), 0 by refusal only\n"
                                "received   12 data\n"
                                "delivered  1 to this pod's app, 9 sessions\n"
                                "relayed    8 to another pod\n"
                                "held       3 now, 2 queued\n"
                                "control    0\n"
                                "dropped    2 rate, 1 tag\n"
                                "replies    5 sent to clients, 6 carried to another pod\n"
                                "  dropped  0\n"
                                "sockets    data      4 dropped by the kernel, buffer 208 KiB\n"
                                "           relay     0 dropped by the kernel, buffer 416 KiB\n"
                                "ledger     ok\n"
                                "\n"
                                "  # MEMBER ADDRESS   STATE    HEARTBEAT ROUND TRIP    LOST\n"
                                "  1 pod-1  10.0.0.1  leader      120 ms    1.50 ms       2\n"
                                "  2 pod-2  10.0.0.2  self             -          -       -\n");
    (void)json_object_put(status);
}

Test(ctl_answers, status_shows_a_former_leader_and_the_refusal_of_clients)
{
    struct json_object *status = json_tokener_parse(
        "{\"term\":7,\"cause\":\"command\",\"former_leader\":{\"name\":\"pod-1\",\"address\":"
        "\"10.0.0.1\",\"remaining_ms\":54900},\"gauges\":{\"refusing_clients\":1}}");

    ctl_show_status(out, status);
    cr_assert_not_null(
        strstr(written(),
               "\nterm       7, by command\n"
               "former     pod-1 (10.0.0.1): its app serves its sessions, for at most 54 s\n"
               "refusing   clients, because no pod's app is up (app.down)\n"),
        "%s", written());
    (void)json_object_put(status);
}

/* Printable, because it may be forged. */
Test(ctl_answers, status_shows_why_a_pod_is_not_ready)
{
    struct json_object *status = json_tokener_parse(
        "{\"uptime_seconds\":5,\"ready\":false,\"readiness\":\"joining: \\u001b[2Jnobody\"}");

    cr_assert_not_null(status);
    ctl_show_status(out, status);
    cr_assert_not_null(strstr(written(), "00:00:05, not ready\nreadiness  joining: "), "%s",
                       written());
    cr_assert_null(strchr(written(), 033));
    (void)json_object_put(status);
}

/* Lines that only some pods have. */
Test(ctl_answers, status_has_a_line_for_each_socket_and_for_copies)
{
    struct json_object *status = json_tokener_parse(
        "{\"counters\":{\"copies_total\":9,\"copies_sent_total\":7,\"copies_dropped_total\":{"
        "\"send_full\":2},\"socket_drops_total\":{\"data\":0,\"multicast\":5,\"app\":6,"
        "\"peer\":7}},\"gauges\":{\"multicast_groups\":2,\"socket_rcvbuf_bytes\":{\"data\":4096,"
        "\"relay\":4096,\"multicast\":8192,\"peer\":2048}}}");

    ctl_show_status(out, status);
    cr_assert_not_null(
        strstr(written(), "\ncopies     9 made for other members, 7 carried to them\n"
                          "  dropped  2 send_full\n"
                          "sockets    data      0 dropped by the kernel, buffer 4 KiB\n"
                          "           relay     0 dropped by the kernel, buffer 4 KiB\n"
                          "           multicast 5 dropped by the kernel, buffer 8 KiB, groups 2\n"
                          "           app       6 dropped by the kernel\n"
                          "           peer      7 dropped by the kernel, buffer 2 KiB\n"),
        "%s", written());
    (void)json_object_put(status);
}

Test(ctl_answers, the_succession_is_a_table)
{
    struct json_object *status = json_tokener_parse(status_json);

    ctl_show_succession(out, status);
    cr_assert_str_eq(written(), "  # MEMBER ADDRESS   STATE    HEARTBEAT ROUND TRIP    LOST\n"
                                "  1 pod-1  10.0.0.1  leader      120 ms    1.50 ms       2\n"
                                "  2 pod-2  10.0.0.2  self             -          -       -\n");
    (void)json_object_put(status);
}

Test(ctl_answers, an_event_is_a_line)
{
    struct json_object *led = json_tokener_parse(
        "{\"leader\":{\"address\":\"10.0.0.1\",\"name\":\"a\"},\"term\":7,\"cause\":\"command\"}");
    struct json_object *held =
        json_tokener_parse("{\"leader\":null,\"term\":7,\"cause\":\"command\"}");

    ctl_show_event(out, led, 0);
    ctl_show_event(out, held, 59);
    cr_assert_str_eq(written(),
                     "1970-01-01T00:00:00Z  term 7, by command: a (10.0.0.1)\n"
                     "1970-01-01T00:00:59Z  term 7, by command: no leader, requests are held\n");
    (void)json_object_put(led);
    (void)json_object_put(held);
}

Test(ctl_answers, a_gap_in_the_ledger_is_shown)
{
    struct json_object *status = json_tokener_parse("{\"ledger\":{\"requests\":-3,\"replies\":1}}");
    struct json_object *copies = json_tokener_parse("{\"ledger\":{\"copies\":5}}");

    ctl_show_status(out, status);
    cr_assert_not_null(strstr(written(), "ledger     -3 requests, 1 replies not accounted for"));
    ctl_show_status(out, copies);
    cr_assert_not_null(
        strstr(written(), "ledger     0 requests, 0 replies, 5 copies not accounted for"));
    (void)json_object_put(status);
    (void)json_object_put(copies);
}

/* A pod of the previous version has "answers" in place of "replies". */
Test(ctl_answers, former_keys_of_the_ledger_are_read)
{
    struct json_object *status = json_tokener_parse("{\"ledger\":{\"requests\":0,\"answers\":7}}");

    ctl_show_status(out, status);
    cr_assert_not_null(strstr(written(), "ledger     0 requests, 7 replies not accounted for"));
    (void)json_object_put(status);
}

Test(ctl_answers, malformed_status_is_shown_as_far_as_possible)
{
    static const char *const malformed[] = {"{}", "[]", "7",
                                            "{\"me\":7,\"counters\":[],\"leader\":1}",
                                            "{\"counters\":{\"datagrams_dropped_total\":[1]}}"};

    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        struct json_object *status = json_tokener_parse(malformed[i]);

        ctl_show_status(out, status);
        ctl_show_leader(out, status);
        ctl_show_event(out, status, 0);
        (void)json_object_put(status);
    }
    cr_assert_not_null(strstr(written(), "none: requests are held"));
}

/* ---- a multicast group, on lo ---- */

#define MEMBERS_MAX 2

struct members {
    struct udp_socket sockets[MEMBERS_MAX];
    size_t count;
    pthread_t thread;
};

/* Each answers one message. */
static void *reply(void *context)
{
    const struct members *members = context;
    const struct address nowhere = {0};

    for (size_t i = 0; i < members->count; i++) {
        struct sockaddr_storage from;
        socklen_t from_length = sizeof(from);
        struct address client;
        char message[16];
        ssize_t n = recvfrom(members->sockets[i].fd, message, sizeof(message), 0,
                             (struct sockaddr *)&from, &from_length);

        address_from_sockaddr((struct sockaddr *)&from, &client);
        if (n > 0)
            (void)udp_send_one(&members->sockets[i], &client, &nowhere, message, (size_t)n);
    }
    return NULL;
}

/* The number of replies to a message if so many members of the group reply. */
static size_t answers_of(size_t count)
{
    const struct ctl_options options = {
        .multicast = "239.79.1.1:12079", .interface = "lo", .hops = 1};
    const struct ctl_request request = {
        .text = "hello", .length = 5, .wait_ns = count ? 5 * NS_PER_SEC : 300 * NS_PER_MS};
    const struct udp_options none = {0};
    struct members members = {.count = count};
    struct ctl_group group;
    size_t replies;

    cr_assert_eq(ctl_group_open(&options, &group), 0);
    for (size_t i = 0; i < count; i++)
        cr_assert_eq(multicast_open(&group.address, multicast_find_interface("lo"), &none,
                                    &members.sockets[i]),
                     0);
    cr_assert_eq(pthread_create(&members.thread, NULL, reply, &members), 0);
    replies = ctl_group_ask(out, &group, &request);
    cr_assert_eq(pthread_join(members.thread, NULL), 0);
    for (size_t i = 0; i < count; i++)
        udp_close(&members.sockets[i]);
    ctl_group_close(&group);
    return replies;
}

Test(ctl_answers, one_reply_of_a_group_is_right)
{
    cr_assert_eq(answers_of(0), 0);
    cr_assert_str_eq(written(), "0 replied\n");
    cr_assert_eq(answers_of(1), 1);
    cr_assert_not_null(strstr(written(), " ms: hello\n1 replied\n"));
}

Test(ctl_answers, two_replies_of_a_group_are_an_error)
{
    cr_assert_eq(answers_of(2), 2);
    cr_assert_not_null(strstr(written(), "\n2 replied, and only the leader should have\n"));
}

Test(ctl_answers, unknown_interface_is_refused)
{
    const struct ctl_options options = {.multicast = "239.79.1.1", .interface = "no0", .hops = 1};
    struct ctl_group group;

    cr_assert_eq(ctl_group_open(&options, &group), -EINVAL);
}

/* A reply may be forged, and must not control the terminal. */
Test(ctl_answers, documents_are_printed_without_control_characters)
{
    static const char odd[] =
        "{\"me\":{\"name\":\"a\\u001b[2J\",\"address\":\"\\r\",\"role\":\"\\n\"},\"cause\":"
        "\"\\u0007\","
        "\"cluster\":\"\\u009b\",\"state\":\"\\b\",\"leader\":{\"name\":\"\\u001b\"},"
        "\"members\":[{\"name\":\"\\u001b\",\"state\":\"\\t\"}],"
        "\"counters\":{\"datagrams_dropped_total\":{\"\\u001bc\":1}}}";
    struct json_object *page = json_tokener_parse(odd);

    cr_assert_not_null(page);
    ctl_show_status(out, page);
    ctl_show_leader(out, page);
    ctl_show_event(out, page, 0);
    cr_assert_not_null(strstr(written(), "a?[2J"));
    for (const char *c = text; *c; c++)
        cr_assert(*c == '\n' || (*c >= ' ' && *c <= '~'), "%02x", (unsigned char)*c);
    (void)json_object_put(page);
}

/* An app may reply in any language, or with any bytes. */
Test(ctl_answers, characters_of_replies_are_printed_and_other_bytes_are_not)
{
    ctl_put_cut(out, "gr\xc3\xb6\xc3\x9f\x65 \xf0\x9f\x98\x80 \xff\xc2\x9b[2J\x1b[2J", 80);
    cr_assert_str_eq(written(), "gr\xc3\xb6\xc3\x9f\x65 \xf0\x9f\x98\x80 ??[2J?[2J");
    ctl_put_cut(out, "\xc3\xb6\xc3\x9f\x65", 2);
    cr_assert_str_eq(written() + 22, "\xc3\xb6\xc3\x9f", "a number of characters, not of bytes");
}
