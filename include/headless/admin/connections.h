/*
 * connections: who has to go when too many hold a connection to the admin port, or one too long.
 *
 * A probe must be answered, however many others connect and then say nothing, half a request, a
 * byte a second, or never read their answer. A limit that turns newcomers away turns the probe
 * away. So every connection is accepted, and one too many closes an older one of its class: of
 * the address that holds most of them, the oldest. An honest request is whole within milliseconds
 * and is never the oldest among many; and whoever comes in numbers, from one address, displaces
 * himself.
 *
 *   ASKING    has not sent a whole request
 *   ANSWERED  has, and is sent its answer
 *   STREAM    /events, with places of its own (events.h)
 *
 * Nor may one be held as long as its client likes, by a byte now and then, where nobody else wants
 * its place: a request has CONNECTIONS_ASKING_NS from the connection to its last byte, and an
 * answer CONNECTIONS_ANSWERED_NS until its last byte is taken. (libmicrohttpd itself only ends
 * what is silent.)
 *
 * libmicrohttpd stops accepting at its own limit, which is higher by CONNECTIONS_GOING: for those
 * that were shut here, and that it forgets in its next turn (it accepts at most 11 in one).
 *
 * Threads: the HTTP thread makes the calls, but for init, and connections_expire, which is the
 * notifier's: libmicrohttpd calls nobody while nothing comes. A lock guards all of it, and is held
 * for microseconds; nothing allocates.
 */
#ifndef HEADLESS_ADMIN_CONNECTIONS_H
#define HEADLESS_ADMIN_CONNECTIONS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/admin/events.h"
#include "headless/base/address.h"
#include "headless/base/log.h"

#define CONNECTIONS_ASKING      64
#define CONNECTIONS_ANSWERED    64
#define CONNECTIONS_GOING       32

#define CONNECTIONS_ASKING_NS   UINT64_C(5000000000)
#define CONNECTIONS_ANSWERED_NS UINT64_C(30000000000)

#define CONNECTIONS_MAX \
    (CONNECTIONS_ASKING + CONNECTIONS_ANSWERED + EVENTS_STREAMS_MAX + CONNECTIONS_GOING)

enum connection_class {
    CONNECTION_FREE, /* the place is */
    CONNECTION_ASKING,
    CONNECTION_ANSWERED,
    CONNECTION_STREAM,
    CONNECTION_GOING, /* shut by us; libmicrohttpd is about to close it */
    CONNECTION_CLASS_COUNT
};

struct connection {
    enum connection_class class;
    int fd;
    struct address client; /* IP */
    uint64_t number;       /* of its arrival in its class: the smallest is the oldest */
    uint64_t since_ns;     /* its arrival there */
};

struct connections {
    pthread_mutex_t lock; /* guards all that follows */
    struct connection all[CONNECTIONS_MAX];
    size_t count[CONNECTION_CLASS_COUNT];
    uint64_t arrivals;
    uint64_t shed, expired;      /* so many had to go: of too many, or for want of speed */
    struct log_limit shed_lines; /* the HTTP thread's */
};

struct connection_counts {
    size_t open;
    uint64_t shed, expired;
};

void connections_init(struct connections *connections);

/* It came: a place for it, where somebody else may have to go. NULL: there is no place, and it is
 * watched by nobody but libmicrohttpd's timeout. */
struct connection *connections_enter(struct connections *connections, int fd,
                                     const struct address *client, uint64_t now_ns);

/* Its request is whole, or became a stream. connection may be NULL. */
void connections_move(struct connections *connections, struct connection *connection,
                      enum connection_class class, uint64_t now_ns);

/* It is closed: fd is still its own until this returns. connection may be NULL. */
void connections_leave(struct connections *connections, struct connection *connection);

/* Notifier, often: those whose time is over have to go. */
void connections_expire(struct connections *connections, uint64_t now_ns);

struct connection_counts connections_read(struct connections *connections);

#endif
