/*
 * log_queue: lines that wait for the log thread. Private to base/.
 *
 * Bounded, in static memory. Lock-free: a thread that is stopped in log_queue_push delays the lines
 * behind its own, and no thread. A position is the number of lines pushed before, modulo 2^32.
 *
 * Threads: log_queue_init once; push by any thread, peek and pop by one.
 * Source: Dmitry Vyukov's bounded queue (1024cores.net), with one consumer.
 */
#ifndef BASE_LOG_QUEUE_H
#define BASE_LOG_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/base/log.h"

struct log_queue_line {
    enum log_level level;
    size_t length;
    char text[LOG_LINE_MAX];
};

void log_queue_init(void);

/* False: the queue is full. */
bool log_queue_push(enum log_level level, const char *text, size_t length, uint32_t *ret_position);

/* Lines pushed so far, modulo 2^32. */
uint32_t log_queue_end(void);

/* The oldest line, which stays in place until log_queue_pop; NULL: none. */
const struct log_queue_line *log_queue_peek(void);
void log_queue_pop(void);

#endif
