/* The page for people: its helpers, its parts from documents made by hand, and the whole. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "admin/documents.h"
#include "admin/page.h"

#define SEC UINT64_C(1000000000)

static struct page page;
static char *text;
static size_t length;

static void teardown(void)
{
    (void)json_object_put(page.status);
    free(text);
}

TestSuite(page, .fini = teardown, .timeout = 30);

/* ---- helpers ---- */

static void open_page(const char *status)
{
    page.status = json_tokener_parse(status);
    cr_assert_not_null(page.status, "%s", status);
    page.out = open_memstream(&text, &length);
}

static void close_page(void)
{
    (void)fclose(page.out);
}

static void expect(const char *part)
{
    cr_expect_not_null(strstr(text, part), "no %s in %s", part, text);
}

static void expect_none(const char *part)
{
    cr_expect_null(strstr(text, part), "%s in %s", part, text);
}

Test(page, every_value_is_escaped)
{
    open_page("{}");
    page_put(&page, "<b title=\"%s\">%s</b> %lld", "\"'<>&", "<script>\n\x7f", -7LL);
    close_page();
    cr_assert_str_eq(text, "<b title=\"&quot;&#39;&lt;&gt;&amp;\">&lt;script&gt;&#xFFFD;&#xFFFD;"
                           "</b> -7");
}

Test(page, text_beyond_ascii_stays)
{
    open_page("{}");
    page_put(&page, "%s", "pöd – 1");
    close_page();
    cr_assert_str_eq(text, "pöd – 1");
}

Test(page, missing_value_is_empty)
{
    open_page("{\"a\":{\"b\":{\"c\":5,\"d\":\"x\"}},\"n\":null}");
    cr_assert_eq(page_number(page.status, "a.b.c"), 5);
    cr_assert_str_eq(page_text(page.status, "a.b.d"), "x");
    cr_assert_str_eq(page_text(page.status, "a.b.c"), "", "no text");
    cr_assert_null(page_find(page.status, "a.b.c.d"));
    cr_assert_null(page_find(page.status, "a.x"));
    cr_assert_null(page_find(page.status, "n.x"));
    cr_assert_eq(page_number(page.status, "x"), 0);
    cr_assert_eq(page_count(page.status), 0);
    close_page();
}

Test(page, numbers_are_grouped)
{
    static const struct {
        int64_t number;
        const char *text;
    } rows[] = {{0, "0"},
                {999, "999"},
                {1000, "1,000"},
                {-999, "-999"},
                {-1000, "-1,000"},
                {1234567, "1,234,567"},
                {INT64_MIN, "-9,223,372,036,854,775,808"}};
    char group[PAGE_NUMBER_MAX];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_expect_str_eq(page_group(rows[i].number, group), rows[i].text);
}

Test(page, durations_are_short)
{
    static const struct {
        uint64_t ms;
        const char *text;
    } rows[] = {
        {0, "0 ms"},       {999, "999 ms"},        {1000, "1 s"},           {119999, "119 s"},
        {120000, "2 min"}, {7200000, "2 h 0 min"}, {9060000, "2 h 31 min"}, {172800000, "2 d 0 h"}};
    char duration[PAGE_DURATION_MAX];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        cr_expect_str_eq(page_duration(rows[i].ms, duration), rows[i].text);
}

/* ---- parts ---- */

Test(page, the_lease_is_shown_where_there_is_one)
{
    open_page(
        "{\"api\":{\"up\":true,\"problem\":\"\"},\"lease\":{\"name\":\"headlessd\",\"holder\":"
        "\"pod-1_00<\",\"held\":true,\"term\":1234,\"transitions\":3,\"fence\":\"peers\","
        "\"left_ms\":9000,\"expires_ms\":14000,\"failing\":false}}");
    page_put_lease(&page);
    close_page();
    expect("<h2 id=\"lease\">Lease headlessd</h2>");
    expect("<dd data-path=\"lease.holder\">pod-1_00&lt;</dd>");
    expect("<dd data-path=\"lease.term\">1,234</dd>");
    expect("<dt>Valid for</dt><dd data-path=\"lease.left\">9 s</dd>");
    expect("<dd data-path=\"api.state\">responds</dd>");
}

Test(page, the_lease_of_another_pod_expires)
{
    open_page(
        "{\"api\":{\"up\":false,\"problem\":\"cannot get leases\"},\"lease\":{\"holder\":\"\","
        "\"held\":false,\"expires_ms\":14000}}");
    page_put_lease(&page);
    close_page();
    expect("<dd data-path=\"lease.holder\">nobody</dd>");
    expect("<dt>Expires in</dt><dd data-path=\"lease.left\">14 s</dd>");
    expect("<dd data-path=\"api.state\">does not respond</dd>");
    expect("cannot get leases");
}

Test(page, with_election_peers_there_is_no_lease)
{
    open_page("{}");
    page_put_lease(&page);
    close_page();
    cr_assert_str_eq(text, "");
}

Test(page, member_row_shows_known_values_and_dashes)
{
    open_page(
        "{\"me\":{\"address\":\"10.0.0.2\"},\"members\":["
        "{\"address\":\"10.0.0.1\",\"name\":\"pod-1\",\"instance\":\"a1\",\"state\":\"leader\","
        "\"relayed\":12345,\"received\":2,"
        "\"heartbeat_age_ms\":120,\"rtt_us\":2100,\"lost\":3},"
        "{\"address\":\"10.0.0.2\",\"name\":\"\",\"instance\":\"a2\",\"state\":\"self\"},"
        "{\"address\":\"10.0.0.3\",\"name\":\"pod-3\",\"instance\":\"\",\"state\":\"dead\"}]}");
    page_put_members(&page);
    close_page();
    expect("data-member=\"10.0.0.1\" data-name=\"pod-1\" data-state=\"leader\"");
    expect("<b>pod-1</b><small>10.0.0.1</small>");
    expect("<span class=\"state\">leads</span>");
    expect("data-label=\"Heartbeat\">120 ms ago</td>");
    expect("data-label=\"Round trip\">2,100 µs</td>");
    expect("data-label=\"Lost\">3</td>");
    expect(
        "data-key=\"relayed a1\" data-total=\"12345\"></span><span class=\"total\">12,345</span>");
    expect("<b>10.0.0.2</b> <span class=\"me\">this pod</span></th>"); /* the address once */
    expect("data-state=\"dead\"");
    expect("<span class=\"state\">dead</span>");
    expect("data-label=\"Lost\"><span class=\"none\" title=\"not known\">–</span></td>");
}

Test(page, drops_are_sorted_and_scaled)
{
    open_page("{\"counters\":{"
              "\"datagrams_dropped_total\":{\"acl\":3,\"rate\":500,\"auth\":0},"
              "\"replies_dropped_total\":{\"rate\":500},\"copies_dropped_total\":{\"acl\":1},"
              "\"socket_drops_total\":{\"data\":100,\"relay\":0}}}");
    page_put_drops(&page);
    close_page();
    expect("<li data-reason=\"rate\"><span class=\"what\">rate</span><span class=\"count\">1,000 ");
    expect("<rect width=\"1000\" height=\"8\"/>");
    expect("<li data-socket=\"data\"><span class=\"what\">data socket</span>");
    expect("<rect width=\"100\" height=\"8\"/>");
    expect("<li data-reason=\"acl\"><span class=\"what\">acl</span><span class=\"count\">4 ");
    expect("<rect width=\"5\" height=\"8\"/>"); /* seen, however small */
    expect_none("data-reason=\"auth\"");
    cr_expect_lt(strstr(text, "\"rate\""), strstr(text, "data-socket"));
    cr_expect_lt(strstr(text, "data-socket"), strstr(text, "\"acl\""));
}

Test(page, page_says_that_nothing_was_dropped)
{
    open_page("{\"counters\":{}}");
    page_put_drops(&page);
    close_page();
    expect("Nothing was dropped.");
    expect_none("<li");
}

Test(page, events_have_a_date_when_it_is_another_day)
{
    open_page("{\"time\":\"2026-11-27T03:12:31.042Z\",\"changes\":["
              "{\"time\":\"2026-11-27T00:00:01.000Z\",\"name\":\"pod-2\",\"term\":8,"
              "\"cause\":\"verdict\",\"gap_ms\":842},"
              "{\"time\":\"2026-11-26T23:59:59.000Z\",\"address\":\"10.0.0.1\",\"name\":\"\","
              "\"term\":7,\"cause\":\"surprise\",\"gap_ms\":0}]}");
    page_put_events(&page);
    close_page();
    expect(
        "<time datetime=\"2026-11-27T00:00:01.000Z\">00:00:01 UTC</time> <span><b>pod-2</b> leads, "
        "term 8: the previous leader missed its heartbeats; 842 ms without a leader</span>");
    expect(">2026-11-26 23:59:59 UTC</time> <span><b>10.0.0.1</b> leads, term 7: surprise</span>");
}

Test(page, options_are_shown_or_said_to_be_none)
{
    open_page("{\"options\":{\"app.target\":\"udp://127.0.0.1:53\",\"cluster\":\"<b>\"}}");
    page_put_options(&page);
    close_page();
    expect("<dt>app.target</dt><dd data-option=\"app.target\">udp://127.0.0.1:53</dd>");
    expect("<dd data-option=\"cluster\">&lt;b&gt;</dd>");
    teardown();
    open_page("{\"options\":{}}");
    page_put_options(&page);
    close_page();
    expect("None.");
}

/* The requests and answers of each edge, in the order in which they are drawn. */
static void expect_ways(const char *const totals[6])
{
    const char *at = strstr(text, "<svg class=\"flow\"");

    for (size_t i = 0; i < 6; i++) {
        char total[64];

        at = strstr(at, "class=\"total\"");
        cr_assert_not_null(at);
        (void)snprintf(total, sizeof(total), ">%s</text>", totals[i]);
        at = strchr(at, '>');
        cr_expect_eq(strncmp(at, total, strlen(total)), 0, "%zu: %.20s, should be %s", i, at,
                     total);
    }
}

#define NUMBERS                                                                                \
    "\"counters\":{\"datagrams_received_total\":{\"data\":1000,\"multicast\":5,\"relay\":30}," \
    "\"datagrams_relayed_total\":40,\"datagrams_delivered_total\":50,"                         \
    "\"replies_received_total\":{\"app\":60,\"relay\":70},"                                    \
    "\"replies_sent_total\":80,\"replies_relayed_total\":90}"

Test(page, the_picture_of_a_follower_ends_at_the_leader)
{
    static const char *const totals[] = {"1,005", "80", "40", "70", "–", "–"};

    open_page("{\"leader\":{\"name\":\"pod-1\"},\"me\":{\"name\":\"pod-2\",\"role\":\"follower\"}"
              "," NUMBERS "}");
    page_put_flow(&page);
    close_page();
    expect_ways(totals);
    expect("and it carried <b>40</b> to the leader.");
}

Test(page, the_picture_of_a_leader_has_its_app)
{
    static const char *const totals[] = {"1,005", "80", "30", "90", "50", "60"};

    open_page("{\"leader\":{\"name\":\"a-very-long-name-of-a-pod\"},"
              "\"me\":{\"name\":\"a-very-long-name-of-a-pod\",\"role\":\"leader\"}," NUMBERS "}");
    page_put_flow(&page);
    close_page();
    expect_ways(totals);
    expect(">a-very-long-name…</text>");
    expect("and other pods carried <b>30</b> to it.");
}

/* ---- the whole ---- */

static struct config config;
static struct identity identity;
static struct leadership leadership;
static struct data_keys keys;
static struct supervisor_report report;
static struct admin_snapshot snapshot = {.config = &config,
                                         .identity = &identity,
                                         .leadership = &leadership,
                                         .keys = &keys,
                                         .report = &report,
                                         .now_ns = 100 * SEC,
                                         .uptime_ns = 90 * SEC,
                                         .is_ready = true,
                                         .readiness = "ready",
                                         .last_reload_succeeded = true,
                                         .wall_ns = 1795749151042000000};

/* One pod, with a name that is a trap, which leads itself. */
static void render(void)
{
    static const char trap[] = "<script>alert('1')</script>\"&";

    (void)strcpy(config.cluster, trap);
    (void)strcpy(identity.name, trap);
    (void)strcpy(leadership.name, trap);
    cr_assert_eq(address_parse_ip("10.0.0.1", &identity.self), 0);
    leadership.address = identity.self;
    leadership.members[0] = (struct member){.instance = 1, .address = identity.self};
    (void)strcpy(leadership.members[0].name, trap);
    leadership.member_count = 1;
    leadership.cause = trap;
    leadership.term = 3;
    atomic_init(&report.peers[0].state, ELECTION_MEMBER_LEADER);
    leader_history_begin(&snapshot.history, 90 * SEC, SEC / 4, 3);
    leader_history_put(&snapshot.history, &leadership);
    text = page_html(&snapshot, &length);
    cr_assert_not_null(text);
    cr_assert_eq(strlen(text), length);
}

Test(page, names_cannot_become_part_of_the_page)
{
    leadership.kind = LEADER_SELF;
    atomic_init(&leadership.valid_until_ns, SNAPSHOT_NO_EXPIRY);
    render();
    expect_none("<script>alert");
    expect_none("</script>\"");
    expect("<h1 id=\"leader\">&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;</h1>");
    expect("<title>&lt;script&gt;");
}

Test(page, page_has_nothing_that_its_policy_forbids)
{
    leadership.kind = LEADER_SELF;
    atomic_init(&leadership.valid_until_ns, SNAPSHOT_NO_EXPIRY);
    render();
    expect_none(" style=");
    expect_none("<style");
    expect_none(" onclick");
    expect_none("javascript:");
    expect_none("://"); /* no other place */
    cr_expect_eq(strncmp(text, "<!doctype html>\n<html lang=\"en\"", 31), 0);
}

Test(page, page_shows_leader_time_and_cause)
{
    leadership.kind = LEADER_SELF;
    atomic_init(&leadership.valid_until_ns, SNAPSHOT_NO_EXPIRY);
    render();
    expect("data-leads=\"yes\"");
    expect("10.0.0.1 · term <b id=\"term\">3</b>");
    expect("Since <time datetime=\"2026-11-27T03:12:21.042Z\">03:12:21 UTC</time> · for "
           "<span id=\"age\">10 s</span>");
    expect("<dt>Last gap</dt><dd data-path=\"gap\">250 ms</dd>");
    expect("id=\"cause\" data-cause=\"&lt;script&gt;");
    expect("<ul class=\"notices\" aria-label=\"What needs attention\"></ul>");
    expect_none("id=\"former\"");
}

Test(page, page_shows_the_former_leader_and_the_refusal_of_clients)
{
    leadership.kind = LEADER_SELF;
    atomic_init(&leadership.valid_until_ns, SNAPSHOT_NO_EXPIRY);
    leadership.former = (struct former_leader){.instance = 7, .term = 2, .until_ns = 154 * SEC};
    cr_assert_eq(address_parse_ip("10.0.0.7", &leadership.former.address), 0);
    atomic_init(&report.is_refusing, 1);
    render();
    expect("<p class=\"fact\" id=\"former\">The app of 10.0.0.7 serves its sessions, for at most "
           "54 s.</p>");
    expect("<li>Clients are refused, because no pod&#39;s app is up (app.down).</li>");
}

Test(page, page_without_a_leader_lists_the_warnings)
{
    leadership.kind = LEADER_NONE;
    (void)strcpy(leadership.wanted_leader, "pod-9");
    (void)strcpy(snapshot.readiness, "ready, but for <b>");
    atomic_init(&report.key_mismatches, 2);
    atomic_init(&report.state, ELECTION_ISOLATED);
    render();
    expect("data-leads=\"no\"");
    expect("<h1 id=\"leader\">nobody</h1>");
    expect("Nobody leads.</p>");
    expect_none("Since <time");
    expect("<li>There is no leader: datagrams are held for hold.time.</li>");
    expect("headlessctl leader set pod-9, or a higher leader_generation.</li>");
    expect("<li>This pod is isolated: it has no contact with a majority of the members.</li>");
    expect("<li>Readiness: ready, but for &lt;b&gt;</li>");
    expect("because they have other keys, or none: 2</li>");
    expect("<g class=\"node none\">");
}
