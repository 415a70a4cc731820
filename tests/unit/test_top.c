/* headlessctl top: frames made of statuses, and how they are cut for a screen. On a real terminal:
 * tests/cluster/test_top.sh */
#include <criterion/criterion.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/parts.h"
#include "ctl/screen.h"
#include "ctl/top.h"
#include "headless/base/clock.h"

static struct json_object *now, *before;
static struct top_frame frame;
static char *text;
static size_t length;

/* A pod's status; the counters, and the members with a comma before each. */
static struct json_object *status_of(const char *counters, const char *members)
{
    char page[8192];
    struct json_object *status;

    (void)snprintf(
        page, sizeof(page),
        "{\"cluster\":\"headless\",\"leader\":{\"address\":\"10.0.0.1\",\"name\":\"a\"},"
        "\"term\":7,\"cause\":\"command\",\"me\":{\"address\":\"10.0.0.2\",\"name\":\"b\","
        "\"instance\":\"00000000000000a2\",\"role\":\"follower\"},\"members\":["
        "{\"address\":\"10.0.0.1\",\"name\":\"a\",\"state\":\"leader\","
        "\"heartbeat_age_ms\":99,\"rtt_us\":256,\"lost\":3}%s],"
        "\"uptime_seconds\":3600,\"ready\":true,"
        "\"ledger\":{\"requests\":0,\"answers\":0,\"copies\":0},"
        "\"counters\":{%s},\"gauges\":{\"datagrams_held\":4,\"sessions\":5}}",
        members, counters);
    status = json_tokener_parse(page);
    cr_assert_not_null(status, "%s", page);
    return status;
}

static void setup(void)
{
    frame = (struct top_frame){.where = "10.0.0.2:8080",
                               .interval_ns = NS_PER_SEC / 2,
                               .time = 59,
                               .between_ns = NS_PER_SEC / 2,
                               .lines = SIZE_MAX};
}

static void teardown(void)
{
    (void)json_object_put(now);
    (void)json_object_put(before);
    free(text);
}

TestSuite(top, .init = setup, .fini = teardown, .timeout = 30);

static const char *render(void)
{
    FILE *out;

    free(text);
    out = open_memstream(&text, &length);
    frame.now = now;
    frame.before = before;
    top_put_frame(out, &frame);
    (void)fclose(out);
    return text;
}

static void assert_has(const char *what)
{
    cr_assert_not_null(strstr(text, what), "no \"%s\" in\n%s", what, text);
}

static size_t lines_of(const char *page)
{
    size_t lines = 0;

    for (; *page; page++)
        lines += *page == '\n';
    return lines;
}

Test(top, frame_has_all_parts)
{
    before = status_of("\"datagrams_received_total\":{\"data\":10,\"relay\":5},"
                       "\"replies_sent_total\":7,\"process_cpu_seconds_total\":1.5",
                       "");
    now = status_of("\"datagrams_received_total\":{\"data\":30,\"relay\":5},"
                    "\"replies_sent_total\":8,\"process_cpu_seconds_total\":1.75",
                    "");
    cr_assert_str_eq(
        render(),
        "headlessctl top   1970-01-01T00:00:59Z   10.0.0.2:8080   every 0.5 s\n"
        "pod        b (10.0.0.2), follower, instance 00000000000000a2, cluster headless\n"
        "leader     a (10.0.0.1)\n"
        "term       7, by command\n"
        "uptime     0d 01:00:00, ready\n"
        "cpu        1.8 s, 50.0 % of one\n"
        "inside     4 held, 0 queued, 5 sessions\n"
        "ledger     ok\n"
        "  # MEMBER ADDRESS   STATE    HEARTBEAT ROUND TRIP    LOST\n"
        "  1 a      10.0.0.1  leader       99 ms    0.26 ms       3\n"
        "REQUESTS       PER SECOND        TOTAL   REPLIES        PER SECOND        TOTAL\n"
        "from clients           40           30   app replied             0            0\n"
        "from pods               0            5   pods replied            0            0\n"
        "to this app             0            0   to clients              2            8\n"
        "relayed                 0            0   to pods                 0            0\n"
        "from groups             0            0   fenced                  0            0\n");
}

Test(top, the_first_frame_has_no_rates)
{
    now = status_of("\"datagrams_relayed_total\":30", "");
    (void)render();
    assert_has("\nrelayed                 -           30   ");
}

Test(top, another_process_has_no_rates_yet)
{
    before = status_of("\"datagrams_relayed_total\":31", "");
    now = status_of("\"datagrams_relayed_total\":30", "");
    (void)render();
    assert_has("\nrelayed                 -           30   ");
}

Test(top, drops_are_sorted_and_none_is_left_out_of_a_text)
{
    now = status_of("\"datagrams_dropped_total\":{\"loop\":0,\"rate\":2,\"tag\":9},"
                    "\"replies_dropped_total\":{\"tag\":4,\"stranger\":1},"
                    "\"copies_dropped_total\":{\"send_full\":3},"
                    "\"socket_drops_total\":{\"data\":5,\"relay\":0}",
                    "");
    (void)render();
    assert_has("\nDROPPED        PER SECOND        TOTAL   OF                                    \n"
               "tag                     -            9   requests\n"
               "data                    -            5   by the kernel, at this socket\n"
               "tag                     -            4   replies\n"
               "send_full               -            3   copies\n"
               "rate                    -            2   requests\n"
               "stranger                -            1   replies\n");
    cr_assert_null(strstr(text, "loop"));
    frame.lines = 40;
    (void)render();
    assert_has("send_full               -            3   copies\n2 more\n");
}

Test(top, members_get_the_lines_that_are_left)
{
    char members[2048] = "";

    for (size_t i = 2; i <= 20; i++) {
        char more[64];

        (void)snprintf(more, sizeof(more), ",{\"name\":\"m%zu\",\"state\":\"%s\"}", i,
                       i == 4 ? "dead" : "alive");
        (void)strncat(members, more, sizeof(members) - strlen(members) - 1);
    }
    now = status_of("\"datagrams_relayed_total\":3", members);
    frame.lines = 24;
    cr_assert_eq(lines_of(render()), 24, "%s", text);
    assert_has(
        "\n  9 m9     -         alive            -          -       -\n    11 more\nREQUESTS");
    frame.lines = 10; /* the screen cuts the rest */
    (void)render();
    assert_has(
        "\n  3 m3     -         alive            -          -       -\n    17 more\nREQUESTS");
    frame.lines = 34;
    (void)render();
    assert_has("\n 20 m20    -         alive            -          -       -\nREQUESTS");
    cr_assert_null(strstr(text, "more"));
}

Test(top, age_of_the_leader_is_shown_if_known)
{
    now = status_of("", "");
    (void)render();
    assert_has("\nterm       7, by command\n");
    (void)json_object_object_add(now, "leader_age_ms", json_object_new_int(93784999));
    (void)render();
    assert_has("\nterm       7, by command, for 1d 02:03:04\n");
}

Test(top, silent_pod_is_reported)
{
    frame.trouble = "Connection refused";
    frame.silent_ns = 3 * NS_PER_SEC;
    cr_assert_str_eq(render(),
                     "headlessctl top   1970-01-01T00:00:59Z   10.0.0.2:8080   every 0.5 s\n"
                     "no reply for 3 s: Connection refused; trying again\n");
    now = status_of("\"datagrams_relayed_total\":3", "");
    (void)render();
    assert_has("\nno reply for 3 s: Connection refused; the data below is older\n"
               "pod        b (10.0.0.2)");
}

Test(top, colors_are_put_only_when_asked)
{
    now = status_of("", ",{\"name\":\"c\",\"state\":\"dead\"}");
    cr_assert_null(strchr(render(), '\x1b'));
    frame.colors = true;
    (void)render();
    assert_has(COLOR_GOOD "leader     a (10.0.0.1)\n");
    assert_has(COLOR_BAD "  2 c ");
    assert_has(COLOR_HEAD "REQUESTS ");
}

/* A response may be forged, and must not control the terminal. */
Test(top, frames_are_printed_without_control_characters)
{
    now = json_tokener_parse(
        "{\"me\":{\"name\":\"a\\u001b[2J\",\"role\":\"\\n\",\"instance\":\"\\r\"},"
        "\"cluster\":\"\\u009b\",\"leader\":{\"name\":\"\\u001b\"},\"cause\":\"\\u0007\","
        "\"members\":[{\"name\":\"\\u001b[31m\\n\",\"address\":\"\\t\",\"state\":\"\\b\"},7,null],"
        "\"counters\":{\"datagrams_dropped_total\":{\"\\u001bc\":1},\"socket_drops_total\":[1]}}");
    cr_assert_not_null(now);
    (void)render();
    for (const char *c = text; *c; c++)
        cr_assert(*c == '\n' || (*c >= ' ' && *c <= '~'), "%02x", (unsigned char)*c);
    assert_has("a?[2J");
}

Test(top, malformed_status_is_shown_as_far_as_possible)
{
    static const char *const malformed[] = {
        "{}", "[]", "7", "\"text\"", "{\"me\":7,\"counters\":[],\"leader\":1,\"members\":{}}"};

    for (size_t i = 0; i < sizeof(malformed) / sizeof(malformed[0]); i++) {
        now = json_tokener_parse(malformed[i]);
        before = json_tokener_parse(malformed[i]);
        (void)render();
        assert_has("  # MEMBER ADDRESS ");
        (void)json_object_put(now);
        (void)json_object_put(before);
    }
    now = before = NULL;
}

/* ---- the screen ---- */

static const char *compose(size_t lines, size_t columns, const char *page)
{
    const struct screen screen = {.lines = lines, .columns = columns};

    free(text);
    text = screen_compose(&screen, page, &length);
    cr_assert_not_null(text);
    cr_assert_eq(length, strlen(text));
    return text;
}

Test(top, lines_end_where_the_screen_does)
{
    cr_assert_str_eq(compose(4, 5, "abcdefg\n12345\n"),
                     "\x1b[H\x1b[Kabcde\r\n\x1b[K12345\r\n\x1b[J");
    cr_assert_str_eq(compose(2, 9, "a\nb\nc\n"), "\x1b[H\x1b[Ka\r\n\x1b[Kb");
    cr_assert_str_eq(compose(2, 9, "a\nb"), "\x1b[H\x1b[Ka\r\n\x1b[Kb");
    cr_assert_str_eq(compose(2, 9, ""), "\x1b[H\x1b[J");
}

Test(top, colors_take_no_room_and_are_never_cut)
{
    cr_assert_str_eq(compose(1, 2, COLOR_BAD "abc" COLOR_NONE "\n"),
                     "\x1b[H\x1b[K" COLOR_BAD "ab" COLOR_NONE);
}
