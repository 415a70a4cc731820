/*
 * lease: the Lease object of the cluster's API server as the authority on who leads (election: lease),
 * as one pure function.
 *
 * lease_step takes one event, the state of the election and the time, and returns actions: one
 * request to the API server, and news for the election (ELECTION_LEASE). It does no I/O, reads no
 * clock, starts no thread and allocates nothing. docs/election.md, "With a Lease", has the rules and
 * the argument why there are never two valid leaders.
 *
 * After each step of the election, its caller runs lease_step with LEASE_TICK; while the actions have
 * news, it runs the election with them, and lease_step again. The simulator (tests/sim/api.c) does so.
 *
 * Owner: the thread that calls it (the supervisor).
 * Blocking: never.
 * Units: nanoseconds of the local clock (clock_now_ns).
 * Errors: none. A record that breaks a rule counts as one that somebody else wrote.
 * Technique: client-go's leader election (a Lease with an optimistic lock), with the validity counted
 * from the send of a request, and with evidence and votes in the place of waiting where they suffice.
 */
#ifndef HEADLESS_CONTROL_LEASE_H
#define HEADLESS_CONTROL_LEASE_H

#include "headless/control/election.h"

#define LEASE_TEXT_MAX        64                       /* of a uid or a resourceVersion, with NUL */
#define LEASE_HOLDER_MAX      (ELECTION_NAME_MAX + 17) /* NAME_INSTANCE: 16 hexadecimal digits */
#define LEASE_DURATION_MAX_NS (600 * NS_PER_SEC) /* a record that says more counts as this much */

/* The validity of a record's holder ends with its own time, and as this says. */
enum lease_fence {
    LEASE_FENCE_PEERS, /* a majority of the members that no longer grants it a lease */
    LEASE_FENCE_LEASE  /* nothing */
};

/*
 * The Lease. The writer, its uid, the term, the fence, the list and the stamp are annotations. A record
 * is intact if its writer's uid is its own, and ours if its writer is its holder as well: other electors and people change
 * the holder, and restore copies, without changing these. Without annotations it is empty: nobody has held it.
 */
struct lease_record {
    bool exists;
    char uid[LEASE_TEXT_MAX], version[LEASE_TEXT_MAX]; /* metadata: uid, resourceVersion */
    char holder[LEASE_HOLDER_MAX];                     /* spec.holderIdentity; "": nobody */
    uint64_t duration_ns;                              /* spec.leaseDurationSeconds */
    uint64_t transitions;                              /* spec.leaseTransitions */
    char writer[LEASE_HOLDER_MAX], writer_uid[LEASE_TEXT_MAX];
    uint64_t term;
    enum lease_fence fence;
    struct election_list_id list; /* of the holder, when it wrote fence: peers */
    uint64_t stamp_ns; /* its own clock before it sent the record; means nothing to others */
};

struct lease_config {
    uint64_t duration_ns; /* lease.duration */
    uint64_t renew_ns;    /* lease.renew; 0: a sixth of the duration */
    uint64_t refresh_ns;  /* a pod that does not lead reads the Lease so often */
};

/* ---- events ---- */

enum lease_event_type {
    LEASE_TICK,  /* deadline_ns is reached, or the election has made a step */
    LEASE_SEEN,  /* the watch shows this record; a DELETED one does not exist and has the version of
                    the deletion */
    LEASE_REPLY, /* the outcome of our request */
    LEASE_EVENT_COUNT
};

enum lease_outcome {
    LEASE_OK,       /* 200, 201: record, with its new version. GET with 404: it does not exist */
    LEASE_CONFLICT, /* 409: another version, or POST and it exists */
    LEASE_UNKNOWN,  /* no reply, or one that does not say whether it was written: timeout, 5xx */
    LEASE_REFUSED   /* 401, 403, 422, 429: not written */
};

struct lease_event {
    enum lease_event_type type;
    enum lease_outcome outcome;        /* REPLY */
    uint64_t wait_ns;                  /* REPLY: Retry-After; 0: none */
    uint32_t request;                  /* REPLY: its number; replies to earlier ones are ignored */
    const struct lease_record *record; /* SEEN; REPLY: if outcome is OK */
};

/* ---- actions ---- */

enum lease_verb {
    LEASE_NOTHING,
    LEASE_GET, /* without resourceVersion: not from a cache */
    LEASE_PUT, /* the record with the uid and the version that it must replace: send both */
    LEASE_POST /* a record without holder: a POST is guarded by nothing */
};

/* Carry them out in this order: the news first, since what is sent may rely on what the election has
 * published. The driver reports exactly one outcome of each request. */
struct lease_actions {
    bool has_news;
    struct election_lease news; /* ELECTION_LEASE */
    enum lease_verb verb;
    uint32_t request; /* its number */
    struct lease_record record;
};

/* ---- state ---- */

/* Why a candidate may take the Lease; for logs and metrics. */
enum lease_by {
    LEASE_BY_NOTHING,
    LEASE_BY_FIRST,    /* nobody ever held it, as far as anybody knows */
    LEASE_BY_EXPIRY,   /* T1: unchanged for its duration */
    LEASE_BY_LEAVE,    /* T2: its holder says that it does not lead, or is this instance */
    LEASE_BY_VOTES,    /* T3 */
    LEASE_BY_EVIDENCE, /* T4: its holder's process has ended */
    LEASE_BY_COUNT
};

struct lease_counts {
    uint64_t conflicts, takeovers[LEASE_BY_COUNT];
    uint64_t bad_terms; /* records whose term no pod of ours writes; they count as without one */
};

struct lease {
    struct lease_config config;
    uint64_t instance;
    char holder[LEASE_HOLDER_MAX]; /* as we write it */
    uint64_t deadline_ns;          /* the next TICK is due then */

    /* The newest record, or the last one before the Lease was deleted. */
    struct lease_record seen;
    struct lease_record own; /* the last one that we wrote and have seen */
    bool is_leading;         /* by what the election was told last, and now */
    bool is_known;           /* the API server has shown the Lease, or that there is none */
    bool has_held;           /* somebody held it once */
    uint64_t changed_ns;     /* this version, or its absence, has been known since then */
    uint64_t holding_ns;     /* its term and uid have been known since then */
    uint64_t longest_ns;     /* the longest duration in any record, and of our own */

    /* The one request under way. */
    enum lease_verb verb;
    uint32_t request;
    uint64_t sent_ns;
    struct lease_record sent; /* PUT */
    enum lease_by sent_by;
    bool is_behind;    /* seen may be out of date: GET */
    bool is_backup;    /* the next record to note is from a backup */
    bool is_failing;   /* no usable reply to the last request */
    bool is_due;       /* a holder's next record, for what others wrote into the Lease */
    uint64_t read_ns;  /* the last GET that was answered */
    uint64_t retry_ns; /* after a request without a usable reply: no other one before */

    /* As the holder. */
    uint64_t clear_ns;    /* all holders before us are invalid from then on */
    uint64_t peers_ns;    /* stamp of the last record with fence: peers that we sent */
    uint64_t promised_ns; /* a majority has granted us leases since then; 0: it does not */
    uint64_t idle_ns;     /* we have held it without leading since then; 0: we do not */
    uint64_t failed_seal; /* the last attempt of the election that failed */
    uint64_t unsure_seal; /* the last one of which a PUT had no reply */

    struct election_lease told;
    struct lease_counts counts;
};

/* Initializes *l. The election's config.self names us. */
void lease_init(struct lease *l, const struct lease_config *config,
                const struct election_config *election, uint64_t now_ns);

/* Handles one event. Replaces the actions. */
void lease_step(struct lease *l, const struct lease_event *event, const struct election *e,
                uint64_t now_ns, struct lease_actions *ret_actions);

/* True if a pod of ours wrote this record as it is. */
bool lease_is_ours(const struct lease_record *record);

/* The instance in holderIdentity, or 0. */
uint64_t lease_holder_instance(const char *holder);

/* Negative, 0, positive: a is an older, the same, a newer resourceVersion (decimal numbers). One that
 * is no decimal number counts as newer than all others. */
int lease_compare_versions(const char *a, const char *b);

/* The name in logs and metrics. */
const char *lease_by_name(enum lease_by by);

#endif
