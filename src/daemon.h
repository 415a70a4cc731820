/*
 * daemon: what headlessd consists of. Private to the program: headlessd.c starts, drains and stops
 * it, reload.c reads its configuration again. Owner: the main thread.
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
    struct data_plane data_plane;
    struct admin admin;
    struct data_plane_quiet quiet; /* while stopping */
    uint64_t groups_ns;            /* looked for groups to join then */
    bool is_hurried;               /* by a second signal */
    struct service service;
    struct progress progress; /* of the other threads, for the service manager */
    uint64_t looked_ns;       /* at it, last */
};

/* As it was configured last. */
static inline const struct config *daemon_config(const struct daemon *d)
{
    return config_values(d->reloaded ? d->reloaded : d->options);
}

/*
 * Reads the configuration again, and takes it if it has no errors; logs what came of it.
 * why: for the log. digest: of the content that is expected; 0: any. Blocks while files are read.
 */
void daemon_reload(struct daemon *d, const char *why, uint64_t digest);

/* Reads the keys again, and tells the operators why not. True: they are others than before. Blocks
 * likewise. */
bool daemon_read_keys(struct daemon *d);

#endif
