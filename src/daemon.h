/*
 * daemon: the state of headlessd. Private to the program: headlessd.c starts, drains and stops it,
 * reload.c reloads its configuration. Owner: the main thread.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include "headless/admin/admin.h"
#include "headless/base/service.h"
#include "headless/config/config.h"
#include "headless/config/watch.h"
#include "headless/control/supervisor.h"
#include "headless/data/data_plane.h"
#include "headless/data/progress.h"

struct daemon {
    struct config_set *options;  /* as started with: the modules refer to it */
    struct config_set *reloaded; /* newest, or NULL */
    struct config_watch watch;   /* of the file */
    struct supervisor *supervisor;
    struct data_plane *data_plane;
    struct admin admin;
    struct data_plane_quiet quiet; /* while stopping */
    uint64_t groups_ns;            /* last attempt to join missing groups */
    bool is_hurried;               /* by a second signal */
    struct service service;
    struct progress progress; /* of the other threads, for the service manager */
    uint64_t looked_ns;       /* last check of progress */
};

/* The settings in force. */
static inline const struct config *daemon_config(const struct daemon *d)
{
    return config_values(d->reloaded ? d->reloaded : d->options);
}

/*
 * Reload the configuration; it takes effect if it has no errors. Logs the result.
 * why: for the log. digest: of the expected content; 0: any. Blocks while files are read.
 */
void daemon_reload(struct daemon *d, const char *why, uint64_t digest);

/* Read the keys again; /readyz shows an error. True: they have changed. Blocks while files are
 * read. */
bool daemon_read_keys(struct daemon *d);

/* Logs the former names of options that are in use. */
void daemon_log_renamed(const struct config_set *options);

#endif
