/*
 * daemon: the state of headlessd. Private to the program: headlessd.c starts, drains and stops it,
 * files.c reads its files, reload.c applies a changed configuration. Owner: the main thread.
 */
#ifndef DAEMON_H
#define DAEMON_H

#include "files.h"
#include "headless/admin/admin.h"
#include "headless/base/service.h"
#include "headless/config/config.h"
#include "headless/config/watch.h"
#include "headless/control/supervisor.h"
#include "headless/data/data_plane.h"
#include "headless/data/progress.h"
#include "headless/platform/api.h"

struct daemon {
    struct config_set *options;  /* as started with: the modules refer to it */
    struct config_set *reloaded; /* newest, or NULL */
    struct config_watch watch;   /* of the file */
    struct files files;
    struct platform *platform; /* NULL: no option needs the API server */
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

/* The configuration, read again. */
struct reload {
    int rc;                   /* of config_reload */
    uint64_t digest;          /* of the content */
    struct config_set *after; /* if rc is 0 */
    char *text;               /* errors or warnings, a line each; NULL: no memory */
};

/* Apply a configuration with the keys that were read with it, or keep the previous one. Logs it. */
void daemon_reload(struct daemon *d, const struct reload *reload);

/* Take the keys that were read; /readyz shows an error. True: they have changed. */
bool daemon_take_keys(struct daemon *d);

/* Logs the former names of options that are in use. */
void daemon_log_renamed(const struct config_set *options);

#endif
