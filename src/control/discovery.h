/*
 * discovery: looks up the addresses of other pods in DNS.
 *
 * A thread resolves discovery.dns: at start, then every discovery.interval; every second in fast
 * polling, which is on while there is no leader; and on request, at most once a second. DNS only
 * names candidates. A lookup that fails or finds no address changes nothing: the previous result
 * stays, and nothing is concluded about any pod.
 *
 * getaddrinfo can block for many seconds and cannot be interrupted, so a stop does not wait for it:
 * the thread and its owner share a block on the heap, which the last of the two frees.
 *
 * Threads: the main thread starts and stops; the supervisor calls the rest, and waits for nothing: the
 * scheduler may run the resolver thread rarely (docs/operations.md, "Starved threads").
 */
#ifndef CONTROL_DISCOVERY_H
#define CONTROL_DISCOVERY_H

#include <stdbool.h>
#include <stddef.h>

#include "headless/base/waker.h"
#include "headless/config/config.h"

#define DISCOVERY_MAX (CONFIG_PEERS_MAX + 1) /* addresses; of more, the first in sorted order */

struct discovery_shared;
struct discovery {
    struct discovery_shared *shared; /* NULL: discovery.dns is none */
};

/* reader_waker is woken for each changed result. Returns 0, also without discovery.dns; or a
 * negative errno. */
int discovery_start(struct discovery *discovery, const struct config *config,
                    struct waker *reader_waker) __attribute__((warn_unused_result));

/* Returns within DISCOVERY_STOP_NS, even while a lookup blocks. */
void discovery_stop(struct discovery *discovery);

/* Fast polling: look up every second. */
void discovery_set_fast(struct discovery *discovery, bool is_fast);
/* Look up now, at most once a second. */
void discovery_request(struct discovery *discovery);

/* There is a result that discovery_take has not returned yet. */
bool discovery_has_news(const struct discovery *discovery);
/* At least one lookup has found an address. */
bool discovery_is_known(const struct discovery *discovery);
/* Why the last lookup found nothing, for discovery_reason; 0: it found addresses, or there is no
 * name to look up. */
int discovery_failure(const struct discovery *discovery);
/* The reason in words; any thread. */
const char *discovery_reason(int failure);
/* The last result, sorted, without duplicates, port 0; returns the number of addresses. */
size_t discovery_take(struct discovery *discovery, struct address ret_list[static DISCOVERY_MAX]);

#endif
