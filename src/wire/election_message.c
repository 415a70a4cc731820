#include "headless/wire/election_message.h"

const char *election_message_name(enum election_message_type type)
{
    static const char *const names[ELECTION_MESSAGE_COUNT] = {
        [ELECTION_MESSAGE_NONE] = "none",
        [ELECTION_DISCOVER] = "discover",
        [ELECTION_HELLO] = "hello",
        [ELECTION_HEARTBEAT] = "heartbeat",
        [ELECTION_ACK] = "ack",
        [ELECTION_LIST_REQUEST] = "list_request",
        [ELECTION_LIST_PAGE] = "list_page",
        [ELECTION_PROBE] = "probe",
        [ELECTION_ALIVE] = "alive",
        [ELECTION_PROBE_REQUEST] = "probe_request",
        [ELECTION_PROBE_REPORT] = "probe_report",
        [ELECTION_PREVOTE] = "prevote",
        [ELECTION_PREVOTE_REPLY] = "prevote_reply",
        [ELECTION_VOTE] = "vote",
        [ELECTION_VOTE_REPLY] = "vote_reply",
        [ELECTION_STEP_DOWN] = "step_down",
        [ELECTION_LEAVE] = "leave",
        [ELECTION_TRANSFER] = "transfer",
        [ELECTION_NOMINATE] = "nominate",
    };

    return names[type];
}
