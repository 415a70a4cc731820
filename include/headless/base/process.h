/*
 * process: its standard descriptors; CPU time, memory and descriptors of this process, under the names
 * that Prometheus' client libraries use (process_cpu_seconds_total and so on).
 *
 * Any thread, but not the data path: reads /proc, which takes microseconds, and on kernels before
 * 6.2 longer with many open files.
 */
#ifndef HEADLESS_BASE_PROCESS_H
#define HEADLESS_BASE_PROCESS_H

#include <stdint.h>

/* A value of 0 is unknown, for example without /proc. */
struct process_usage {
    uint64_t cpu_ns;         /* user and kernel time of all threads, ended ones included */
    uint64_t resident_bytes; /* resident set size */
    uint64_t open_fds;
    uint64_t max_fds; /* soft RLIMIT_NOFILE */
};

void process_read_usage(struct process_usage *ret_usage);

/* Give closed standard descriptors /dev/null: otherwise the next socket is standard error, and gets the
 * log. First in main. */
void process_open_standard(void);

#endif
