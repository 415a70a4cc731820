/*
 * frame: one relay datagram between two pods, and the records inside it.
 *
 *   frame  = header [link] [body] part [padding]        all integers big endian
 *   part   = [continued] record* [begun]
 *
 *   header =  0 magic "hd"    2 version (1)     3 type      4 flags   5 hops   6 nonce space (16)
 *             8 cluster (64)  16 instance (64)  24 term (64)  32 sequence (64)           40 bytes
 *
 *      flags: bit 1 when the rest is encrypted (secure/seal.h). This file describes the plain frame;
 *      readers are given no other. Bit 2 when a link block follows.
 *
 *   link   =  0 number(64)   8 continued(16)   10 begun(16)                            12 bytes
 *      A record may be cut anywhere. continued: bytes that belong to the record which the frame of
 *      the sequence before began or continued. begun: the last bytes of the frame, the beginning of
 *      a record that the next one continues; no padding follows them. number: of this frame among
 *      those over its link; 0: not counted. Frames for pods of versions before have no link block.
 *
 *   record = length(16) kind(8) TOS(8) client local tag(64) [ingress] [TTL(8)] payload[length]
 *      Bits of kind: always RECORD_PRESENT; RECORD_CLIENT_V6, RECORD_LOCAL_V6, RECORD_INGRESS (an
 *      ingress IP follows the tag: this is the second hop, and the sender of the frame is not the
 *      ingress pod), RECORD_INGRESS_V6 (only with RECORD_INGRESS), RECORD_TTL (a TTL follows, with
 *      which the datagram was received; not 0). Pods of versions before know no RECORD_TTL.
 *      TOS: of the datagram, its IPv4 TOS byte or IPv6 traffic class. Pods of versions before read
 *      only 0 there (docs/protocol.md, Versions).
 *      client: IP(4 or 16) port(16), IPv6 followed by scope(32).   local: IP port(16), no scope.
 *
 *   padding begins with the end record, four zero bytes; the bytes behind it are ignored. Where
 *      fewer than four bytes are left, these are zero: the end record cut short. So a frame can be
 *      padded by any number of bytes, 0 included.
 *
 * A record has one encoding: IPv4 mapped into IPv6 is malformed, and so are flags and bits of kind
 * that version 1 does not define, a client without port, an ingress of all zeros, a payload over
 * RECORD_PAYLOAD_MAX. A sender checks record_is_valid before it packs a record, because one invalid
 * record invalidates the whole frame: the source port of a UDP datagram may be 0, for example.
 *
 * The writer packs records into the caller's buffer; the reader checks the whole frame before it
 * returns the first record, so a frame is taken whole or not at all. Bytes only: no socket, no
 * clock, no allocation. Any thread, never blocks. Parsers never read outside [data, data+length).
 */
#ifndef HEADLESS_WIRE_FRAME_H
#define HEADLESS_WIRE_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/base/address.h"
#include "headless/wire/confirmation.h"
#include "headless/wire/entry.h"

#define FRAME_HEADER_BYTES 40
#define FRAME_LINK_BYTES   12
#define FRAME_VERSION      1
#define FRAME_HOPS_MAX     2
/* Fixed part, IPv6 client with scope, IPv6 local, tag, IPv6 ingress, TTL. */
#define RECORD_HEADER_MAX  (4 + 22 + 18 + 8 + 16 + 1)
#define RECORD_PAYLOAD_MAX 65507
#define RECORD_MAX         (RECORD_HEADER_MAX + RECORD_PAYLOAD_MAX)

/* DATA: requests for the leader. REPLY: replies. COPY: requests for the receiver's own app, on
 * every member. ENTRIES, ACK: see entry.h; between header and records they have a range, or only
 * an acknowledgement. */
enum frame_type {
    FRAME_DATA = 1,
    FRAME_REPLY = 2,
    FRAME_COPY = 3,
    FRAME_ENTRIES = 4,
    FRAME_ACK = 5,
    FRAME_KEPT_DATA = 6, /* as DATA and REPLY; the sender keeps them until they are confirmed */
    FRAME_KEPT_REPLY = 7,
    FRAME_CONFIRM = 8,
    FRAME_TYPES_END
};

enum record_kind {
    RECORD_END = 0, /* and length 0: the end record */
    RECORD_PRESENT = 1,
    RECORD_CLIENT_V6 = 2,
    RECORD_LOCAL_V6 = 4,
    RECORD_INGRESS = 8,
    RECORD_INGRESS_V6 = 16,
    RECORD_TTL = 32,
};

struct frame_link {
    uint64_t number;           /* 1, 2, ... over one link to one receiver; 0: not counted */
    uint16_t continued, begun; /* bytes of records that are not whole in this frame */
};

struct frame_header {
    uint8_t type;         /* enum frame_type */
    uint8_t hops;         /* relays so far, this one included: 1 or 2 */
    uint16_t nonce_space; /* the sending thread of the sender */
    uint64_t cluster;     /* frame_cluster_id of the cluster's name */
    uint64_t instance;    /* of the sender */
    uint64_t term;        /* the sender's; REPLY: that in which the request was delivered */
    uint64_t sequence;    /* 1, 2, ... per (instance, nonce space), over all receivers */
    bool has_link;
    struct frame_link link; /* zeros without one */
};

/* The bytes between header and records, by the type of the header. */
union frame_body {
    struct entry_range range;         /* ENTRIES */
    struct entry_ack ack;             /* ACK */
    struct frame_place place;         /* KEPT_DATA, KEPT_REPLY */
    struct confirmation confirmation; /* CONFIRM */
};

struct record {
    struct address client;  /* with port and scope */
    struct address local;   /* the address and port to which the client sent */
    uint64_t tag;           /* the ingress pod's, over client and local */
    struct address ingress; /* IP, port 0; unset: the frame's sender is the ingress pod */
    const uint8_t *payload; /* inside the frame when read */
    uint16_t length;        /* bytes of payload, 0 is legal */
    uint8_t tos;            /* TOS byte or traffic class, with its ECN bits */
    uint8_t ttl;            /* 0: it was received with so high a one that it need not be known */
};

enum frame_verdict { FRAME_OK, FRAME_MALFORMED, FRAME_BAD_VERSION, FRAME_BAD_CLUSTER };

struct frame_reader {
    const uint8_t *next, *end; /* end: behind the last record, in front of the padding */
};

/* 64 bits of BLAKE2b over the name: keeps clusters on one network apart. */
uint64_t frame_cluster_id(const char *cluster);

/* Write the 40 bytes, with the flag of a link block; the caller checks type and hops. */
void frame_put_header(uint8_t out[static FRAME_HEADER_BYTES], const struct frame_header *header);

/* Overwrite the sequence of a header. */
void frame_put_sequence(uint8_t out[static FRAME_HEADER_BYTES], uint64_t sequence);

/* Write a link block, of FRAME_LINK_BYTES, behind the header. */
void frame_put_link(uint8_t *out, const struct frame_link *link);

/* Bytes of the body of this type; 0: none. */
static inline size_t frame_body_bytes(uint8_t type)
{
    static const uint8_t bytes[FRAME_TYPES_END] = {[FRAME_ENTRIES] = ENTRY_RANGE_BYTES,
                                                   [FRAME_ACK] = ENTRY_ACK_BYTES,
                                                   [FRAME_KEPT_DATA] = FRAME_PLACE_BYTES,
                                                   [FRAME_KEPT_REPLY] = FRAME_PLACE_BYTES,
                                                   [FRAME_CONFIRM] = CONFIRMATION_BYTES};

    return type < FRAME_TYPES_END ? bytes[type] : 0;
}

static inline bool frame_is_kept(uint8_t type)
{
    return type == FRAME_KEPT_DATA || type == FRAME_KEPT_REPLY;
}

/* The type of a frame with the same records that is not kept. */
static inline uint8_t frame_plain_type(uint8_t type)
{
    if (type == FRAME_KEPT_DATA)
        return FRAME_DATA;
    return type == FRAME_KEPT_REPLY ? FRAME_REPLY : type;
}

/* Bytes in front of the records: header, link block and body. */
static inline size_t frame_prefix_bytes(const struct frame_header *header)
{
    const size_t link_bytes = header->has_link ? FRAME_LINK_BYTES : 0;

    return FRAME_HEADER_BYTES + link_bytes + frame_body_bytes(header->type);
}

/* Set or clear the flag sealed of a header. */
void frame_put_sealed(uint8_t out[static FRAME_HEADER_BYTES], bool is_sealed);
/* Read the flag sealed, of a frame that frame_read_header accepted. */
bool frame_is_sealed(const uint8_t data[static FRAME_HEADER_BYTES]);

/* Read the header of a frame, or of its beginning that an ICMP error quotes, without its link block,
 * which may be sealed or missing. False: no frame. */
bool frame_read_header(const uint8_t *data, size_t length, struct frame_header *ret_header);

/*
 * True when a reader accepts a frame with this record: client has a port; client, local and (if
 * set) ingress are canonical; the payload is not too long. The payload itself is not checked.
 */
bool record_is_valid(const struct record *record);

/* Bytes of the header of a record, without its payload. */
size_t record_header_bytes(const struct record *record);

/*
 * Write the header of a valid record (its payload may be in another iovec). Returns its bytes:
 * record_header_bytes(record), at most RECORD_HEADER_MAX.
 */
size_t record_put_header(uint8_t *out, const struct record *record);
/* Overwrite the TOS byte of a record. */
void record_put_tos(uint8_t *out, uint8_t tos);

/* Bytes of the whole record that begins with these, into *ret_bytes; 0: too few bytes to tell.
 * False: no valid record begins so. */
bool record_measure(const uint8_t *data, size_t length, size_t *ret_bytes);
/* Read a record of exactly these bytes. False: it is not valid; the output is untouched. */
bool record_read(const uint8_t *data, size_t length, struct record *ret_record);

/*
 * Check a whole frame: magic, version, cluster, flags, type, hops, link block, then every whole
 * record and the padding; at least one record or part of one, unless there is a body. On FRAME_OK fills header, the number of
 * whole records, and a reader of them; otherwise leaves them untouched. Data too short for a version or, in
 * version 1, for a header is malformed; a verdict on version or cluster says nothing about the
 * rest.
 */
enum frame_verdict frame_open(const uint8_t *data, size_t length, uint64_t cluster,
                              struct frame_header *ret_header, size_t *ret_records,
                              struct frame_reader *ret_reader);

/* The body of a frame of type ENTRIES or ACK that frame_open accepted. */
void frame_get_body(const uint8_t *data, const struct frame_header *header,
                    union frame_body *ret_body);

/*
 * The next record of a frame that frame_open accepted, in the same unchanged buffer; false at its
 * end. Nothing is checked again.
 */
bool frame_next(struct frame_reader *reader, struct record *ret_record);

#endif
