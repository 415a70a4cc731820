/*
 * peer: a message of one supervisor to another, as bytes; election_message.h has it as scalars.
 *
 *   message = header common body members                     all integers big endian
 *
 *   header =  0 magic "hp"    2 version (1)   3 type       4 flags (16)   6 zero (8)   7 sealed (8)
 *             8 cluster (64)  16 from (64)    24 to (64)   32 token (64)               40 bytes
 *
 *      sealed: 1 when the rest is encrypted (secure/seal.h). This file describes the plain message;
 *      readers are given no other.
 *
 *   common =  term (64)       seen (64)       list term (64)   list version (32)         28 bytes
 *
 *   body = the fields of the type, in this order:
 *      stamp (64)   interval (64)   misses (8)   leader (64)   deposed term (64)
 *      leader address   lease_grant (64)   wait (64)   cause (8)   received (64)   rcvbuf (64)
 *      command nonce (64)   command time (64)
 *      count (16), then with LIVE the two bitmaps live and ready of (count + 7) / 8 bytes each,
 *      bit 0 of byte 0 being the first member   floor (16)   first (16)
 *
 *   address = family (8: 0 none, 4, 6) IP(0, 4 or 16)
 *   members = number (8), then each: instance (64) eligible (8: 0 or 1) address name
 *   name    = length (8: 0 to 63) bytes: letters, digits and - . _ : %
 *
 * By the token a sender recognizes its own message when an ICMP error quotes it; receivers ignore
 * it. Times are nanoseconds. A DISCOVER is padded with zeros to PEER_DISCOVER_BYTES, so that no
 * reply is longer than its request.
 *
 * A message has exactly one encoding: any other is malformed. Bytes only: no socket, no clock, no
 * allocation. Any thread, never blocks.
 */
#ifndef HEADLESS_WIRE_PEER_H
#define HEADLESS_WIRE_PEER_H

#include "headless/wire/election_message.h"

#define PEER_VERSION        1
#define PEER_HEADER_BYTES   40
#define PEER_TOKEN_OFFSET   32
#define PEER_COMMON_BYTES   28
#define PEER_MEMBER_BYTES   (8 + 1 + 17 + ELECTION_NAME_MAX) /* the longest */
#define PEER_DISCOVER_BYTES 208                              /* no HELLO is longer */
#define PEER_BYTES_MAX      512                              /* no message is longer */

enum peer_verdict { PEER_OK, PEER_MALFORMED, PEER_BAD_VERSION, PEER_BAD_CLUSTER };

/* The part of a message that can be read from its beginning alone, as an ICMP error quotes it. */
struct peer_header {
    uint64_t cluster, from, to, token;
    uint16_t flags; /* enum election_flag */
    uint8_t type;   /* enum election_message_type, or PEER_HANDSHAKE */
};

/*
 * Write a message; members: message->member_count of them. Returns its bytes. The caller must not
 * pass a type or name that peer_open refuses; even then it never writes beyond PEER_BYTES_MAX. The
 * token is 0.
 */
size_t peer_put(uint8_t out[static PEER_BYTES_MAX], uint64_t cluster,
                const struct election_message *message, const struct election_member *members);

/* Set the receiving instance, and the token, of a message that peer_put wrote. */
void peer_put_to(uint8_t *message, uint64_t to);
void peer_put_token(uint8_t *message, uint64_t token);

/* Write the 40 bytes of a header, the token being 0; returns the first byte after them. */
uint8_t *peer_put_header(uint8_t out[static PEER_HEADER_BYTES], const struct peer_header *header);

/* Write and read the field sealed of a header. */
void peer_put_sealed(uint8_t out[static PEER_HEADER_BYTES], bool is_sealed);
bool peer_is_sealed(const uint8_t data[static PEER_HEADER_BYTES]);

/* Read the header alone. False: not a header of this version. */
bool peer_read_header(const uint8_t *data, size_t length, struct peer_header *ret_header);

/* The same for a received message, with a verdict. */
enum peer_verdict peer_open_header(const uint8_t *data, size_t length, uint64_t cluster,
                                   struct peer_header *ret_header);

/*
 * Check and read a whole message. On PEER_OK both outputs are filled, fields that the type does not
 * have are 0; otherwise they are untouched. A verdict on version or cluster says nothing about the
 * rest.
 */
enum peer_verdict peer_open(const uint8_t *data, size_t length, uint64_t cluster,
                            struct election_message *ret_message,
                            struct election_member ret_members[static ELECTION_PAGE]);

#endif
