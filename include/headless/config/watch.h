/*
 * watch: has the content of the configuration file changed since it was read last?
 *
 * Compares contents instead of using inotify: a ConfigMap of Kubernetes swaps a symlink two steps above the file,
 * editors put a new file in the place of the old or write into it, and network file systems
 * report nothing. The file is at most 1 MiB and mostly some hundred bytes, so it is read
 * each time. A change counts when it is seen twice in a row, so that a file is not read while it is written.
 *
 * An unreadable file counts as a content as well (0), so its removal is one change, and its return
 * another.
 *
 * Owner: one thread. Blocking: config_digest_file and config_watch_init. Never allocates.
 */
#ifndef HEADLESS_CONFIG_WATCH_H
#define HEADLESS_CONFIG_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/base/clock.h"

#define CONFIG_WATCH_NS NS_PER_SEC /* between two looks */

struct config_watch {
    const char *path; /* NULL: nothing to watch */
    uint64_t judged;  /* digest of the content that was read last, valid or not */
    uint64_t seen;    /* at the last look */
    uint64_t next_ns; /* the next look */
};

/* Digest of a file's content: 64 bits, never 0; 0 if it cannot be read or is no regular file. */
uint64_t config_digest_file(const char *path);
uint64_t config_digest(const char *text, size_t length);

/*
 * path stays referenced; NULL or not a regular file (a pipe is read once): no change is ever seen.
 * digest: of the content read at the start (config_digest_of).
 */
void config_watch_init(struct config_watch *watch, const char *path, uint64_t digest);

/* True: the file at watch->path is to be read now (config_digest_file), and its digest given to
 * config_watch_see. */
bool config_watch_is_due(struct config_watch *watch, uint64_t now_ns);

/* True: this content is new and stable. True each time until it is judged. */
bool config_watch_see(struct config_watch *watch, uint64_t digest);

/* This content was read, and accepted or refused. */
void config_watch_judge(struct config_watch *watch, uint64_t digest);

#endif
