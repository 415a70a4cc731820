/*
 * Claims, lease grants, votes and leases of docs/election.md for three members, as a Promela model.
 * Property: never two valid leaders at one moment, never two leaders in one term, in every
 * interleaving and with every loss, delay and repetition of messages.
 *
 *   scripts/check-model          checks this model, and broken variants that must fail
 *
 * The model has no clock, only the order of events. A lease grant is given before the lease that rests
 * on it begins, and the lease ends first: it is 2/3 of the grant, counted from an earlier moment, by
 * clocks within 1.5x. So a grant may end only when no lease rests on it any more, and a message that
 * would still have granted a lease is lost with it. All other events may happen at any time.
 *
 * The simulator (tests/sim) covers the rest: new instances with volatile vote state, changes of the
 * list, discovery.
 */
#define MEMBERS  3
#define TERMS    4 /* 1 to TERMS - 1 */
#define MAJORITY 2
#define NONE     MEMBERS

/* A member as a voter. */
byte term[MEMBERS];           /* of the claim that it follows */
byte voted[MEMBERS];          /* the highest term that it voted in */
byte granted[MEMBERS] = NONE; /* the member that has its lease grant */
byte granted_term[MEMBERS];   /* and the term of that grant */

/* The one message in flight from a voter to granted[voter]: an ack or a vote. */
bit ack[MEMBERS], vote[MEMBERS];

/* A member, as a candidate and as a leader. */
byte asks[MEMBERS];  /* the term of its vote requests; 0: no candidate */
byte votes[MEMBERS]; /* bits of the voters that voted for it and whose grant has not ended */
byte leads[MEMBERS]; /* its term; 0: no leader */
byte lease[MEMBERS]; /* bits of the voters whose grant its lease rests on; its own does not end */
bit dead[MEMBERS];

/* Messages to all members; once sent, they may arrive at any time, any number of times. */
byte claimed[TERMS] = NONE; /* the leader of this term */
bit stepped_down[TERMS];

#define BIT(voter)      (1 << (voter))
#define COUNT(bits)     (((bits) & 1) + (((bits) >> 1) & 1) + (((bits) >> 2) & 1))
#define VALID(m)        (leads[m] > 0 && !dead[m] && COUNT(lease[m] | BIT(m)) >= MAJORITY)
#define HIGHEST(m)      (voted[m] > term[m] -> voted[m] : term[m])
#define OTHER(voter)    (granted[voter] != NONE && granted[voter] != m)

#ifdef BROKEN_GRANT
#define BOUND(voter) false /* votes against its grant */
#else
#define BOUND(voter) OTHER(voter)
#endif

#ifdef BROKEN_TERM_CHECK
#define MAY_VOTE(voter, t) (t >= voted[voter] && t > term[voter]) /* twice in a term */
#else
#define MAY_VOTE(voter, t) (t > voted[voter] && t > term[voter])
#endif

#ifdef BROKEN_FENCE
#define RELIED_ON(voter) false /* a grant may end before the lease that rests on it */
#else
#define RELIED_ON(voter) ((lease[granted[voter]] | votes[granted[voter]]) & BIT(voter))
#endif

#ifdef BROKEN_WAIVER
#define GRANTED_TERM(voter, t) t /* a late heartbeat dates a vote back to its term */
#else
#define GRANTED_TERM(voter, t) (t > granted_term[voter] -> t : granted_term[voter])
#endif

#ifdef BROKEN_STEP_DOWN
#define ENDS_FIRST false /* announces it, and keeps leading */
#else
#define ENDS_FIRST true
#endif

inline stop_leading(m)
{
    leads[m] = 0;
    lease[m] = 0;
}

inline release(voter)
{
    granted[voter] = NONE;
    granted_term[voter] = 0;
    ack[voter] = 0;
    vote[voter] = 0;
}

inline grant_to(voter, grantee, t)
{
    granted[voter] = grantee;
    granted_term[voter] = t;
}

#ifdef REACH
byte elections;
#define COUNT_ELECTION elections++; assert(elections < 3) /* must fail: there are three elections */
#else
#define COUNT_ELECTION skip
#endif

inline check()
{
    assert(!(VALID(0) && VALID(1)) && !(VALID(0) && VALID(2)) && !(VALID(1) && VALID(2)));
}

/* ---- actions of a member ---- */

/* Stands in a term above all that it knows, with its own vote, which its grant must allow. */
inline stand(m)
{
    atomic {
        !dead[m] && leads[m] == 0 && !BOUND(m) && HIGHEST(m) + 1 < TERMS ->
        asks[m] = HIGHEST(m) + 1;
        voted[m] = asks[m];
        release(m);
        grant_to(m, m, asks[m]);
        votes[m] = BIT(m);
    }
}

inline win(m)
{
    atomic {
        !dead[m] && asks[m] > term[m] && COUNT(votes[m]) >= MAJORITY ->
        term[m] = asks[m];
        leads[m] = asks[m];
        lease[m] = votes[m] & ~BIT(m); /* a vote is a lease grant */
        asks[m] = 0;
        votes[m] = 0;
        /* never two in a term */
        assert(claimed[leads[m]] == NONE);
        claimed[leads[m]] = m;
        COUNT_ELECTION;
        check();
    }
}

/* Its lease ends first, then it announces that. */
inline step_down(m)
{
    atomic {
        leads[m] > 0 && !dead[m] ->
        stepped_down[leads[m]] = 1;
        if
        :: ENDS_FIRST -> release(m); stop_leading(m)
        :: else
        fi;
    }
}

inline crash(m)
{
    atomic {
        !dead[m] ->
        dead[m] = 1;
        stop_leading(m);
        asks[m] = 0;
        votes[m] = 0;
    }
}

/* ---- messages, which may arrive late or twice ---- */

inline hear_request(voter, m)
{
    atomic {
        !dead[voter] && voter != m && asks[m] > 0 && MAY_VOTE(voter, asks[m]) && !BOUND(voter) &&
        !VALID(voter) ->
        /* a leader or candidate that votes for another is neither any longer */
        stop_leading(voter);
        asks[voter] = 0;
        votes[voter] = 0;
        voted[voter] = asks[m];
        release(voter);
        grant_to(voter, m, asks[m]);
        vote[voter] = 1;
    }
}

/* It follows the leader in any case, and grants a lease if it has granted none to another. */
inline hear_heartbeat(voter, t)
{
    atomic {
        !dead[voter] && claimed[t] != NONE && claimed[t] != voter && t >= term[voter] ->
        term[voter] = t;
        stop_leading(voter);
        if
        :: asks[voter] > 0 -> asks[voter] = 0; votes[voter] = 0
        :: else
        fi;
        if
        :: granted[voter] == voter -> release(voter) /* its own candidacy is over */
        :: else
        fi;
        if
        :: granted[voter] == NONE || granted[voter] == claimed[t] ->
           grant_to(voter, claimed[t], GRANTED_TERM(voter, t));
           ack[voter] = 1
        :: else
        fi;
    }
}

inline hear_ack(voter, m)
{
    atomic {
        ack[voter] && granted[voter] == m && !dead[m] ->
        ack[voter] = 0;
        if
        :: leads[m] == granted_term[voter] && leads[m] > 0 ->
           lease[m] = lease[m] | BIT(voter);
           check()
        :: else
        fi;
    }
}

inline hear_vote(voter, m)
{
    atomic {
        vote[voter] && granted[voter] == m && !dead[m] ->
        vote[voter] = 0;
        if
        :: asks[m] == granted_term[voter] -> votes[m] = votes[m] | BIT(voter)
        :: else
        fi;
    }
}

/* ---- time, and waived grants ---- */

inline lease_ends(voter, m)
{
    atomic {
        lease[m] & BIT(voter) -> lease[m] = lease[m] & ~BIT(voter);
    }
}

inline vote_ages(voter, m)
{
    atomic {
        voter != m && (votes[m] & BIT(voter)) -> votes[m] = votes[m] & ~BIT(voter);
    }
}

inline grant_ends(voter)
{
    atomic {
        granted[voter] != NONE && granted[voter] != voter && !RELIED_ON(voter) -> release(voter);
    }
}

/* A candidate's grant to itself ends; a valid leader's does not. */
inline own_grant_ends(voter)
{
    atomic {
        granted[voter] == voter && leads[voter] == 0 -> release(voter); asks[voter] = 0; votes[voter] = 0;
    }
}

/* By STEP_DOWN of that leader in that term, or by a port unreachable of its host. */
inline grant_waived(voter)
{
    atomic {
        granted[voter] != NONE && granted[voter] != voter &&
        ((claimed[granted_term[voter]] == granted[voter] && stepped_down[granted_term[voter]]) ||
         dead[granted[voter]]) ->
        release(voter);
    }
}

/* Events between one voter and this member. */
#define BETWEEN(voter)                                                                              \
    ::hear_request(voter, _pid) ::hear_ack(voter, _pid) ::hear_vote(voter, _pid)                      \
    ::lease_ends(voter, _pid) ::vote_ages(voter, _pid)

active [MEMBERS] proctype member()
{
end: /* when all are dead */
    do
    :: stand(_pid)
    :: win(_pid)
    :: step_down(_pid)
    :: crash(_pid)
    BETWEEN(0)
    BETWEEN(1)
    BETWEEN(2)
    :: hear_heartbeat(_pid, 1)
    :: hear_heartbeat(_pid, 2)
    :: hear_heartbeat(_pid, 3)
    :: grant_ends(_pid)
    :: own_grant_ends(_pid)
    :: grant_waived(_pid)
    od
}
