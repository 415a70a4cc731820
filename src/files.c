#include "files.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"

#define FILES_WAIT_NS (100 * NS_PER_MS)
#define FILES_LATE_NS NS_PER_SEC /* then it is logged */

/* ---- the thread ---- */

static void files_read_start(void *context)
{
    struct daemon *d = context;
    struct files *files = &d->files;

    files->rc = config_load(files->argc, files->argv, stderr, &files->options, &files->mode);
    if (!files->rc && files->options)
        config_watch_init(&d->watch, config_path(files->options), config_digest_of(files->options));
}

static void files_read_look(void *context)
{
    struct daemon *d = context;
    struct files *files = &d->files;

    if (files->watched)
        files->digest = config_digest_file(files->watched);
    supervisor_load_keys(config_values(d->options), &files->keys);
}

/* fclose writes the lines; when it fails, they are lost. */
static void files_read_reload(void *context)
{
    struct daemon *d = context;
    struct files *files = &d->files;
    size_t length;
    FILE *errors;

    files->errors = NULL;
    files->options = NULL;
    files->rc = -ENOMEM;
    supervisor_load_keys(config_values(d->options), &files->keys);
    errors = open_memstream(&files->errors, &length);
    if (!errors)
        return;
    files->rc = config_reload(d->reloaded ? d->reloaded : d->options, &files->digest, errors,
                              &files->options);
    if (fclose(errors) == 0 && files->errors)
        return;
    config_destroy(files->options);
    free(files->errors);
    files->errors = NULL;
    files->rc = -ENOMEM;
}

/* ---- the main thread ---- */

int files_start(void *files)
{
    return blocking_start(&((struct files *)files)->thread, "files");
}

bool files_stop(struct files *files)
{
    return blocking_stop(&files->thread);
}

static void files_begin(struct daemon *d, enum files_read read)
{
    static void (*const calls[])(void *context) = {[FILES_START] = files_read_start,
                                                   [FILES_LOOK] = files_read_look,
                                                   [FILES_RELOAD] = files_read_reload};
    struct files *files = &d->files;

    files->running = read;
    files->since_ns = clock_now_ns();
    files->is_late = false;
    (void)blocking_call(&files->thread, calls[read], d, FILES_WAIT_NS);
}

static bool is_over(const struct files *files)
{
    return !blocking_is_busy(&files->thread);
}

/* True once a read. */
static bool becomes_late(struct files *files, uint64_t now_ns)
{
    if (files->is_late || now_ns - files->since_ns < FILES_LATE_NS)
        return false;
    files->is_late = true;
    return true;
}

/* By the signal's default action. The first process of a container has none: it exits. */
static _Noreturn void end_by(int number, const sigset_t *signals)
{
    (void)signal(number, SIG_DFL);
    (void)raise(number);
    (void)pthread_sigmask(SIG_UNBLOCK, signals, NULL);
    _exit(CONFIG_EXIT_FAILED);
}

/* Before the start there is nothing else to do. what: for the message. */
static void wait_for_read(struct daemon *d, const char *what)
{
    const struct timespec look = clock_to_timespec(FILES_WAIT_NS);
    sigset_t signals;

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    while (!is_over(&d->files)) {
        int number = sigtimedwait(&signals, NULL, &look);

        if (becomes_late(&d->files, clock_now_ns()))
            (void)fprintf(stderr, "headlessd: reading %s takes long: does its volume respond?\n",
                          what);
        if (number > 0)
            end_by(number, &signals);
    }
    d->files.running = FILES_NOTHING;
}

int files_load(struct daemon *d, int argc, char *const argv[], enum config_mode *ret_mode)
{
    d->files.argc = argc;
    d->files.argv = argv;
    files_begin(d, FILES_START);
    wait_for_read(d, "the configuration");
    if (!d->files.rc) {
        d->options = d->files.options;
        *ret_mode = d->files.mode;
    }
    return d->files.rc;
}

int files_read_keys(struct daemon *d)
{
    d->files.watched = NULL;
    files_begin(d, FILES_LOOK);
    wait_for_read(d, "the keys");
    return 0;
}

/* ---- results ---- */

/* True: the configuration's file has changed. */
static bool files_take_look(struct daemon *d)
{
    struct files *files = &d->files;

    if (daemon_take_keys(d))
        supervisor_reload(d->supervisor, daemon_config(d));
    return files->watched && config_watch_see(&d->watch, files->digest);
}

static void files_take_reload(struct daemon *d)
{
    struct files *files = &d->files;

    daemon_reload(d, &(struct reload){files->rc, files->digest, files->options, files->errors});
    free(files->errors);
    files->errors = NULL;
    service_ready(&d->service);
}

static const char *describe(const struct daemon *d)
{
    return config_has_keys(config_values(d->options)) ? "the keys or the configuration"
                                                      : "the configuration";
}

static void begin_reload(struct daemon *d, const char *why, uint64_t digest)
{
    struct files *files = &d->files;

    files->is_wanted = files->running != FILES_NOTHING;
    if (files->is_wanted) {
        log_warn("reload_waits", "%s: the configuration is read when an earlier read is over", why);
        return;
    }
    log_info("reloading", "the configuration: %s", why);
    service_reloading(&d->service);
    files->digest = digest;
    files_begin(d, FILES_RELOAD);
}

/* The read is over; its result may need another one. */
static void take_result(struct daemon *d)
{
    struct files *files = &d->files;
    enum files_read read = files->running;

    if (files->is_late)
        log_info("read_done", "reading %s took %llu ms", describe(d),
                 (unsigned long long)((clock_now_ns() - files->since_ns) / NS_PER_MS));
    files->running = FILES_NOTHING;
    if (read == FILES_RELOAD)
        files_take_reload(d);
    else if (files_take_look(d))
        begin_reload(d, d->watch.seen ? "its file has changed" : "its file cannot be read",
                     d->watch.seen);
    if (files->is_wanted && files->running == FILES_NOTHING)
        begin_reload(d, "SIGHUP", 0);
}

static void take_results(struct daemon *d)
{
    struct files *files = &d->files;

    while (files->running != FILES_NOTHING && is_over(files))
        take_result(d);
    if (files->running != FILES_NOTHING && becomes_late(files, clock_now_ns()))
        log_warn("read_hangs",
                 "reading %s takes long: its volume does not respond; keeping the previous state",
                 describe(d));
}

void files_reload(struct daemon *d, const char *why, uint64_t digest)
{
    begin_reload(d, why, digest);
    take_results(d);
}

void files_poll(struct daemon *d, uint64_t now_ns)
{
    struct files *files = &d->files;

    if (files->running == FILES_NOTHING) {
        files->watched = config_watch_is_due(&d->watch, now_ns) ? d->watch.path : NULL;
        files_begin(d, FILES_LOOK);
    }
    take_results(d);
}
