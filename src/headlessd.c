/*
 * headlessd: starts, drains and stops the modules.
 *
 *   configuration   config/        options from flags, environment and file
 *   leadership      control/       the supervisor: election, commands, the leader snapshot
 *   API server      platform/      a client for the cluster's API server, where an option needs it
 *   data            data/          receivers, workers, app, relay, replies: the path of a datagram
 *   operators       admin/         HTTP: probes, metrics, status
 *   confinement     confinement.c  the seccomp filter, once all sockets are open (secure/)
 *   files           files.c        the configuration's file and the keys, read by a thread
 *   reloading       reload.c       the configuration, at run time
 *
 * The main thread starts the modules in the order of one table, then waits for signals, and stops
 * them in the reverse order. SIGTERM and SIGINT drain and exit 0. The configuration is reloaded at
 * SIGHUP and when its file has changed. A service manager gets notifications (base/service.h).
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api_client.h"
#include "confinement.h"
#include "daemon.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/base/process.h"
#include "headless/secure/capabilities.h"

#define DRAIN_LOOK_NS  (50 * NS_PER_MS)
#define DRAIN_QUIET_NS NS_PER_SEC
#define LOOK_NS        NS_PER_SEC /* interval of checks for new keys and configuration */
#define WATCHDOG_PARTS 4 /* checks per watchdog time: one late check does not end the process */

/* ---- the modules, in the order of their start ---- */

static int create_supervisor(struct daemon *d)
{
    return supervisor_create(config_values(d->options), &d->files.keys, &d->supervisor);
}

static void destroy_supervisor(struct daemon *d)
{
    supervisor_destroy(d->supervisor);
}

static int open_data_plane(struct daemon *d)
{
    return data_plane_open(config_values(d->options), supervisor_waker(d->supervisor),
                           &d->data_plane);
}

static void close_data_plane(struct daemon *d)
{
    data_plane_close(d->data_plane);
    d->data_plane = NULL;
}

static int join_cluster(struct daemon *d)
{
    return supervisor_join(d->supervisor, d->data_plane);
}

static int start_admin(struct daemon *d)
{
    int rc = admin_start(&d->admin, config_values(d->options), d->data_plane, d->supervisor,
                         d->platform);

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

static int start_data_plane(struct daemon *d)
{
    int rc = data_plane_start(d->data_plane);

    if (rc)
        data_plane_stop(d->data_plane, &d->quiet, 0); /* the threads that started */
    return rc;
}

/* The last replies get as long as the drain waits for more datagrams. */
static void stop_data_plane(struct daemon *d)
{
    uint64_t drain_ns = d->is_hurried ? 0 : daemon_config(d)->drain_time_ns;

    data_plane_stop(d->data_plane, &d->quiet,
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

/* A failed start releases everything itself; stop may be NULL. */
static const struct module {
    const char *name;
    int (*start)(struct daemon *d);
    void (*stop)(struct daemon *d);
} modules[] = {
    {"key memory", confinement_hide_memory, NULL},
    {"keys", files_read_keys, NULL},
    /* First: its port is bound exclusively, so a second daemon at this address fails here. */
    {"supervisor", create_supervisor, destroy_supervisor},
    {"sockets", open_data_plane, close_data_plane},
    {"API server's client", api_client_open, api_client_close},
    {"leader", join_cluster, NULL},
    {"admin server", start_admin, stop_admin},
    {"confinement", confinement_start,
     NULL}, /* all sockets are open, and nothing was received yet */
    {"platform thread", api_client_start, api_client_stop}, /* ends after the supervisor */
    {"supervisor thread", start_supervisor, stop_supervisor},
    {"data threads", start_data_plane,
     stop_data_plane}, /* last: from now on datagrams are received */
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

static void report_started(const struct daemon *d)
{
    const struct config *config = config_values(d->options);
    char self[ADDRESS_TEXT_MAX], data[ADDRESS_TEXT_MAX], admin[ADDRESS_TEXT_MAX];

    log_info("started",
             "headlessd %s, pod %s (%s, instance %016llx), cluster %s, %zu peers, data on %s, "
             "admin on %s, receive buffer %llu KiB",
             HEADLESS_VERSION, config->name, address_format_ip(&config->self, self),
             (unsigned long long)data_plane_identity(d->data_plane)->instance, config->cluster,
             config->peers.count, address_format(data_plane_local(d->data_plane), data),
             address_format(&config->admin_listen, admin),
             (unsigned long long)data_plane_data_rcvbuf_bytes(d->data_plane) / 1024);
}

/* Notify the service manager's watchdog while all threads make progress. */
static void notify_watchdog(struct daemon *d, uint64_t now_ns)
{
    if (d->service.watchdog_ns == 0 ||
        now_ns - d->looked_ns < d->service.watchdog_ns / WATCHDOG_PARTS)
        return;
    d->looked_ns = now_ns;
    if (!supervisor_find_stalled(d->supervisor, &d->progress, now_ns))
        service_is_well(&d->service);
}

/* Requests for sessions that stay with this pod come until its successor has told the others that
 * they are over. That is at drain.time at the latest, and takes a heartbeat. */
static bool must_serve(const struct daemon *d, uint64_t now_ns, uint64_t end_ns)
{
    const struct supervisor_report *report = supervisor_report(d->supervisor);

    if (atomic_load_explicit(&report->is_asked_first, memory_order_relaxed))
        return now_ns < end_ns + DRAIN_QUIET_NS;
    return now_ns < end_ns && now_ns - d->quiet.since_ns < DRAIN_QUIET_NS;
}

/*
 * Serve until nothing was received, held or queued for a second and no sessions stay, until
 * drain.time is over, or until a second signal.
 */
static void drain(struct daemon *d, const sigset_t *signals)
{
    const struct timespec look = clock_to_timespec(DRAIN_LOOK_NS);
    uint64_t now_ns = clock_now_ns();
    uint64_t end_ns = now_ns + daemon_config(d)->drain_time_ns;

    admin_set_stopping(&d->admin);
    data_plane_watch(&d->quiet, d->data_plane, now_ns);
    while (must_serve(d, now_ns, end_ns)) {
        int signal = sigtimedwait(signals, NULL, &look);

        d->is_hurried = signal == SIGTERM || signal == SIGINT;
        if (d->is_hurried)
            return;
        now_ns = clock_now_ns();
        data_plane_watch(&d->quiet, d->data_plane, now_ns);
        notify_watchdog(d, now_ns);
        service_retry(&d->service);
    }
}

/* Poll for changes that cause no event: configuration file, keys, interfaces of multicast groups. */
static void poll_changes(struct daemon *d, uint64_t now_ns)
{
    notify_watchdog(d, now_ns);
    service_retry(&d->service);
    files_poll(d, now_ns);
    data_plane_poll_app_drops(d->data_plane, now_ns);
    if (now_ns < d->groups_ns + DATA_PLANE_REJOIN_NS)
        return;
    d->groups_ns = now_ns;
    data_plane_rejoin_groups(d->data_plane);
}

/* The interval of these checks, short enough for the service manager's watchdog. */
static uint64_t poll_interval_ns(const struct daemon *d)
{
    uint64_t watchdog_ns = d->service.watchdog_ns / WATCHDOG_PARTS;

    return watchdog_ns && watchdog_ns < LOOK_NS ? watchdog_ns : LOOK_NS;
}

static void wait_for_end(struct daemon *d, const sigset_t *signals)
{
    const struct timespec look = clock_to_timespec(poll_interval_ns(d));
    int signal = 0;

    service_ready(&d->service);
    while (signal != SIGTERM && signal != SIGINT) {
        poll_changes(d, clock_now_ns());
        signal = sigtimedwait(signals, NULL, &look);
        if (signal == SIGHUP)
            files_reload(d, "SIGHUP", 0);
    }
    service_stopping(&d->service);
    log_info("stopping", "%s: serving remaining datagrams for at most drain.time",
             signal == SIGTERM ? "SIGTERM" : "SIGINT");
    supervisor_step_down(d->supervisor);
    drain(d, signals);
}

/* Lines that were lost and that no later line can count. */
static void report_stopped(void)
{
    const struct log_counts counts = log_count();

    if (counts.suppressed || counts.failed)
        log_warn("log_incomplete",
                 "%llu lines were not written since the start because of the rate limit of their "
                 "kind, and %llu because writing to standard error failed",
                 (unsigned long long)counts.suppressed, (unsigned long long)counts.failed);
    log_info("stopped", "exited");
}

static void print_renamed(const char *was, const char *is, void *context)
{
    (void)context;
    (void)fprintf(stderr, "warning: %s is now %s\n", was, is);
}

/* app.source: client needs a capability at the start; the threads "log" and "files" do not. */
static int start_log(void *context)
{
    (void)context;
    return log_start();
}

/* A thread that is still reading uses all of it. */
static void end_files(struct daemon *d, int status)
{
    if (!files_stop(&d->files))
        _exit(status);
    config_destroy(d->reloaded);
    config_destroy(d->options);
}

static int run_modules(struct daemon *d, const sigset_t *signals)
{
    const struct config *config = config_values(d->options);
    int rc;

    log_init((enum log_level)config->log_level, (enum log_format)config->log_format);
    (void)signal(SIGPIPE, SIG_IGN);
    rc = capabilities_run_without(CAP_NET_ADMIN, start_log, NULL);
    if (rc)
        log_warn("log_unqueued",
                 "cannot start the log thread (%s): a line waits for the reader of standard error",
                 strerror(-rc));
    daemon_log_renamed(d->options);
    rc = service_open(&d->service);
    if (rc)
        log_warn("service_unheard", "cannot notify the service manager: NOTIFY_SOCKET: %s",
                 strerror(-rc));
    rc = start_modules(d);
    if (!rc) {
        admin_set_serving(&d->admin);
        report_started(d);
        wait_for_end(d, signals);
        stop_modules(d, MODULE_COUNT);
        report_stopped();
    }
    log_stop();
    service_close(&d->service);
    return rc ? CONFIG_EXIT_FAILED : CONFIG_EXIT_OK;
}

static int run_mode(struct daemon *d, enum config_mode mode, const sigset_t *signals)
{
    switch (mode) {
    case CONFIG_RUN:
        return run_modules(d, signals);
    case CONFIG_CHECK:
        (void)config_list_renamed(d->options, print_renamed, NULL);
        (void)puts("ok");
        break;
    case CONFIG_DUMP:
        config_dump(d->options, stdout);
        break;
    case CONFIG_VERSION:
        (void)puts("headlessd " HEADLESS_VERSION);
        break;
    case CONFIG_HELP:
        config_help(stdout);
        break;
    }
    return CONFIG_EXIT_OK;
}

int main(int argc, char *argv[])
{
    static struct daemon daemon; /* static because it is large; one for each process */
    sigset_t signals, before;
    enum config_mode mode;
    int rc, status;

    if (process_fill_descriptors())
        return CONFIG_EXIT_FAILED; /* it may have no standard error */
    process_correct_inherited();
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGHUP);
    (void)pthread_sigmask(SIG_BLOCK, &signals, &before);
    rc = capabilities_run_without(CAP_NET_ADMIN, files_start, &daemon.files);
    if (rc) {
        (void)fprintf(stderr, "cannot start the thread that reads files: %s\n", strerror(-rc));
        return CONFIG_EXIT_FAILED;
    }
    if (files_load(&daemon, argc, argv, &mode)) {
        status = CONFIG_EXIT_USAGE;
    } else {
        if (mode != CONFIG_RUN)
            (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        status = run_mode(&daemon, mode, &signals);
    }
    end_files(&daemon, status);
    return status;
}
