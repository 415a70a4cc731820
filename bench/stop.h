/*
 * stop: SIGINT and SIGTERM as a descriptor, so that a command ends with its totals.
 *
 * The signals are blocked and read from the descriptor; a second one means "at once".
 * Owner: the one thread of the process.
 */
#ifndef BENCH_STOP_H
#define BENCH_STOP_H

#include "bench.h"

/* Block the signals. Returns a non-blocking descriptor, readable after a signal, or -errno. */
int stop_open(void) BENCH_MUST_USE;

/* Number of signals since the last call. */
unsigned stop_take(int fd);

#endif
