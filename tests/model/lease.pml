/*
 * The Lease record and its take-overs (election: lease) for three members, as a Promela model.
 * Property: never two valid leaders at one moment, in every interleaving of requests, answers, promises and
 * time, with lost and late answers and with requests that are applied after their sender gave them up.
 *
 *   scripts/check-model          checks this model, witnesses of each take-over, and broken variants
 *
 * The record is a compare-and-set register. A version is not a number here: a member knows the present
 * version or it does not (seen), and a write makes all others' knowledge and open requests outdated. A PUT
 * with uid and resourceVersion is applied only if no write came between. A POST creates only a record
 * without holder, author and release mark.
 *
 * Valid is a leader while V1 (a PUT of its own was answered 200, and less than 2/3 D has passed since it was
 * sent) and, if its record says fence: peers, V2 (promises of a majority in the term of that record) last.
 * V3 (it has seen another record) ends both. Take-overs: T1 expiry, T2 leave, T3 votes, T4 evidence, and the
 * first holder.
 *
 * Time is a count of ticks. 2/3 D of the slowest clock is D of the fastest (1.5x), so V1 and the wait of T1
 * are both D ticks. V1 counts from the send, the wait from the first sight of that version.
 *
 * Abstracted:
 * - Promises (election.md, rules 1 to 4; claim.pml has them in full): a voter has one promise at most, which may
 *   end at any time, and the part of V2 that rests on it ends with it. So waiving needs no step of its own.
 * - A take-over's term is above the record's, and after a deletion above the highest that there was. A member
 *   that never heard of that term would use it again.
 * - Evidence and probe are one step: a dead member does not answer, a living one does.
 * - A member that died does not return; a new instance would be another member.
 * - At first member 0 takes the record, then 0 or 1: the members differ in nothing else.
 * - An answer to a request that was given up gives nothing. One request in all may be given up and late.
 *
 * Settings: PEERS adds promises, votes and fence: peers; TERMS, D, EDITS, DELETES, CRASHES, LATE bound the
 * search; LEAN leaves out lost answers, renewal of a record that was not known to be applied, the
 * release of the record, and the change from fence: lease to peers.
 */
#define MEMBERS 3
#define NOBODY  MEMBERS
#ifndef TERMS
#define TERMS 3
#endif
#ifndef D
#define D 2
#endif
#ifndef EDITS
#define EDITS 1
#endif
#ifndef DELETES
#define DELETES 1
#endif
#ifndef LATE
#define LATE 1
#endif
#ifndef CRASHES
#define CRASHES 1
#endif

#include "lease_state.pml"

/* ---- take-overs ---- */

inline first(m, p)
{
    d_step {
        FREE(m) && term == 0 &&
        !dead[0] && !dead[1] && !dead[2] ->
        t = NEXT(m);
        send_put(m, t, p);
        t = 0;
        BY(m, FIRST);
    }
}

inline expiry(m, p)
{
    d_step {
        FREE(m) && seen[m] == 1 && NEXT(m) <= TERMS ->
        t = NEXT(m);
        send_put(m, t, p);
        t = 0;
        BY(m, EXPIRY);
    }
}

inline leave(m, p)
{
    d_step {
        FREE(m) && LEFT && (p || MAY_WRITE_LEASE) && NEXT(m) <= TERMS ->
        t = NEXT(m);
        send_put(m, t, p);
        t = 0;
        BY(m, LEAVE);
    }
}

inline votes(m)
{
    d_step {
        !dead[m] && request[m] == NONE && exists && seen[m] > 0 && IN_TURN(m) && BY_PEERS &&
        promise[m] == m && promise_term[m] > term && MAJORITY(m, promise_term[m]) ->
#ifdef BROKEN_SEAL
        send_put(m, promise_term[m], 0);
#else
        send_put(m, promise_term[m], 1);
#endif
        BY(m, VOTES);
    }
}

inline evidence(m, p)
{
    d_step {
        FREE(m) && GONE && (p || MAY_WRITE_LEASE) && NEXT(m) <= TERMS ->
        t = NEXT(m);
        send_put(m, t, p);
        t = 0;
        BY(m, EVIDENCE);
    }
}

/* The record is its own, from a PUT whose answer it did not get, or V1 is over. */
inline own(m)
{
    d_step {
        FREE(m) && MINE(m) && MAY_REUSE ->
        send_put(m, term, peers);
        BY(m, OWNED);
    }
}

/* ---- a leader ---- */

inline renew(m)
{
    d_step {
        LEADS(m) -> send_put(m, leads[m], fence[m] > 0);
        BY(m, RENEWAL);
    }
}

inline to_lease(m)
{
    d_step {
        LEADS(m) && CONFIRMED(m) ->
        send_put(m, leads[m], 0);
        BY(m, TO_LEASE);
#ifdef BROKEN_DROP
        fence[m] = 0;
        check();
#endif
    }
}

inline to_peers(m)
{
    d_step {
        LEADS(m) && fence[m] == 0 ->
        send_put(m, leads[m], 1);
        BY(m, TO_PEERS);
#ifndef BROKEN_SEND
        fence[m] = 1;
#endif
    }
}

inline resign(m)
{
    d_step {
        leads[m] > 0 ->
        resigned = (leads[m] == term -> 1 : resigned);
        ended[m] = (request[m] == NONE -> 0 : 1);
#ifndef BROKEN_RESIGN
        stop_leading(m);
#endif
        forget();
    }
}

inline release(m)
{
    d_step {
        FREE(m) && MAY_RELEASE(m) ->
        request[m] = RELEASE;
    }
}

#include "lease_events.pml"

active [MEMBERS] proctype member()
{
end:
    do
    :: first(_pid, 0)
    :: expiry(_pid, 0)
    :: leave(_pid, 0)
    :: evidence(_pid, 0)
#ifndef LEAN
    :: own(_pid)
    :: release(_pid)
    :: apply_release(_pid)
    :: give_up(_pid)
#endif
    :: renew(_pid)
    :: resign(_pid)
    :: apply(_pid)
    :: apply_late(_pid)
    :: answer(_pid)
    :: give_up_sent(_pid)
    :: see(_pid)
    :: see_deletion(_pid)
#ifdef BROKEN_GET
    :: look_again(_pid)
#endif
    :: crash(_pid)
#ifdef POST_SELF
    :: see_gone(_pid)
    :: post(_pid)
    :: apply_post(_pid)
#endif
#ifdef PEERS
    :: first(_pid, 1)
    :: expiry(_pid, 1)
    :: leave(_pid, 1)
    :: evidence(_pid, 1)
    :: votes(_pid)
    :: to_lease(_pid)
#ifndef LEAN
    :: to_peers(_pid)
#endif
    :: vote(_pid, 0)
    :: vote(_pid, 1)
    :: vote(_pid, 2)
    :: heartbeat(_pid, 0)
    :: heartbeat(_pid, 1)
    :: heartbeat(_pid, 2)
    :: promise_ends(_pid)
    :: own_promise(_pid)
#endif
    od
}

active proctype world()
{
end:
    do
    :: tick()
    :: create()
    :: edit(0)
    :: edit(1)
    :: edit(2)
    :: edit(NOBODY)
    :: delete()
    od
}
