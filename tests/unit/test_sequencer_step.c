/* sequencer_step: a step that waits for a flush is stepped again, and loses nothing. */
#include <criterion/criterion.h>

#include "headless/sequencer/sequencer.h"

#define LEADER  7
#define SELF    8
#define BYTES   1000u
#define ENTRIES 12u /* of BYTES fit into the log */

static struct sequencer s;
static struct sequencer_actions actions;
static struct counters counters;
static uint8_t frame[64 * 1024];

static void begin(uint64_t leader)
{
    const struct sequencer_setup setup = {
        .counters = &counters, .self = SELF, .log_bytes = 64u * ARENA_QUEUE_ALIGN};
    const struct sequencer_member members[] = {{SELF, true}, {leader, true}};
    const struct sequencer_membership membership = {.term = 1,
                                                    .leader = leader,
                                                    .votes_needed = 1,
                                                    .member_count = leader == SELF ? 1 : 2,
                                                    .members = members};
    const struct sequencer_event event = {.type = SEQUENCER_MEMBERSHIP, .membership = &membership};

    cr_assert_eq(sequencer_init(&s, &setup), 0);
    cr_assert(sequencer_step(&s, &event, NS_PER_SEC, &actions));
}

static void flush(void)
{
    const struct sequencer_event event = {.type = SEQUENCER_FLUSH};

    cr_assert(sequencer_step(&s, &event, NS_PER_SEC, &actions));
}

static struct record make_record(void)
{
    static const uint8_t payload[BYTES];
    struct record record = {.payload = payload, .length = BYTES};

    cr_assert_eq(address_parse("10.0.0.1:5000", 0, &record.client), 0);
    cr_assert_eq(address_parse("10.0.0.2:12000", 0, &record.local), 0);
    return record;
}

static bool append(void)
{
    const struct record record = make_record();
    const struct sequencer_event event = {.type = SEQUENCER_APPEND, .record = &record};

    return sequencer_step(&s, &event, NS_PER_SEC, &actions);
}

static struct frame_reader make_reader(size_t records)
{
    const struct record record = make_record();
    size_t length = 0;

    for (; records > 0; records--) {
        length += record_put_header(frame + length, &record);
        length += record.length;
    }
    return (struct frame_reader){.next = frame, .end = frame + length};
}

static bool take(const struct entry_range *range, size_t records, struct frame_reader *reader)
{
    const struct sequencer_event event = {.type = SEQUENCER_ENTRIES,
                                          .from = LEADER,
                                          .term = 1,
                                          .range = range,
                                          .records = records,
                                          .reader = reader};

    return sequencer_step(&s, &event, NS_PER_SEC, &actions);
}

/* Entries from first on, by an id of this term, behind one of that term. */
static struct entry_range make_range(uint64_t first, uint64_t term, uint64_t previous_term)
{
    return (struct entry_range){.first = first,
                                .id = {term, LEADER},
                                .previous = {previous_term, previous_term ? LEADER : 0},
                                .term_first = 1,
                                .oldest = 1,
                                .last = first};
}

static uint64_t dropped(void)
{
    uint64_t sum[COUNTER_COUNT] = {0}, all = 0;

    counters_collect(&counters, sum);
    for (size_t reason = 0; reason < DROP_REASON_COUNT; reason++)
        all += sum[COUNTER_DROPPED + reason];
    return all;
}

static void teardown(void)
{
    sequencer_fini(&s);
}

TestSuite(sequencer_step, .fini = teardown);

/* The owner may still point to payloads that it has not sent. */
Test(sequencer_step, append_to_a_full_log_waits_for_a_flush)
{
    begin(SELF);
    for (uint64_t index = 1; index <= ENTRIES; index++)
        cr_assert(append());
    cr_assert_not(append());
    cr_assert_eq(actions.count, 0);
    cr_assert_eq(s.log.first, 1);
    flush();
    cr_assert(append());
    cr_assert_eq(s.delivered, ENTRIES + 1);
    cr_assert_eq(dropped(), 0);
}

Test(sequencer_step, one_append_is_one_publication_and_one_delivery)
{
    begin(SELF);
    cr_assert(append());
    cr_assert_eq(actions.count, 2);
    cr_assert_eq(actions.list[0].type, SEQUENCER_PUBLISH);
    cr_assert_eq(actions.list[1].type, SEQUENCER_DELIVER);
    for (size_t i = 0; i < 2; i++) {
        cr_assert_eq(actions.list[i].entries.first, 1);
        cr_assert_eq(actions.list[i].entries.end, 2);
    }
}

Test(sequencer_step, entries_continue_after_a_flush_in_the_middle)
{
    struct frame_reader reader = make_reader(6);
    struct entry_range range = make_range(1, 1, 0);
    const uint8_t *seventh;

    begin(LEADER);
    cr_assert(take(&range, 6, &reader));
    cr_assert_eq(s.delivered, 6);
    reader = make_reader(6);
    seventh = reader.end;
    reader = make_reader(12);
    range = make_range(7, 1, 1);
    cr_assert_not(take(&range, 12, &reader));
    cr_assert_eq(reader.next, seventh, "six are taken");
    flush();
    cr_assert_eq(actions.count, 0, "no request in the middle");
    cr_assert(take(&range, 12, &reader));
    cr_assert_eq(s.delivered, 18);
    cr_assert_eq(dropped(), 0);
}

/* The memory of the removed ones is not used again before they are sent. */
Test(sequencer_step, divergence_waits_for_a_flush_before_it_takes_entries)
{
    struct frame_reader reader = make_reader(5);
    struct entry_range range = make_range(1, 1, 0);
    const uint8_t *payload;

    begin(LEADER);
    cr_assert(take(&range, 5, &reader));
    payload = entry_log_at(&s.log, 3)->record.payload;
    reader = make_reader(1);
    range = make_range(3, 2, 1);
    cr_assert_not(take(&range, 1, &reader));
    cr_assert_eq(actions.count, 1);
    cr_assert_eq(actions.list[0].type, SEQUENCER_REPORT);
    cr_assert_eq(actions.list[0].report.from, 3);
    cr_assert_eq(actions.list[0].report.to, 5);
    cr_assert_eq(entry_log_at(&s.log, 3)->record.payload, payload, "still readable");
    flush();
    cr_assert(take(&range, 1, &reader));
    cr_assert_eq(s.delivered, 3);
    cr_assert_eq(entry_log_at(&s.log, 3)->id.term, 2);
}
