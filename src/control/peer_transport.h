/*
 * peer_transport: sends and receives the messages between pods.
 *
 * One UDP socket, self:peer.port, bound exclusively, so that a second daemon at this address fails at
 * once. Nothing else arrives here, so a flood of data cannot delay a heartbeat. Each message carries
 * a token, a keyed hash of its header. When the destination host rejects a message (ICMP port
 * unreachable), the kernel returns the message with the error: only with the right token is it a
 * refusal of a message of ours, and evidence that the process there has ended.
 *
 * With keys, messages are sealed and opened here; to a pod that is not authenticated yet, a
 * handshake request is sent instead of the message (handshake.h). The caller decides which source
 * addresses are accepted.
 *
 * Owner: the supervisor's thread. Never blocks. Counts messages sent, received and dropped.
 */
#ifndef CONTROL_PEER_TRANSPORT_H
#define CONTROL_PEER_TRANSPORT_H

#include "handshake.h"
#include "headless/base/counters.h"
#include "headless/config/config.h"
#include "headless/data/identity.h"
#include "headless/net/udp.h"
#include "headless/wire/peer.h"

struct peer_transport {
    const struct config *config;
    struct udp_socket socket;
    uint64_t cluster, instance;
    uint8_t token_key[16];
    bool has_keys, is_sealing, takes_open;
    struct handshake handshake;
    struct counters *counters;
};

/* Bind the socket. Logs a failure with its remedy; returns a negative errno. */
int peer_transport_open(struct peer_transport *transport, const struct config *config,
                        struct counters *counters) __attribute__((warn_unused_result));
void peer_transport_close(struct peer_transport *transport);

/* Before the first message: the sender of our messages. */
void peer_transport_set_identity(struct peer_transport *transport, const struct identity *identity);

/* Send to the peer port at this address. A message that cannot be sent counts as lost. */
void peer_transport_send(struct peer_transport *transport, const struct address *to,
                         const struct election_message *message,
                         const struct election_member *members);

/* A message as the bytes of its datagram, for another way than the socket: length bytes from
 * buffer + start on. */
struct peer_transport_bytes {
    uint8_t buffer[PEER_BYTES_MAX + SEAL_BYTES];
    size_t start, length;
};

/* False: it cannot be sealed yet; the handshake is under way. */
bool peer_transport_write(struct peer_transport *transport, const struct address *to,
                          const struct election_message *message,
                          const struct election_member *members,
                          struct peer_transport_bytes *ret_bytes);
/* The reverse, with the checks of peer_transport_receive, which count. True: a message of our
 * cluster. */
bool peer_transport_read(struct peer_transport *transport, const struct address *from,
                         const uint8_t *bytes, size_t length, struct election_message *ret_message);

/* With keys: send a handshake request to this address, if one is needed and due. */
void peer_transport_start_handshake(struct peer_transport *transport, const struct address *ip);

enum peer_transport_result {
    PEER_TRANSPORT_MESSAGE,   /* a well-formed message of our cluster; the outputs are filled */
    PEER_TRANSPORT_HANDSHAKE, /* a valid handshake message; *ret_from is filled */
    PEER_TRANSPORT_UNVERIFIED, /* of our cluster, verification failed; counted; *ret_from is filled */
    PEER_TRANSPORT_DROPPED,    /* anything else; counted */
    PEER_TRANSPORT_EMPTY       /* no datagram is queued */
};
enum peer_transport_result
peer_transport_receive(struct peer_transport *transport, struct election_message *ret_message,
                       struct election_member ret_members[static ELECTION_PAGE],
                       struct address *ret_from);

/*
 * Take one refusal from the error queue. False: there is none. *ret_instance is the instance that
 * the refused message was for; 0: it was not ours, or was for no particular instance.
 */
bool peer_transport_take_refusal(struct peer_transport *transport, uint64_t *ret_instance);

#endif
