/* Part of lease.pml: requests and answers, promises, time and persons. */
/* ---- the API server ---- */

inline apply(m)
{
    d_step {
        MAY_APPLY(m) ->
        request[m] = NONE;
        write(m, request_term[m], request_peers[m]);
        request[m] = PUT_DONE;
    }
}

inline apply_late(m)
{
    d_step {
        late[m] > 0 -> write(m, late_term[m], late[m] == 2);
    }
}

inline apply_release(m)
{
    d_step {
        request[m] == RELEASE ->
        holder = NOBODY;
        released = 1;
        new_version();
        clear_request(m);
    }
}

inline create()
{
    d_step {
        !exists -> exists = 1;
        new_version();
    }
}

#ifdef POST_SELF
byte gone[MEMBERS]; /* 0: has not seen the deletion; else 1 + ticks until that is D ago */

inline see_gone(m)
{
    d_step {
        !exists && gone[m] == 0 -> gone[m] = D + 1;
    }
}

inline post(m)
{
    d_step {
        !dead[m] && leads[m] == 0 && request[m] == NONE && term > 0 && POST_SELF(m) ->
        request[m] = POST;
        request_left[m] = D;
    }
}

inline apply_post(m)
{
    d_step {
        request[m] == POST && !exists && term < TERMS ->
        request[m] = NONE;
        write(m, term + 1, 0);
        request[m] = PUT_DONE;
        request_term[m] = term;
    }
}
#endif

inline answer(m)
{
    d_step {
        !dead[m] && (request[m] == PUT_DONE || request[m] == PUT_OLD) ->
        if
        :: request[m] == PUT_DONE -> seen[m] = D + 1
        :: else
        fi;
        if
        :: ended[m] || OUTDATED(m)
        :: else ->
            if
            :: leads[m] != request_term[m] ->
                leads[m] = request_term[m];
                v1[m] = 0;
                fence[m] = (request_peers[m] -> 1 + D : 0);
#if defined PEERS || defined BROKEN_RELEASE
                claim[m] = MAX(claim[m], leads[m]);
                voted[m] = MAX(voted[m], leads[m]);
#endif
                if
#ifdef PEERS
                :: promise[m] == NOBODY -> promise[m] = m; promise_term[m] = leads[m]
#endif
                :: else
                fi
            :: else ->
                if
                :: !request_peers[m] -> fence[m] = 0
                :: request_peers[m] && fence[m] == 0 -> fence[m] = 1
                :: else
                fi
            fi;
#ifdef BROKEN_ANSWER
            v1[m] = D;
#else
            v1[m] = MAX(v1[m], request_left[m]);
#endif
        fi;
        clear_request(m);
        WITNESS(m);
        check();
        forget();
    }
}

/* A lost answer, or one that it no longer waits for. */
inline give_up(m)
{
    d_step {
        !dead[m] && (request[m] == PUT_DONE || request[m] == PUT_OLD) -> clear_request(m);
    }
}

inline give_up_sent(m)
{
    d_step {
        LATE && !dead[m] && request[m] == PUT_SENT && late[0] + late[1] + late[2] == 0 ->
        late[m] = 1 + request_peers[m];
        late_term[m] = request_term[m];
        clear_request(m);
    }
}

inline see(m)
{
    d_step {
        exists && seen[m] == 0 && !dead[m] ->
        seen[m] = D + 1;
#ifdef POST_SELF
        gone[m] = 0;
#endif
        if
        :: leads[m] > 0 && !(MINE(m) && term == leads[m]) ->
            if
            :: author == m && term == leads[m] -> resigned = 1; ended[m] = (request[m] == NONE -> 0 : 1)
            :: else
            fi;
            stop_leading(m)
        :: else
        fi;
        if
        :: request[m] == PUT_OLD -> clear_request(m)
        :: else
        fi;
        forget();
    }
}

#ifdef BROKEN_GET
inline look_again(m)
{
    d_step {
        leads[m] > 0 && exists && seen[m] > 0 && !peers -> fence[m] = 0;
        check();
    }
}
#endif

inline see_deletion(m)
{
    d_step {
        !exists && leads[m] > 0 -> stop_leading(m);
    }
}

inline crash(m)
{
    d_step {
        !dead[m] && crashes < CRASHES ->
        crashes++;
        dead[m] = 1;
        stop_leading(m);
        seen[m] = 0;
        claim[m] = 0;
        voted[m] = 0;
        promise[m] = NOBODY;
        promise_term[m] = 0;
        if
        :: request[m] != PUT_SENT -> clear_request(m)
        :: else
        fi;
    }
}

/* ---- promises ---- */

inline vote(m, v)
{
    d_step {
        m != v && !dead[m] && !dead[v] && (promise[m] == NOBODY || promise[m] == m) &&
        (promise[v] == NOBODY || promise[v] == m) && !VALID(v) &&
        MAX(NEXT(m), NEXT(v)) <= TERMS && term > 0 ->
        t = MAX(NEXT(m), NEXT(v));
        voted[m] = t;
        voted[v] = t;
        promise[m] = m;
        promise[v] = m;
        promise_term[m] = t;
        promise_term[v] = t;
        t = 0;
        stop_leading(v);
        check();
        forget();
    }
}

inline heartbeat(m, v)
{
    d_step {
        m != v && leads[m] > 0 && !dead[v] && leads[m] >= claim[v] ->
        claim[v] = leads[m];
        stop_leading(v);
        if
        :: promise[v] == v || promise[v] == NOBODY -> promise[v] = m; promise_term[v] = leads[m]
        :: promise[v] == m -> promise_term[v] = MAX(promise_term[v], leads[m])
        :: else
        fi;
        if
        :: fence[m] > 1 && FOR(v, m, leads[m]) && OWN(m) -> fence[m] = 1
        :: else
        fi;
        check();
        forget();
    }
}

inline promise_ends(v)
{
    d_step {
        promise[v] != NOBODY && (promise[v] != v || leads[v] == 0) ->
        promise[v] = NOBODY;
        promise_term[v] = 0;
    }
}

inline own_promise(m)
{
    d_step {
        leads[m] > 0 && promise[m] == NOBODY ->
        promise[m] = m;
        promise_term[m] = leads[m];
        check();
    }
}

/* ---- time and persons ---- */

inline tick()
{
    d_step {
        true ->
        for (i : 0 .. MEMBERS - 1) {
            if
            :: v1[i] > 1 -> v1[i] = v1[i] - 1
            :: else -> stop_leading(i)
            fi;
            request_left[i] = (request_left[i] > 0 -> request_left[i] - 1 : 0);
#ifdef POST_SELF
            gone[i] = (gone[i] > 1 -> gone[i] - 1 : gone[i]);
#endif
            seen[i] = (seen[i] > 1 -> seen[i] - 1 : seen[i]);
            fence[i] = (fence[i] > 1 -> fence[i] - 1 : fence[i]);
        }
        i = 0;
        forget();
    }
}

inline edit(to)
{
    d_step {
        exists && holder != to && edits < EDITS ->
        edits++;
        holder = to;
        new_version();
    }
}

inline delete()
{
    d_step {
        exists && deletes < DELETES ->
        deletes++;
        exists = 0;
        holder = NOBODY;
        author = NOBODY;
        released = 0;
        peers = 0;
        new_version();
    }
}
