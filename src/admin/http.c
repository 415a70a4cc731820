/*
 * The paths, as a table. A request is answered as soon as its header is there: libmicrohttpd then
 * ignores a body and closes the connection after the answer. So a connection serves one request,
 * and an idle client holds none of the few that there are. Who holds one too long has to go
 * (connections.h).
 */
#include "admin/http.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/admin_snapshot.h"
#include "admin/page.h"
#include "admin/readiness.h"
#include "headless/base/clock.h"

#define CHALLENGE_LOOK_NS   (10 * NS_PER_MS)
#define ANSWER_IDLE_SECONDS 10U /* nothing of the answer was taken for so long */

static const char text_plain[] = "text/plain; charset=utf-8";
static const char json[] = "application/json";
static const char event_stream[] = "text/event-stream";
static const char html[] = "text/html; charset=utf-8";
static const char css[] = "text/css; charset=utf-8";
static const char javascript[] = "text/javascript; charset=utf-8";
static const char svg[] = "image/svg+xml";
static const char prometheus[] = "text/plain; version=0.0.4; charset=utf-8";

/* Nothing from elsewhere, nothing written into the page, and the page in no other's frame. */
static const char page_policy[] =
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct answer {
    struct MHD_Connection *connection; /* whose answer */
    unsigned status;
    const char *type;
    char *text; /* malloc'd; NULL: out of memory */
    size_t length;
    struct MHD_Response *stream; /* in place of a text */
    const unsigned char *file;   /* the same; of the program */
};

/* Threads turn their loops at least every AGENT_IDLE_MAX_NS: one that stalls is given three times
 * that, once, to show that it was only the whole process that had been paused. */
static const struct agent *find_stalled(struct admin *admin)
{
    const struct timespec look = clock_to_timespec(CHALLENGE_LOOK_NS);
    struct progress *progress = &admin->progress;
    uint64_t now_ns = clock_now_ns();
    const uint64_t end_ns = now_ns + PROGRESS_CHALLENGE_NS;
    const struct agent *stalled = supervisor_find_stalled(admin->supervisor, progress, now_ns);

    while (stalled && !progress->convicted && now_ns < end_ns) {
        (void)nanosleep(&look, NULL);
        now_ns = clock_now_ns();
        stalled = supervisor_find_stalled(admin->supervisor, progress, now_ns);
    }
    progress->convicted = stalled;
    return stalled;
}

/* ---- the paths ---- */

static __attribute__((format(printf, 3, 4))) void say(struct answer *answer, unsigned status,
                                                      const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vasprintf(&answer->text, format, args);
    va_end(args);
    if (length < 0)
        answer->text = NULL;
    answer->length = length < 0 ? 0 : (size_t)length;
    answer->status = status;
    answer->type = text_plain;
}

static void answer_livez(struct admin *admin, struct answer *answer)
{
    const struct agent *stalled = find_stalled(admin);

    if (stalled)
        say(answer, MHD_HTTP_SERVICE_UNAVAILABLE, "%s makes no progress\n", stalled->name);
    else
        say(answer, MHD_HTTP_OK, "ok\n");
}

static void answer_readyz(struct admin *admin, struct answer *answer)
{
    char text[READINESS_MAX];
    bool is_ready = readiness_tell(admin, text);

    say(answer, is_ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, "%s\n", text);
}

/* A page of all that is now. */
static void answer_snapshot(struct admin *admin, struct answer *answer, const char *type,
                            char *(*page)(const struct admin_snapshot *snapshot,
                                          size_t *ret_length))
{
    struct admin_snapshot snapshot;

    admin_snapshot_take(admin, &snapshot);
    admin_snapshot_complete(admin, &snapshot);
    answer->status = MHD_HTTP_OK;
    answer->type = type;
    answer->text = page(&snapshot, &answer->length);
    admin_snapshot_drop(admin);
}

/* What may be asked for often, and by every client. */
static void answer_who_leads(struct admin *admin, struct answer *answer, unsigned status_of_others)
{
    struct admin_snapshot snapshot;

    admin_snapshot_take(admin, &snapshot);
    answer->type = json;
    answer->status = admin_snapshot_is_leader(&snapshot) ? MHD_HTTP_OK : status_of_others;
    answer->text = page_leader(&snapshot, &answer->length);
    admin_snapshot_drop(admin);
}

static void answer_leader(struct admin *admin, struct answer *answer)
{
    answer_who_leads(admin, answer, MHD_HTTP_OK);
}

static void answer_leader_me(struct admin *admin, struct answer *answer)
{
    answer_who_leads(admin, answer, MHD_HTTP_SERVICE_UNAVAILABLE);
}

static void answer_status(struct admin *admin, struct answer *answer)
{
    answer_snapshot(admin, answer, json, page_status);
}

static void answer_page(struct admin *admin, struct answer *answer)
{
    answer_snapshot(admin, answer, html, page_html);
}

static void answer_metrics(struct admin *admin, struct answer *answer)
{
    answer_snapshot(admin, answer, prometheus, page_metrics);
}

/* Out of memory is no text, as everywhere. */
static void answer_sessions(struct admin *admin, struct answer *answer)
{
    struct session_entry *entries = malloc(SESSION_REPORT_MAX * sizeof(*entries));
    struct sessions_snapshot snapshot = {.entries = entries};
    struct data_plane_numbers numbers;

    answer->status = MHD_HTTP_OK;
    answer->type = json;
    if (!entries)
        return;
    snapshot.is_complete = data_plane_list_sessions(admin->data_plane, entries, &snapshot.count);
    data_plane_read_numbers(admin->data_plane, &numbers);
    snapshot.total = numbers.sessions;
    snapshot.now_ns = clock_now_ns();
    answer->text = page_sessions(&snapshot, &answer->length);
    free(entries);
}

static void answer_events(struct admin *admin, struct answer *answer)
{
    int rc = events_open(&admin->events, answer->connection, &answer->stream);

    answer->status = MHD_HTTP_OK;
    answer->type = event_stream;
    if (rc == -EUSERS)
        say(answer, MHD_HTTP_SERVICE_UNAVAILABLE,
            "%d streams are open, and there are no more; /leader answers at once\n",
            EVENTS_STREAMS_MAX);
    else if (rc == -EDQUOT)
        say(answer, MHD_HTTP_SERVICE_UNAVAILABLE,
            "%d streams are open from your address, and it gets no more; /leader answers at once\n",
            EVENTS_STREAMS_EACH);
    else if (rc == -ESHUTDOWN)
        say(answer, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping\n");
}

static const struct path {
    const char *path;
    void (*answer)(struct admin *admin, struct answer *answer);
} paths[] = {
    {"/livez", answer_livez},         {"/readyz", answer_readyz},     {"/leader", answer_leader},
    {"/leader/me", answer_leader_me}, {"/events", answer_events},     {"/status", answer_status},
    {"/metrics", answer_metrics},     {"/sessions", answer_sessions}, {"/", answer_page},
};
#define PATH_COUNT (sizeof(paths) / sizeof(paths[0]))

/* What the page is made of besides; in the program (page.h). */
static const struct file {
    const char *path, *type;
    const unsigned char *bytes;
    const size_t *length;
} files[] = {
    {"/page.css", css, page_css, &page_css_length},
    {"/page.js", javascript, page_js, &page_js_length},
    {"/page.svg", svg, page_svg, &page_svg_length},
};

static bool answer_file(const char *url, struct answer *answer)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (strcmp(url, files[i].path) == 0) {
            answer->status = MHD_HTTP_OK;
            answer->type = files[i].type;
            answer->file = files[i].bytes;
            answer->length = *files[i].length;
            return true;
        }
    }
    return false;
}

static void answer_unknown(struct answer *answer)
{
    char list[256] = "";
    size_t n = 0;

    for (size_t i = 0; i < PATH_COUNT && n < sizeof(list); i++)
        n += (size_t)snprintf(list + n, sizeof(list) - n, " %s", paths[i].path);
    say(answer, MHD_HTTP_NOT_FOUND, "not found; there are%s\n", list);
}

static void fill_answer(struct admin *admin, const char *url, const char *method,
                        struct answer *answer)
{
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        say(answer, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD\n");
        return;
    }
    for (size_t i = 0; i < PATH_COUNT; i++) {
        if (strcmp(url, paths[i].path) == 0) {
            paths[i].answer(admin, answer);
            return;
        }
    }
    if (!answer_file(url, answer))
        answer_unknown(answer);
}

/* Takes the text over. NULL: out of memory. */
static struct MHD_Response *make_response(const struct answer *answer)
{
    struct MHD_Response *response;

    if (answer->file)
        return MHD_create_response_from_buffer(answer->length, (void *)(uintptr_t)answer->file,
                                               MHD_RESPMEM_PERSISTENT);
    if (answer->stream || !answer->text)
        return answer->stream;
    response = MHD_create_response_from_buffer(answer->length, answer->text, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(answer->text);
    return response;
}

/* For browsers; a type is one of the constants above. */
static void add_policy(struct MHD_Response *response, const struct answer *answer)
{
    (void)MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (answer->type != html && !answer->file)
        return;
    (void)MHD_add_response_header(response, "Content-Security-Policy", page_policy);
    (void)MHD_add_response_header(response, "Referrer-Policy", "no-referrer");
}

/* Takes the text or stream over. MHD_NO closes the connection. */
static enum MHD_Result send_answer(const struct answer *answer)
{
    struct MHD_Response *response = make_response(answer);
    enum MHD_Result result;

    if (!response)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->type);
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    add_policy(response, answer);
    if (answer->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    result = MHD_queue_response(answer->connection, answer->status, response);
    MHD_destroy_response(response);
    return result;
}

/* ---- connections ---- */

struct address http_client(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct address client = {0};

    if (info && info->client_addr)
        address_from_sockaddr(info->client_addr, &client);
    return address_with_port(client, 0);
}

void http_notify(void *cls, struct MHD_Connection *connection, void **socket_context,
                 enum MHD_ConnectionNotificationCode code)
{
    struct admin *admin = cls;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const struct address client = http_client(connection);

    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        *socket_context =
            connections_enter(&admin->connections, info->connect_fd, &client, clock_now_ns());
    else
        connections_leave(&admin->connections, *socket_context);
}

/* Its request is whole. */
static void move_on(struct admin *admin, const struct answer *answer)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(answer->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    (void)MHD_set_connection_option(answer->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                    ANSWER_IDLE_SECONDS);
    connections_move(&admin->connections, info->socket_context,
                     answer->stream ? CONNECTION_STREAM : CONNECTION_ANSWERED, clock_now_ns());
}

enum MHD_Result http_handle(void *cls, struct MHD_Connection *connection, const char *url,
                            const char *method, const char *version, const char *upload_data,
                            size_t *upload_data_size, void **request_state)
{
    struct answer answer = {.connection = connection};

    (void)version;
    (void)upload_data;
    (void)upload_data_size;
    (void)request_state;
    fill_answer(cls, url, method, &answer);
    move_on(cls, &answer);
    return send_answer(&answer);
}
