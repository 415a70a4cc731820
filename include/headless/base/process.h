/*
 * process: CPU time, memory and descriptors of this process, under the names that Prometheus'
 * client libraries use (process_cpu_seconds_total and so on); what it inherits from its parent.
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

/*
 * Opens descriptors 0, 1 and 2 where the process was started without: otherwise a socket would get the number,
 * and what is printed or logged would be sent to it. Reads and writes of them still fail (EBADF). First in
 * main. Returns 0 or a negative errno.
 */
int process_fill_descriptors(void) __attribute__((warn_unused_result));

/*
 * Corrects what a parent process may have set. The umask keeps no permission from the owner: otherwise this process
 * could not read its own file (store, a key) again. New threads have a stack of at least 1 MiB, since their default is
 * RLIMIT_STACK (pthread_create(3)). Before the first thread.
 */
void process_correct_inherited(void);

#endif
