/*
 * discovery: who may be there, by DNS.
 *
 * A thread looks discovery.dns up: at start, every discovery.interval, every second while there is
 * no leader, and at once when a stranger has knocked, but at most once a second. DNS only names
 * candidates: an reply that is empty or fails means that nothing is known, and the last one stays;
 * it never tells that a pod has gone.
 *
 * getaddrinfo can block for many seconds and cannot be interrupted, so a stop does not wait for it:
 * the thread and its owner share a block on the heap, and who leaves last frees it.
 *
 * Threads: start and stop by the main thread; the rest by the supervisor, never blocking but for a
 * lock that is held for a copy.
 */
#ifndef CONTROL_DISCOVERY_H
#define CONTROL_DISCOVERY_H

#include <stdbool.h>
#include <stddef.h>

#include "headless/base/waker.h"
#include "headless/config/config.h"

#define DISCOVERY_MAX (CONFIG_PEERS_MAX + 1) /* addresses; of more, the first in order */

struct discovery_shared;
struct discovery {
    struct discovery_shared *shared; /* NULL: discovery.dns is none */
};

/* reader_waker is woken when there is news. Returns 0, also without discovery.dns; a negative
 * errno. */
int discovery_start(struct discovery *discovery, const struct config *config,
                    struct waker *reader_waker) __attribute__((warn_unused_result));

/* Returns within DISCOVERY_STOP_NS, also while a lookup blocks. */
void discovery_stop(struct discovery *discovery);

/* hurried: look every second. */
void discovery_hurry(struct discovery *discovery, bool hurried);
/* Look now, at most once a second. */
void discovery_look(struct discovery *discovery);

/* Is there a result that was not taken yet? */
bool discovery_is_news(const struct discovery *discovery);
/* Has there ever been a result? */
bool discovery_is_known(const struct discovery *discovery);
/* Why the last lookup found nothing, for discovery_why; 0: it did find, or there
 * is no name. */
int discovery_failure(const struct discovery *discovery);
/* In words; any thread. */
const char *discovery_why(int failure);
/* The last result, sorted, each address once, port 0; returns how many. */
size_t discovery_take(struct discovery *discovery, struct address ret_list[static DISCOVERY_MAX]);

#endif
