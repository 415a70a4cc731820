/* GSO batches of a sender, and its samples. */
#include <criterion/criterion.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <unistd.h>

#include "gso_batches.h"
#include "headless/base/clock.h"
#include "samples.h"

TestSuite(gso_batches, .timeout = 60);
TestSuite(samples, .timeout = 60);

/* ---- gso_batches ---- */

static struct batch batch;
static struct gso_batches gso_batches;

static unsigned build(const size_t *sizes, unsigned count, bool merge)
{
    cr_assert_eq(batch_init(&batch), 0);
    for (unsigned i = 0; i < count; i++)
        batch_address(&batch, i, sizes[i], NULL, 0);
    gso_batches_build(&gso_batches, &batch, 0, count, merge);
    batch_fini(&batch);
    return gso_batches.count;
}

static unsigned segment_size(unsigned gso_batch)
{
    const struct cmsghdr *c = CMSG_FIRSTHDR(&gso_batches.headers[gso_batch].msg_hdr);
    uint16_t size;

    if (!c)
        return 0;
    cr_assert_eq(c->cmsg_type, UDP_SEGMENT);
    memcpy(&size, CMSG_DATA(c), sizeof(size));
    return size;
}

Test(gso_batches, unmerged_batches_equal_the_messages)
{
    static const size_t sizes[] = {100, 100, 100};

    cr_assert_eq(build(sizes, 3, false), 3);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(gso_batches.datagrams[i], 1);
        cr_assert_eq(gso_batches.headers[i].msg_hdr.msg_iov, &batch.vectors[i]);
        cr_assert_eq(segment_size(i), 0);
    }
}

Test(gso_batches, neighbours_of_one_size_are_merged_and_a_shorter_one_ends_the_batch)
{
    static const size_t sizes[] = {100, 100, 60, 60, 200, 100, 100};

    cr_assert_eq(build(sizes, 7, true), 4);
    cr_assert_eq(gso_batches.datagrams[0], 3);
    cr_assert_eq(segment_size(0), 100);
    cr_assert_eq(gso_batches.headers[0].msg_hdr.msg_iovlen, 3);
    cr_assert_eq(gso_batches.datagrams[1], 1, "60 before 200");
    cr_assert_eq(segment_size(1), 0);
    cr_assert_eq(gso_batches.datagrams[2], 2, "200, 100");
    cr_assert_eq(segment_size(2), 200);
    cr_assert_eq(gso_batches.datagrams[3], 1, "a new batch begins after a shorter one");
}

Test(gso_batches, batch_is_never_larger_than_a_datagram)
{
    size_t sizes[BATCH_SIZE];
    unsigned all = 0;

    for (unsigned i = 0; i < BATCH_SIZE; i++)
        sizes[i] = 1472;
    cr_assert_eq(build(sizes, BATCH_SIZE, true), 2);
    for (unsigned i = 0; i < gso_batches.count; i++) {
        cr_assert_leq(gso_batches.datagrams[i] * 1472, 65507);
        all += gso_batches.datagrams[i];
    }
    cr_assert_eq(all, BATCH_SIZE);
    cr_assert_eq(gso_batches_datagrams(&gso_batches, 0, 2), BATCH_SIZE);
    cr_assert_eq(gso_batches_datagrams(&gso_batches, 1, 1), BATCH_SIZE - 65507 / 1472);
}

/* ---- samples ---- */

Test(samples, rows_have_differences_and_the_missing_total)
{
    struct samples s;

    cr_assert_eq(samples_open(&s, 100 * NS_PER_MS, NS_PER_SEC), 0);
    samples_start(&s, 1000);
    histogram_record(&s.round_trip, 50);
    samples_take(&s, 1000 + 100 * NS_PER_MS, 10, 8);
    samples_take(&s, 1000 + 200 * NS_PER_MS, 15, 15);
    cr_assert_eq(s.count, 2);
    cr_assert(s.rows[0].sent == 10 && s.rows[0].answered == 8 && s.rows[0].missing == 2);
    cr_assert_eq(s.rows[0].p50_ns, 50);
    cr_assert(s.rows[1].sent == 5 && s.rows[1].answered == 7 && s.rows[1].missing == 0);
    cr_assert_eq(s.rows[1].max_ns, 0, "no round trip in this interval");
    cr_assert_eq(s.rows[1].end_ns, 200 * NS_PER_MS);
    samples_close(&s);
}

Test(samples, delayed_loop_makes_one_long_row)
{
    struct samples s;

    cr_assert_eq(samples_open(&s, 100 * NS_PER_MS, NS_PER_SEC), 0);
    samples_start(&s, 0);
    samples_take(&s, 350 * NS_PER_MS, 10, 10);
    cr_assert_eq(s.count, 1);
    cr_assert_eq(s.next_ns, 400 * NS_PER_MS);
    samples_close(&s);
}

Test(samples, full_table_sets_capped_and_keeps_its_rows)
{
    struct samples s;

    cr_assert_eq(samples_open(&s, NS_PER_SEC, NS_PER_SEC), 0);
    for (uint64_t i = 1; i <= s.capacity + 5; i++)
        samples_take(&s, i * NS_PER_SEC, i, i);
    cr_assert(s.capped);
    cr_assert_eq(s.count, s.capacity);
    cr_assert_eq(s.rows[s.count - 1].sent, 1);
    samples_close(&s);
    cr_assert_eq(samples_open(&s, 1, UINT64_MAX / 4), 0, "limited, whatever was requested");
    cr_assert_eq(s.capacity, SAMPLES_MAX);
    samples_close(&s);
}
