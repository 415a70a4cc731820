/*
 * blocking: a thread that makes one call at a time, which may block without end: reading a file of a
 * volume that does not respond.
 *
 * Usually a call takes microseconds, and its owner waits for it (completion.h). When it takes longer
 * than the owner's limit, the owner goes on, and looks later whether the call has returned. Until
 * then all that the call uses belongs to the thread.
 *
 * Owner: one thread calls all functions. Blocking: blocking_call, as long as its limit.
 */
#ifndef HEADLESS_BASE_BLOCKING_H
#define HEADLESS_BASE_BLOCKING_H

#include "headless/base/agent.h"
#include "headless/base/completion.h"
#include "headless/base/waker.h"

struct blocking {
    struct agent agent;
    struct waker waker;
    struct completion completion;
    void (*call)(void *context); /* the last one; written before it is posted */
    void *context;
    uint32_t posted;       /* calls so far */
    _Atomic uint32_t jobs; /* posted, for the thread */
};

/* Zeroed memory. Returns 0 or a negative errno. */
int blocking_start(struct blocking *blocking, const char *name) __attribute__((warn_unused_result));

/* Make this call, unless blocking_is_busy. True: it has returned. False: it is still running. */
bool blocking_call(struct blocking *blocking, void (*call)(void *context), void *context,
                   uint64_t limit_ns);

/* The last call has not returned. */
bool blocking_is_busy(const struct blocking *blocking);

/* End the thread. False: the kernel still holds it; all that its call uses must stay. */
bool blocking_stop(struct blocking *blocking);

#endif
