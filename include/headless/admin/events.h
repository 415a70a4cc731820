/*
 * events: GET /events, changes of leader as server-sent events (WHATWG HTML, 9.2).
 *
 *   retry: 1000
 *   id: 4
 *   event: leader
 *   data: {"leader":...}              what GET /leader returns and app.notify gets
 *
 * One event at the start of the connection, then one at every change that app.notify gets; a comment
 * line after EVENTS_KEEP_ALIVE_NS without one. A stream has no backlog: an event is the state at the
 * moment when the stream can take more, and a slow reader misses the states in between.
 *
 * Bounded: EVENTS_STREAMS_MAX streams, EVENTS_STREAMS_EACH of one address, each with one event and
 * a small send buffer. No thread of their own: the HTTP thread renders and writes, and suspends a
 * connection without an event; the notifier (notify.h) resumes it. The lock makes "no event, so
 * suspend" one step and "an event, so resume the suspended" another: no change is lost between
 * them.
 */
#ifndef HEADLESS_ADMIN_EVENTS_H
#define HEADLESS_ADMIN_EVENTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/admin/leader_event.h"
#include "headless/base/address.h"

#define EVENTS_STREAMS_MAX   16
#define EVENTS_STREAMS_EACH  8 /* of one client's address */
#define EVENTS_KEEP_ALIVE_NS UINT64_C(15000000000)
#define EVENTS_CLOSE_NS      UINT64_C(200000000)

struct admin;
struct events;
struct MHD_Connection;
struct MHD_Response;

struct event_stream {
    struct events *events;
    struct MHD_Connection *connection; /* NULL: the entry is free. Guarded */
    struct address client;             /* IP. Guarded */
    int fd;
    bool is_asleep, is_gone;   /* suspended; closed by its client. Guarded */
    uint64_t told;             /* number of the last change sent */
    uint64_t told_ns;          /* time of the last event or comment. Guarded */
    struct leader_event event; /* the last one sent. Guarded */
    bool has_said;             /* an event was sent. Guarded */
    char *text;                /* malloc'd event; this and the fields below are the HTTP thread's */
    size_t length, said;       /* bytes of text, and of them those that MHD has taken */
};

struct events {
    struct admin *admin;
    pthread_mutex_t lock;
    uint64_t changes; /* so far: an event's id. Guarded */
    bool is_closed;   /* guarded */
    struct event_stream streams[EVENTS_STREAMS_MAX];
};

void events_init(struct events *events, struct admin *admin);

/*
 * HTTP thread: a stream for this connection, as the response to queue; its end frees the entry.
 * -EUSERS: all are in use; -EDQUOT: this address has too many; -ESHUTDOWN: closed; -ENOMEM.
 */
int events_open(struct events *events, struct MHD_Connection *connection,
                struct MHD_Response **ret_response) __attribute__((warn_unused_result));

/* Notifier: the leader has changed. */
void events_change(struct events *events);
/*
 * Notifier, often: wakes streams that need a keep-alive, whose client has left, or whose last event
 * is not the current state. A stream renders a moment after the notifier compared, so its event may
 * be a state that is over again.
 */
void events_look(struct events *events, const struct leader_event *now, uint64_t now_ns);

/* Any thread: the number of open streams. */
size_t events_count(struct events *events);

/* After the notifier stopped, before the server: open no more streams, and wait until the open ones
 * have sent their last event, at most EVENTS_CLOSE_NS. */
void events_close(struct events *events);

#endif
