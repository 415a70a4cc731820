/*
 * session: one client of a UDP app.
 *
 * The table of a worker maps (client, address that it sent to, ingress pod) to a session, and the
 * number by which the app knows a session to it. A number is the index of the session in the table
 * and an epoch that grows with every use of the index, so a reply to an ended session is told from
 * a reply to its successor. Where the number is an address (127.128.0.0/9, see udp_app.c), it is
 * not reused within SESSION_REUSE_NS: indices are assigned first in, first out, each at most once
 * per SESSION_REUSE_NS / epochs.
 *
 * When the table is full, the oldest session with only one request is evictable (so a flood of
 * spoofed sources evicts itself); when every session has had more, the new client is refused.
 *
 * Pure data structure: no socket, no clock. Owner: its worker's thread. Only init allocates.
 */
#ifndef DATA_APP_SESSION_H
#define DATA_APP_SESSION_H

#include "headless/base/clock.h"
#include "headless/data/request.h"
#include "headless/wire/proxy.h"

#define SESSION_NUMBER_BITS 23 /* as many as 127.128.0.0/9 has */
#define SESSION_REUSE_NS    (600 * NS_PER_SEC)

/* Links of intrusive lists are indices + 1; 0 ends a list. */
struct session {
    struct origin origin;
    uint64_t term;         /* in which its last request was delivered */
    bool may_reply;        /* replies may be sent */
    uint64_t used_ns;      /* last datagram in either direction */
    uint64_t requested_ns; /* last request */
    uint64_t assigned_ns;  /* time at which the index was assigned */
    uint64_t requests;
    uint32_t epoch;
    uint32_t newer, older, next_in_bucket;
    int fd; /* of its own socket, or -1 */
    uint8_t proxy_bytes;
    uint8_t proxy[PROXY_HEADER_MAX];
    bool in_use;
};

/* By age: oldest first. */
struct session_list {
    uint32_t oldest, newest;
};

struct sessions {
    uint32_t capacity, index_bits, epochs;
    uint32_t bucket_mask;
    uint64_t reuse_ns; /* least time between two uses of one index */
    uint8_t hash_key[16];
    struct session *table;
    uint32_t *buckets;
    struct session_list free, single, established;
    _Atomic uint64_t count; /* open; written by the owner, read by any thread */
};

/* capacity: 1..2^20. numbers_are_addresses: respect SESSION_REUSE_NS. Returns 0 or -ENOMEM. */
int sessions_init(struct sessions *sessions, uint32_t capacity, bool numbers_are_addresses)
    __attribute__((warn_unused_result));
void sessions_fini(struct sessions *sessions);

/* The session of this origin, or NULL. */
struct session *sessions_find(struct sessions *sessions, const struct origin *origin);

/* True when a session can be opened without eviction. */
bool sessions_has_room(const struct sessions *sessions, uint64_t now_ns);

/* The evictable session, or NULL. */
struct session *sessions_victim(const struct sessions *sessions, uint64_t now_ns);

/* Open a session; NULL when the table is full. Check sessions_has_room first. */
struct session *sessions_open(struct sessions *sessions, const struct origin *origin,
                              uint64_t now_ns);

/* Note a request or a reply: the session becomes the newest. */
void sessions_touch(struct sessions *sessions, struct session *session, bool is_request,
                    uint64_t now_ns);

/* The oldest session if it has been idle for idle_ns, otherwise NULL. */
struct session *sessions_idle(const struct sessions *sessions, uint64_t idle_ns, uint64_t now_ns);

/* The sessions with the latest datagrams, newest first, at most max. Returns their number. */
size_t sessions_newest(const struct sessions *sessions, size_t max,
                       const struct session *ret_newest[]);

void sessions_close(struct sessions *sessions, struct session *session);

/* The number of a session; and the session of a number, NULL when it has ended. */
uint32_t sessions_number(const struct sessions *sessions, const struct session *session);
struct session *sessions_by_number(const struct sessions *sessions, uint32_t number);

#endif
