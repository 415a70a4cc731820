/*
 * session: one client as a UDP app sees it.
 *
 * The table of a worker: key (client, asked address, ingress pod) to session, and the number that
 * names a session towards the app. A session's number is its slot and an epoch that grows with
 * every use of the slot, so an reply to an ended session is told from one to its successor. Where
 * the number is an address (127.128.0.0/9, see app_udp.c), no number comes back within
 * SESSION_REUSE_NS: slots are dealt first in, first out, and a slot not before its share of that
 * time is over.
 *
 * At the cap, the oldest session that saw only one datagram goes first (a flood of spoofed sources
 * eats itself); when every session saw more, the new client is refused.
 *
 * Pure data structure: no socket, no clock. Owner: its worker's thread; only init allocates.
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
    uint64_t term;    /* in which its last request was delivered */
    bool may_reply;   /* what it replies to that may leave */
    uint64_t used_ns; /* last datagram, either way */
    uint64_t dealt_ns;
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
    uint32_t capacity, slot_bits, epochs;
    uint32_t bucket_mask;
    uint64_t reuse_ns; /* least time between two uses of one slot */
    uint8_t hash_key[16];
    struct session *slots;
    uint32_t *buckets;
    struct session_list free, single, established;
    _Atomic uint64_t count; /* alive; written by the owner, read by anyone */
};

/* capacity: 1..2^20. numbers_are_addresses: keep SESSION_REUSE_NS. Returns 0 or -ENOMEM. */
int sessions_init(struct sessions *sessions, uint32_t capacity, bool numbers_are_addresses)
    __attribute__((warn_unused_result));
void sessions_fini(struct sessions *sessions);

/* The session of this origin, or NULL. */
struct session *sessions_find(struct sessions *sessions, const struct origin *origin);

/* May a new one be opened without evicting? */
bool sessions_has_room(const struct sessions *sessions, uint64_t now_ns);

/* The session to end for a new one, or NULL: none may be. */
struct session *sessions_victim(const struct sessions *sessions, uint64_t now_ns);

/* A new session; NULL when none is free (sessions_has_room tells). */
struct session *sessions_open(struct sessions *sessions, const struct origin *origin,
                              uint64_t now_ns);

/* A request or an reply passed: it is young again. */
void sessions_touch(struct sessions *sessions, struct session *session, bool is_request,
                    uint64_t now_ns);

/* The oldest session if it has been idle for idle_ns, else NULL. */
struct session *sessions_idle(const struct sessions *sessions, uint64_t idle_ns, uint64_t now_ns);

/* Those with the last datagrams, newest first, at most max. Returns how many. */
size_t sessions_newest(const struct sessions *sessions, size_t max,
                       const struct session *ret_newest[]);

void sessions_close(struct sessions *sessions, struct session *session);

/* The number that names a session towards the app; and back, NULL when it has ended. */
uint32_t sessions_number(const struct sessions *sessions, const struct session *session);
struct session *sessions_by_number(const struct sessions *sessions, uint32_t number);

#endif
