/*
 * Claim, promise, vote and fence of docs/election.md, for three members: is there ever a moment with
 * two valid leaders, or a term with two? Every interleaving, every loss, delay and repetition.
 *
 *   scripts/check-model          this model, and broken ones that must fail
 *
 * Time is not counted; what matters of it is its order. A promise is made before the lease that rests
 * on it begins, and a lease ends first (2/3 of the promise, counted from an earlier moment, by clocks
 * within 1.5x): so a promise may only run out when no lease rests on it any more, and with it dies
 * the message that would still have granted one. Anything else may happen at any time.
 *
 * Left to the simulator (tests/sim): new instances that have forgotten, changes of the list, discovery.
 */
#define MEMBERS  3
#define TERMS    4 /* 1 to TERMS - 1 */
#define MAJORITY 2
#define NONE     MEMBERS

/* A seat, as a voter. */
byte term[MEMBERS];          /* of the claim that it follows */
byte voted[MEMBERS];         /* the highest term that it voted in */
byte promised[MEMBERS] = NONE; /* to whom */
byte promised_term[MEMBERS];   /* and for which term */

/* The one message of a seat under way to promised[seat]: an ack, or a vote. */
bit ack[MEMBERS], vote[MEMBERS];

/* A member, as a candidate and as a leader. */
byte asks[MEMBERS];  /* the term that it asks votes for; 0: no candidate */
byte votes[MEMBERS]; /* bits of the seats that gave theirs, and whose promise has not run out */
byte leads[MEMBERS]; /* its term; 0: no leader */
byte lease[MEMBERS]; /* bits of the seats on whose promise it relies; its own does not end */
bit dead[MEMBERS];

/* What has been said and may be heard at any time from then on. */
byte claimed[TERMS] = NONE; /* who led in this term */
bit resigned[TERMS];

#define BIT(seat)       (1 << (seat))
#define COUNT(bits)     (((bits) & 1) + (((bits) >> 1) & 1) + (((bits) >> 2) & 1))
#define VALID(m)        (leads[m] > 0 && !dead[m] && COUNT(lease[m] | BIT(m)) >= MAJORITY)
#define HIGHEST(m)      (voted[m] > term[m] -> voted[m] : term[m])
#define OTHER(seat)     (promised[seat] != NONE && promised[seat] != m)

#ifdef BROKEN_PROMISE
#define BOUND(seat) false /* votes in spite of its promise */
#else
#define BOUND(seat) OTHER(seat)
#endif

#ifdef BROKEN_TERM_CHECK
#define MAY_VOTE(seat, t) (t >= voted[seat] && t > term[seat]) /* again in a term */
#else
#define MAY_VOTE(seat, t) (t > voted[seat] && t > term[seat])
#endif

#ifdef BROKEN_FENCE
#define RELIED_ON(seat) false /* a lease that may end after the promise that it rests on */
#else
#define RELIED_ON(seat) ((lease[promised[seat]] | votes[promised[seat]]) & BIT(seat))
#endif

#ifdef BROKEN_WAIVER
#define PROMISED_FOR(seat, t) t /* an old heartbeat makes a vote look like an old promise */
#else
#define PROMISED_FOR(seat, t) (t > promised_term[seat] -> t : promised_term[seat])
#endif

#ifdef BROKEN_RESIGN
#define RESIGNS_FIRST false /* says so, and goes on */
#else
#define RESIGNS_FIRST true
#endif

inline end_office(m)
{
    leads[m] = 0;
    lease[m] = 0;
}

inline release(seat)
{
    promised[seat] = NONE;
    promised_term[seat] = 0;
    ack[seat] = 0;
    vote[seat] = 0;
}

inline promise_to(seat, whom, t)
{
    promised[seat] = whom;
    promised_term[seat] = t;
}

#ifdef REACH
byte elections;
#define COUNT_ELECTION elections++; assert(elections < 3) /* must fail: leaders do follow each other */
#else
#define COUNT_ELECTION skip
#endif

inline check()
{
    assert(!(VALID(0) && VALID(1)) && !(VALID(0) && VALID(2)) && !(VALID(1) && VALID(2)));
}

/* ---- what a member does ---- */

/* A term above all that it knows, with its own vote, which it may only give when it is free. */
inline stand(m)
{
    atomic {
        !dead[m] && leads[m] == 0 && !BOUND(m) && HIGHEST(m) + 1 < TERMS ->
        asks[m] = HIGHEST(m) + 1;
        voted[m] = asks[m];
        release(m);
        promise_to(m, m, asks[m]);
        votes[m] = BIT(m);
    }
}

inline win(m)
{
    atomic {
        !dead[m] && asks[m] > term[m] && COUNT(votes[m]) >= MAJORITY ->
        term[m] = asks[m];
        leads[m] = asks[m];
        lease[m] = votes[m] & ~BIT(m); /* a vote is a promise */
        asks[m] = 0;
        votes[m] = 0;
        /* never two in a term */
        assert(claimed[leads[m]] == NONE);
        claimed[leads[m]] = m;
        COUNT_ELECTION;
        check();
    }
}

/* Its own time ends first, then it says so. */
inline resign(m)
{
    atomic {
        leads[m] > 0 && !dead[m] ->
        resigned[leads[m]] = 1;
        if
        :: RESIGNS_FIRST -> release(m); end_office(m)
        :: else
        fi;
    }
}

inline die(m)
{
    atomic {
        !dead[m] ->
        dead[m] = 1;
        end_office(m);
        asks[m] = 0;
        votes[m] = 0;
    }
}

/* ---- what a seat hears, late or again ---- */

inline hear_request(seat, m)
{
    atomic {
        !dead[seat] && seat != m && asks[m] > 0 && MAY_VOTE(seat, asks[m]) && !BOUND(seat) &&
        !VALID(seat) ->
        /* who led, or stood, does so no longer */
        end_office(seat);
        asks[seat] = 0;
        votes[seat] = 0;
        voted[seat] = asks[m];
        release(seat);
        promise_to(seat, m, asks[m]);
        vote[seat] = 1;
    }
}

/* Follows it whatever it has promised; promises only when it is free. */
inline hear_heartbeat(seat, t)
{
    atomic {
        !dead[seat] && claimed[t] != NONE && claimed[t] != seat && t >= term[seat] ->
        term[seat] = t;
        end_office(seat);
        if
        :: asks[seat] > 0 -> asks[seat] = 0; votes[seat] = 0
        :: else
        fi;
        if
        :: promised[seat] == seat -> release(seat) /* its own candidacy is over */
        :: else
        fi;
        if
        :: promised[seat] == NONE || promised[seat] == claimed[t] ->
           promise_to(seat, claimed[t], PROMISED_FOR(seat, t));
           ack[seat] = 1
        :: else
        fi;
    }
}

inline hear_ack(seat, m)
{
    atomic {
        ack[seat] && promised[seat] == m && !dead[m] ->
        ack[seat] = 0;
        if
        :: leads[m] == promised_term[seat] && leads[m] > 0 ->
           lease[m] = lease[m] | BIT(seat);
           check()
        :: else
        fi;
    }
}

inline hear_vote(seat, m)
{
    atomic {
        vote[seat] && promised[seat] == m && !dead[m] ->
        vote[seat] = 0;
        if
        :: asks[m] == promised_term[seat] -> votes[m] = votes[m] | BIT(seat)
        :: else
        fi;
    }
}

/* ---- time, and what waives a promise ---- */

inline lease_ends(seat, m)
{
    atomic {
        lease[m] & BIT(seat) -> lease[m] = lease[m] & ~BIT(seat);
    }
}

inline vote_ages(seat, m)
{
    atomic {
        seat != m && (votes[m] & BIT(seat)) -> votes[m] = votes[m] & ~BIT(seat);
    }
}

inline promise_ends(seat)
{
    atomic {
        promised[seat] != NONE && promised[seat] != seat && !RELIED_ON(seat) -> release(seat);
    }
}

/* A candidate's promise to itself is for a while; a valid leader's does not end. */
inline own_promise_ends(seat)
{
    atomic {
        promised[seat] == seat && leads[seat] == 0 -> release(seat); asks[seat] = 0; votes[seat] = 0;
    }
}

/* RESIGN of that leader in that term; or its host says that it is dead. */
inline promise_waived(seat)
{
    atomic {
        promised[seat] != NONE && promised[seat] != seat &&
        ((claimed[promised_term[seat]] == promised[seat] && resigned[promised_term[seat]]) ||
         dead[promised[seat]]) ->
        release(seat);
    }
}

/* What passes between a seat and a member, and between a seat and whoever led in a term. */
#define BETWEEN(seat)                                                                              \
    ::hear_request(seat, _pid) ::hear_ack(seat, _pid) ::hear_vote(seat, _pid)                      \
    ::lease_ends(seat, _pid) ::vote_ages(seat, _pid)

active [MEMBERS] proctype member()
{
end: /* when all are dead */
    do
    :: stand(_pid)
    :: win(_pid)
    :: resign(_pid)
    :: die(_pid)
    BETWEEN(0)
    BETWEEN(1)
    BETWEEN(2)
    :: hear_heartbeat(_pid, 1)
    :: hear_heartbeat(_pid, 2)
    :: hear_heartbeat(_pid, 3)
    :: promise_ends(_pid)
    :: own_promise_ends(_pid)
    :: promise_waived(_pid)
    od
}
