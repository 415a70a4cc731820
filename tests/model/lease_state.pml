/* Part of lease.pml: the record, the members, and the rules with their broken variants. */
/* The record. */
bit exists;
byte holder = NOBODY; /* holderIdentity */
byte author = NOBODY; /* the annotation: who wrote it */
bit released;         /* the annotation: its author left */
bit peers;            /* the annotation: fence: peers */
byte term;            /* the annotation; after a deletion the highest that there was */

/* Requests of a member. */
#define NONE     0
#define PUT_SENT 1
#define PUT_DONE 2 /* applied, and still the newest version */
#define PUT_OLD  3 /* applied, and written over since */
#define RELEASE  4
#define PUT_STALE 5 /* no uid: applied if there is no record */
#define POST     6
byte request[MEMBERS];
byte request_term[MEMBERS];
bit request_peers[MEMBERS];
byte request_left[MEMBERS]; /* of V1, counted from the send */
/* A PUT that its sender has given up, and that may still be applied. */
byte late[MEMBERS]; /* 1: fence: lease, 2: fence: peers */
byte late_term[MEMBERS];

/* Knowledge of a member. */
byte seen[MEMBERS]; /* 0: not the present version; else 1 + ticks until it has been unchanged for D */
bit resigned;       /* RESIGN was said in the record's term */

/* A leader. */
byte leads[MEMBERS]; /* term of the record that it wrote; 0: none */
byte v1[MEMBERS];    /* ticks left */
byte fence[MEMBERS]; /* 0: no V2; 1: V2; more: V2, and 'lease' must not be written for so many ticks less one */
bit dead[MEMBERS];
bit ended[MEMBERS]; /* gives up the answer to its open request: it has said RESIGN since the send */

/* Promises. */
byte promise[MEMBERS] = NOBODY; /* the member that it votes for or follows, and counts for V2 */
byte promise_term[MEMBERS];
byte claim[MEMBERS]; /* the highest term whose leader it has heard; it acks no lower one */
byte voted[MEMBERS];

byte edits, deletes, crashes;
byte i; /* of a loop; 0 between two steps */
byte t; /* likewise */

#ifdef BROKEN_OWN
#define OWN(m) 1
#else
#define OWN(m) (promise[m] == m)
#endif
#ifdef BROKEN_TERM
#define FOR(v, m, t) (v != m && promise[v] == m && promise_term[v] >= t)
#else
#define FOR(v, m, t) (v != m && promise[v] == m && promise_term[v] == t)
#endif
#define MAJORITY(m, t) (OWN(m) + FOR(0, m, t) + FOR(1, m, t) + FOR(2, m, t) >= 2)
#define VALID(m)       (leads[m] > 0 && v1[m] > 0 && (fence[m] == 0 || MAJORITY(m, leads[m])))
#define MAX(a, b)      ((a) > (b) -> (a) : (b))
#define NEXT(m)        (MAX(term, voted[m]) + 1)
#define IN_TURN(m)     (term > 1 || m <= term)
#define FREE(m)        (!dead[m] && leads[m] == 0 && request[m] == NONE && exists && seen[m] > 0 && IN_TURN(m))
#define MINE(m)        (author == m && holder == m && !released)
#define LEADS(m)       (leads[m] > 0 && request[m] == NONE && exists && seen[m] > 0 && MINE(m) && term == leads[m])
#define OLDER(x, t)    (leads[x] > 0 && leads[x] < t || request_term[x] > 0 && request_term[x] < t)
#ifdef BROKEN_BLANK
#define LEFT (holder == NOBODY && author != NOBODY || author != NOBODY && resigned)
#else
#define LEFT (released || author != NOBODY && resigned)
#endif
#ifdef BROKEN_INHERIT
#define MAY_WRITE_LEASE 1
#else
#define MAY_WRITE_LEASE (!peers)
#endif
#ifdef BROKEN_PROBE
#define GONE (author != NOBODY)
#else
#ifdef BROKEN_AUTHOR
#define GONE (holder != NOBODY && dead[holder])
#else
#define GONE (author != NOBODY && dead[author])
#endif
#endif

#ifdef BROKEN_REUSE
#define MAY_REUSE 1
#else
#define MAY_REUSE (!resigned)
#endif
#ifdef BROKEN_POST
#define POST_SELF(m) (!exists)
#endif
#ifdef BROKEN_POST_WAIT
#define POST_SELF(m) (gone[m] == 1)
#endif
#ifdef BROKEN_RELEASE
#define MAY_RELEASE(m) (author != NOBODY && !released && claim[m] > 0)
#else
#define MAY_RELEASE(m) (MINE(m) && resigned)
#endif
#define MAY_APPLY(m) (request[m] == PUT_SENT || request[m] == PUT_STALE && !exists)
#ifdef BROKEN_LATE
#define OUTDATED(m) (request_term[m] < leads[m])
#else
#define OUTDATED(m) (request_term[m] < leads[m] || request_term[m] < claim[m])
#endif
#ifdef BROKEN_CONFIRM
#define CONFIRMED(m) (fence[m] > 0)
#else
#define CONFIRMED(m) (fence[m] == 1)
#endif
#ifdef BROKEN_VOTES
#define BY_PEERS 1
#else
#define BY_PEERS peers
#endif

/* Reasons of a PUT, for the witnesses. */
#define EXPIRY   1
#define LEAVE    2
#define VOTES    3
#define EVIDENCE 4
#define FIRST    5
#define OWNED    6
#define RENEWAL  7
#define TO_LEASE 8
#define TO_PEERS 9
#ifdef REACH
byte by[MEMBERS];
#define BY(m, kind) by[m] = kind
#ifndef AFTER
#define AFTER 1
#endif
#ifndef IN_TERM
#define IN_TERM 1
#endif
#define WITNESS(m) \
    assert(!(VALID(m) && MINE(m) && by[m] == REACH && AFTER && leads[m] >= IN_TERM)) /* must fail */
#else
#define BY(m, kind)
#define WITNESS(m)
#endif

inline check()
{
    assert(!(VALID(0) && VALID(1)) && !(VALID(0) && VALID(2)) && !(VALID(1) && VALID(2)));
}

inline stop_leading(x)
{
    leads[x] = 0;
    v1[x] = 0;
    fence[x] = 0;
}

inline clear_request(x)
{
    request[x] = NONE;
    request_term[x] = 0;
    request_peers[x] = 0;
    request_left[x] = 0;
    ended[x] = 0;
}

inline new_version()
{
    for (i : 0 .. MEMBERS - 1) {
        seen[i] = 0;
        late[i] = 0;
        late_term[i] = 0;
        if
#ifdef BROKEN_UID
        :: request[i] == PUT_SENT -> request[i] = PUT_STALE
#else
        :: request[i] == PUT_SENT -> clear_request(i)
#endif
        :: request[i] == RELEASE -> clear_request(i)
        :: request[i] == PUT_DONE -> request[i] = PUT_OLD
        :: else
        fi
    }
    i = 0
}

/* What no later step can tell apart becomes one state. */
inline forget()
{
#ifdef PEERS
    for (i : 0 .. MEMBERS - 1) {
        if
        :: voted[i] <= term -> voted[i] = 0
        :: else
        fi;
        if
        :: !OLDER(0, claim[i]) && !OLDER(1, claim[i]) && !OLDER(2, claim[i]) -> claim[i] = 0
        :: else
        fi;
        if
        :: promise[i] != NOBODY && promise[i] != i && promise_term[i] <= term &&
           leads[promise[i]] != promise_term[i] && request_term[promise[i]] != promise_term[i] ->
           promise[i] = NOBODY;
           promise_term[i] = 0
        :: else
        fi
    }
    i = 0
#else
    skip
#endif
}

inline write(m, of_term, of_peers)
{
    exists = 1;
    holder = m;
    author = m;
    released = 0;
    peers = of_peers;
    resigned = (of_term == term -> resigned : 0);
    term = of_term;
    new_version();
    forget();
}

inline send_put(m, of_term, of_peers)
{
    request_term[m] = of_term;
    request_peers[m] = of_peers;
    request_left[m] = D;
    request[m] = PUT_SENT;
}
