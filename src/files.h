/*
 * files: the configuration's file and the keys, read by a thread of their own. Private to headlessd.
 *
 * A volume may block without end (a network file system whose server has gone), and the main thread
 * handles signals. So the thread "files" makes all reads; the main thread waits for one for 100 ms, and
 * takes its result at a later poll if it takes longer. At the start it waits, until a signal ends the
 * process.
 *
 * Owner: the main thread; what a read writes belongs to the thread "files" until it is over.
 */
#ifndef FILES_H
#define FILES_H

#include "headless/base/blocking.h"
#include "headless/config/config.h"
#include "headless/control/supervisor.h"

struct daemon;

enum files_read {
    FILES_NOTHING,
    FILES_START,  /* the configuration, at the start */
    FILES_LOOK,   /* the keys, and the content of the configuration's file */
    FILES_RELOAD, /* the configuration and the keys */
};

struct files {
    struct blocking thread;
    enum files_read running; /* its result was not taken */
    uint64_t since_ns;       /* start of that read */
    bool is_late;            /* it takes long; logged */
    bool is_wanted;          /* a reload, when the read that is running is over */
    /* Reads. */
    int argc;
    char *const *argv;
    enum config_mode mode;
    struct config_set *options; /* that a read made */
    const char *watched;        /* NULL: the file is not read */
    uint64_t digest; /* of the file; for FILES_RELOAD at first the expected one, 0: any */
    struct supervisor_keys keys;
    char *errors; /* lines of text; NULL: no memory */
    int rc;
};

/* Start the thread of a struct files. Returns 0 or a negative errno. */
int files_start(void *files) __attribute__((warn_unused_result));

/* End the thread. False: it is reading, and must keep all memory. */
bool files_stop(struct files *files);

/* Load the configuration: d->options and d->watch. SIGTERM and SIGINT, which are blocked, end the
 * process. Returns the result of config_load. */
int files_load(struct daemon *d, int argc, char *const argv[], enum config_mode *ret_mode)
    __attribute__((warn_unused_result));

/* Read the keys before the supervisor is created, into d->files.keys. Signals as above. Returns 0. */
int files_read_keys(struct daemon *d);

/* Once a second: read the keys, and the configuration if its file has changed. */
void files_poll(struct daemon *d, uint64_t now_ns);

/* Reload the configuration; it takes effect if it has no errors. Logs the result. why: for the log.
 * digest: of the expected content; 0: any. Content that differs is left to the next poll. */
void files_reload(struct daemon *d, const char *why, uint64_t digest);

#endif
