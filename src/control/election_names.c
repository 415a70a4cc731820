/* Names of states and causes. Logs, metrics and /status show them, so they outlive the identifiers. */
#include "headless/control/election.h"

const char *election_state_name(enum election_state state)
{
    static const char *const names[ELECTION_STATE_COUNT] = {
        [ELECTION_JOINING] = "joining",   [ELECTION_FOLLOWER] = "follower",
        [ELECTION_SUSPECT] = "suspect",   [ELECTION_CANDIDATE] = "candidate",
        [ELECTION_LEADER] = "leader",     [ELECTION_STEPPING_DOWN] = "resigning",
        [ELECTION_ISOLATED] = "isolated", [ELECTION_UNAUTHENTICATED] = "key",
        [ELECTION_OUT] = "out",           [ELECTION_SEALING] = "sealing",
    };

    return names[state];
}

const char *election_member_state_name(enum election_member_state state)
{
    static const char *const names[ELECTION_MEMBER_STATE_COUNT] = {
        [ELECTION_MEMBER_DEAD] = "dead",   [ELECTION_MEMBER_SUSPECT] = "suspect",
        [ELECTION_MEMBER_ALIVE] = "alive", [ELECTION_MEMBER_LEADER] = "leader",
        [ELECTION_MEMBER_SELF] = "self",
    };

    return names[state];
}

const char *election_cause_name(enum election_cause cause)
{
    static const char *const names[ELECTION_CAUSE_COUNT] = {
        [ELECTION_BY_CLAIM] = "claim",       [ELECTION_BY_SILENCE] = "silence",
        [ELECTION_BY_VERDICT] = "verdict",   [ELECTION_BY_EVIDENCE] = "evidence",
        [ELECTION_BY_STEP_DOWN] = "resign",  [ELECTION_BY_COMMAND] = "command",
        [ELECTION_BY_VOTES] = "votes",       [ELECTION_BY_BOOTSTRAP] = "bootstrap",
        [ELECTION_BY_OWN_VOTE] = "own_vote", [ELECTION_BY_APP] = "app",
        [ELECTION_BY_YIELD] = "yield",       [ELECTION_BY_NO_QUORUM] = "no_quorum",
        [ELECTION_BY_QUORUM] = "quorum",     [ELECTION_BY_LIST] = "list",
        [ELECTION_BY_AUTH] = "auth",         [ELECTION_BY_STOP] = "stop",
        [ELECTION_BY_LIMIT] = "limit",       [ELECTION_BY_FORCE] = "force",
        [ELECTION_BY_LEASE] = "lease",
    };

    return names[cause];
}
