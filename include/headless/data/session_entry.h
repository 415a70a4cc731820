/* session_entry: a client's session with the app, as the admin port shows it. */
#ifndef HEADLESS_DATA_SESSION_ENTRY_H
#define HEADLESS_DATA_SESSION_ENTRY_H

#include "headless/base/address.h"
#include "headless/base/clock.h"

#define SESSION_ENTRIES_MAX      1000
#define SESSION_ENTRIES_EVERY_NS (100 * NS_PER_MS)

struct session_entry {
    struct address client;
    struct address asked;   /* to which the client sent */
    struct address ingress; /* the pod to which it sent; unset: this one */
    struct address app;     /* the client's address for the app; unset: it has its own socket */
    uint64_t opened_ns, active_ns; /* clock_now_ns; active: the last datagram, either way */
    uint64_t requests;
};

#endif
