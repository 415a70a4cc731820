/*
 * pattern: what an option's value looks like, as a regular expression. Private to config.
 *
 * For the schema that editors read (schema.c). Of the kind that JSON schemas have (ECMA 262): not
 * anchored, in parentheses where it has alternatives. What it refuses, the parser refuses too;
 * numbers, durations and sizes it knows as exactly, of addresses it knows the look only.
 *
 * Threads: pure functions, any thread.
 */
#ifndef HEADLESS_CONFIG_PATTERN_H
#define HEADLESS_CONFIG_PATTERN_H

#include <stdio.h>

#include "options.h"

/* All decimal numbers from low to high, without leading zeros. */
void pattern_put_range(FILE *out, uint64_t low, uint64_t high);

/* The text of a value; of a list: of one item. Any text where the type says nothing. */
void pattern_put(FILE *out, const struct config_option *o);

#endif
