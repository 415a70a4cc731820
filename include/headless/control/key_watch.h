/*
 * key_watch: addresses of members from which nothing can be verified.
 *
 * A wrong or missing key must not look like a dead pod. An address is mismatched when for a while
 * all that came from it could not be believed: open where it should be sealed, sealed with a key
 * that we have not, or not authentic. One message that can be believed clears it, and who is
 * suspect is asked for one, so who spoofs a member's address raises no alarm while that member
 * lives.
 *
 * Owner: the supervisor's thread. Nothing blocks or allocates. Nanoseconds of clock_now_ns.
 */
#ifndef HEADLESS_CONTROL_KEY_WATCH_H
#define HEADLESS_CONTROL_KEY_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/base/address.h"
#include "headless/wire/election_message.h"

#define KEY_WATCH_MEMORY_NS UINT64_C(5000000000) /* silence for so long, and it is forgotten */

struct key_suspect {
    struct address address;     /* IP, port 0; unset: a free place */
    uint64_t first_ns, last_ns; /* of what could not be verified, since the last that could */
    bool is_told;
};

struct key_watch {
    uint64_t persistence_ns; /* failing for so long is a mismatch */
    struct key_suspect suspects[ELECTION_MEMBERS_MAX];
};

void key_watch_init(struct key_watch *watch, uint64_t persistence_ns);

/* Something from there could not be verified; something could. */
void key_watch_fail(struct key_watch *watch, const struct address *from, uint64_t now_ns);
void key_watch_verify(struct key_watch *watch, const struct address *from);

/* Those from which something has failed, and nothing been verified since: one by index, below
 * ELECTION_MEMBERS_MAX; NULL: none there. */
const struct address *key_watch_suspect(const struct key_watch *watch, size_t index,
                                        uint64_t now_ns);
/* How many addresses are mismatched now. */
size_t key_watch_count(const struct key_watch *watch, uint64_t now_ns);
/* One that has not been told of yet, and is from now on; false: none. */
bool key_watch_take(struct key_watch *watch, uint64_t now_ns, struct address *ret_address);

#endif
