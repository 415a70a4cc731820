#include <criterion/criterion.h>
#include <string.h>

#include "headless/base/counters.h"

TestSuite(counters, .timeout = 60);

static struct counters counters, others;
static uint64_t sum[COUNTER_COUNT];

static struct ledger ledger(uint64_t held, uint64_t queued)
{
    memset(sum, 0, sizeof(sum));
    counters_collect(&counters, sum);
    return counters_ledger(sum, held + queued);
}

Test(counters, every_number_has_a_description)
{
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        struct counter_info one = counter_describe(i);

        cr_assert(one.metric && one.metric[0] && one.help && one.help[0], "number %zu", i);
        cr_assert(one.label && one.label_value, "number %zu", i);
        cr_assert_eq(one.label[0] == '\0', one.label_value[0] == '\0', "%s", one.metric);
        cr_assert_str_eq(one.metric + strlen(one.metric) - strlen("_total"), "_total");
        for (size_t j = 0; j < i; j++) {
            struct counter_info other = counter_describe(j);

            if (strcmp(one.metric, other.metric) != 0) {
                cr_assert_str_neq(one.help, other.help, "%s, %s", one.metric, other.metric);
                continue;
            }
            cr_assert_str_neq(one.label_value, other.label_value, "%s", one.metric);
            cr_assert_str_eq(one.label, other.label, "%s: one label a metric", one.metric);
            cr_assert_str_eq(one.help, other.help, "%s: one help text a metric", one.metric);
        }
    }
}

/* The text format of Prometheus requires all lines of one metric together. */
Test(counters, numbers_of_one_metric_are_adjacent)
{
    for (size_t i = 2; i < COUNTER_COUNT; i++) {
        const char *metric = counter_describe(i).metric;

        if (strcmp(metric, counter_describe(i - 1).metric) == 0)
            continue;
        for (size_t j = 0; j + 1 < i; j++)
            cr_assert_str_neq(metric, counter_describe(j).metric);
    }
}

Test(counters, drop_reasons_are_named)
{
    cr_assert_str_eq(counter_describe(COUNTER_DROPPED + DROP_loop).label_value, "loop");
    cr_assert_str_eq(counter_describe(COUNTER_DROPPED + DROP_shutdown).label_value, "shutdown");
    cr_assert_str_eq(counter_describe(COUNTER_REPLIES_DROPPED + DROP_tag).label_value, "tag");
    cr_assert_str_eq(counter_describe(COUNTER_DROPPED).metric, "datagrams_dropped_total");
    cr_assert_str_eq(counter_describe(COUNTER_REPLIES_DROPPED).metric, "replies_dropped_total");
    cr_assert_str_eq(counter_describe(COUNTER_RECEIVED_DATA).label_value, "data");
}

Test(counters, every_drop_reason_has_its_own_text)
{
    for (size_t i = 0; i < DROP_REASON_COUNT; i++) {
        for (size_t j = 0; j < i; j++)
            cr_assert_str_neq(drop_reason_prose((enum drop_reason)i),
                              drop_reason_prose((enum drop_reason)j));
    }
}

Test(counters, collect_adds_the_threads)
{
    memset(sum, 0, sizeof(sum));
    for (size_t i = 0; i < COUNTER_COUNT; i++) {
        counters_add(&counters, i, i);
        counters_add(&counters, i, 1);
        counters_add(&others, i, UINT64_C(1) << 40);
    }
    counters_collect(&counters, sum);
    counters_collect(&others, sum);
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        cr_assert_eq(sum[i], i + 1 + (UINT64_C(1) << 40));
}

Test(counters, each_end_of_a_request_balances_the_ledger)
{
    static const enum counter ways_in[] = {COUNTER_RECEIVED_DATA, COUNTER_RECEIVED_RELAY,
                                           COUNTER_RECEIVED_GROUP};
    static const enum counter ways_out[] = {COUNTER_DELIVERED,        COUNTER_RELAYED,
                                            COUNTER_CONTROL_OK,       COUNTER_CONTROL_NO_AUTH,
                                            COUNTER_CONTROL_BAD_JSON, COUNTER_CONTROL_BAD_TERM,
                                            COUNTER_CONTROL_PROBE,    COUNTER_CONTROL_NO_MEMBER};
    const size_t count = sizeof(ways_out) / sizeof(*ways_out);

    for (size_t i = 0; i < count; i++) {
        counters_add(&counters, ways_in[i % 3], 3);
        cr_assert_eq(ledger(0, 0).requests, 3, "still inside");
        cr_assert_eq(ledger(2, 1).requests, 0, "held and queued");
        counters_add(&counters, ways_out[i], 3);
        cr_assert_eq(ledger(0, 0).requests, 0, "way out %zu", i);
    }
    for (size_t reason = 0; reason < DROP_REASON_COUNT; reason++) {
        counters_add(&counters, COUNTER_RECEIVED_DATA, 1);
        counters_drop(&counters, (enum drop_reason)reason, 1);
        cr_assert_eq(ledger(0, 0).requests, 0, "reason %zu", reason);
    }
    cr_assert_eq(ledger(0, 0).replies, 0, "none of it is a reply");
    counters_add(&counters, COUNTER_DELIVERED, 1);
    cr_assert_eq(ledger(0, 0).requests, -1, "counted twice");
}

Test(counters, each_end_of_a_reply_balances_the_ledger)
{
    static const enum counter ways_out[] = {COUNTER_REPLIES_SENT, COUNTER_REPLIES_RELAYED,
                                            COUNTER_REPLIES_FENCED, COUNTER_REPLIES_SUPPRESSED};

    for (size_t i = 0; i < 4; i++) {
        counters_add(&counters, i % 2 ? COUNTER_REPLIES_FROM_APP : COUNTER_REPLIES_FROM_RELAY, 5);
        cr_assert_eq(ledger(0, 0).replies, 5);
        counters_add(&counters, ways_out[i], 5);
        cr_assert_eq(ledger(0, 0).replies, 0);
    }
    for (size_t reason = 0; reason < DROP_REASON_COUNT; reason++) {
        counters_add(&counters, COUNTER_REPLIES_FROM_APP, 1);
        counters_drop_reply(&counters, (enum drop_reason)reason, 1);
        cr_assert_eq(ledger(0, 0).replies, 0, "reason %zu", reason);
    }
    cr_assert_eq(ledger(0, 0).requests, 0, "nothing of it is a request");
}

Test(counters, each_end_of_a_copy_balances_the_ledger)
{
    counters_add(&counters, COUNTER_COPIES_MADE, 5);
    cr_assert_eq(ledger(0, 0).copies, 5);
    counters_add(&counters, COUNTER_COPIES_SENT, 5);
    cr_assert_eq(ledger(0, 0).copies, 0);
    for (size_t reason = 0; reason < DROP_REASON_COUNT; reason++) {
        counters_add(&counters, COUNTER_COPIES_MADE, 1);
        counters_drop_copies(&counters, (enum drop_reason)reason, 1);
        cr_assert_eq(ledger(0, 0).copies, 0, "reason %zu", reason);
    }
    cr_assert_eq(ledger(0, 0).requests, 0, "the pod's own app is counted apart");
    cr_assert_eq(ledger(0, 0).replies, 0);
}

Test(counters, other_counters_do_not_enter_the_ledger)
{
    static const enum counter aside[] = {
        COUNTER_BYTES_DATA,       COUNTER_BYTES_RELAY,      COUNTER_BYTES_GROUP,
        COUNTER_FRAMES_RECEIVED,  COUNTER_FRAMES_SENT,      COUNTER_WITHHELD,
        COUNTER_PEER_STRANGER,    COUNTER_APP_REFUSED,      COUNTER_SESSIONS_OPENED,
        COUNTER_SESSIONS_RESUMED, COUNTER_SESSIONS_EVICTED, COUNTER_SESSIONS_EVICTED_IN_USE};

    for (size_t i = 0; i < sizeof(aside) / sizeof(*aside); i++)
        counters_add(&counters, aside[i], 7);
    cr_assert_eq(ledger(0, 0).requests, 0);
    cr_assert_eq(ledger(0, 0).replies, 0);
}
