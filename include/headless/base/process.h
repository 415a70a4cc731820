/*
 * process: what this process takes of the machine, as Prometheus' client libraries tell it of
 * every process (process_cpu_seconds_total and its like).
 *
 * Any thread. Blocks for as long as /proc takes, which is microseconds, and on kernels before 6.2
 * longer with many open files: not for the data path.
 */
#ifndef HEADLESS_BASE_PROCESS_H
#define HEADLESS_BASE_PROCESS_H

#include <stdint.h>

/* 0: not known, as where there is no /proc. */
struct process_usage {
    uint64_t cpu_ns;         /* of all threads, those that have ended too; user and kernel */
    uint64_t resident_bytes; /* of its memory, those in RAM */
    uint64_t open_fds;
    uint64_t max_fds; /* RLIMIT_NOFILE, as it is in force */
};

void process_read_usage(struct process_usage *ret_usage);

#endif
