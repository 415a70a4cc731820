/*
 * lease_wanted: the annotation headlessd.io/wanted of the Lease, by which a person names the next leader:
 *
 *     kubectl annotate lease headlessd headlessd.io/wanted=POD
 *
 * The holder of the Lease removes it with a write of the Lease, and acts on it when the Lease without it has been
 * seen: so it takes effect at most once, whoever leads then, and not if somebody removed it first. That write
 * is known by its stamp, also if its reply was lost.
 *
 * Threads: the platform thread calls what is marked, the supervisor the rest. Blocking: never.
 */
#ifndef CONTROL_LEASE_WANTED_H
#define CONTROL_LEASE_WANTED_H

#include "headless/base/triple_buffer.h"
#include "headless/platform/lease_json.h"

struct lease_wanted_news {
    char text[LEASE_NAME_MAX]; /* cut, where it is longer: no pod has such a name. "": none */
    bool is_removed;           /* by this pod */
};

struct lease_wanted {
    struct triple_buffer news; /* the platform thread writes, the supervisor reads */
    struct lease_wanted_news versions[TRIPLE_BUFFER_VERSIONS];

    char asked[LEASE_NAME_MAX]; /* the supervisor's: to be removed by the next write */

    /* The supervisor's until it hands in a request, the platform thread's until its outcome. */
    char removes[LEASE_NAME_MAX];

    /* The platform thread's. */
    char seen[LEASE_NAME_MAX]; /* in the newest document */
    char removed[LEASE_NAME_MAX];
    uint64_t removed_stamp; /* of the last write without it; 0: none, or seen */
};

void lease_wanted_init(struct lease_wanted *wanted);

/* The platform thread: a newer document, with this stamp. */
void lease_wanted_note(struct lease_wanted *wanted, struct json_object *document, uint64_t stamp);
/* The platform thread: an update of document with this stamp is written; true: without the annotation. */
bool lease_wanted_leaves_out(struct lease_wanted *wanted, struct json_object *document,
                             uint64_t stamp);

/* Remove this text with each write from now on; "": nothing. */
void lease_wanted_ask(struct lease_wanted *wanted, const char *text);
/* Before a request is handed in. */
void lease_wanted_hand_in(struct lease_wanted *wanted);
bool lease_wanted_has_news(const struct lease_wanted *wanted);
/* NULL: nothing has changed. Valid until the next call. */
const struct lease_wanted_news *lease_wanted_take(struct lease_wanted *wanted);

#endif
