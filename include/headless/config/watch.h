/*
 * watch: has the configuration file another content than the one that was read last?
 *
 * By content, not by notice: a ConfigMap of Kubernetes swaps a symlink two steps above the file,
 * editors put a new file in the place of the old or write into it, and on network file systems
 * inotify tells nothing. The file is at most 1 MiB and mostly some hundred bytes, so it is read
 * each time. News is what was seen twice in a row: who is still writing is not interrupted.
 *
 * A file that cannot be read is a content as well (0), so its end is news once, and its return.
 *
 * Owner: one thread. Blocking: reads a file. Never allocates.
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
    uint64_t judged;  /* the content that was read last, right or wrong: config_digest */
    uint64_t seen;    /* at the last look */
    uint64_t next_ns; /* the next look */
};

/* Of a file's content: 64 bits, never 0; 0 when it cannot be read or is no regular file. */
uint64_t config_digest_file(const char *path);
uint64_t config_digest(const char *text, size_t length);

/*
 * path stays referenced; NULL, or what is no regular file (a pipe is read once): never any news.
 * digest: of what was read at the start (config_digest_of).
 */
void config_watch_init(struct config_watch *watch, const char *path, uint64_t digest);

/* True: watch->seen is news, and is there to stay. Again and again until it is judged. */
bool config_watch_look(struct config_watch *watch, uint64_t now_ns);

/* This content was read, and taken or refused. */
void config_watch_judge(struct config_watch *watch, uint64_t digest);

#endif
