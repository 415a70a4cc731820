/*
 * The paths, as a table. The response is queued as soon as the request's header is complete:
 * libmicrohttpd then ignores a body and closes the connection after the response. So a connection
 * serves one request, and an idle client does not occupy one of the few connections. A connection
 * that is open too long is closed (connections.h).
 */
#include "admin/http.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "admin/admin_snapshot.h"
#include "admin/metric_renames.h"
#include "admin/page.h"
#include "admin/readiness.h"
#include "headless/base/clock.h"

#define CHALLENGE_LOOK_NS     (10 * NS_PER_MS)
#define RESPONSE_IDLE_SECONDS 10U /* without a byte of the response taken */

static const char text_plain[] = "text/plain; charset=utf-8";
static const char json[] = "application/json";
static const char event_stream[] = "text/event-stream";
static const char html[] = "text/html; charset=utf-8";
static const char css[] = "text/css; charset=utf-8";
static const char javascript[] = "text/javascript; charset=utf-8";
static const char svg[] = "image/svg+xml";
static const char prometheus[] = "text/plain; version=0.0.4; charset=utf-8";

/* No content from other origins, no inline script or style, no framing by other pages. */
static const char page_policy[] =
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct http_response {
    struct MHD_Connection *connection;
    unsigned status;
    const char *type;
    char *text; /* malloc'd; NULL: out of memory */
    size_t length;
    struct MHD_Response *stream; /* instead of a text */
    const unsigned char *file;   /* instead of a text; constant */
};

/* A thread loops at least every AGENT_IDLE_MAX_NS. One that seems stalled gets three times that,
 * once, to make progress: the whole process may have been paused. */
static const struct agent *find_stalled(struct admin *admin)
{
    const struct timespec look = clock_to_timespec(CHALLENGE_LOOK_NS);
    struct progress *progress = &admin->progress;
    uint64_t now_ns = clock_now_ns();
    const uint64_t end_ns = now_ns + PROGRESS_CHALLENGE_NS;
    const struct agent *stalled = supervisor_find_stalled(admin->supervisor, progress, now_ns);

    while (stalled && !progress->stalled && now_ns < end_ns) {
        (void)nanosleep(&look, NULL);
        now_ns = clock_now_ns();
        stalled = supervisor_find_stalled(admin->supervisor, progress, now_ns);
    }
    progress->stalled = stalled;
    return stalled;
}

/* ---- the paths ---- */

static __attribute__((format(printf, 3, 4))) void
respond_text(struct http_response *response, unsigned status, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vasprintf(&response->text, format, args);
    va_end(args);
    if (length < 0)
        response->text = NULL;
    response->length = length < 0 ? 0 : (size_t)length;
    response->status = status;
    response->type = text_plain;
}

static void respond_livez(struct admin *admin, struct http_response *response)
{
    const struct agent *stalled = find_stalled(admin);

    if (stalled)
        respond_text(response, MHD_HTTP_SERVICE_UNAVAILABLE, "%s makes no progress\n",
                     stalled->name);
    else
        respond_text(response, MHD_HTTP_OK, "ok\n");
}

static void respond_readyz(struct admin *admin, struct http_response *response)
{
    char text[READINESS_MAX];
    bool is_ready = readiness_tell(admin, text);

    respond_text(response, is_ready ? MHD_HTTP_OK : MHD_HTTP_SERVICE_UNAVAILABLE, "%s\n", text);
}

/* A document rendered from a complete snapshot. */
static void respond_snapshot(struct admin *admin, struct http_response *response, const char *type,
                             char *(*render)(const struct admin_snapshot *snapshot,
                                             size_t *ret_length))
{
    struct admin_snapshot snapshot;

    admin_snapshot_take(admin, &snapshot);
    admin_snapshot_complete(admin, &snapshot);
    response->status = MHD_HTTP_OK;
    response->type = type;
    response->text = render(&snapshot, &response->length);
    admin_snapshot_drop(admin);
}

/* Cheap, because every client may request it often. */
static void respond_leadership(struct admin *admin, struct http_response *response,
                               unsigned status_of_others)
{
    struct admin_snapshot snapshot;

    admin_snapshot_take(admin, &snapshot);
    response->type = json;
    response->status = admin_snapshot_is_leader(&snapshot) ? MHD_HTTP_OK : status_of_others;
    response->text = admin_document_leader(&snapshot, &response->length);
    admin_snapshot_drop(admin);
}

static void respond_leader(struct admin *admin, struct http_response *response)
{
    respond_leadership(admin, response, MHD_HTTP_OK);
}

static void respond_leader_me(struct admin *admin, struct http_response *response)
{
    respond_leadership(admin, response, MHD_HTTP_SERVICE_UNAVAILABLE);
}

static void respond_status(struct admin *admin, struct http_response *response)
{
    respond_snapshot(admin, response, json, admin_document_status);
}

static void respond_page(struct admin *admin, struct http_response *response)
{
    respond_snapshot(admin, response, html, page_html);
}

/* Once, because no scraper shows the help texts of the aliases to an operator. */
static void report_renamed_metrics(struct admin *admin)
{
    if (metric_rename_count > 0 && !admin->has_logged_renames)
        log_info("metrics_renamed",
                 "/metrics has %zu metrics under their former names too, in this version only: see "
                 "docs/metrics.md",
                 metric_rename_count);
    admin->has_logged_renames = true;
}

static void respond_metrics(struct admin *admin, struct http_response *response)
{
    report_renamed_metrics(admin);
    respond_snapshot(admin, response, prometheus, admin_document_metrics);
}

/* Out of memory: no text, and the connection is closed. */
static void respond_sessions(struct admin *admin, struct http_response *response)
{
    struct session_entry *entries = malloc(SESSION_ENTRIES_MAX * sizeof(*entries));
    struct sessions_snapshot snapshot = {.entries = entries};
    struct data_plane_numbers numbers;

    response->status = MHD_HTTP_OK;
    response->type = json;
    if (!entries)
        return;
    snapshot.is_complete = data_plane_list_sessions(admin->data_plane, entries, &snapshot.count);
    data_plane_read_numbers(admin->data_plane, &numbers);
    snapshot.total = numbers.sessions;
    snapshot.now_ns = clock_now_ns();
    response->text = admin_document_sessions(&snapshot, &response->length);
    free(entries);
}

static void respond_events(struct admin *admin, struct http_response *response)
{
    int rc = events_open(&admin->events, response->connection, &response->stream);

    response->status = MHD_HTTP_OK;
    response->type = event_stream;
    if (rc == -EUSERS)
        respond_text(response, MHD_HTTP_SERVICE_UNAVAILABLE,
                     "%d streams are open, which is the limit; use /leader\n", EVENTS_STREAMS_MAX);
    else if (rc == -EDQUOT)
        respond_text(response, MHD_HTTP_SERVICE_UNAVAILABLE,
                     "%d streams are open from your address, which is the limit; use /leader\n",
                     EVENTS_STREAMS_EACH);
    else if (rc == -ESHUTDOWN)
        respond_text(response, MHD_HTTP_SERVICE_UNAVAILABLE, "stopping\n");
}

static const struct path {
    const char *path;
    void (*respond)(struct admin *admin, struct http_response *response);
} paths[] = {
    {"/livez", respond_livez},         {"/readyz", respond_readyz},     {"/leader", respond_leader},
    {"/leader/me", respond_leader_me}, {"/events", respond_events},     {"/status", respond_status},
    {"/metrics", respond_metrics},     {"/sessions", respond_sessions}, {"/", respond_page},
};
#define PATH_COUNT (sizeof(paths) / sizeof(paths[0]))

/* The page's files, which are part of the program (page.h). */
static const struct file {
    const char *path, *type;
    const unsigned char *bytes;
    const size_t *length;
} files[] = {
    {"/page.css", css, page_css, &page_css_length},
    {"/page.js", javascript, page_js, &page_js_length},
    {"/page.svg", svg, page_svg, &page_svg_length},
};

static bool respond_file(const char *url, struct http_response *response)
{
    for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        if (strcmp(url, files[i].path) == 0) {
            response->status = MHD_HTTP_OK;
            response->type = files[i].type;
            response->file = files[i].bytes;
            response->length = *files[i].length;
            return true;
        }
    }
    return false;
}

static void respond_unknown(struct http_response *response)
{
    char list[256] = "";
    size_t n = 0;

    for (size_t i = 0; i < PATH_COUNT && n < sizeof(list); i++)
        n += (size_t)snprintf(list + n, sizeof(list) - n, " %s", paths[i].path);
    respond_text(response, MHD_HTTP_NOT_FOUND, "not found; paths are%s\n", list);
}

static void fill_response(struct admin *admin, const char *url, const char *method,
                          struct http_response *response)
{
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0) {
        respond_text(response, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD are allowed\n");
        return;
    }
    for (size_t i = 0; i < PATH_COUNT; i++) {
        if (strcmp(url, paths[i].path) == 0) {
            paths[i].respond(admin, response);
            return;
        }
    }
    if (!respond_file(url, response))
        respond_unknown(response);
}

/* Takes ownership of the text. NULL: out of memory. */
static struct MHD_Response *make_mhd_response(const struct http_response *response)
{
    struct MHD_Response *mhd;

    if (response->file)
        return MHD_create_response_from_buffer(response->length, (void *)(uintptr_t)response->file,
                                               MHD_RESPMEM_PERSISTENT);
    if (response->stream || !response->text)
        return response->stream;
    mhd = MHD_create_response_from_buffer(response->length, response->text, MHD_RESPMEM_MUST_FREE);
    if (!mhd)
        free(response->text);
    return mhd;
}

/* Headers for browsers. type is one of the constants above. */
static void add_policy(struct MHD_Response *mhd, const struct http_response *response)
{
    (void)MHD_add_response_header(mhd, "X-Content-Type-Options", "nosniff");
    if (response->type != html && !response->file)
        return;
    (void)MHD_add_response_header(mhd, "Content-Security-Policy", page_policy);
    (void)MHD_add_response_header(mhd, "Referrer-Policy", "no-referrer");
}

/* Takes ownership of the text or stream. MHD_NO closes the connection. */
static enum MHD_Result send_response(const struct http_response *response)
{
    struct MHD_Response *mhd = make_mhd_response(response);
    enum MHD_Result result;

    if (!mhd)
        return MHD_NO;
    (void)MHD_add_response_header(mhd, MHD_HTTP_HEADER_CONTENT_TYPE, response->type);
    (void)MHD_add_response_header(mhd, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    add_policy(mhd, response);
    if (response->status == MHD_HTTP_METHOD_NOT_ALLOWED)
        (void)MHD_add_response_header(mhd, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    result = MHD_queue_response(response->connection, response->status, mhd);
    MHD_destroy_response(mhd);
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

/* Its request is complete. */
static void http_move_on(struct admin *admin, const struct http_response *response)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(response->connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    (void)MHD_set_connection_option(response->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                    RESPONSE_IDLE_SECONDS);
    connections_move(&admin->connections, info->socket_context,
                     response->stream ? CONNECTION_STREAM : CONNECTION_RESPONDING, clock_now_ns());
}

enum MHD_Result http_handle(void *cls, struct MHD_Connection *connection, const char *url,
                            const char *method, const char *version, const char *upload_data,
                            size_t *upload_data_size, void **request_state)
{
    struct http_response response = {.connection = connection};

    (void)version;
    (void)upload_data;
    (void)upload_data_size;
    (void)request_state;
    fill_response(cls, url, method, &response);
    http_move_on(cls, &response);
    return send_response(&response);
}
