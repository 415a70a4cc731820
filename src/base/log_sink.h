/*
 * log_sink: where finished lines go. Private to base/.
 *
 * No line may block a thread that others wait for, and standard error may block without end: a pipe
 * or a socket without a reader, a stopped terminal, a file on a volume that hangs. O_NONBLOCK would
 * not do: it belongs to the open file description, which the parent and the other programs with
 * this standard error share.
 *
 *   pipe, FIFO   written at once through a description of our own, opened in /proc/self/fd. Writes
 *                of up to PIPE_BUF bytes are atomic
 *   socket       sent at once with MSG_DONTWAIT; a socket cannot be opened again
 *   others       written by the log thread, for which the caller waits for at most LOG_WAIT_NS
 *
 * A line that a pipe or socket does not take now goes to the queue, and so do later ones until the
 * log thread has written them: order is kept, and a slow reader costs no line. Without such a reader, a
 * line is with the kernel when log_write returns, so a crash does not lose it.
 */
#ifndef BASE_LOG_SINK_H
#define BASE_LOG_SINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/base/log.h"

/* Take a line with its newline, and count what becomes of it. Any thread. */
void log_sink_put(enum log_level level, const char *line, size_t length);

/* Lines in the queue. Any thread. */
uint64_t log_sink_queued(void);

/* ---- in log.c ---- */

void log_count_line(enum log_level level, bool is_written);

/* Returns the length of the line, with its newline. */
size_t log_format_line(char line[static LOG_LINE_MAX], enum log_level level, const char *event,
                       const char *message);

#endif
