/*
 * headlessd: reads like a table of contents.
 *
 *   configuration   config/        options from flags, environment and file
 *   who leads       control/       the supervisor: election, commands, the leader snapshot
 *   data            data/          receivers, workers, app, relay, replies: the way of a datagram
 *   operators       admin/         HTTP: probes, metrics, status
 *   confinement     secure/        what the process gives up once its sockets are open
 *   reloading       reload.c       the configuration, while it runs
 *
 * The main thread starts the modules in the order of one table, then waits for signals, and stops
 * them in the reverse order. SIGTERM and SIGINT drain and exit 0. The configuration is read again
 * at SIGHUP, and when its file has changed. A service manager is told of all that (base/service.h).
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "daemon.h"
#include "headless/admin/pages.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/secure/confine.h"

#define DRAIN_LOOK_NS  (50 * NS_PER_MS)
#define DRAIN_QUIET_NS NS_PER_SEC
#define LOOK_NS        NS_PER_SEC /* at keys and configuration */
#define WELL_PARTS     4 /* of the watchdog's time: one look that was unlucky does not kill */

/* ---- the modules, in the order of their start ---- */

/* Before the first key is read. */
static int hide_memory(struct daemon *d)
{
    int rc = config_has_keys(config_values(d->options)) ? confine_hide_memory() : 0;

    if (rc)
        log_warn("memory_visible", "cannot keep the keys out of core dumps: %s", strerror(-rc));
    return 0;
}

static int create_supervisor(struct daemon *d)
{
    return supervisor_create(config_values(d->options), &d->supervisor);
}

static void destroy_supervisor(struct daemon *d)
{
    supervisor_destroy(d->supervisor);
}

static int open_plane(struct daemon *d)
{
    return data_plane_open(&d->data_plane, config_values(d->options),
                           supervisor_waker(d->supervisor));
}

static void close_plane(struct daemon *d)
{
    data_plane_close(&d->data_plane);
}

static int join(struct daemon *d)
{
    return supervisor_join(d->supervisor, &d->data_plane);
}

static int start_admin(struct daemon *d)
{
    int rc = admin_start(&d->admin, config_values(d->options), &d->data_plane, d->supervisor);

    if (!rc) {
        admin_set_options(&d->admin, d->options, d->options);
        admin_set_keys_result(&d->admin, supervisor_keys_failure(d->supervisor));
    }
    return rc;
}

static void stop_admin(struct daemon *d)
{
    admin_stop(&d->admin);
}

/* Some kernels and sandboxes have no seccomp: serving without is better than not at all. */
static int confine(struct daemon *d)
{
    const struct config *config = config_values(d->options);
    const struct confine_needs needs = {.resolver = config->discovery_dns[0] != '\0',
                                        .files = config->store[0] != '\0',
                                        .groups = config->multicast_groups.count > 0};
    int rc = config->seccomp ? confine_start(&needs) : -ENOTSUP;

    if (rc == -ENOTSUP)
        log_debug("unconfined", "%s",
                  config->seccomp ? "seccomp: not in this build" : "seccomp: false");
    else if (rc)
        log_warn("unconfined", "seccomp: the kernel refuses the filter (%s): all system calls stay",
                 strerror(-rc));
    return 0;
}

static int start_plane(struct daemon *d)
{
    int rc = data_plane_start(&d->data_plane);

    if (rc)
        data_plane_stop(&d->data_plane, &d->quiet, 0); /* those that did start */
    return rc;
}

/* The last answers may take as long as the drain waits for more datagrams. */
static void stop_plane(struct daemon *d)
{
    uint64_t drain_ns = d->is_hurried ? 0 : daemon_config(d)->drain_time_ns;

    data_plane_stop(&d->data_plane, &d->quiet,
                    drain_ns < DRAIN_QUIET_NS ? drain_ns : DRAIN_QUIET_NS);
}

static int start_supervisor(struct daemon *d)
{
    return supervisor_start(d->supervisor);
}

static void stop_supervisor(struct daemon *d)
{
    supervisor_stop(d->supervisor);
}

/* A start that fails leaves nothing behind; stop may be NULL. */
static const struct module {
    const char *name;
    int (*start)(struct daemon *d);
    void (*stop)(struct daemon *d);
} modules[] = {
    {"key memory", hide_memory, NULL},
    /* First: its port is bound exclusively, so a second daemon at this address fails here. */
    {"supervisor", create_supervisor, destroy_supervisor},
    {"sockets", open_plane, close_plane},
    {"leader", join, NULL},
    {"admin server", start_admin, stop_admin},
    {"confinement", confine, NULL}, /* all that listens is open; nothing was read from outside */
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
             (unsigned long long)d->data_plane.identity.instance, config->cluster,
             config->peers.count, address_format(&d->data_plane.data_sockets[0].local, data),
             address_format(&config->admin_listen, admin),
             (unsigned long long)d->data_plane.data_sockets[0].rcvbuf_bytes / 1024);
}

/* To the service manager's watchdog, while the threads turn. */
static void show_well(struct daemon *d, uint64_t now_ns)
{
    if (d->service.watchdog_ns == 0 || now_ns - d->looked_ns < d->service.watchdog_ns / WELL_PARTS)
        return;
    d->looked_ns = now_ns;
    if (!supervisor_find_stalled(d->supervisor, &d->progress, now_ns))
        service_is_well(&d->service);
}

/*
 * Keep serving until it has been quiet for a second (what is held or queued is not quiet), until
 * drain.time is over, or a second signal comes.
 */
static void drain(struct daemon *d, const sigset_t *signals)
{
    const struct timespec look = clock_to_timespec(DRAIN_LOOK_NS);
    uint64_t now_ns = clock_now_ns();
    uint64_t end_ns = now_ns + daemon_config(d)->drain_time_ns;

    admin_set_stopping(&d->admin);
    data_plane_watch(&d->quiet, &d->data_plane, now_ns);
    while (now_ns < end_ns && now_ns - d->quiet.since_ns < DRAIN_QUIET_NS) {
        int signal = sigtimedwait(signals, NULL, &look);

        d->is_hurried = signal == SIGTERM || signal == SIGINT;
        if (d->is_hurried)
            return;
        now_ns = clock_now_ns();
        data_plane_watch(&d->quiet, &d->data_plane, now_ns);
        show_well(d, now_ns);
    }
}

/* What nobody tells us of: another configuration, new keys, networks that have come. */
static void look_around(struct daemon *d, uint64_t now_ns)
{
    show_well(d, now_ns);
    if (config_watch_look(&d->watch, now_ns))
        daemon_reload(d, d->watch.seen ? "its file has changed" : "its file cannot be read",
                      d->watch.seen);
    if (daemon_read_keys(d))
        supervisor_reload(d->supervisor, daemon_config(d));
    if (now_ns < d->groups_ns + MULTICAST_RETRY_NS)
        return;
    d->groups_ns = now_ns;
    multicast_groups_retry(&d->data_plane.groups);
}

/* How often that is, and what is told to who watches whether we are well. */
static uint64_t look_time_ns(const struct daemon *d)
{
    uint64_t well_ns = d->service.watchdog_ns / WELL_PARTS;

    return well_ns && well_ns < LOOK_NS ? well_ns : LOOK_NS;
}

static void wait_for_end(struct daemon *d, const sigset_t *signals)
{
    const struct timespec look = clock_to_timespec(look_time_ns(d));
    int signal = 0;

    service_ready(&d->service);
    while (signal != SIGTERM && signal != SIGINT) {
        look_around(d, clock_now_ns());
        signal = sigtimedwait(signals, NULL, &look);
        if (signal == SIGHUP)
            daemon_reload(d, "SIGHUP", 0);
    }
    service_stopping(&d->service);
    log_info("stopping", "%s: serving what still comes for at most drain.time",
             signal == SIGTERM ? "SIGTERM" : "SIGINT");
    supervisor_resign(d->supervisor);
    drain(d, signals);
}

/* Lines that no later line can tell of. */
static void say_goodbye(void)
{
    const struct log_counts counts = log_count();

    if (counts.suppressed || counts.failed)
        log_warn("log_incomplete",
                 "%llu lines were not written since the start because many of their kind had just "
                 "been, and %llu because standard error did not take them",
                 (unsigned long long)counts.suppressed, (unsigned long long)counts.failed);
    log_info("stopped", "bye");
}

static int run(struct config_set *options)
{
    static struct daemon daemon; /* large, and one a process */
    const struct config *config = config_values(options);
    sigset_t signals;
    int rc;

    daemon.options = options;
    config_watch_init(&daemon.watch, config_path(options), config_digest_of(options));
    log_init((enum log_level)config->log_level, (enum log_format)config->log_format);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, NULL);

    rc = service_open(&daemon.service);
    if (rc)
        log_warn("service_unheard", "cannot tell the service manager: NOTIFY_SOCKET: %s",
                 strerror(-rc));
    if (start_modules(&daemon)) {
        service_close(&daemon.service);
        return CONFIG_EXIT_FAILED;
    }
    say_hello(&daemon);
    wait_for_end(&daemon, &signals);
    stop_modules(&daemon, MODULE_COUNT);
    say_goodbye();
    service_close(&daemon.service);
    config_destroy(daemon.reloaded);
    return CONFIG_EXIT_OK;
}

int main(int argc, char *argv[])
{
    struct config_set *options;
    enum config_mode mode;
    int status = CONFIG_EXIT_OK;

    if (config_load(argc, argv, stderr, &options, &mode))
        return CONFIG_EXIT_USAGE;
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
    }
    config_destroy(options);
    return status;
}
