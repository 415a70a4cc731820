#include "headless/admin/admin.h"

#include <errno.h>
#include <json-c/json.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "admin/http.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/base/utf8.h"

#define REQUEST_IDLE_SECONDS 2U             /* until the request is complete; then http.c's limit */
#define CONNECTION_BYTES     ((size_t)8192) /* for the headers of request and response */

/* ---- the listening socket, opened here to get an exact errno ---- */

static int set_listen_options(int fd, int family, bool wildcard)
{
    const int on = 1, v6_only = !wildcard;

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return -errno; /* without it bind fails while old connections are in TIME_WAIT */
    if (family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, sizeof(v6_only)) < 0)
        return -errno;
    return 0;
}

static int listen_family(const struct address *at, int family, int *ret_fd)
{
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(at, family, &sa);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc;

    if (fd < 0)
        return -errno;
    rc = set_listen_options(fd, family, address_is_any(at));
    if (!rc && (bind(fd, (struct sockaddr *)&sa, length) < 0 || listen(fd, SOMAXCONN) < 0))
        rc = -errno;
    if (rc) {
        (void)close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

/* The wildcard of either family means both; IPv4 only where the kernel has no IPv6. */
static int listen_at(const struct address *at, int *ret_fd)
{
    const struct address any_v6 = address_with_port(address_any(ADDRESS_V6), at->port);
    const struct address any_v4 = address_with_port(address_any(ADDRESS_V4), at->port);
    int rc;

    if (!address_is_any(at))
        return listen_family(at, at->family == ADDRESS_V4 ? AF_INET : AF_INET6, ret_fd);
    rc = listen_family(&any_v6, AF_INET6, ret_fd);
    if (rc == -EAFNOSUPPORT || rc == -EADDRNOTAVAIL)
        rc = listen_family(&any_v4, AF_INET, ret_fd);
    return rc;
}

/* ---- the server ---- */

/*
 * libmicrohttpd's own messages: only those about a shortage, which no client causes by its behaviour
 * (accept and epoll_ctl out of descriptors, memory or watches). A request that exceeds
 * CONNECTION_BYTES has several with "memory", too.
 */
__attribute__((format(printf, 2, 0))) static void log_server(void *context, const char *format,
                                                             va_list args)
{
    static const char *const shortages[] = {"accept", "epoll", "esource limit",
                                            "allocating memory"};
    struct admin *admin = context;
    char text[256];

    (void)vsnprintf(text, sizeof(text), format, args);
    text[strcspn(text, "\n")] = '\0';
    for (size_t i = 0; i < sizeof(shortages) / sizeof(shortages[0]); i++) {
        if (!strstr(text, shortages[i]))
            continue;
        (void)atomic_fetch_add_explicit(&admin->server_failures, 1, memory_order_relaxed);
        log_warn_minutely("admin_server", clock_now_ns(), "the HTTP server (admin.listen): %s",
                          text);
        return;
    }
}

/* Takes ownership of listen_fd, also on failure. All signals are blocked in the HTTP thread: the main
 * thread handles them. */
static int start_server(struct admin *admin, int listen_fd)
{
    const unsigned flags =
        MHD_USE_AUTO_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    sigset_t all, before;
    int rc;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    errno = 0;
    admin->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, http_handle, admin,      /* no accept filter */
        MHD_OPTION_EXTERNAL_LOGGER, log_server, admin, /* first: also for errors of the options */
        MHD_OPTION_LISTEN_SOCKET, listen_fd, MHD_OPTION_CONNECTION_LIMIT, (unsigned)CONNECTIONS_MAX,
        MHD_OPTION_NOTIFY_CONNECTION, http_notify, admin, MHD_OPTION_CONNECTION_TIMEOUT,
        REQUEST_IDLE_SECONDS, MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_BYTES, MHD_OPTION_END);
    rc = admin->daemon ? 0 : errno ? -errno : -EIO;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

static int open_server(struct admin *admin, const struct config *config,
                       struct data_plane *data_plane)
{
    char text[ADDRESS_TEXT_MAX];
    int fd = -1, rc;

    if (config->admin_listen.port == 0)
        return 0;
    rc = listen_at(&config->admin_listen, &fd);
    if (rc) {
        log_error("bind_failed", "cannot listen on %s (admin.listen): %s",
                  address_format(&config->admin_listen, text), strerror(-rc));
        return rc;
    }
    rc = snapshot_publisher_register(data_plane_publisher(data_plane), &admin->reader);
    if (rc) {
        (void)close(fd);
        log_error("admin_failed", "too many threads: no snapshot reader is left for admin.listen");
        return rc;
    }
    rc = start_server(admin, fd);
    if (rc)
        log_error("admin_failed", "cannot start the HTTP server (admin.listen): %s", strerror(-rc));
    return rc;
}

int admin_start(struct admin *admin, const struct config *config, struct data_plane *data_plane,
                struct supervisor *supervisor, const struct platform *platform)
{
    int rc;

    *admin = (struct admin){.config = config,
                            .data_plane = data_plane,
                            .supervisor = supervisor,
                            .platform = platform,
                            .started_ns = clock_now_ns(),
                            .started_s = clock_real_s()};
    atomic_init(&admin->last_reload_succeeded, true);
    atomic_init(&admin->config_loaded_s, clock_real_s());
    (void)pthread_mutex_init(&admin->why_lock, NULL);
    (void)pthread_mutex_init(&admin->options_lock, NULL);
    events_init(&admin->events, admin);
    connections_init(&admin->connections);
    rc = notifier_start(&admin->notifier, config, data_plane, supervisor_report(supervisor),
                        config->admin_listen.port ? &admin->events : NULL);
    if (rc)
        return rc;
    rc = open_server(admin, config, data_plane);
    if (rc)
        notifier_stop(&admin->notifier);
    return rc;
}

void admin_stop(struct admin *admin)
{
    notifier_stop(&admin->notifier);
    events_close(&admin->events); /* MHD must not stop with suspended connections */
    if (admin->daemon)
        MHD_stop_daemon(admin->daemon);
    admin->daemon = NULL;
    (void)json_object_put(admin->options);
    admin->options = NULL;
}

void admin_set_serving(struct admin *admin)
{
    atomic_store_explicit(&admin->serving, true, memory_order_relaxed);
}

void admin_set_stopping(struct admin *admin)
{
    atomic_store_explicit(&admin->stopping, true, memory_order_relaxed);
}

/* The first line, and the number of further ones. It has the path of a file, which may be any bytes. */
static void set_why(struct admin *admin, char place[static ADMIN_WHY_MAX], const char *why)
{
    char line[ADMIN_WHY_MAX];
    size_t more = 0, n = strcspn(why, "\n");

    for (const char *c = why + n; *c; c++)
        more += *c == '\n' && c[1];
    (void)snprintf(line, sizeof(line), "%.*s", (int)n, why);
    line[utf8_trim(line, strlen(line))] = '\0';
    (void)pthread_mutex_lock(&admin->why_lock);
    n = utf8_copy_printable(place, more ? ADMIN_WHY_MAX - 64 : ADMIN_WHY_MAX - 1, line);
    place[n] = '\0';
    if (more)
        (void)snprintf(place + n, ADMIN_WHY_MAX - n, " (and %zu more, in the log)", more);
    (void)pthread_mutex_unlock(&admin->why_lock);
}

void admin_set_keys_result(struct admin *admin, const char *why)
{
    set_why(admin, admin->why.keys, why);
}

void admin_set_reload_result(struct admin *admin, const char *why)
{
    atomic_store_explicit(&admin->last_reload_succeeded, !why, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&admin->reloads, 1, memory_order_relaxed);
    set_why(admin, admin->why.reload, why ? why : "");
    if (!why)
        atomic_store_explicit(&admin->config_loaded_s, clock_real_s(), memory_order_relaxed);
    else
        (void)atomic_fetch_add_explicit(&admin->reloads_refused, 1, memory_order_relaxed);
}

struct options_made {
    struct json_object *object; /* NULL: out of memory */
    bool is_partial;
};

static void add_option(const char *option, const char *value, void *context)
{
    struct options_made *made = context;
    struct json_object *text = json_object_new_string(value);

    if (text && json_object_object_add(made->object, option, text) == 0)
        return;
    (void)json_object_put(text);
    made->is_partial = true;
}

void admin_set_options(struct admin *admin, const struct config_set *started,
                       const struct config_set *newest)
{
    struct options_made made = {.object = json_object_new_object()};

    if (!made.object || config_list_changed(started, newest, add_option, &made) || made.is_partial)
        log_warn("options_not_shown", "out of memory: /status does not show all options");
    (void)pthread_mutex_lock(&admin->options_lock);
    (void)json_object_put(admin->options);
    admin->options = made.object;
    (void)pthread_mutex_unlock(&admin->options_lock);
}
