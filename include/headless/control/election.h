/*
 * election: decides which instance is the leader, as one pure function.
 *
 * election_step takes one event and the time, changes the state, and returns actions: messages to
 * send, a leadership to publish, a term to store, the result of a command. It does no I/O, reads no
 * clock, starts no thread and allocates nothing. The supervisor feeds it events and carries its
 * actions out; the simulator (tests/sim) runs the same function. docs/election.md has the rules and
 * the argument why there are never two valid leaders.
 *
 * Owner: the thread that calls election_step (the supervisor); other threads read what it
 * publishes.
 * Blocking: never.
 * Units: nanoseconds of the local clock (clock_now_ns). Terms count from 1; 0 means no term.
 * Errors: none. A message that breaks a rule is ignored; some are counted (struct election_counts).
 * Technique: Raft's election with pre-vote and single-server membership changes (Ongaro), leases
 * (Gray and Cheriton), local health (Lifeguard).
 */
#ifndef HEADLESS_CONTROL_ELECTION_H
#define HEADLESS_CONTROL_ELECTION_H

#include "headless/wire/election_message.h"

#define ELECTION_ACTIONS_MAX  192
#define ELECTION_TERM_LEAP    1000 /* a term further above the highest seen one is rejected */
#define ELECTION_TERM_SKIP    16   /* terms left out because their votes may be forgotten */
/* No term is higher, so terms never wrap. An instance that knows no term yet accepts at most half
 * of it: the other half is room for all later terms. */
#define ELECTION_TERM_MAX     (UINT64_C(1) << 62)
#define ELECTION_CHANGES_MAX  16 /* list changes in the queue */
#define ELECTION_COMMANDS_MAX 8  /* commands without a result yet */

/* The names in logs, metrics and /status are in election_state_name. */
enum election_state {
    ELECTION_JOINING,         /* not in the list of a cluster */
    ELECTION_FOLLOWER,        /* in the list, and the leader's heartbeats arrive */
    ELECTION_SUSPECT,         /* the leader's heartbeats are late */
    ELECTION_CANDIDATE,       /* asks for pre-votes or votes */
    ELECTION_LEADER,          /* elected; valid until valid_until_ns */
    ELECTION_STEPPING_DOWN,   /* stepped down; no new leader is known yet */
    ELECTION_ISOLATED,        /* a leader or candidate without a majority that replies */
    ELECTION_UNAUTHENTICATED, /* receives only messages that fail authentication */
    ELECTION_OUT,             /* left the list for good */
    ELECTION_SEALING,         /* election: lease. Elected, if the Lease can be written */
    ELECTION_STATE_COUNT
};

/* The reason of a transition. The table in election.c allows some of them for a pair of states. */
enum election_cause {
    ELECTION_BY_CLAIM,     /* a claim at least as high as ours arrived */
    ELECTION_BY_SILENCE,   /* the leader's heartbeat is late */
    ELECTION_BY_VERDICT,   /* failure verdict: no heartbeat for the detection time */
    ELECTION_BY_EVIDENCE,  /* the leader's host sent ICMP port unreachable */
    ELECTION_BY_STEP_DOWN, /* the leader stepped down in our favour */
    ELECTION_BY_COMMAND,   /* a leader command */
    ELECTION_BY_VOTES,     /* a majority voted for us */
    ELECTION_BY_BOOTSTRAP, /* the same, for the first leader of a cluster */
    ELECTION_BY_OWN_VOTE,  /* we voted for another candidate */
    ELECTION_BY_APP,       /* our app is down, another member's is up */
    ELECTION_BY_YIELD,     /* a bootstrapped leader steps down for the configured one */
    ELECTION_BY_NO_QUORUM, /* no majority replies */
    ELECTION_BY_QUORUM,    /* a majority replies again */
    ELECTION_BY_LIST,      /* a list arrived that has us now, or no longer has us */
    ELECTION_BY_AUTH,      /* nothing that arrives can be authenticated, or something can again */
    ELECTION_BY_STOP,      /* the process is stopping */
    ELECTION_BY_LIMIT,     /* a time limit expired */
    ELECTION_BY_FORCE,     /* headlessctl leader set --force */
    ELECTION_BY_LEASE,     /* election: lease. The Lease may be taken, or is lost */
    ELECTION_CAUSE_COUNT
};

enum election_quorum { ELECTION_QUORUM_AUTO, ELECTION_QUORUM_MAJORITY, ELECTION_QUORUM_NONE };

struct election_config {
    struct election_member self; /* instance, address, name, eligible */
    uint64_t interval_ns;        /* heartbeat.interval */
    uint32_t misses;             /* heartbeat.misses; interval x misses is the detection time */
    enum election_quorum quorum;
    uint16_t expect;         /* quorum.expect; 0 or 1: no other member is expected */
    bool on_refused_fast;    /* failover.on_refused: fast */
    bool holds_on_step_down; /* hold requests then: the old leader would not relay them */
    uint64_t forget_ns;      /* member.forget */
    uint64_t tenure_ns;   /* a leader leads for at least this long before it transfers by itself */
    uint64_t stored_term; /* read from the store; only a hint */
    uint64_t generation;  /* leader_generation at the start */
    /* Wanted members, by name, without a name by address; neither set means no member. */
    struct election_member leader;                      /* the configured first leader */
    struct election_member order[ELECTION_MEMBERS_MAX]; /* leader_list; the others rank after it */
    uint16_t order_count;
    bool is_discovering; /* discovery is on: an instance that finds no other one waits longer */
    bool has_lease;      /* election: lease. Nobody leads before ELECTION_LEASE says so */
};

/*
 * The Lease as lease.c knows it, for the election (election_lease.c). Without config.has_lease it
 * is unused.
 */
struct election_lease {
    uint64_t term;        /* of the newest record */
    uint64_t holder;      /* instance of its holder, if a pod of ours wrote it; otherwise 0 */
    uint64_t held_term;   /* we hold the Lease in this term; 0: we do not */
    uint64_t until_ns;    /* and lead until then at most (V1) */
    uint64_t failed_seal; /* number of the last attempt to seal that failed */
    bool is_alone;        /* the record that we hold says fence: lease. No majority is needed */
    bool is_free;         /* the Lease may be taken without votes */
    bool is_votable;      /* with the votes of a majority */
    bool is_writable;     /* the API server replied to the last request */
};

/* ---- events ---- */

enum election_event_type {
    ELECTION_TICK,       /* deadline_ns is reached */
    ELECTION_MESSAGE,    /* an authenticated message of our cluster */
    ELECTION_CANDIDATES, /* all addresses from peers and discovery; replaces the previous ones */
    ELECTION_REFUSED,    /* ICMP port unreachable for what we sent to this instance, quoting it */
    /* Our connection to this instance was closed by its host (FIN or RST); then a new connection to
     * its address was refused. */
    ELECTION_CLOSED,
    ELECTION_CONNECT_REFUSED,
    ELECTION_AUTH_FAILED, /* a message failed authentication */
    ELECTION_APP,         /* our app is up or down */
    ELECTION_PROGRESS,    /* our data threads are stuck, or make progress again */
    ELECTION_SESSIONS,    /* our app has sessions, or none; stay_ns */
    ELECTION_COMMAND,     /* {"leader": target} */
    ELECTION_STOP,        /* step down and never stand again; still a member */
    ELECTION_QUIT,        /* leave the list, then OUT */
    ELECTION_FORCE,       /* headlessctl leader set --force */
    ELECTION_LEASE,       /* lease.c has news */
    ELECTION_EVENT_COUNT
};

/* The pod at an address, by EndpointSlices. It changes the order of succession and when a dead
 * member's row is removed, never whether a member counts as alive. */
struct election_pod {
    uint64_t id;         /* of the pod that has the address; 0: unknown */
    bool is_terminating; /* the pod is about to end */
};

struct election_event {
    enum election_event_type type;
    const struct election_message *message;
    const struct election_member *members; /* of the message: message->member_count */
    struct address from;                   /* MESSAGE: the sender's address */
    const struct address *candidates;      /* CANDIDATES */
    size_t candidate_count;
    const struct election_pod *pods; /* CANDIDATES: of each candidate; NULL: nothing is known */
    uint64_t instance; /* REFUSED: the destination; CLOSED, CONNECT_REFUSED; COMMAND: the target */
    uint64_t if_term;  /* COMMAND: only in this term; 0: in any */
    uint64_t token;    /* COMMAND: returned with the result */
    uint64_t generation; /* COMMAND: leader_generation if from a configuration, otherwise 0 */
    const struct election_lease *lease; /* LEASE */
    uint64_t stay_ns;  /* SESSIONS: how long they may stay after we step down; 0: they do not */
    bool is_up;        /* APP, PROGRESS; SESSIONS: there are some */
    bool is_nominated; /* COMMAND: its target is told elsewhere; only wait for the result */
    bool is_blind;     /* CANDIDATES: DNS has not replied yet, so do not begin a cluster */
    bool
        is_complete; /* CANDIDATES: a pod that they do not name does not exist, or is being deleted */
};

/* ---- actions ---- */

enum election_action_type {
    ELECTION_SEND,     /* one message to one address */
    ELECTION_SEND_ALL, /* one message to each other member; message.to: that member's instance */
    ELECTION_RESULT    /* the result of a command */
};

/* A leader that stepped down, and serves the sessions of its term until then. */
struct election_former {
    uint64_t instance; /* 0: none */
    uint64_t term, until_ns;
    struct address address;
};

/* The result for the data plane. It neither relays to this leader nor passes its replies after
 * valid_until_ns. */
struct election_leadership {
    enum election_state state;
    uint64_t term;
    uint64_t leader; /* instance; 0: none */
    enum election_cause cause;
    uint64_t valid_until_ns;
    /* The term of the leader before this one, as this instance followed it, if that leader stepped down
     * in order: its last replies may still pass for reply.grace. 0: it did not, or it is not certain. */
    uint64_t stepped_down_term;
    /* Kept requests of a lower term are for an earlier process at this address: this instance has not
     * led such a term. */
    uint64_t takes_from;
    struct election_former former;
};

struct election_claim {
    uint64_t leader, term; /* leader: 0: none */
};

enum election_result {
    ELECTION_OK,
    ELECTION_NO_MEMBER,
    ELECTION_NOT_ALIVE, /* a member that has not been heard for the detection time */
    ELECTION_NOT_ELIGIBLE,
    ELECTION_NO_QUORUM,
    ELECTION_BAD_TERM
};

struct election_action {
    enum election_action_type type;
    struct address to;                     /* SEND */
    struct election_message message;       /* SEND, SEND_ALL */
    const struct election_member *members; /* of the message; valid until the next step */
    uint64_t term;                         /* RESULT */
    uint64_t token;                        /* RESULT */
    enum election_result reply;            /* RESULT */
};

/* Carry them out in this order: store, publish, then the list. A message that is sent relies on
 * what was published before. */
struct election_actions {
    bool stores, publishes;
    uint64_t stored_term;                  /* if stores: write it to the store */
    struct election_leadership leadership; /* if publishes */
    size_t count;
    struct election_action list[ELECTION_ACTIONS_MAX];
};

/* ---- state ---- */

/* The state of a member, as this instance knows it; peers[n] belongs to list.members[n]. */
struct election_peer {
    uint64_t heard_ns;            /* last message from it; 0: none */
    uint64_t lease_until_ns;      /* leader: end of the lease that rests on its lease grant */
    struct election_list_id list; /* leader: the list that it acknowledged last */
    bool is_app_up, is_volatile;
    bool has_left;          /* leader: it may leave, and its row stays */
    uint64_t ask_ns;        /* campaign: time of the next request to it */
    uint64_t vote_until_ns; /* campaign: its pre-vote or vote counts until then; 0: none */
    /* A new instance with this row's name, which is not in the list yet. At this row's address it
     * proves that the member is dead; at another address it is a stand-in (election_rows.c). */
    struct election_member replacement;
    uint64_t stand_in_heard_ns, stand_in_until_ns; /* campaign: its last reply, and its vote */
};

/* A known peer: an address from discovery or the configuration, or the sender of a DISCOVER. */
struct election_known_peer {
    struct election_member member; /* instance 0: has not replied yet */
    uint64_t replied_ns;
    uint64_t since_ns;            /* first message of this instance */
    struct election_list_id list; /* its list, if is_listed */
    bool is_listed;
    bool is_named, is_terminating; /* by the last CANDIDATES */
    uint64_t pod;                  /* id of the pod that has the address; 0: unknown */
    uint64_t pod_since_ns;         /* when we learned that this pod has it */
};

/* Hints that the leader's process has ended: we probe it (election_evidence.c). */
struct election_hint {
    uint64_t of;         /* the leader's instance; 0: no hint since we heard it last */
    uint64_t probe_ns;   /* the next probe */
    uint32_t probes;     /* sent so far */
    bool is_closed;      /* our connection to it was closed */
    uint64_t refused_ns; /* and a new one was refused then; 0: it was not */
    /* Pace of messages, by kind: when those sent so far will have been within the long-term rate. */
    uint64_t told_paced_ns, closed_paced_ns, telling_paced_ns;
};

enum election_stage {
    ELECTION_STAGE_NONE,
    ELECTION_STAGE_PREVOTE,
    ELECTION_STAGE_VOTE,
    ELECTION_STAGE_SEAL /* the Lease is being written for this term */
};

struct election_campaign {
    enum election_stage stage;
    enum election_cause cause;
    uint64_t term;         /* VOTE, SEAL: the requested term */
    bool is_voted;         /* SEAL: a majority voted for us */
    uint64_t seal;         /* SEAL: number of the attempt */
    uint64_t started_ns;   /* of the whole campaign */
    uint64_t ends_ns;      /* VOTE: end of this round; PREVOTE: start of the next round of votes */
    uint64_t deposed;      /* instance of the leader that failed or stepped down */
    uint64_t deposed_term; /* and the term that it led */
    uint16_t flags;        /* of the requests */
};

enum election_change_type {
    ELECTION_ADD,
    ELECTION_REPLACE, /* another instance of a row */
    ELECTION_REMOVE,
    ELECTION_REMOVE_PREDECESSOR /* the next change adds the instance that succeeds it */
};

struct election_change {
    enum election_change_type type;
    bool is_graceful;
    uint16_t at; /* ADD: the index of its predecessor's row, from 1; 0: at the end of its rank */
    struct election_member member; /* REMOVE, REMOVE_PREDECESSOR: instance only */
};

struct election_pending {
    uint64_t token, target, term, until_ns;
};

/* Counters for metrics. */
struct election_counts {
    uint64_t transitions[ELECTION_STATE_COUNT];
    uint64_t forbidden_transitions; /* not in the table: a bug */
    uint64_t leaps_refused;         /* terms more than ELECTION_TERM_LEAP above the highest seen */
    uint64_t actions_lost;          /* actions beyond ELECTION_ACTIONS_MAX in one step */
    uint64_t elections_won;
    uint64_t evidence_told; /* messages to other members about our evidence */
    uint64_t hints_told; /* messages of other members about theirs, on the leader that we follow */
    uint64_t hints_closed; /* closed connections to that leader */
};

struct election {
    struct election_config config;
    enum election_state state;
    enum election_cause cause; /* of the last transition */
    uint64_t now_ns, started_ns;
    uint64_t deadline_ns; /* the next TICK is due then */

    /* The claim that this instance follows. */
    uint64_t term, leader;
    struct address leader_address;
    enum election_cause claim_cause;
    bool previous_stepped_down; /* as this leader says, the one directly before it stepped down */
    struct election_claim last,
        before;            /* published: the last one with a leader, and the one before */
    uint64_t led_from;     /* the lowest term that this instance has led; 0: none */
    uint64_t interval_ns;  /* the leader's */
    uint64_t detection_ns; /* the leader's interval x misses */
    uint64_t live[ELECTION_BITMAP_WORDS], ready[ELECTION_BITMAP_WORDS]; /* from its heartbeat */
    struct election_list_id live_list; /* the list that these bits index */
    bool is_live_old;                  /* its last heartbeat had those of a newer list than ours */
    uint64_t no_app_term;              /* NO_APP: the last heartbeat of this term had it; or 0 */
    uint64_t heard_ns;                 /* its last heartbeat */

    /* Votes and lease grants that this instance gave. */
    uint64_t voted_term, voted_for;
    uint64_t granted_to, granted_until_ns; /* the lease grant: no vote for another one until then */
    uint64_t abstain_ns; /* no votes before: a predecessor's lease grant may still run */
    bool is_volatile;    /* volatile vote state: a predecessor may have voted, in unknown terms */
    uint64_t seen_term;  /* the highest term in any message, claimed or not */

    /* Failure detection. */
    uint32_t suspicion;    /* 0: none, 1: probed the leader, 2: asked other members too */
    uint64_t candidacy_ns; /* after the failure verdict: when we start our candidacy; 0: none */
    uint64_t earliest_candidacy_ns; /* no candidacy before */
    uint64_t refused;               /* instance whose host sent ICMP port unreachable */
    uint64_t refused_ns;            /* since then */
    struct election_hint hint;
    uint64_t stepped_down_term;              /* the leader of this term stepped down */
    uint32_t health;                         /* 0..8: how late our own timers run */
    struct election_message pending_request; /* a request that waits for evidence; type 0: none */
    struct address pending_from;

    struct election_campaign campaign;
    struct election_lease lease;

    /* The list, and a newer one whose fragments are arriving. */
    struct election_list list, arriving;
    uint16_t arrived;    /* members of arriving so far */
    uint16_t self_index; /* ELECTION_MEMBERS_MAX: not in it */
    struct election_peer peers[ELECTION_MEMBERS_MAX];

    /* Sessions that stay with a former leader (election_former.c). */
    struct election_former former;   /* it serves them now */
    struct election_former previous; /* it may: the claim before this one, or our own offer */
    uint64_t stay_ns;                /* 0: drain.sessions is move */
    uint64_t asked_ns;               /* last heartbeat that says that a former leader serves */
    bool has_sessions;
    bool is_asked_first; /* we are it, and the leader's last heartbeat told the others so */

    /* As the leader. */
    uint64_t heartbeat_ns; /* the next heartbeat */
    uint64_t valid_until_ns, led_since_ns;
    uint64_t gave_way_term; /* its leader stepped down, and this instance led next; 0: it did not */
    uint64_t fenced_ns;     /* end of the last lease that was valid */
    uint64_t hold_down_ns;  /* how long to lead before the next transfer because of the app */
    bool is_list_committed; /* acknowledged by a majority without volatile vote state */
    bool is_term_skipped;   /* our term is above every term with a forgotten vote */
    uint64_t stepping_down_until_ns; /* end of STEPPING_DOWN */
    bool has_yielded;                /* to the configured leader, once */
    struct election_change changes[ELECTION_CHANGES_MAX];
    uint32_t change_count;
    uint64_t list_since_ns;

    /* Joining. */
    struct election_known_peer known_peers[ELECTION_MEMBERS_MAX];
    uint32_t known_peer_count;
    bool is_complete, is_self_terminating; /* by the last CANDIDATES */
    /* Of members of the list: their pods end soon; no pod has their address. */
    uint64_t terminating[ELECTION_BITMAP_WORDS], vanished[ELECTION_BITMAP_WORDS];
    uint64_t discover_ns; /* last round of DISCOVER */
    uint64_t auth_failed_ns, verified_ns, bootstrap_ns;
    uint64_t others_verified_ns; /* as verified_ns, but not of the leader */
    uint64_t differing_ns;    /* last DISCOVER or HELLO of a pod with the other option election */
    struct address differing; /* of that pod */
    uint64_t replace_ns; /* take a predecessor's row then; 0: there is a leader, or no cluster */
    uint64_t replace_asked_ns;
    bool is_unlisted; /* we took that row ourselves: our own vote does not count */
    /* We added a row to our own copy, next to one with our name at another address, and this was the
     * majority of the list before that. */
    bool has_own_row;
    size_t own_row_needed;

    /* Commands. */
    struct election_pending commands[ELECTION_COMMANDS_MAX];
    uint32_t command_count;
    /* A transfer to us: of this term, until and since when. */
    uint64_t transfer_term, transfer_until_ns, transfer_since_ns;
    uint64_t transfer_sent_ns; /* last TRANSFER to the leader */

    bool is_app_up, is_stuck, is_stopping, is_leaving;
    bool is_blind;
    uint64_t stop_ns, leave_ns; /* limit of leaving; next LEAVE */
    uint64_t stored_term;
    uint64_t generation; /* the highest leader_generation in any message */
    struct election_leadership published;
    struct election_counts counts;
    uint16_t forbidden;           /* the last forbidden transition: from << 12 | to << 8 | cause */
    struct election_actions *out; /* during a step only */
};

/* Initializes *e, which the caller has zeroed or used before; copies config. */
void election_init(struct election *e, const struct election_config *config, uint64_t now_ns);

/* Handles one event. Replaces the actions; their members point into *e until the next step. */
void election_step(struct election *e, const struct election_event *event, uint64_t now_ns,
                   struct election_actions *ret_actions);

/* Number of votes that make a majority of this list; 1 if no quorum is wanted. */
size_t election_needed(const struct election *e);

/* Of the rows, whatever the quorum: a majority has acknowledged our list, and its lease grants last. */
bool election_has_promises(const struct election *e);
/* There was no leader yet, as far as anybody knows: all known peers have replied since then, none has a list. */
bool election_is_first(const struct election *e, uint64_t since_ns);
/* True while this instance joins no cluster, since a pod that it hears has the other option election. */
bool election_is_kept_out(const struct election *e);

/* A member as this instance sees it: the leader by its heartbeats, the others as the leader
 * reports them. */
enum election_member_state {
    ELECTION_MEMBER_DEAD,
    ELECTION_MEMBER_SUSPECT, /* the leader, whose heartbeat is late */
    ELECTION_MEMBER_ALIVE,
    ELECTION_MEMBER_LEADER,
    ELECTION_MEMBER_SELF, /* and not leading */
    ELECTION_MEMBER_STATE_COUNT
};
/* True unless the member is known to be dead. A new leader, or the owner of a new list, knows of no
 * member yet, so all may be alive. */
bool election_may_be_alive(const struct election *e, uint16_t index);
/* There is a valid leader, and no app is up that could be given requests: neither this instance's,
 * nor, as the leader knows, another live eligible member's. False where that is not known. */
bool election_has_no_app(const struct election *e);
enum election_member_state election_describe(const struct election *e, uint16_t index);

/* Other members with our name that are alive: their number, and the index of one. False: unknown,
 * without a leader or for a new one. */
bool election_find_namesakes(const struct election *e, uint32_t *ret_count, uint16_t *ret_index)
    __attribute__((warn_unused_result));
const char *election_member_state_name(enum election_member_state state);

/* The names in logs, metrics and /status; older than some identifiers: UNAUTHENTICATED is "key",
 * BY_STEP_DOWN is "resign". */
const char *election_state_name(enum election_state state);
const char *election_cause_name(enum election_cause cause);
/* True if the transition table has this transition. */
bool election_allows(enum election_state from, enum election_state to, enum election_cause cause);

#endif
