/*
 * transport: carries the election's messages from pod to pod.
 *
 * One UDP socket, self:peer.port, bound exclusively, so that a second daemon on this address fails
 * at once; nothing else arrives here, so a flood of data cannot delay a heartbeat. Each message
 * carries a token, a keyed hash of its header. When a host refuses a message (ICMP port
 * unreachable), the kernel gives back what was refused: only with the right token it is a refusal
 * of what we sent, and evidence that the process there has gone.
 *
 * With keys, messages are sealed and opened here, and who is not known yet is asked for an
 * handshake_message instead of being sent something (handshake.h). Whether an address may speak at
 * all is the caller's question.
 *
 * Owner: the supervisor's thread. Never blocks. Counts what it sends, takes and drops.
 */
#ifndef CONTROL_PEER_TRANSPORT_H
#define CONTROL_PEER_TRANSPORT_H

#include "handshake.h"
#include "headless/base/counters.h"
#include "headless/config/config.h"
#include "headless/data/identity.h"
#include "headless/net/udp.h"
#include "headless/wire/election_message.h"

struct peer_transport {
    const struct config *config;
    struct udp_socket socket;
    uint64_t cluster, instance;
    uint8_t token_key[16];
    bool has_keys, is_sealing, takes_open;
    struct handshake handshake;
    struct counters *counters;
};

/* Bind. Logs what failed and how to mend it; returns a negative errno. */
int peer_transport_open(struct peer_transport *transport, const struct config *config,
                        struct counters *counters) __attribute__((warn_unused_result));
void peer_transport_close(struct peer_transport *transport);

/* Before the first message: who we are. */
void peer_transport_set_identity(struct peer_transport *transport, const struct identity *identity);

/* Send to the peer port of this host. A message that cannot be sent is as good as lost. */
void peer_transport_send(struct peer_transport *transport, const struct address *to,
                         const struct election_message *message,
                         const struct election_member *members);

/* With keys: ask this pod for an handshake_message, if there is reason to, and it is time. */
void peer_transport_start_handshake(struct peer_transport *transport, const struct address *ip);

enum peer_transport_result {
    PEER_TRANSPORT_MESSAGE,   /* a well-formed message of our cluster; the outputs are filled */
    PEER_TRANSPORT_HANDSHAKE, /* somebody with a key of ours; *ret_from is filled */
    PEER_TRANSPORT_UNVERIFIED, /* of our cluster, but not to be believed, counted; *ret_from is filled */
    PEER_TRANSPORT_DROPPED, /* something else, counted */
    PEER_TRANSPORT_EMPTY    /* nothing there */
};
enum peer_transport_result
peer_transport_receive(struct peer_transport *transport, struct election_message *ret_message,
                       struct election_member ret_members[static ELECTION_PAGE],
                       struct address *ret_from);

/*
 * Take one refusal off the error queue. False: there is none. *ret_instance is to whom the refused
 * message was written, or 0 when it was none of ours, or written to nobody in particular.
 */
bool peer_transport_take_refusal(struct peer_transport *transport, uint64_t *ret_instance);

#endif
