#include "headless/base/counters.h"

#define COUNTER_ROW(id, metric, label, value, help) {metric, label, value, help},
static const struct counter_info counter_rows[] = {COUNTERS(COUNTER_ROW)};
#undef COUNTER_ROW

#define REASON_NAME(name, prose) #name,
static const char *const reason_names[] = {DROP_REASONS(REASON_NAME)};
#undef REASON_NAME

#define REASON_PROSE(name, prose) prose,
static const char *const reason_proses[] = {DROP_REASONS(REASON_PROSE)};
#undef REASON_PROSE

const char *drop_reason_prose(enum drop_reason reason)
{
    return reason_proses[reason];
}

struct counter_info counter_describe(size_t index)
{
    if (index >= COUNTER_COPIES_DROPPED)
        return (struct counter_info){"copies_dropped_total", "reason",
                                     reason_names[index - COUNTER_COPIES_DROPPED],
                                     "Copies for other members dropped, by reason"};
    if (index >= COUNTER_REPLIES_DROPPED)
        return (struct counter_info){"replies_dropped_total", "reason",
                                     reason_names[index - COUNTER_REPLIES_DROPPED],
                                     "Replies dropped, by reason"};
    if (index >= COUNTER_DROPPED)
        return (struct counter_info){"datagrams_dropped_total", "reason",
                                     reason_names[index - COUNTER_DROPPED],
                                     "Requests dropped, by reason"};
    return counter_rows[index];
}

void counters_collect(const struct counters *counters, uint64_t sum[static COUNTER_COUNT])
{
    for (size_t i = 0; i < COUNTER_COUNT; i++)
        sum[i] += atomic_load_explicit(&counters->value[i], memory_order_relaxed);
}

static uint64_t sum_range(const uint64_t *sum, size_t from, size_t count)
{
    uint64_t total = 0;

    for (size_t i = from; i < from + count; i++)
        total += sum[i];
    return total;
}

struct ledger counters_ledger(const uint64_t sum[static COUNTER_COUNT], uint64_t inside)
{
    uint64_t requests_in = sum[COUNTER_RECEIVED_DATA] + sum[COUNTER_RECEIVED_GROUP] +
                           sum[COUNTER_RECEIVED_RELAY] + sum[COUNTER_REPLAYED];
    uint64_t requests_out =
        sum[COUNTER_DELIVERED] + sum[COUNTER_RELAYED] +
        sum_range(sum, COUNTER_CONTROL_OK, COUNTER_CONTROL_PROBE - COUNTER_CONTROL_OK + 1) +
        sum_range(sum, COUNTER_DROPPED, DROP_REASON_COUNT) + inside;
    uint64_t replies_in = sum[COUNTER_REPLIES_FROM_APP] + sum[COUNTER_REPLIES_FROM_RELAY];
    uint64_t replies_out = sum[COUNTER_REPLIES_SENT] + sum[COUNTER_REPLIES_RELAYED] +
                           sum[COUNTER_REPLIES_FENCED] + sum[COUNTER_REPLIES_SUPPRESSED] +
                           sum_range(sum, COUNTER_REPLIES_DROPPED, DROP_REASON_COUNT);

    uint64_t copies_out =
        sum[COUNTER_COPIES_SENT] + sum_range(sum, COUNTER_COPIES_DROPPED, DROP_REASON_COUNT);

    return (struct ledger){.requests = (int64_t)(requests_in - requests_out),
                           .replies = (int64_t)(replies_in - replies_out),
                           .copies = (int64_t)(sum[COUNTER_COPIES_MADE] - copies_out)};
}
