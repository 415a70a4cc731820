/* Prometheus' text format 0.0.4: HELP and TYPE once a metric, then its samples. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "headless/admin/pages.h"

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

void metrics_put(FILE *out, const struct sample *sample, bool header)
{
    const struct counter_info *info = &sample->info;

    if (header) {
        (void)fprintf(out, "# HELP " PREFIX "%s ", info->metric);
        put_escaped(out, info->help, false);
        (void)fprintf(out, "\n# TYPE " PREFIX "%s %s\n", info->metric,
                      sample->type == SAMPLE_COUNTER ? "counter" : "gauge");
    }
    (void)fprintf(out, PREFIX "%s", info->metric);
    if (info->label[0]) {
        (void)fprintf(out, "{%s=\"", info->label);
        put_escaped(out, info->label_value, true);
        (void)fputs("\"}", out);
    }
    if (sample->type == SAMPLE_COUNTER)
        (void)fprintf(out, " %" PRIu64 "\n", sample->value);
    else
        (void)fprintf(out, " %" PRId64 "\n", (int64_t)sample->value);
}

char *page_metrics(const struct reading *reading, size_t *ret_length)
{
    struct sample samples[SAMPLES_MAX];
    size_t count = samples_list(reading, samples);
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_length);

    if (!out)
        return NULL;
    for (size_t i = 0; i < count; i++)
        metrics_put(out, &samples[i],
                    i == 0 || strcmp(samples[i].info.metric, samples[i - 1].info.metric) != 0);
    if (fclose(out) != 0) { /* out of memory */
        free(text);
        return NULL;
    }
    return text;
}
