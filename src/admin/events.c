#include "headless/admin/events.h"

#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "admin/admin_snapshot.h"
#include "admin/http.h"
#include "headless/base/clock.h"

#define SEND_BUFFER_BYTES (32 * 1024) /* bounds the outdated events in the kernel */
#define UNREACHABLE_MS    30000       /* TCP_USER_TIMEOUT: frees the entry of a vanished host */
#define BLOCK_BYTES       ((size_t)1024)
#define TOLD_NOTHING      UINT64_MAX

static void lock_events(struct events *events)
{
    (void)pthread_mutex_lock(&events->lock);
}

static void unlock_events(struct events *events)
{
    (void)pthread_mutex_unlock(&events->lock);
}

/* ---- the content of a stream ---- */

enum next { NEXT_EVENT, NEXT_KEEP_ALIVE, NEXT_END, NEXT_NOTHING };

/* NEXT_NOTHING: the connection is suspended on return. */
static enum next choose_next(struct event_stream *stream)
{
    struct events *events = stream->events;
    uint64_t now_ns = clock_now_ns();
    enum next next = NEXT_NOTHING;

    lock_events(events);
    if (stream->is_gone)
        next = NEXT_END;
    else if (stream->told != events->changes)
        next = NEXT_EVENT; /* also when closed */
    else if (events->is_closed)
        next = NEXT_END;
    else if (now_ns - stream->told_ns >= EVENTS_KEEP_ALIVE_NS)
        next = NEXT_KEEP_ALIVE;
    if (next == NEXT_NOTHING) {
        stream->is_asleep = true;
        MHD_suspend_connection(stream->connection);
    } else {
        stream->told = events->changes;
        stream->told_ns = now_ns;
    }
    unlock_events(events);
    return next;
}

/* Rendered after stream->told was read, so it is at least as new as that change. */
static char *render_event(struct event_stream *stream, size_t *ret_length)
{
    struct admin *admin = stream->events->admin;
    struct admin_snapshot snapshot;
    char *page, *text = NULL;
    size_t page_length;
    int length;

    admin_snapshot_take(admin, &snapshot);
    page = admin_document_leader(&snapshot, &page_length); /* one line */
    lock_events(stream->events);
    stream->event = leader_event_of(&snapshot);
    stream->has_said = true;
    unlock_events(stream->events);
    admin_snapshot_drop(admin);
    if (!page)
        return NULL;
    length = asprintf(&text, "retry: 1000\nid: %llu\nevent: leader\ndata: %s\n",
                      (unsigned long long)stream->told, page);
    free(page);
    if (length < 0)
        return NULL;
    *ret_length = (size_t)length;
    return text;
}

/* Render the next event or comment into text. Returns 0, or an end of stream for MHD. */
static ssize_t prepare(struct event_stream *stream)
{
    enum next next = choose_next(stream);

    free(stream->text);
    stream->text = NULL;
    stream->length = stream->said = 0;
    if (next == NEXT_NOTHING)
        return 0;
    if (next == NEXT_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (next == NEXT_EVENT)
        stream->text = render_event(stream, &stream->length);
    else if ((stream->text = strdup(": \n")))
        stream->length = strlen(stream->text);
    return stream->text ? 0 : MHD_CONTENT_READER_END_WITH_ERROR;
}

/* MHD's content reader, called when the connection can take more. */
static ssize_t read_event_stream(void *cls, uint64_t position, char *out, size_t max)
{
    struct event_stream *stream = cls;
    ssize_t end = stream->said < stream->length ? 0 : prepare(stream);
    size_t n = stream->length - stream->said;

    (void)position;
    if (end)
        return end;
    n = n < max ? n : max;
    if (n)
        memcpy(out, stream->text + stream->said, n);
    stream->said += n;
    return (ssize_t)n;
}

/* ---- entries ---- */

/* Called by MHD, also if the response could not be queued. */
static void release_stream(void *cls)
{
    struct event_stream *stream = cls;

    lock_events(stream->events);
    stream->connection = NULL;
    unlock_events(stream->events);
    free(stream->text);
    stream->text = NULL;
}

static size_t count_of(const struct events *events, const struct address *client)
{
    size_t count = 0;

    for (size_t i = 0; i < EVENTS_STREAMS_MAX; i++)
        count +=
            events->streams[i].connection && address_equal_ip(&events->streams[i].client, client);
    return count;
}

/* Locked. */
static int take_place(struct events *events, struct MHD_Connection *connection,
                      struct event_stream **ret_stream)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const struct address client = http_client(connection);
    struct event_stream *stream = events->streams;

    if (events->is_closed)
        return -ESHUTDOWN;
    if (count_of(events, &client) >= EVENTS_STREAMS_EACH)
        return -EDQUOT;
    while (stream < events->streams + EVENTS_STREAMS_MAX && stream->connection)
        stream++;
    if (stream == events->streams + EVENTS_STREAMS_MAX)
        return -EUSERS;
    *stream = (struct event_stream){.events = events,
                                    .connection = connection,
                                    .client = client,
                                    .fd = info->connect_fd,
                                    .told = TOLD_NOTHING,
                                    .told_ns = clock_now_ns()};
    *ret_stream = stream;
    return 0;
}

int events_open(struct events *events, struct MHD_Connection *connection,
                struct MHD_Response **ret_response)
{
    const int bytes = SEND_BUFFER_BYTES, patience_ms = UNREACHABLE_MS;
    struct event_stream *stream = NULL;
    struct MHD_Response *response;
    int rc;

    lock_events(events);
    rc = take_place(events, connection, &stream);
    unlock_events(events);
    if (rc)
        return rc;
    response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_event_stream,
                                                 stream, release_stream);
    if (!response) {
        release_stream(stream);
        return -ENOMEM;
    }
    /* The stream ends with the connection: with chunks, MHD would send the last chunk to a HEAD too. */
    (void)MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
    (void)setsockopt(stream->fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
    (void)setsockopt(stream->fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &patience_ms, sizeof(patience_ms));
    *ret_response = response;
    return 0;
}

size_t events_count(struct events *events)
{
    size_t count = 0;

    lock_events(events);
    for (size_t i = 0; i < EVENTS_STREAMS_MAX; i++)
        count += events->streams[i].connection != NULL;
    unlock_events(events);
    return count;
}

/* ---- waking ---- */

/* Locked. */
static void wake_stream(struct event_stream *stream)
{
    if (!stream->connection || !stream->is_asleep)
        return;
    stream->is_asleep = false;
    MHD_resume_connection(stream->connection);
}

void events_change(struct events *events)
{
    lock_events(events);
    events->changes++;
    for (size_t i = 0; i < EVENTS_STREAMS_MAX; i++)
        wake_stream(&events->streams[i]);
    unlock_events(events);
}

/*
 * MHD does not read a suspended connection, whose socket stays open. A client that has only shut down
 * its sending side counts as gone as well: the two look the same until a write.
 */
static bool has_left(int fd)
{
    char byte;
    ssize_t n = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

    return n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR);
}

void events_look(struct events *events, const struct leader_event *now, uint64_t now_ns)
{
    bool is_wrong = false;

    lock_events(events);
    for (size_t i = 0; i < EVENTS_STREAMS_MAX; i++) {
        struct event_stream *stream = &events->streams[i];

        if (!stream->connection || !stream->is_asleep)
            continue;
        stream->is_gone = has_left(stream->fd);
        if (stream->has_said && !leader_event_is_same(&stream->event, now)) {
            events->changes += !is_wrong; /* one new id for all of them */
            is_wrong = true;
            wake_stream(stream);
        } else if (stream->is_gone || now_ns >= stream->told_ns + EVENTS_KEEP_ALIVE_NS) {
            wake_stream(stream);
        }
    }
    unlock_events(events);
}

/* ---- start and end ---- */

void events_init(struct events *events, struct admin *admin)
{
    *events = (struct events){.admin = admin};
    (void)pthread_mutex_init(&events->lock, NULL);
}

void events_close(struct events *events)
{
    const struct timespec look = {.tv_nsec = 2 * NS_PER_MS};
    uint64_t end_ns = clock_now_ns() + EVENTS_CLOSE_NS;

    lock_events(events);
    events->is_closed = true;
    for (size_t i = 0; i < EVENTS_STREAMS_MAX; i++)
        wake_stream(&events->streams[i]);
    unlock_events(events);
    while (events_count(events) > 0 && clock_now_ns() < end_ns)
        (void)nanosleep(&look, NULL); /* MHD closes the rest when it stops */
}
