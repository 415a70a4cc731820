/*
 * election: who leads, as one pure function.
 *
 * election_step takes an event and the time, changes the state, and lists what is to be done:
 * messages to send, a leadership to publish, a term to store, a command to reply. No I/O, no clock, no
 * threads, no allocation: the supervisor feeds it and carries its actions out, and the simulator
 * runs the same function. Its rules, and why there are never two leaders: docs/election.md.
 *
 * Owner: the thread that steps it (the supervisor). Others see what it publishes.
 * Units: nanoseconds of the pod's own clock (clock_now_ns); terms count from 1, 0 is none.
 * Technique: Raft's election with pre-vote and single-server membership change (Ongaro), leases by
 * lease_grants (Gray and Cheriton), local health (Lifeguard).
 */
#ifndef HEADLESS_CONTROL_ELECTION_H
#define HEADLESS_CONTROL_ELECTION_H

#include "headless/wire/election_message.h"

#define ELECTION_ACTIONS_MAX  192
#define ELECTION_TERM_LEAP    1000 /* a claim further above the highest seen is refused */
#define ELECTION_TERM_SKIP    16   /* over terms whose votes may have been forgotten */
/* No term is higher, so that counting on never begins anew. Who knows of no term yet believes in
 * half of it: above that there is room for all terms to come. */
#define ELECTION_TERM_MAX     (UINT64_C(1) << 62)
#define ELECTION_CHANGES_MAX  16 /* list changes that wait for their turn */
#define ELECTION_COMMANDS_MAX 8  /* commands that wait for their outcome */

enum election_state {
    ELECTION_JOINING,
    ELECTION_FOLLOWER,
    ELECTION_SUSPECT,
    ELECTION_CANDIDATE,
    ELECTION_LEADER,
    ELECTION_RESIGNING,
    ELECTION_ISOLATED,
    ELECTION_UNAUTHENTICATED,
    ELECTION_OUT,
    ELECTION_STATE_COUNT
};

/* Why a state was left; each transition allows some of them. */
enum election_cause {
    ELECTION_BY_CLAIM,     /* a claim as high as ours or higher was seen */
    ELECTION_BY_SILENCE,   /* the leader's heartbeat is late */
    ELECTION_BY_VERDICT,   /* the leader is taken for dead */
    ELECTION_BY_EVIDENCE,  /* its host refused what we sent it */
    ELECTION_BY_STEP_DOWN, /* the leader gave way to us */
    ELECTION_BY_COMMAND,   /* somebody asked for it */
    ELECTION_BY_VOTES,     /* a majority voted for us */
    ELECTION_BY_BOOTSTRAP, /* the same, and there was no cluster yet */
    ELECTION_BY_OWN_VOTE,  /* we voted for somebody else */
    ELECTION_BY_APP,       /* our app is down, another's is up */
    ELECTION_BY_YIELD,     /* a bootstrapped leader gave way to the configured one */
    ELECTION_BY_NO_QUORUM, /* no majority replies */
    ELECTION_BY_QUORUM,    /* a majority replies again */
    ELECTION_BY_LIST,      /* we are in the list now, or no longer */
    ELECTION_BY_AUTH,      /* nothing that we hear can be verified; or it can again */
    ELECTION_BY_STOP,      /* we were asked to stop */
    ELECTION_BY_LIMIT,     /* waited long enough */
    ELECTION_BY_FORCE,     /* headlessctl leader set --force */
    ELECTION_CAUSE_COUNT
};

enum election_quorum { ELECTION_QUORUM_AUTO, ELECTION_QUORUM_MAJORITY, ELECTION_QUORUM_NONE };

struct election_config {
    struct election_member self; /* instance, address, name, eligible */
    uint64_t interval_ns;        /* heartbeat.interval */
    uint32_t misses;             /* heartbeat.misses; interval x misses is the detection time */
    enum election_quorum quorum;
    uint16_t expect;      /* quorum.expect; 0 or 1: nobody else is expected */
    bool on_refused_fast; /* failover.on_refused: fast */
    bool holds_on_resign; /* requests wait then: the old leader would not pass them on */
    uint64_t forget_ns;   /* member.forget */
    uint64_t tenure_ns;   /* a leader stays so long before it hands over by itself */
    uint64_t stored_term; /* from the store; a hint */
    uint64_t generation;  /* leader_generation, as at the start */
    /* Members by name, else by address; neither set: none. */
    struct election_member leader;                      /* configured: begins */
    struct election_member order[ELECTION_MEMBERS_MAX]; /* leader_list; the others come after it */
    uint16_t order_count;
    bool is_discovering; /* others may turn up by discovery: who is alone waits for them */
};

/* ---- events ---- */

enum election_event_type {
    ELECTION_TICK,       /* deadline_ns has come */
    ELECTION_MESSAGE,    /* an authentic message of our cluster */
    ELECTION_CANDIDATES, /* who may be there: peers and discovery; replaces what was known */
    ELECTION_REFUSED,    /* a host refused what we sent to this instance, and quoted it rightly */
    ELECTION_AUTH_FAILED,
    ELECTION_APP,      /* our app is up or down */
    ELECTION_PROGRESS, /* our data threads are stuck, or move again */
    ELECTION_COMMAND,  /* {"leader": target} */
    ELECTION_STOP,     /* give the lead away, do not take it again; still a member */
    ELECTION_QUIT,     /* leave the list, then OUT */
    ELECTION_FORCE,
    ELECTION_EVENT_COUNT
};

struct election_event {
    enum election_event_type type;
    const struct election_message *message;
    const struct election_member *members; /* of the message: message->member_count */
    struct address from;                   /* MESSAGE: where it came from */
    const struct address *candidates;      /* CANDIDATES */
    size_t candidate_count;
    uint64_t instance;   /* REFUSED: whose; COMMAND: the target */
    uint64_t if_term;    /* COMMAND: only in this term; 0: in any */
    uint64_t token;      /* COMMAND: comes back in the reply */
    uint64_t generation; /* COMMAND: of the configuration that wants it; 0: somebody else does */
    bool is_up;          /* APP, PROGRESS */
    bool is_blind;       /* CANDIDATES: it is not known who may be there: do not begin a cluster */
};

/* ---- actions ---- */

enum election_action_type {
    ELECTION_SEND,     /* one message to one address */
    ELECTION_SEND_ALL, /* one message to every other member of the list; to: each one's instance */
    ELECTION_RESULT    /* a command's outcome */
};

/* What the data data_plane needs. Nothing of this leader leaves or is relayed after valid_until_ns. */
struct election_leadership {
    enum election_state state;
    uint64_t term;
    uint64_t leader; /* instance, 0: none */
    enum election_cause cause;
    uint64_t valid_until_ns;
    bool gave_way; /* the leader before this one did, in order: its last replies may still pass */
};

enum election_result { ELECTION_OK, ELECTION_NO_MEMBER, ELECTION_NO_QUORUM, ELECTION_BAD_TERM };

struct election_action {
    enum election_action_type type;
    struct address to;                     /* SEND */
    struct election_message message;       /* SEND, SEND_ALL */
    const struct election_member *members; /* of the message; valid until the next step */
    uint64_t term;                         /* ANSWER */
    uint64_t token;                        /* ANSWER */
    enum election_result reply;
};

/* In this order: store, publish, then the list; what is sent relies on what was published. */
struct election_actions {
    bool stores, publishes;
    uint64_t stored_term;                  /* stores: keep it */
    struct election_leadership leadership; /* publishes */
    size_t count;
    struct election_action list[ELECTION_ACTIONS_MAX];
};

/* ---- state ---- */

/* A entry of the list as this pod sees it; the n-th belongs to the n-th member. */
struct election_peer {
    uint64_t heard_ns;            /* leader: its last ack; 0: none */
    uint64_t lease_ns;            /* leader: by its lease_grant we are valid until then */
    struct election_list_id list; /* leader: that it has */
    bool is_app_up, is_volatile;
    uint64_t ask_ns;   /* campaign: ask it then */
    uint64_t grant_ns; /* campaign: its grant counts until then; 0: none */
    struct election_member
        successor; /* a new instance with this entry's name, not in the list yet */
};

/* Somebody met outside the list: at an address of discovery, or by a WHO. */
struct election_known_peer {
    struct election_member member; /* instance 0: has not answered yet */
    uint64_t answered_ns;
    struct election_list_id list; /* that it has, if is_listed */
    bool is_listed;
};

enum election_stage { ELECTION_STAGE_NONE, ELECTION_STAGE_PREVOTE, ELECTION_STAGE_VOTE };

struct election_campaign {
    enum election_stage stage;
    enum election_cause cause;
    uint64_t term;         /* VOTE: asked for */
    uint64_t started_ns;   /* of the whole campaign */
    uint64_t ends_ns;      /* VOTE: of this round; PREVOTE: ask nobody before */
    uint64_t deposed;      /* instance against which there is evidence, or which resigned, */
    uint64_t deposed_term; /* and the term that it led in */
    uint16_t flags;        /* of the requests */
};

enum election_change_type { ELECTION_ADD, ELECTION_REPLACE, ELECTION_REMOVE };

struct election_change {
    enum election_change_type type;
    bool is_graceful;
    struct election_member member; /* REMOVE: instance only */
};

struct election_pending {
    uint64_t token, target, term, until_ns;
};

/* Numbers for metrics; they only grow. */
struct election_counts {
    uint64_t transitions[ELECTION_STATE_COUNT];
    uint64_t forbidden_transitions; /* a bug: see the table */
    uint64_t leaps_refused;         /* claims too far above */
    uint64_t actions_lost;          /* more than ELECTION_ACTIONS_MAX in one step */
    uint64_t elections_won;
};

struct election {
    struct election_config config;
    enum election_state state;
    enum election_cause cause; /* of the last transition */
    uint64_t now_ns, started_ns;
    uint64_t deadline_ns; /* wants a TICK then */

    /* The claim that we follow. */
    uint64_t term, leader;
    struct address leader_address;
    enum election_cause claim_cause;
    bool gave_way;         /* the leader before it did */
    uint64_t interval_ns;  /* the leader's */
    uint64_t detection_ns; /* the leader's interval x misses */
    uint64_t live[ELECTION_BITMAP_WORDS], ready[ELECTION_BITMAP_WORDS]; /* as the leader says */
    struct election_list_id live_list; /* whose members these bits are about */
    uint64_t heard_ns;                 /* its last heartbeat */

    /* What we have given away. */
    uint64_t voted_term, voted_for;
    uint64_t lease_granted_to, lease_granted_ns; /* until then we vote for nobody else */
    uint64_t abstain_ns; /* before: a predecessor's lease_grant may still run */
    bool is_volatile;    /* a predecessor's votes may count, and we do not know them */
    uint64_t seen_term;  /* the highest term heard of, claimed or not */

    /* Suspicion. */
    uint32_t suspicion;            /* steps taken: 0, 1 probed, 2 asked others */
    uint64_t candidate_ns;         /* the verdict is there, and this is our turn; 0: no verdict */
    uint64_t patience_ns;          /* no candidacy before */
    uint64_t refused;              /* instance that evidence is against */
    uint64_t resigned_term;        /* the leader of this term has resigned */
    uint32_t health;               /* 0..8: how late our own timers run */
    struct election_message asked; /* a pre-vote that waits for our own evidence; type 0: none */
    struct address asked_from;

    struct election_campaign campaign;

    /* The list, and one that is arriving by pages. */
    struct election_list list, arriving;
    uint16_t arrived;    /* members of arriving */
    uint16_t self_index; /* ELECTION_MEMBERS_MAX: not in it */
    struct election_peer peers[ELECTION_MEMBERS_MAX];

    /* Leading. */
    uint64_t heartbeat_ns, valid_until_ns, led_since_ns, fenced_ns, hold_down_ns;
    bool is_list_committed; /* a majority that forgot nothing has the list */
    bool is_term_skipped;   /* our term is above all that could be forgotten */
    uint64_t resign_ns;     /* RESIGNING: until then */
    bool has_yielded;
    struct election_change changes[ELECTION_CHANGES_MAX];
    uint32_t change_count;
    uint64_t list_since_ns;

    /* Joining. */
    struct election_known_peer known_peers[ELECTION_MEMBERS_MAX];
    uint32_t known_peer_count;
    uint64_t discover_ns, auth_failed_ns, verified_ns, bootstrap_ns;
    uint64_t replace_ns; /* take a predecessor's entry then; 0: there is a leader, or no cluster */
    uint64_t replace_asked_ns;
    bool is_unlisted; /* we took that entry ourselves: our vote does not count */

    /* Commands. */
    struct election_pending commands[ELECTION_COMMANDS_MAX];
    uint32_t command_count;
    uint64_t wanted_term, wanted_until_ns, wanted_ns; /* we are the target, since */
    uint64_t pressed_ns;                              /* told the leader so last */

    bool is_app_up, is_stuck, is_stopping, is_leaving;
    bool is_blind;
    uint64_t stop_ns, leave_ns; /* limit of leaving; next LEAVE */
    uint64_t stored_term;
    uint64_t generation; /* the highest leader_generation that anybody has told of */
    struct election_leadership published;
    struct election_counts counts;
    uint16_t forbidden;           /* the last forbidden transition: from << 12 | to << 8 | cause */
    struct election_actions *out; /* during a step only */
};

/* Fill *e, which the caller has zeroed or used before; config is copied. */
void election_init(struct election *e, const struct election_config *config, uint64_t now_ns);

/* One event. Actions are replaced; their members point into *e until the next step. */
void election_step(struct election *e, const struct election_event *event, uint64_t now_ns,
                   struct election_actions *ret_actions);

/* Votes that a majority takes in this list; 1 where no quorum is wanted. */
size_t election_needed(const struct election *e);

/* A member as this pod sees it: the leader by what it heard, the others by the leader's word. */
enum election_member_state {
    ELECTION_MEMBER_DEAD,
    ELECTION_MEMBER_SUSPECT, /* the leader: late */
    ELECTION_MEMBER_ALIVE,
    ELECTION_MEMBER_LEADER,
    ELECTION_MEMBER_SELF, /* and not leading */
    ELECTION_MEMBER_STATE_COUNT
};
/* Not known to be dead. Who has just taken over, or has a new list, knows of nobody yet. */
bool election_may_be_alive(const struct election *e, uint16_t index);
enum election_member_state election_describe(const struct election *e, uint16_t index);
const char *election_member_state_name(enum election_member_state state);

const char *election_state_name(enum election_state state);
const char *election_cause_name(enum election_cause cause);
/* Does the table allow this? */
bool election_allows(enum election_state from, enum election_state to, enum election_cause cause);

#endif
