/* status_parts: what status.c and status_numbers.c have of each other. */
#ifndef ADMIN_STATUS_PARTS_H
#define ADMIN_STATUS_PARTS_H

#include <json-c/json.h>

#include "admin/status.h"

/* Add a value; when memory runs out, the key is missing. status_add takes ownership of value. */
void status_add(struct json_object *object, const char *key, struct json_object *value);
void status_add_text(struct json_object *object, const char *key, const char *text);
void status_add_number(struct json_object *object, const char *key, uint64_t value);
void status_add_signed(struct json_object *object, const char *key, int64_t value);

/* "counters" and "gauges", "histograms". */
void status_add_samples(struct json_object *document, const struct admin_snapshot *snapshot);
void status_add_histograms(struct json_object *document, const struct data_plane_numbers *numbers);
struct json_object *status_describe_ledger(const struct data_plane_numbers *numbers);

#endif
