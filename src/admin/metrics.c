/* Prometheus' text format 0.0.4: HELP and TYPE once a metric, then its samples. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/number.h"

#define PREFIX "headlessd_"

/* Label values escape the quote as well, help texts do not. */
static void put_escaped(FILE *out, const char *text, bool quoted)
{
    for (; *text; text++) {
        if (*text == '\n') {
            (void)fputs("\\n", out);
            continue;
        }
        if (*text == '\\' || (*text == '"' && quoted))
            (void)putc('\\', out);
        (void)putc(*text, out);
    }
}

static void put_header(FILE *out, const char *metric, const char *help, const char *type)
{
    (void)fprintf(out, "# HELP " PREFIX "%s ", metric);
    put_escaped(out, help, false);
    (void)fprintf(out, "\n# TYPE " PREFIX "%s %s\n", metric, type);
}

void metrics_put(FILE *out, const struct sample *sample, bool header)
{
    const struct counter_info *info = &sample->info;
    char text[NUMBER_TEXT_MAX];

    if (header)
        put_header(out, info->metric, info->help, sample_is_counter(sample) ? "counter" : "gauge");
    (void)fprintf(out, PREFIX "%s", info->metric);
    if (info->label[0]) {
        (void)fprintf(out, "{%s=\"", info->label);
        put_escaped(out, info->label_value, true);
        (void)fputs("\"}", out);
    }
    (void)fprintf(out, " %s\n", number_format(sample, text));
}

/* Buckets are cumulative, and the last one has all. */
void metrics_put_histogram(FILE *out, enum distribution_id id, const struct distribution_sum *sum)
{
    const struct distribution_info *info = &distribution_table[id];
    char text[NUMBER_TEXT_MAX];
    uint64_t count = 0;

    put_header(out, info->metric, info->help, "histogram");
    for (size_t i = 0; i <= distribution_bound_count(id); i++) {
        count += sum->buckets[i];
        (void)fprintf(out, PREFIX "%s_bucket{le=\"%s\"} %" PRIu64 "\n", info->metric,
                      number_format_bound(id, i, text), count);
    }
    (void)fprintf(out, PREFIX "%s_sum %s\n", info->metric,
                  number_format_spread(id, sum->sum, text));
    (void)fprintf(out, PREFIX "%s_count %" PRIu64 "\n", info->metric, count);
}

char *page_metrics(const struct admin_snapshot *snapshot, size_t *ret_length)
{
    struct sample samples[SAMPLES_MAX];
    size_t count = samples_list(snapshot, samples);
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_length);

    if (!out)
        return NULL;
    for (size_t i = 0; i < count; i++)
        metrics_put(out, &samples[i],
                    i == 0 || strcmp(samples[i].info.metric, samples[i - 1].info.metric) != 0);
    for (size_t id = 0; id < DISTRIBUTION_COUNT; id++)
        metrics_put_histogram(out, (enum distribution_id)id, &snapshot->numbers.distributions[id]);
    if (fclose(out) != 0) { /* out of memory */
        free(text);
        return NULL;
    }
    return text;
}
