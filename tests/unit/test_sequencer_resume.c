/* sequencer_step while a donor is asked: a step that is repeated after a flush, and entries for another
 * member in the step in which the search is given up. The member (3) has entries 1 to 10 of leader 1 in
 * its log, uncommitted, and the logs of leader and donor 2 begin at 200. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "headless/sequencer/sequencer.h"

enum { LEADER = 1, DONOR = 2, SELF = 3 };

#define TERM 5

static struct sequencer s;
static struct sequencer_actions actions;
static struct counters counters;
static uint64_t now_ns;
static uint64_t delivered_count;

/* Every delivered entry has the payload that its index was published with. */
static void check_deliveries(void)
{
    for (size_t i = 0; i < actions.count; i++) {
        const struct sequencer_action *action = &actions.list[i];

        if (action->type != SEQUENCER_DELIVER)
            continue;
        for (uint64_t n = action->entries.first; n < action->entries.end; n++) {
            const struct record *record = &entry_log_at(&s.log, n)->record;
            char expected[32];
            int length =
                snprintf(expected, sizeof(expected), "message %llu", (unsigned long long)n);

            cr_assert_eq(record->length, length);
            cr_assert_arr_eq(record->payload, expected, (size_t)length, "index %llu is \"%.*s\"",
                             (unsigned long long)n, (int)record->length,
                             (const char *)record->payload);
            delivered_count++;
        }
    }
}

static bool step(const struct sequencer_event *event)
{
    bool is_done = sequencer_step(&s, event, now_ns, &actions);

    check_deliveries();
    return is_done;
}

static void flush(void)
{
    const struct sequencer_event event = {.type = SEQUENCER_FLUSH};

    cr_assert(step(&event));
}

static size_t put_records(uint8_t *out, uint64_t first, size_t count)
{
    uint8_t *next = out;

    for (size_t i = 0; i < count; i++) {
        char text[32];
        int length = snprintf(text, sizeof(text), "message %llu", (unsigned long long)(first + i));
        struct record record = {.length = (uint16_t)length, .payload = (const uint8_t *)text};

        cr_assert_eq(address_parse("10.0.0.9:5000", 0, &record.client), 0);
        cr_assert_eq(address_parse("10.0.0.1:12000", 0, &record.local), 0);
        next += record_put_header(next, &record);
        memcpy(next, text, (size_t)length);
        next += length;
    }
    return (size_t)(next - out);
}

/* The owner's loop: flush and repeat until the step is done. */
static void take(uint64_t from, const struct entry_range *range, size_t count)
{
    static uint8_t frame[4096];
    struct frame_reader reader = {.next = frame,
                                  .end = frame + put_records(frame, range->first, count)};
    const struct sequencer_event event = {.type = SEQUENCER_ENTRIES,
                                          .from = from,
                                          .term = TERM,
                                          .range = range,
                                          .records = count,
                                          .reader = &reader};
    unsigned tries = 0;

    while (!step(&event)) {
        flush();
        cr_assert_lt(++tries, 5);
    }
    flush();
}

/* Entries of the leader's term, as a log that begins at oldest sends them. */
static struct entry_range make_range(uint64_t first, uint64_t oldest, uint64_t last)
{
    const struct entry_id id = {TERM, LEADER};

    return (struct entry_range){.first = first,
                                .id = id,
                                .previous = first > 1 ? id : (struct entry_id){0},
                                .term_first = 1,
                                .oldest = oldest,
                                .last = last,
                                .committed = last > 10 ? last : 0};
}

/* Until the donor is asked: the leader's log begins behind a gap. */
static void begin_catch_up(void)
{
    const struct sequencer_setup setup = {
        .counters = &counters, .self = SELF, .commits = true, .log_bytes = 1 << 20};
    const struct sequencer_member members[] = {{LEADER, true}, {DONOR, true}, {SELF, true}};
    const struct sequencer_membership membership = {
        .term = TERM, .leader = LEADER, .votes_needed = 2, .member_count = 3, .members = members};
    const struct sequencer_event event = {.type = SEQUENCER_MEMBERSHIP, .membership = &membership};
    struct entry_range range = make_range(1, 1, 10);

    now_ns = NS_PER_SEC;
    delivered_count = 0;
    cr_assert_eq(sequencer_init(&s, &setup), 0);
    cr_assert(step(&event));
    take(LEADER, &range, 10);
    now_ns += 100 * NS_PER_MS;
    range = make_range(301, 200, 300);
    take(LEADER, &range, 0);
    now_ns += NS_PER_MS;
    range = make_range(200, 200, 300);
    range.reply_end = 205;
    take(LEADER, &range, 5);
    cr_assert_eq(s.catch_up.donor, DONOR);
    now_ns += NS_PER_MS;
}

static void teardown(void)
{
    sequencer_fini(&s);
}

TestSuite(sequencer_resume, .fini = teardown);

/* The first pass of the step gives the donor up; the second must go on with the donor's range. */
Test(sequencer_resume, donors_range_is_completed_after_a_flush)
{
    struct entry_range range;

    begin_catch_up();
    range = make_range(200, 200, 300);
    range.term_first = 0;
    range.reply_end = 205;
    take(DONOR, &range, 5);
    for (int i = 0; i < 3; i++) {
        now_ns += 20 * NS_PER_MS;
        flush();
    }
    range = make_range(301, 200, 301);
    take(LEADER, &range, 1);
    range = make_range(205, 200, 301);
    range.reply_end = 302;
    take(LEADER, &range, 97);
    cr_assert_eq(s.delivered, 301);
    cr_assert_not(s.taking.is_unfinished);
    cr_assert_eq(delivered_count, 10 + 102);
}

/* Each SEND names an entry of the present log; and although another member requests entries all the
 * time, the search for a donor ends. */
Test(sequencer_resume, replies_to_others_are_sent_before_the_log_restarts)
{
    unsigned sent = 0;

    begin_catch_up();
    for (int i = 0; i < 400 && s.log.first < 200; i++) {
        const struct entry_ack ack = {.request = 1};
        const struct sequencer_event request = {
            .type = SEQUENCER_ACK, .from = DONOR, .term = TERM, .ack = &ack};

        now_ns += 5 * NS_PER_MS;
        cr_assert(step(&request));
        flush();
        for (size_t j = 0; j < actions.count; j++) {
            const struct sequencer_action *action = &actions.list[j];

            if (action->type != SEQUENCER_SEND)
                continue;
            for (uint64_t n = action->entries.first; n < action->entries.end; n++, sent++) {
                struct entry_range range;

                sequencer_make_range(&s, action, n, &range);
                cr_assert_eq(range.id.leader, LEADER, "index %llu", (unsigned long long)n);
                cr_assert_leq(range.oldest, n);
                cr_assert_leq(n, range.last);
            }
        }
    }
    cr_assert_gt(sent, 0);
    cr_assert_eq(s.log.first, 200, "the search was not given up");
}
