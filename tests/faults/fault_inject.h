/*
 * The table that a process with the preload and a test share; faults.py has the same layout.
 *
 * Writers: the process adds sites and counts; the test writes the order, is_armed last.
 */
#ifndef FAULT_INJECT_H
#define FAULT_INJECT_H

#include <stdatomic.h>
#include <stdint.h>

#define FAULT_SITES        4096
#define FAULT_THREAD_BYTES 16
#define FAULT_SHORT        (-1) /* the call does less than it was asked for */
#define FAULT_EAI          1000 /* plus -EAI_...: a result of getaddrinfo */

enum {
#define FAULT_FUNCTION(name) FAULT_##name,
#include "fault_functions.h"
#undef FAULT_FUNCTION
    FAULT_COUNT
};

enum { FAULT_FREE, FAULT_FILLING, FAULT_READY };

struct fault_key {
    uint32_t function, detail;
    uint64_t offset; /* of the return address in its module */
    char module[32];
    char thread[FAULT_THREAD_BYTES];
};

struct fault_site {
    _Atomic uint32_t state;
    uint32_t unused;
    uint64_t caller;
    _Atomic uint64_t calls;
    struct fault_key key;
};

struct fault_order {
    _Atomic int32_t is_armed;
    _Atomic int32_t skip;  /* calls that pass before */
    _Atomic int32_t times; /* calls that fail */
    _Atomic int32_t taken; /* calls that have failed */
    int32_t error;         /* errno, FAULT_SHORT, or FAULT_EAI and more */
    int32_t unused;
    struct fault_key key;
};

struct fault_table {
    struct fault_order order;
    struct fault_site sites[FAULT_SITES];
};

#endif
