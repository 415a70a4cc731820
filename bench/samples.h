/*
 * samples: one row for each interval of a trial, for plots over time.
 *
 * All rows are allocated before the trial; when they are used up, the rest is not sampled, and
 * `capped` is set. A row ends when the loop looks, not a fixed time after the previous one: its own
 * end time counts. Owner: one thread. Only open allocates; taking a sample costs a few us.
 *
 * CSV columns: time_s (end of the interval, since the first trial's start), sent and answered (in
 * the interval), missing (sent so far and not answered yet, including datagrams in transit),
 * p50_ns, p99_ns and max_ns of the round trips that ended in the interval (empty: none).
 */
#ifndef BENCH_SAMPLES_H
#define BENCH_SAMPLES_H

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"
#include "headless/base/histogram.h"

#define SAMPLES_MAX        UINT64_C(200000)
#define SAMPLES_CSV_HEADER "time_s,sent,answered,missing,p50_ns,p99_ns,max_ns"

struct sample {
    uint64_t end_ns, sent, answered, missing;
    uint64_t p50_ns, p99_ns, max_ns; /* all 0: no reply */
};

struct samples {
    struct sample *rows;
    uint64_t capacity, count;
    uint64_t interval_ns, start_ns, next_ns; /* next_ns: end of the current interval */
    uint64_t sent, answered;                 /* up to the last row */
    bool capped;
    struct histogram round_trip; /* of the current interval */
};

/* Allocate rows for a trial of this duration (0: unknown, assume an hour). Returns 0 or -ENOMEM. */
int samples_open(struct samples *s, uint64_t interval_ns, uint64_t duration_ns) BENCH_MUST_USE;
void samples_close(struct samples *s);

/* Time 0 of the table. */
void samples_start(struct samples *s, uint64_t now_ns);

/* End the current interval, given the numbers sent and answered since the start. */
void samples_take(struct samples *s, uint64_t now_ns, uint64_t sent, uint64_t answered);

/* Write all rows to a file. Returns 0 or a negative errno. */
int samples_write(const struct samples *s, const char *path) BENCH_MUST_USE;

#endif
