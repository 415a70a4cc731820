/*
 * headlessd: reads like a table of contents.
 *
 *   configuration   config/        options from flags, environment and file
 *   who leads       control/       the supervisor: election, commands, the leader view
 *   data            data/          receivers, workers, app, relay, replies: the way of a datagram
 *   operators       admin/         HTTP: probes, metrics, status
 *
 * The main thread starts the modules in the order of one table, then waits for signals, and stops
 * them in the reverse order. SIGTERM and SIGINT drain and exit 0, SIGHUP reads the configuration
 * again.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "headless/admin/admin.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/config/config.h"
#include "headless/control/supervisor.h"
#include "headless/data/plane.h"

#define EXIT_USAGE     2
#define DRAIN_LOOK_NS  (50 * NS_PER_MS)
#define DRAIN_QUIET_NS NS_PER_SEC

struct daemon {
    struct config_set *options;  /* as started with: the modules refer to it */
    struct config_set *reloaded; /* newest, or NULL */
    struct supervisor supervisor;
    struct plane plane;
    struct admin admin;
    struct plane_quiet quiet; /* while stopping */
    bool is_hurried;          /* by a second signal */
};

/* As it was configured last. */
static uint64_t drain_time_ns(const struct daemon *d)
{
    return config_values(d->reloaded ? d->reloaded : d->options)->drain_time_ns;
}

/* ---- the modules, in the order of their start ---- */

static int open_supervisor(struct daemon *d)
{
    return supervisor_open(&d->supervisor, config_values(d->options));
}

static void close_supervisor(struct daemon *d)
{
    supervisor_close(&d->supervisor);
}

static int open_plane(struct daemon *d)
{
    return plane_open(&d->plane, config_values(d->options), &d->supervisor.waker);
}

static void close_plane(struct daemon *d)
{
    plane_close(&d->plane);
}

static int join(struct daemon *d)
{
    return supervisor_join(&d->supervisor, &d->plane);
}

static int start_admin(struct daemon *d)
{
    return admin_start(&d->admin, config_values(d->options), &d->plane, &d->supervisor);
}

static void stop_admin(struct daemon *d)
{
    admin_stop(&d->admin);
}

static int start_plane(struct daemon *d)
{
    int rc = plane_start(&d->plane);

    if (rc)
        plane_stop(&d->plane, &d->quiet, 0); /* those that did start */
    return rc;
}

/* The last answers may take as long as the drain waits for more datagrams. */
static void stop_plane(struct daemon *d)
{
    uint64_t drain_ns = d->is_hurried ? 0 : drain_time_ns(d);

    plane_stop(&d->plane, &d->quiet, drain_ns < DRAIN_QUIET_NS ? drain_ns : DRAIN_QUIET_NS);
}

static int start_supervisor(struct daemon *d)
{
    return supervisor_start(&d->supervisor);
}

static void stop_supervisor(struct daemon *d)
{
    supervisor_stop(&d->supervisor);
}

/* A start that fails leaves nothing behind; stop may be NULL. */
static const struct module {
    const char *name;
    int (*start)(struct daemon *d);
    void (*stop)(struct daemon *d);
} modules[] = {
    {"supervisor", open_supervisor, close_supervisor}, /* first: its port tells a second daemon */
    {"sockets", open_plane, close_plane},
    {"leader", join, NULL},
    {"admin server", start_admin, stop_admin},
    {"supervisor thread", start_supervisor, stop_supervisor},
    {"data threads", start_plane, stop_plane}, /* last: now datagrams are read */
};
#define MODULE_COUNT (sizeof(modules) / sizeof(modules[0]))

static void stop_modules(struct daemon *d, size_t count)
{
    while (count-- > 0) {
        if (modules[count].stop)
            modules[count].stop(d);
    }
}

static int start_modules(struct daemon *d)
{
    for (size_t i = 0; i < MODULE_COUNT; i++) {
        int rc = modules[i].start(d);

        if (rc) {
            log_error("start_failed", "cannot start the %s: %s", modules[i].name, strerror(-rc));
            stop_modules(d, i);
            return rc;
        }
    }
    return 0;
}

/* ---- running ---- */

static void say_hello(const struct daemon *d)
{
    const struct config *config = config_values(d->options);
    char self[ADDRESS_TEXT_MAX], data[ADDRESS_TEXT_MAX], admin[ADDRESS_TEXT_MAX];

    log_info("started",
             "headlessd %s, pod %s (%s, instance %016llx), cluster %s, %zu peers, data on %s, "
             "admin on %s, receive buffer %llu KiB",
             HEADLESS_VERSION, config->name, address_format_ip(&config->self, self),
             (unsigned long long)d->plane.identity.instance, config->cluster, config->peers.count,
             address_format(&d->plane.data_sockets[0].local, data),
             address_format(&config->admin_listen, admin),
             (unsigned long long)d->plane.data_sockets[0].rcvbuf_bytes / 1024);
}

static void say_changed(const char *option, bool reloadable, void *context)
{
    (void)context;
    if (reloadable)
        log_info("option_reloaded", "%s", option);
    else
        log_warn("option_needs_restart", "%s changed, but takes effect only at the next start",
                 option);
}

static void reload(struct daemon *d)
{
    const struct config_set *before = d->reloaded ? d->reloaded : d->options;
    struct config_set *after;
    int rc = config_reload(d->options, stderr, &after);

    admin_set_reload_result(&d->admin, rc == 0);
    if (rc) {
        log_error("reload_failed", "the configuration has errors: nothing was changed");
        return;
    }
    if (config_diff(before, after, say_changed, NULL) == 0)
        log_info("reloaded", "no option changed");
    log_set_level((enum log_level)config_values(after)->log_level);
    supervisor_reload(&d->supervisor, config_values(after));
    config_destroy(d->reloaded);
    d->reloaded = after;
}

/*
 * Keep serving until it has been quiet for a second (what is held or queued is not quiet), until
 * drain.time is over, or a second signal comes.
 */
static void drain(struct daemon *d, const sigset_t *signals)
{
    const struct timespec look = clock_to_timespec(DRAIN_LOOK_NS);
    uint64_t now_ns = clock_now_ns();
    uint64_t end_ns = now_ns + drain_time_ns(d);

    admin_set_stopping(&d->admin);
    plane_watch(&d->quiet, &d->plane, now_ns);
    while (now_ns < end_ns && now_ns - d->quiet.since_ns < DRAIN_QUIET_NS) {
        int signal = sigtimedwait(signals, NULL, &look);

        d->is_hurried = signal == SIGTERM || signal == SIGINT;
        if (d->is_hurried)
            return;
        now_ns = clock_now_ns();
        plane_watch(&d->quiet, &d->plane, now_ns);
    }
}

static void wait_for_end(struct daemon *d, const sigset_t *signals)
{
    const struct timespec retry = clock_to_timespec(GROUPS_RETRY_NS);
    int signal = 0;

    while (signal != SIGTERM && signal != SIGINT) {
        signal = d->plane.groups.count ? sigtimedwait(signals, NULL, &retry)
                                       : sigwaitinfo(signals, NULL);
        if (signal == SIGHUP)
            reload(d);
        else if (signal < 0)
            groups_retry(&d->plane.groups);
    }
    log_info("stopping", "%s: serving what still comes for at most drain.time",
             signal == SIGTERM ? "SIGTERM" : "SIGINT");
    supervisor_resign(&d->supervisor);
    drain(d, signals);
}

static int run(struct config_set *options)
{
    static struct daemon daemon; /* large, and one a process */
    const struct config *config = config_values(options);
    sigset_t signals;

    daemon.options = options;
    log_init((enum log_level)config->log_level, (enum log_format)config->log_format);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);

    if (start_modules(&daemon))
        return EXIT_FAILURE;
    say_hello(&daemon);
    wait_for_end(&daemon, &signals);
    stop_modules(&daemon, MODULE_COUNT);
    log_info("stopped", "bye");
    config_destroy(daemon.reloaded);
    return EXIT_SUCCESS;
}

int main(int argc, char *argv[])
{
    struct config_set *options;
    enum config_mode mode;
    int status = EXIT_SUCCESS;

    if (config_load(argc, argv, stderr, &options, &mode))
        return EXIT_USAGE;
    switch (mode) {
    case CONFIG_RUN:
        status = run(options);
        break;
    case CONFIG_CHECK:
        (void)puts("ok");
        break;
    case CONFIG_DUMP:
        config_dump(options, stdout);
        break;
    case CONFIG_VERSION:
        (void)puts("headlessd " HEADLESS_VERSION);
        break;
    case CONFIG_HELP:
        config_help(stdout);
        break;
    case CONFIG_DOCS:
        config_document(stdout);
        break;
    }
    config_destroy(options);
    return status;
}
