#include "samples.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "headless/base/clock.h"

#define UNKNOWN_NS (3600 * NS_PER_SEC)
#define SPARE      100 /* rows for the time of waiting for late replies */

int samples_open(struct samples *s, uint64_t interval_ns, uint64_t duration_ns)
{
    uint64_t wanted = (duration_ns ? duration_ns : UNKNOWN_NS) / interval_ns + SPARE;

    *s = (struct samples){.capacity = wanted < SAMPLES_MAX ? wanted : SAMPLES_MAX,
                          .interval_ns = interval_ns};
    histogram_init(&s->round_trip);
    s->rows = calloc(s->capacity, sizeof(*s->rows));
    return s->rows ? 0 : -ENOMEM;
}

void samples_close(struct samples *s)
{
    free(s->rows);
    s->rows = NULL;
}

void samples_start(struct samples *s, uint64_t now_ns)
{
    s->start_ns = now_ns;
    s->next_ns = now_ns + s->interval_ns;
}

void samples_take(struct samples *s, uint64_t now_ns, uint64_t sent, uint64_t answered)
{
    const struct histogram *h = &s->round_trip;

    /* If the loop was delayed, the missed intervals become one long row. */
    while (s->next_ns <= now_ns)
        s->next_ns += s->interval_ns;
    if (s->count == s->capacity) {
        s->capped = true;
        s->next_ns = UINT64_MAX;
        return;
    }
    s->rows[s->count++] = (struct sample){
        .end_ns = now_ns - s->start_ns,
        .sent = sent - s->sent,
        .answered = answered - s->answered,
        .missing = sent - answered,
        .p50_ns = histogram_percentile(h, 50),
        .p99_ns = histogram_percentile(h, 99),
        .max_ns = h->max,
    };
    s->sent = sent;
    s->answered = answered;
    histogram_init(&s->round_trip);
}

static void write_row(FILE *file, const struct sample *row)
{
    (void)fprintf(file, "%.6f,%llu,%llu,%llu", (double)row->end_ns / (double)NS_PER_SEC,
                  (unsigned long long)row->sent, (unsigned long long)row->answered,
                  (unsigned long long)row->missing);
    if (row->max_ns)
        (void)fprintf(file, ",%llu,%llu,%llu\n", (unsigned long long)row->p50_ns,
                      (unsigned long long)row->p99_ns, (unsigned long long)row->max_ns);
    else
        (void)fputs(",,,\n", file);
}

int samples_write(const struct samples *s, const char *path)
{
    FILE *file = fopen(path, "we");
    bool failed;

    if (!file)
        return -errno;
    (void)fputs(SAMPLES_CSV_HEADER "\n", file);
    for (uint64_t i = 0; i < s->count; i++)
        write_row(file, &s->rows[i]);
    failed = ferror(file) != 0;
    return fclose(file) || failed ? -EIO : 0;
}
