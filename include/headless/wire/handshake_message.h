/*
 * message: how two pods with keys get to know each other, as bytes.
 *
 * Nothing is believed of an instance before it has answered a nonce of ours: then it is there now,
 * and no message of a dead instance, or of an hour ago, can be played to us. One message serves as
 * question and as reply, so that an reply is never longer than what it replies:
 *
 *   message = header of a peer message (peer.h) with the type PEER_HANDSHAKE
 *             nonce (64)   echo (64)   known (32)   suites (8)   keys (8)   nonce_spaces (8)   family (8)
 *             IP (128)   key ids (KEYS_MAX x 32)   counters (NONCE_SPACES_MAX x 64)
 *                                                                       all integers big endian
 *
 *   nonce    wants to be answered with this as echo; 0: does not
 *   echo     the receiver's nonce; 0: this is no reply
 *   known    what the sender knows of the receiver's keys (handshake_message_digest); 0: nothing
 *   suites   a bit for each that the sender has: 1 << enum seal_suite
 *   key ids  those that the sender has, the newest first; the rest is 0
 *   IP       from where the sender sends it, and where alone it is answered: 4 or 16 bytes by the
 *            family (4, 6), the rest is 0. Played from elsewhere it makes nobody send anything
 *   counters the last used of each of its nonce_spaces; the rest is 0. Frames up to them are older than
 *            the reply
 *
 * It travels sealed. There is one spelling. Bytes only; any thread, never blocks.
 */
#ifndef HEADLESS_WIRE_HANDSHAKE_MESSAGE_H
#define HEADLESS_WIRE_HANDSHAKE_MESSAGE_H

#include "headless/wire/peer.h"

#define PEER_HANDSHAKE             64 /* a type; the election's are lower */
#define HANDSHAKE_KEYS_MAX         8
#define HANDSHAKE_NONCE_SPACES_MAX 16
#define HANDSHAKE_MESSAGE_BYTES                                                    \
    (PEER_HEADER_BYTES + 8 + 8 + 4 + 1 + 1 + 1 + 1 + 16 + HANDSHAKE_KEYS_MAX * 4 + \
     HANDSHAKE_NONCE_SPACES_MAX * 8)

struct handshake_message {
    uint64_t from, to; /* instances; to 0: not known */
    uint64_t nonce, echo;
    uint32_t known;
    uint8_t suites, key_count, nonce_space_count;
    struct address address; /* IP, port 0 */
    uint32_t keys[HANDSHAKE_KEYS_MAX];
    uint64_t counters[HANDSHAKE_NONCE_SPACES_MAX];
};

/* The token is 0, and the header does not say sealed. */
void handshake_message_put(uint8_t out[static HANDSHAKE_MESSAGE_BYTES], uint64_t cluster,
                           const struct handshake_message *message);
/* Malformed, or of another type: the output is untouched. */
enum peer_verdict handshake_message_open(const uint8_t *data, size_t length, uint64_t cluster,
                                         struct handshake_message *ret_message);

/* Of key ids and suites, to tell whether another knows them. Never 0. */
uint32_t handshake_message_digest(const struct handshake_message *message);

#endif
