/* Prometheus' text format 0.0.4: HELP and TYPE once a metric, then its samples. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/metric_renames.h"
#include "admin/number.h"

#define PREFIX "headlessd_"

/* Label values escape the quote as well, help texts do not. */
static void metrics_put_escaped(FILE *out, const char *text, bool quoted)
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
    metrics_put_escaped(out, help, false);
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
        metrics_put_escaped(out, info->label_value, true);
        if (sample->second_label)
            (void)fprintf(out, "\",%s=\"%s", sample->second_label, sample->second_value);
        (void)fputs("\"}", out);
    }
    (void)fprintf(out, " %s\n", number_format(sample, text));
}

/* Buckets are cumulative, and the last one has all. */
static void put_histogram(FILE *out, const char *metric, const char *help, enum distribution_id id,
                          const struct distribution_sum *sum)
{
    char text[NUMBER_TEXT_MAX];
    uint64_t count = 0;

    put_header(out, metric, help, "histogram");
    for (size_t i = 0; i <= distribution_bound_count(id); i++) {
        count += sum->buckets[i];
        (void)fprintf(out, PREFIX "%s_bucket{le=\"%s\"} %" PRIu64 "\n", metric,
                      number_format_bound(id, i, text), count);
    }
    (void)fprintf(out, PREFIX "%s_sum %s\n", metric, number_format_spread(id, sum->sum, text));
    (void)fprintf(out, PREFIX "%s_count %" PRIu64 "\n", metric, count);
}

void metrics_put_histogram(FILE *out, enum distribution_id id, const struct distribution_sum *sum)
{
    const struct distribution_info *info = &distribution_table[id];

    put_histogram(out, info->metric, info->help, id, sum);
}

/* ---- former names ---- */

#define ALIAS_HELP_MAX 128

static void put_alias_help(const struct metric_rename *rename, char text[static ALIAS_HELP_MAX])
{
    (void)snprintf(text, ALIAS_HELP_MAX, "Deprecated alias of " PREFIX "%s", rename->is);
}

static void put_alias(FILE *out, const struct metric_rename *rename, const struct sample *samples,
                      size_t count)
{
    char help[ALIAS_HELP_MAX];
    bool is_first = true;

    put_alias_help(rename, help);
    for (size_t i = 0; i < count; i++) {
        struct sample alias = samples[i];

        if (strcmp(alias.info.metric, rename->is) != 0)
            continue;
        alias.info.metric = rename->was;
        alias.info.help = help;
        metrics_put(out, &alias, is_first);
        is_first = false;
    }
}

static void put_histogram_alias(FILE *out, const struct metric_rename *rename,
                                const struct distribution_sum *sums)
{
    char help[ALIAS_HELP_MAX];

    put_alias_help(rename, help);
    for (size_t id = 0; id < DISTRIBUTION_COUNT; id++)
        if (strcmp(distribution_table[id].metric, rename->is) == 0)
            put_histogram(out, rename->was, help, (enum distribution_id)id, &sums[id]);
}

static void put_aliases(FILE *out, const struct sample *samples, size_t count,
                        const struct distribution_sum *sums)
{
    for (size_t i = 0; i < metric_rename_count; i++) {
        put_alias(out, &metric_renames[i], samples, count);
        put_histogram_alias(out, &metric_renames[i], sums);
    }
}

char *admin_document_metrics(const struct admin_snapshot *snapshot, size_t *ret_length)
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
    put_aliases(out, samples, count, snapshot->numbers.distributions);
    if (fclose(out) != 0) { /* out of memory */
        free(text);
        return NULL;
    }
    return text;
}
