/*
 * session: one client of a UDP app.
 *
 * The table of a worker maps (client, address that it sent to, ingress pod, may_reply) to a session,
 * and the number by which the app knows a session to it. An idle session is closed, but its record
 * rests in the table: the same client gets the same number back until another client needs the
 * record. So the table is a cache, and a number is dealt to another client only when all records
 * are in use. A number is the index of the record and an epoch that grows with every use of the
 * index, so a reply to an earlier client is told from a reply to its successor; with is_hashed it is
 * derived from the client's address instead.
 *
 * A new client takes, in this order:
 *   1. a record that was never used, or was given back
 *   2. the longest unused SINGLE one, if these are over a quarter
 *   3. the longest resting one: ONE_WAY, RECENT, or ESTABLISHED if these are over half
 *   4. the longest unused ONE_WAY or RECENT one, if that kind is over a sixteenth
 *   5. the longest unused ESTABLISHED one, if it was not used in the last SESSION_KEEP_NS, or if
 *      these are over three quarters and no SINGLE one rests
 *   6. the longest unused SINGLE one
 * So it always gets one: nothing proves that a client reads what is sent to its address, so no kind
 * may keep all records. A flood of new clients, of forged addresses for instance, takes from its own
 * kind first, then from clients that are silent.
 *
 * Pure data structure: no socket, no clock. Owner: its worker's thread. Only init allocates; records
 * that were never used are not touched.
 */
#ifndef DATA_APP_SESSION_H
#define DATA_APP_SESSION_H

#include <stdatomic.h>

#include "data/app/session_number.h"
#include "data/app/session_path.h"
#include "headless/base/clock.h"

#define SESSION_CAPACITY_MAX (UINT32_C(1) << 20)
#define SESSION_KEEP_NS      (10 * NS_PER_SEC)
#define SESSION_LINK_BITS    21
#define SESSION_LINK_MAX     ((1U << SESSION_LINK_BITS) - 1)
#define SESSION_TICK_SHIFT   24 /* ticks of 2^24 ns, 17 ms: 32 bits of them are two years */
#define SESSION_TICK_NS      (UINT64_C(1) << SESSION_TICK_SHIFT)

/* How much is known of the client, the least first. */
enum session_kind {
    SESSION_SINGLE,      /* one request */
    SESSION_ONE_WAY,     /* several requests, none of them after a reply */
    SESSION_RECENT,      /* a request after a reply */
    SESSION_ESTABLISHED, /* also SESSION_KEEP_NS after it got its number, or later */
    SESSION_KINDS
};

/* A record: one cache line. Links of intrusive lists are indices + 1; 0 ends a list. */
struct session {
    uint8_t client_ip[16];
    uint64_t tag; /* of its last request */
    uint64_t newer : SESSION_LINK_BITS;
    uint64_t older : SESSION_LINK_BITS;
    uint64_t next_in_bucket : SESSION_LINK_BITS;
    uint64_t may_reply : 1;               /* replies may be sent */
    uint64_t epoch : SESSION_NUMBER_BITS; /* is_hashed: the number; 0: never used */
    uint64_t path : SESSION_PATH_BITS;
    uint64_t
        since_request : 16; /* ticks from the last request to `used`, at most UINT16_MAX: 18 min */
    uint64_t kind : 2;      /* enum session_kind */
    uint64_t has_reply : 1; /* the app has sent one */
    uint64_t is_open : 1;   /* otherwise it rests */
    uint64_t is_in_use : 1; /* it has a client */
    uint32_t term_low;      /* in which its last request was delivered */
    uint32_t used;          /* tick of the last datagram in either direction */
    uint32_t opened;        /* tick at which this client got the number */
    uint32_t requests;      /* at most UINT32_MAX */
    uint16_t client_port;
    union {
        uint16_t app_port; /* its datagrams go there; 0: to the app's own port (app_elsewhere.h) */
        uint16_t source_checked; /* app.source client: udp_app.address_changes at that time */
    };
    union {
        int fd;                  /* has_sockets: of its own socket, or -1 */
        uint32_t next_in_number; /* is_hashed: in the bucket of its number */
    };
};
_Static_assert(sizeof(struct session) == 64, "a session touches one cache line");

/* By the last datagram. The open ones are the newest; open: the oldest of these. */
struct session_list {
    uint32_t oldest, newest, open, count, open_count;
};

struct sessions_setup {
    uint32_t capacity; /* 1..SESSION_CAPACITY_MAX */
    uint32_t open_max; /* sessions that may be open at once */
    bool has_sockets;  /* a resting session gets no reply: each open one has a socket of its own, or
                          is announced (app_source.h) */
    bool is_hashed;    /* not with has_sockets */
    bool is_by_client; /* one session a client, whatever address it sent to: sessions_find ignores
                          everything else, and the caller calls sessions_follow */
    uint8_t number_key[16]; /* is_hashed: of session_number_hashed */
};

struct sessions {
    struct sessions_setup setup;
    uint32_t index_bits, epochs, first_epoch;
    uint32_t bucket_mask;
    uint8_t hash_key[16];
    struct session *table; /* setup.capacity */
    size_t table_bytes;
    uint32_t *buckets;
    uint32_t *number_buckets; /* is_hashed, otherwise NULL */
    uint32_t used, free;      /* records used so far; link of those given back */
    uint32_t next_number;     /* is_hashed: of the record that sessions_next has returned */
    struct session_list list[SESSION_KINDS];
    struct session_paths paths;
    uint64_t resumed;       /* times that a resting session was used again */
    _Atomic uint64_t count; /* open; written by the owner, read by any thread */
};

/* Returns 0 or -ENOMEM. */
int sessions_init(struct sessions *sessions, const struct sessions_setup *setup)
    __attribute__((warn_unused_result));
void sessions_fini(struct sessions *sessions);

/* The session of this origin, open or resting, or NULL. */
struct session *sessions_find(struct sessions *sessions, const struct origin *origin,
                              bool may_reply);

/*
 * The record that a new session of this origin gets; NULL: is_hashed, and other clients have all its
 * numbers. If it is open, its session ends early: close its socket.
 */
struct session *sessions_next(struct sessions *sessions, const struct origin *origin,
                              uint64_t now_ns);

/* Open a session in the record that sessions_next returned. */
struct session *sessions_open(struct sessions *sessions, struct session *record,
                              const struct origin *origin, bool may_reply, uint64_t now_ns);

/* True when open_max sessions are open: close sessions_least (session_list.h) first. */
static inline bool sessions_is_full(const struct sessions *sessions)
{
    return atomic_load_explicit(&sessions->count, memory_order_relaxed) >= sessions->setup.open_max;
}

/* Note a request or a reply: the session becomes the newest, and a resting one is open again. With
 * has_sockets a reply, which was received before the socket was closed, leaves it resting. */
void sessions_touch(struct sessions *sessions, struct session *session, bool is_request,
                    uint64_t now_ns);

/* Open a resting session that has a socket again, without a datagram. */
void sessions_resume(struct sessions *sessions, struct session *session, uint64_t now_ns);

/* With is_by_client: replies go where the origin says from now on. */
void sessions_follow(struct sessions *sessions, struct session *session,
                     const struct origin *origin);

/* Close a session and give its record back. */
void sessions_drop(struct sessions *sessions, struct session *session);

/* The number of a session; and the session of a number, NULL when another client has its record. */
uint32_t sessions_number(const struct sessions *sessions, const struct session *session);
struct session *sessions_by_number(const struct sessions *sessions, uint32_t number);

/* Its client, of this family, without the scope. */
static inline struct address session_client(const struct session *session, uint8_t family)
{
    struct address address = {.family = family, .port = session->client_port};

    memcpy(address.ip, session->client_ip, sizeof(address.ip));
    return address;
}

/* Where its replies go. */
struct origin sessions_origin(const struct sessions *sessions, const struct session *session);

/* The term in which its last request was delivered; now: the present one, which is not lower. */
static inline uint64_t session_term(const struct session *session, uint64_t now)
{
    return now - (uint32_t)((uint32_t)now - session->term_low);
}

static inline uint32_t session_tick(uint64_t now_ns)
{
    return (uint32_t)(now_ns >> SESSION_TICK_SHIFT);
}

/* A tick in the record, which is at most two years ago. */
static inline uint64_t session_time_ns(uint32_t tick, uint64_t now_ns)
{
    return now_ns - ((uint64_t)(uint32_t)(session_tick(now_ns) - tick) << SESSION_TICK_SHIFT);
}

/* Time of its last request, or up to a tick earlier; never more than 18 minutes before its last
 * datagram. */
static inline uint64_t session_requested_ns(const struct session *session, uint64_t now_ns)
{
    return session_time_ns(session->used - session->since_request, now_ns);
}

static inline bool session_is_idle(const struct session *session, uint64_t idle_ns, uint64_t now_ns)
{
    return now_ns - session_time_ns(session->used, now_ns) >= idle_ns;
}

/* ---- for session_list.c ---- */

/* In a link: index + 1. */
static inline uint32_t session_link(const struct sessions *sessions, const struct session *session)
{
    return ((uint32_t)(session - sessions->table) + 1) & SESSION_LINK_MAX;
}

/* The session of a link that is not 0. */
static inline struct session *session_linked(const struct sessions *sessions, uint64_t link)
{
    return &sessions->table[link - 1];
}

static inline struct session *session_at(const struct sessions *sessions, uint64_t link)
{
    return link ? session_linked(sessions, link) : NULL;
}

/* Add to the number of open sessions. */
static inline void sessions_count(struct sessions *sessions, int change)
{
    uint64_t count = atomic_load_explicit(&sessions->count, memory_order_relaxed);

    atomic_store_explicit(&sessions->count, count + (uint64_t)change, memory_order_relaxed);
}

#endif
