/* The numbers of /status: counters and gauges, histograms, the ledger. */
#include "admin/metric_renames.h"
#include "admin/number.h"
#include "admin/status_parts.h"
#include "headless/base/clock.h"

/* json-c aborts the process if object is NULL. */
void status_add(struct json_object *object, const char *key, struct json_object *value)
{
    if (!object || json_object_object_add(object, key, value) < 0)
        (void)json_object_put(value);
}

void status_add_text(struct json_object *object, const char *key, const char *text)
{
    status_add(object, key, json_object_new_string(text));
}

void status_add_number(struct json_object *object, const char *key, uint64_t value)
{
    status_add(object, key, json_object_new_uint64(value));
}

void status_add_signed(struct json_object *object, const char *key, int64_t value)
{
    status_add(object, key, json_object_new_int64(value));
}

static struct json_object *describe_seconds(uint64_t ns)
{
    char text[NUMBER_TEXT_MAX];

    return json_object_new_double_s((double)ns / (double)NS_PER_SEC,
                                    number_format_seconds(ns, text));
}

/* {"count":9,"sum":12,"buckets":{"1":6,"2":9,...,"+Inf":9}}: cumulative, as in /metrics. */
static struct json_object *describe_histogram(enum distribution_id id,
                                              const struct distribution_sum *sum)
{
    struct json_object *object = json_object_new_object();
    struct json_object *buckets = json_object_new_object();
    char text[NUMBER_TEXT_MAX];
    uint64_t count = 0;

    status_add_number(object, "count", distribution_count(sum));
    if (distribution_table[id].is_time)
        status_add(object, "sum", describe_seconds(sum->sum));
    else
        status_add_number(object, "sum", sum->sum);
    for (size_t i = 0; i <= distribution_bound_count(id); i++) {
        count += sum->buckets[i];
        status_add_number(buckets, number_format_bound(id, i, text), count);
    }
    status_add(object, "buckets", buckets);
    return object;
}

void status_add_histograms(struct json_object *document, const struct data_plane_numbers *numbers)
{
    struct json_object *histograms = json_object_new_object();

    for (size_t id = 0; id < DISTRIBUTION_COUNT; id++) {
        const char *metric = distribution_table[id].metric, *former = metric_former(metric);
        const struct distribution_sum *sum = &numbers->distributions[id];

        status_add(histograms, metric, describe_histogram((enum distribution_id)id, sum));
        if (former)
            status_add(histograms, former, describe_histogram((enum distribution_id)id, sum));
    }
    status_add(document, "histograms", histograms);
}

/* The object of this key, which is made if there is none. */
static struct json_object *status_enter(struct json_object *group, const char *key)
{
    struct json_object *values;

    if (!json_object_object_get_ex(group, key, &values)) {
        values = json_object_new_object();
        status_add(group, key, values);
    }
    return values;
}

/* "sessions_opened_total":3, "replies_dropped_total":{"rate":3,...}, or
 * "api_requests_total":{"get":{"200":3,...},...}. */
static void add_sample(struct json_object *group, const struct sample *sample)
{
    const struct counter_info *info = &sample->info;
    struct json_object *values = group;
    const char *key = info->metric;

    if (info->label[0]) {
        values = status_enter(values, key);
        key = info->label_value;
    }
    if (sample->second_label) {
        values = status_enter(values, key);
        key = sample->second_value;
    }
    if (sample_is_seconds(sample))
        status_add(values, key, describe_seconds(sample->value));
    else if (sample->type == SAMPLE_COUNTER)
        status_add_number(values, key, sample->value);
    else
        status_add_signed(values, key, (int64_t)sample->value);
}

void status_add_samples(struct json_object *document, const struct admin_snapshot *snapshot)
{
    struct sample samples[SAMPLES_MAX];
    size_t count = samples_list(snapshot, samples);
    struct json_object *counters = json_object_new_object();
    struct json_object *gauges = json_object_new_object();

    for (size_t i = 0; i < count; i++) {
        struct json_object *group = sample_is_counter(&samples[i]) ? counters : gauges;
        const char *former = metric_former(samples[i].info.metric);

        add_sample(group, &samples[i]);
        samples[i].info.metric = former;
        if (former)
            add_sample(group, &samples[i]);
    }
    status_add(document, "counters", counters);
    status_add(document, "gauges", gauges);
}

struct json_object *status_describe_ledger(const struct data_plane_numbers *numbers)
{
    const struct ledger ledger = counters_ledger(numbers->counters, data_plane_inside(numbers));
    struct json_object *object = json_object_new_object();

    status_add_signed(object, "requests", ledger.requests);
    status_add_signed(object, "replies", ledger.replies);
    status_add_signed(object, "copies", ledger.copies);
    status_add_signed(object, "answers",
                      ledger.replies); /* former name of replies, for one release */
    return object;
}
