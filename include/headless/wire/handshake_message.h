/*
 * handshake_message: the handshake of two pods with keys, as bytes.
 *
 * An instance is authenticated when it has returned a nonce of this pod: then it is running now,
 * and recorded messages of a dead instance cannot be replayed. Request and reply have one format,
 * so a reply is never longer than its request:
 *
 *   message = header of a peer message (peer.h) with the type PEER_HANDSHAKE
 *             nonce (64)   echo (64)   known (32)   suites (8)   keys (8)   nonce spaces (8)
 *             family (8)   IP (128)    key ids (KEYS_MAX x 32)   counters (NONCE_SPACES_MAX x 64)
 *                                                                       all integers big endian
 *
 *   nonce         the receiver is to return it as echo; 0: no reply is wanted
 *   echo          the receiver's nonce; 0: this is no reply
 *   known         digest of the receiver's keys as known to the sender (handshake_message_digest);
 *                 0: unknown
 *   suites        a bit for each suite of the sender: 1 << enum seal_suite
 *   keys          number of key ids
 *   nonce spaces  number of counters
 *   IP            the source address, and the only one to which replies go: 4 or 16 bytes by the
 *                 family (4, 6), the rest is 0. A replay from another address gets no reply
 *   key ids       those of the sender, the newest first; the rest is 0
 *   counters      the last used of each of its nonce spaces; the rest is 0. Frames up to them are
 *                 older than the reply
 *
 * It is always sealed. It has exactly one encoding. Bytes only; any thread, never blocks.
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

/* Write a message, not sealed, with the token 0. */
void handshake_message_put(uint8_t out[static HANDSHAKE_MESSAGE_BYTES], uint64_t cluster,
                           const struct handshake_message *message);
/* Read a message. PEER_MALFORMED also for another type; then the output is untouched. */
enum peer_verdict handshake_message_open(const uint8_t *data, size_t length, uint64_t cluster,
                                         struct handshake_message *ret_message);

/* Digest of key ids and suites, for the field known. Never 0. */
uint32_t handshake_message_digest(const struct handshake_message *message);

#endif
