/*
 * events: GET /events, who leads as server-sent events (WHATWG HTML, 9.2).
 *
 *   retry: 1000
 *   id: 4
 *   event: leader
 *   data: {"leader":...}              what GET /leader answers, and app.notify is sent
 *
 * Once at the start of the connection, then at every change that app.notify is told of; a comment
 * line when nothing was said for EVENTS_KEEP_ALIVE_NS. A stream tells states, not a backlog: one
 * that is ready for more is told what is so then, and a slow reader misses what was so meanwhile.
 *
 * Bounded: EVENTS_STREAMS_MAX streams, EVENTS_STREAMS_EACH of one address, each with one page and a
 * small send buffer. No thread of their own: the HTTP thread renders and writes, and suspends a
 * connection that has nothing to say; the notifier (notify.h) resumes it. The lock makes one step
 * of "nothing to say, so suspend" and one of "something to say, so resume who is suspended":
 * between them no change is lost.
 */
#ifndef HEADLESS_ADMIN_EVENTS_H
#define HEADLESS_ADMIN_EVENTS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/admin/notice.h"
#include "headless/base/address.h"

#define EVENTS_STREAMS_MAX   16
#define EVENTS_STREAMS_EACH  8 /* of one client's address: it cannot take all */
#define EVENTS_KEEP_ALIVE_NS UINT64_C(15000000000)
#define EVENTS_LAST_WORD_NS  UINT64_C(200000000)

struct admin;
struct events;
struct MHD_Connection;
struct MHD_Response;

struct event_stream {
    struct events *events;
    struct MHD_Connection *connection; /* NULL: the place is free. Guarded */
    struct address client;             /* IP. Guarded */
    int fd;
    bool is_asleep, is_gone; /* suspended; its client has left. Guarded */
    uint64_t told;           /* the change that it was last told */
    uint64_t told_ns;        /* when it was last given something to say. Guarded */
    struct notice notice;    /* what it said last. Guarded */
    bool has_said;           /* anything yet. Guarded */
    char *text;              /* malloc'd: what it says; of the HTTP thread, as all that follows */
    size_t length, said;     /* bytes of text, and of those how many MHD has taken */
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
 * HTTP thread: a stream for this connection, as the response to queue; its end gives the place
 * back. -EUSERS: no place; -EDQUOT: none for this address; -ESHUTDOWN: closed; -ENOMEM.
 */
int events_open(struct events *events, struct MHD_Connection *connection,
                struct MHD_Response **ret_response) __attribute__((warn_unused_result));

/* Notifier: who leads has changed. */
void events_change(struct events *events);
/*
 * Notifier, often: wakes the streams that have to keep alive, whose client has left, or that said
 * something else than what is so now: what they render is read a moment later than what the
 * notifier compares, and may have been over by then.
 */
void events_look(struct events *events, const struct notice *now, uint64_t now_ns);

/* Any thread: how many are open. */
size_t events_count(struct events *events);

/* After the notifier's end, before the server's: no more streams; those that are open say their
 * last and end, or take longer than EVENTS_LAST_WORD_NS. */
void events_close(struct events *events);

#endif
