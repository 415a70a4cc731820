/*
 * watch: the cost of a trial: the CPU time of named processes, of this tool and of the whole
 * machine, and the resident memory of those processes.
 *
 * A process's time is read from its CPU clock (clock_getcpuclockid): nanoseconds of all its
 * threads, ended ones included, as recent as the last tick of a running thread. It includes the
 * kernel's network work in its system calls. Interrupts are charged to no process: only the
 * machine's figure includes them. That figure is /proc/stat's user, nice, system, irq and softirq
 * (not idle, iowait and steal), in ticks of 10 ms: it needs trials of seconds.
 *
 * Owner: one thread. Nothing allocates; begin and end read a few files in /proc, some 20 us each.
 */
#ifndef BENCH_WATCH_H
#define BENCH_WATCH_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "bench.h"

#define WATCH_MAX      32
#define WATCH_NAME_MAX 16 /* of a comm, with its NUL */
#define WATCH_TEXT_MAX 64 /* of one entry of the list */

struct watched {
    int pid;
    char name[WATCH_NAME_MAX];
    uint64_t start_ticks; /* of the process: a PID may be reused */
    uint64_t begin_ns, cpu_ns;
    uint64_t rss_bytes, hwm_bytes; /* at the end, and the maximum */
    bool ended;
};

struct watch {
    unsigned count; /* 0: no process is watched, and the fields below are unset */
    struct watched processes[WATCH_MAX];
    uint64_t own_begin_ns, own_ns;         /* of this process */
    uint64_t machine_begin_ns, machine_ns; /* of all CPUs together */
    uint64_t begin_ns, span_ns;            /* elapsed time */
};

/*
 * Find the processes of "NAME_OR_PID,...": digits are a PID, other text the name of one or more
 * processes (except this one). Returns NULL, or the error, with the entry copied to *bad.
 */
const char *watch_open(struct watch *w, const char *text,
                       char bad[static WATCH_TEXT_MAX]) BENCH_MUST_USE;

/* The same for a command (text may be NULL): prints the error. Returns its exit code, 0 to go on.
 */
int watch_command(struct watch *w, const char *command, const char *text) BENCH_MUST_USE;

/* Begin the measured span; a second call begins it again. */
void watch_begin(struct watch *w, uint64_t now_ns);

/* End the span; the last call counts. */
void watch_end(struct watch *w, uint64_t now_ns);

/* A watched process that has ended since the begin; NULL: none. */
const struct watched *watch_find_ended(const struct watch *w);

/* CPU time of all watched processes together. */
uint64_t watch_sum_ns(const struct watch *w);

void watch_print(const struct watch *w, uint64_t datagrams);

/* Add "cpu" to the object, if a process is watched. */
void watch_add_json(struct json_object *object, const struct watch *w, uint64_t datagrams);

#endif
