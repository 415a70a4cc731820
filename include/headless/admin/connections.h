/*
 * connections: limits on the number and the duration of connections to the admin port.
 *
 * A probe must get its response even if many clients connect and send nothing, half a request, a
 * byte a second, or never read their response. A limit that refuses new connections would refuse
 * the probe. So every connection is accepted, and one above the limit of a class closes an older
 * one of that class: the oldest of the address that has the most. A normal request is complete
 * within milliseconds and never the oldest among many; a client with many connections from one
 * address displaces its own.
 *
 *   REQUESTING   its request is not complete
 *   RESPONDING   its request is complete, and the response is being sent
 *   STREAM       /events, with limits of their own (events.h)
 *
 * Time is limited as well, against a client that sends or reads a byte now and then: a request has
 * CONNECTIONS_REQUESTING_NS from the connection to its last byte, a response
 * CONNECTIONS_RESPONDING_NS until its last byte is taken. (libmicrohttpd ends only silent ones.)
 *
 * libmicrohttpd stops accepting at its own limit, which is higher by CONNECTIONS_CLOSING: for
 * connections that were shut here and that it closes in its next turn (it accepts at most 11 in
 * one).
 *
 * Threads: the HTTP thread calls everything except connections_init and connections_expire, which
 * the notifier calls, because libmicrohttpd calls no handler while nothing arrives. A lock guards
 * everything and is held for microseconds; nothing allocates.
 */
#ifndef HEADLESS_ADMIN_CONNECTIONS_H
#define HEADLESS_ADMIN_CONNECTIONS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/admin/events.h"
#include "headless/base/address.h"
#include "headless/base/log.h"

#define CONNECTIONS_REQUESTING    64
#define CONNECTIONS_RESPONDING    64
#define CONNECTIONS_CLOSING       32

#define CONNECTIONS_REQUESTING_NS UINT64_C(5000000000)
#define CONNECTIONS_RESPONDING_NS UINT64_C(30000000000)

#define CONNECTIONS_MAX \
    (CONNECTIONS_REQUESTING + CONNECTIONS_RESPONDING + EVENTS_STREAMS_MAX + CONNECTIONS_CLOSING)

enum connection_class {
    CONNECTION_FREE, /* the entry is */
    CONNECTION_REQUESTING,
    CONNECTION_RESPONDING,
    CONNECTION_STREAM,
    CONNECTION_CLOSING, /* shut here; libmicrohttpd is about to close it */
    CONNECTION_CLASS_COUNT
};

struct connection {
    enum connection_class class;
    int fd;
    struct address client; /* IP */
    uint64_t number;       /* of its entry into its class: the smallest is the oldest */
    uint64_t since_ns;     /* of that entry */
};

struct connections {
    pthread_mutex_t lock; /* guards everything below */
    struct connection all[CONNECTIONS_MAX];
    size_t count[CONNECTION_CLASS_COUNT];
    uint64_t arrivals;
    uint64_t shed, expired;      /* closed for a new one; closed by a time limit */
    struct log_limit shed_lines; /* the HTTP thread's */
};

struct connection_counts {
    size_t open;
    uint64_t shed, expired;
};

void connections_init(struct connections *connections);

/* A new connection; an older one may be closed for it. NULL: no entry is free, and only
 * libmicrohttpd's timeout limits this one. */
struct connection *connections_enter(struct connections *connections, int fd,
                                     const struct address *client, uint64_t now_ns);

/* Its request is complete, or it became a stream. connection may be NULL. */
void connections_move(struct connections *connections, struct connection *connection,
                      enum connection_class class, uint64_t now_ns);

/* It was closed; fd stays valid until this returns. connection may be NULL. */
void connections_leave(struct connections *connections, struct connection *connection);

/* Notifier, often: close connections past their time limit. */
void connections_expire(struct connections *connections, uint64_t now_ns);

struct connection_counts connections_read(struct connections *connections);

#endif
