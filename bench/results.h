/*
 * results: reads results that headless-bench wrote: JSON objects one after another in a file.
 *
 * Owner: one thread. Nothing here is called during a trial.
 */
#ifndef BENCH_RESULTS_H
#define BENCH_RESULTS_H

#include <json-c/json.h>
#include <stddef.h>

#include "bench.h"

#define RESULTS_MAX 256 /* objects in a file: one a step */

struct results {
    struct json_object *objects[RESULTS_MAX];
    size_t count;
};

/* Read a file. Returns NULL, or the error, with nothing to close. */
const char *results_read(const char *path, struct results *ret_results) BENCH_MUST_USE;
void results_close(struct results *r);

/* A number by its path, as in "counts.sent"; NaN when there is none. */
double results_number(struct json_object *object, const char *path);

/* A text by its name; "" when there is none. */
const char *results_text(struct json_object *object, const char *name);

#endif
