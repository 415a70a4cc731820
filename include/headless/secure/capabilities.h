/*
 * capabilities: asks for, and gives up, capabilities of the process (capabilities(7)).
 *
 * Threads: a capability belongs to a thread, and a new thread inherits those of its creator. Main
 * thread, before it starts others.
 */
#ifndef HEADLESS_SECURE_CAPABILITIES_H
#define HEADLESS_SECURE_CAPABILITIES_H

#include <linux/capability.h>
#include <stdbool.h>

/* True when this thread has the capability (CAP_*) in its effective set. */
bool capabilities_has(unsigned number);

/* Give up a capability, in every set except the bounding set. Returns 0 or a negative errno. */
int capabilities_drop(unsigned number) __attribute__((warn_unused_result));

/* Run this in a thread without the capability, or in this one if it has none: the threads that run
 * starts inherit none. Returns its result, or a negative errno. */
int capabilities_run_without(unsigned number, int (*run)(void *context), void *context)
    __attribute__((warn_unused_result));

#endif
