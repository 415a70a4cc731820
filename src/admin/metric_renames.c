#include "admin/metric_renames.h"

#include <string.h>

/* Remove a row in the release after the one that renamed the metric. */
const struct metric_rename metric_renames[] = {
    {"answers_received_total", "replies_received_total"},
    {"answers_withheld_total", "replies_withheld_total"},
    {"election_is_fresh", "election_is_volatile"},
    {"introductions_total", "handshakes_total"},
    {"ledger_answers", "ledger_replies"},
    {"members_introduced", "members_authenticated"},
    {"receive_trains_total", "receive_gro_batches_total"},
    {"send_train_datagrams", "send_gso_batch_datagrams"},
    {"send_trains_total", "send_gso_batches_total"},
};
const size_t metric_rename_count = sizeof(metric_renames) / sizeof(metric_renames[0]);

const char *metric_former(const char *metric)
{
    for (size_t i = 0; i < metric_rename_count; i++)
        if (strcmp(metric_renames[i].is, metric) == 0)
            return metric_renames[i].was;
    return NULL;
}
