#include "headless/wire/peer.h"

#include <string.h>

#include "headless/base/bytes.h"

#define BITMAP_MAX   ((ELECTION_MEMBERS_MAX + 7) / 8)
#define INTERVAL_MAX UINT64_C(60000000000) /* ns: longer intervals are malformed */
#define CAUSES_MAX   64
#define ORDER_FLAGS  (ELECTION_FLAG_ORDERED | ELECTION_FLAG_COMMIT)

_Static_assert(PEER_HEADER_BYTES + PEER_COMMON_BYTES + 8 + 17 + 8 + 1 + PEER_MEMBER_BYTES <=
                   PEER_DISCOVER_BYTES,
               "a HELLO must not be longer than a DISCOVER");
_Static_assert(PEER_HEADER_BYTES + PEER_COMMON_BYTES + 3 * 2 + 1 +
                       ELECTION_PAGE * PEER_MEMBER_BYTES <=
                   PEER_BYTES_MAX,
               "a page must fit");
_Static_assert(PEER_HEADER_BYTES + PEER_COMMON_BYTES + 6 * 8 + 2 + 2 + 2 * BITMAP_MAX + 1 <=
                   PEER_BYTES_MAX,
               "a heartbeat must fit");

/* ---- the fields of each type (docs/protocol.md) ---- */

enum field {
    STAMP = 1 << 0,
    INTERVAL = 1 << 1,
    MISSES = 1 << 2,
    LEADER = 1 << 3,
    DEPOSED_TERM = 1 << 4,
    LEADER_ADDRESS = 1 << 5,
    LEASE_GRANT = 1 << 6,
    WAIT = 1 << 7,
    CAUSE = 1 << 8,
    RECEIVED = 1 << 9,
    RCVBUF = 1 << 10,
    COUNT = 1 << 11,
    LIVE = 1 << 12,
    FLOOR = 1 << 13,
    FIRST = 1 << 14,
    SENDER = 1 << 15,  /* exactly one member: the sender itself */
    MEMBERS = 1 << 16, /* one or more: a list fragment */
    GENERATION = 1 << 17,
    COMMAND = 1 << 18,
    KNOWN = 1 << 19 /* the type exists */
};

#define VOTE_REQUEST (KNOWN | STAMP | INTERVAL | MISSES | LEADER | DEPOSED_TERM)
#define VOTE_REPLY   (KNOWN | STAMP | LEASE_GRANT | WAIT)

static const uint32_t fields_of[ELECTION_MESSAGE_COUNT] = {
    [ELECTION_DISCOVER] = KNOWN | STAMP | LEADER | LEADER_ADDRESS | SENDER,
    [ELECTION_HELLO] = KNOWN | STAMP | LEADER | LEADER_ADDRESS | SENDER,
    [ELECTION_HEARTBEAT] =
        KNOWN | STAMP | INTERVAL | MISSES | CAUSE | RECEIVED | RCVBUF | GENERATION | COUNT | LIVE,
    [ELECTION_ACK] = KNOWN | STAMP | LEASE_GRANT | GENERATION,
    [ELECTION_LIST_REQUEST] = KNOWN | FIRST,
    [ELECTION_LIST_PAGE] = KNOWN | COUNT | FLOOR | FIRST | MEMBERS,
    [ELECTION_PROBE] = KNOWN | STAMP,
    [ELECTION_ALIVE] = KNOWN | STAMP | LEADER | LEADER_ADDRESS,
    [ELECTION_PROBE_REQUEST] = KNOWN | LEADER,
    [ELECTION_PROBE_REPORT] = KNOWN | LEADER | WAIT,
    [ELECTION_PREVOTE] = VOTE_REQUEST,
    [ELECTION_PREVOTE_REPLY] = VOTE_REPLY,
    [ELECTION_VOTE] = VOTE_REQUEST,
    [ELECTION_VOTE_REPLY] = VOTE_REPLY,
    [ELECTION_STEP_DOWN] = KNOWN | LEADER | CAUSE,
    [ELECTION_LEAVE] = KNOWN,
    [ELECTION_TRANSFER] = KNOWN | LEADER | GENERATION,
    [ELECTION_NOMINATE] = KNOWN | COMMAND,
};

/* ---- writing ---- */

static uint8_t *peer_put_address(uint8_t *out, const struct address *a)
{
    size_t bytes = a->family == ADDRESS_V6 ? 16 : a->family == ADDRESS_V4 ? 4 : 0;

    *out++ = bytes == 16 ? 6 : (uint8_t)bytes;
    memcpy(out, a->ip, bytes);
    return out + bytes;
}

static uint8_t *peer_put_member(uint8_t *out, const struct election_member *member)
{
    size_t length = strnlen(member->name.text, ELECTION_NAME_MAX - 1);

    out = put_be64(out, member->instance);
    *out++ = member->is_eligible;
    out = peer_put_address(out, &member->address);
    *out++ = (uint8_t)length;
    memcpy(out, member->name.text, length);
    return out + length;
}

/* Words of 64 bits into bytes, the lowest first. */
static uint8_t *put_bits(uint8_t *out, const uint64_t *bits, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        *out++ = (uint8_t)(bits[i / 8] >> (i % 8 * 8));
    return out;
}

static size_t bitmap_bytes(uint16_t count)
{
    return count <= ELECTION_MEMBERS_MAX ? ((size_t)count + 7) / 8 : 0;
}

static uint8_t *peer_put_body(uint8_t *out, uint32_t fields, const struct election_message *m)
{
    if (fields & STAMP)
        out = put_be64(out, m->stamp_ns);
    if (fields & INTERVAL)
        out = put_be64(out, m->interval_ns);
    if (fields & MISSES)
        *out++ = m->misses;
    if (fields & LEADER)
        out = put_be64(out, m->leader);
    if (fields & DEPOSED_TERM)
        out = put_be64(out, m->deposed_term);
    if (fields & LEADER_ADDRESS)
        out = peer_put_address(out, &m->leader_address);
    if (fields & LEASE_GRANT)
        out = put_be64(out, m->lease_grant_ns);
    if (fields & WAIT)
        out = put_be64(out, m->wait_ns);
    if (fields & CAUSE)
        *out++ = m->cause;
    if (fields & RECEIVED)
        out = put_be64(out, m->received);
    if (fields & RCVBUF)
        out = put_be64(out, m->rcvbuf_bytes);
    if (fields & GENERATION)
        out = put_be64(out, m->generation);
    if (fields & COMMAND)
        out = put_be64(put_be64(out, m->command_nonce), m->command_time_s);
    if (fields & COUNT)
        out = put_be16(out, m->count);
    if (fields & LIVE) {
        out = put_bits(out, m->live, bitmap_bytes(m->count));
        out = put_bits(out, m->ready, bitmap_bytes(m->count));
    }
    if (fields & FLOOR)
        out = put_be16(out, m->floor);
    if (fields & FIRST)
        out = put_be16(out, m->first);
    return out;
}

size_t peer_put(uint8_t out[static PEER_BYTES_MAX], uint64_t cluster,
                const struct election_message *message, const struct election_member *members)
{
    uint32_t fields = message->type < ELECTION_MESSAGE_COUNT ? fields_of[message->type] : 0;
    uint8_t count = message->member_count < ELECTION_PAGE ? message->member_count : ELECTION_PAGE;
    uint8_t *next = peer_put_header(out, &(struct peer_header){.cluster = cluster,
                                                               .from = message->from,
                                                               .to = message->to,
                                                               .flags = message->flags,
                                                               .type = message->type});

    next = put_be64(next, message->term);
    next = put_be64(next, message->seen);
    next = put_be64(next, message->list.term);
    next = put_be32(next, message->list.version);
    next = peer_put_body(next, fields, message);
    if (fields & (SENDER | MEMBERS))
        *next++ = count;
    for (uint8_t i = 0; fields & (SENDER | MEMBERS) && i < count; i++)
        next = peer_put_member(next, &members[i]);
    if (message->type == ELECTION_DISCOVER && next < out + PEER_DISCOVER_BYTES) {
        memset(next, 0, (size_t)(out + PEER_DISCOVER_BYTES - next));
        next = out + PEER_DISCOVER_BYTES;
    }
    return (size_t)(next - out);
}

/* ---- reading: bytes beyond the end read as 0, and is_short is set ---- */

struct reader {
    const uint8_t *next, *end;
    bool is_short;
};

static const uint8_t *peer_take(struct reader *r, size_t bytes)
{
    static const uint8_t zeros[64];
    const uint8_t *at = r->next;

    if ((size_t)(r->end - r->next) < bytes) {
        r->is_short = true;
        r->next = r->end;
        return zeros;
    }
    r->next += bytes;
    return at;
}

static uint64_t take_64(struct reader *r)
{
    return get_be64(peer_take(r, 8));
}

static uint16_t take_16(struct reader *r)
{
    return get_be16(peer_take(r, 2));
}

static uint8_t take_8(struct reader *r)
{
    return *peer_take(r, 1);
}

static struct address take_address(struct reader *r)
{
    uint8_t family = take_8(r);
    size_t bytes = family == 6 ? 16 : family == 4 ? 4 : 0;
    struct address a = {.family = bytes == 16 ? ADDRESS_V6 : bytes == 4 ? ADDRESS_V4 : 0};

    memcpy(a.ip, peer_take(r, bytes), bytes);
    return a;
}

static struct election_member take_member(struct reader *r)
{
    struct election_member member = {.instance = take_64(r)};
    size_t length;

    member.is_eligible = take_8(r) != 0;
    member.address = take_address(r);
    length = take_8(r);
    if (length >= ELECTION_NAME_MAX)
        r->is_short = true;
    else
        memcpy(member.name.text, peer_take(r, length), length);
    return member;
}

static void take_bits(struct reader *r, uint64_t *bits, size_t bytes)
{
    const uint8_t *in = peer_take(r, bytes);

    for (size_t i = 0; i < bytes; i++)
        bits[i / 8] |= (uint64_t)in[i] << (i % 8 * 8);
}

static void take_body(struct reader *r, uint32_t fields, struct election_message *m)
{
    if (fields & STAMP)
        m->stamp_ns = take_64(r);
    if (fields & INTERVAL)
        m->interval_ns = take_64(r);
    if (fields & MISSES)
        m->misses = take_8(r);
    if (fields & LEADER)
        m->leader = take_64(r);
    if (fields & DEPOSED_TERM)
        m->deposed_term = take_64(r);
    if (fields & LEADER_ADDRESS)
        m->leader_address = take_address(r);
    if (fields & LEASE_GRANT)
        m->lease_grant_ns = take_64(r);
    if (fields & WAIT)
        m->wait_ns = take_64(r);
    if (fields & CAUSE)
        m->cause = take_8(r);
    if (fields & RECEIVED)
        m->received = take_64(r);
    if (fields & RCVBUF)
        m->rcvbuf_bytes = take_64(r);
    if (fields & GENERATION)
        m->generation = take_64(r);
    if (fields & COMMAND) {
        m->command_nonce = take_64(r);
        m->command_time_s = take_64(r);
    }
    if (fields & COUNT)
        m->count = take_16(r);
    if (fields & LIVE) {
        take_bits(r, m->live, bitmap_bytes(m->count));
        take_bits(r, m->ready, bitmap_bytes(m->count));
    }
    if (fields & FLOOR)
        m->floor = take_16(r);
    if (fields & FIRST)
        m->first = take_16(r);
}

/* ---- values that no sender may send ---- */

static bool has_bits_above(const uint64_t *bits, uint16_t count)
{
    for (uint32_t i = count; i < ELECTION_BITMAP_WORDS * 64; i++) {
        if (election_bit(bits, (uint16_t)i))
            return true;
    }
    return false;
}

static bool is_valid_name(const struct election_name *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                  "-._:%";

    return name->text[strspn(name->text, allowed)] == '\0';
}

/* The flags of route ordered are allowed where they are read. */
static bool are_flags_allowed(const struct election_message *m)
{
    return !(m->flags & ORDER_FLAGS) || m->type == ELECTION_HEARTBEAT || m->type == ELECTION_ACK;
}

static bool is_valid_message(uint32_t fields, const struct election_message *m,
                             const struct election_member *members)
{
    if (m->from == 0 || !are_flags_allowed(m) || m->count > ELECTION_MEMBERS_MAX ||
        m->floor > ELECTION_MEMBERS_MAX || m->first > ELECTION_MEMBERS_MAX ||
        m->cause >= CAUSES_MAX)
        return false;
    if (fields & INTERVAL && (!m->interval_ns || m->interval_ns > INTERVAL_MAX || !m->misses))
        return false;
    if (fields & SENDER && m->member_count != 1)
        return false;
    if (fields & MEMBERS && (!m->member_count || m->first + m->member_count > m->count))
        return false;
    if (fields & LIVE && (has_bits_above(m->live, m->count) || has_bits_above(m->ready, m->count)))
        return false;
    for (uint8_t i = 0; i < m->member_count; i++) {
        if (!members[i].instance || !address_is_set(&members[i].address) ||
            !address_is_canonical(&members[i].address) || !is_valid_name(&members[i].name))
            return false;
    }
    return !address_is_set(&m->leader_address) || address_is_canonical(&m->leader_address);
}

/* One encoding: written again, the bytes must be the same, except for the token. */
static bool is_encoding_of(const uint8_t *data, size_t length, uint64_t cluster,
                           const struct election_message *m, const struct election_member *members)
{
    uint8_t again[PEER_BYTES_MAX];

    return peer_put(again, cluster, m, members) == length &&
           memcmp(data, again, PEER_TOKEN_OFFSET) == 0 &&
           memcmp(data + PEER_HEADER_BYTES, again + PEER_HEADER_BYTES,
                  length - PEER_HEADER_BYTES) == 0;
}

enum peer_verdict peer_open(const uint8_t *data, size_t length, uint64_t cluster,
                            struct election_message *ret_message,
                            struct election_member ret_members[static ELECTION_PAGE])
{
    struct election_member members[ELECTION_PAGE] = {0};
    struct election_message m = {0};
    struct peer_header header;
    struct reader r = {.end = data + length};
    enum peer_verdict verdict;
    uint32_t fields;

    verdict = peer_open_header(data, length, cluster, &header);
    if (verdict != PEER_OK)
        return verdict;
    fields = header.type < ELECTION_MESSAGE_COUNT ? fields_of[header.type] : 0;
    if (!fields || length > PEER_BYTES_MAX)
        return PEER_MALFORMED;
    m.type = header.type;
    m.flags = header.flags;
    m.from = header.from;
    m.to = header.to;
    r.next = data + PEER_HEADER_BYTES;
    m.term = take_64(&r);
    m.seen = take_64(&r);
    m.list.term = take_64(&r);
    m.list.version = get_be32(peer_take(&r, 4));
    take_body(&r, fields, &m);
    if (fields & (SENDER | MEMBERS))
        m.member_count = take_8(&r);
    if (m.member_count > ELECTION_PAGE)
        return PEER_MALFORMED;
    for (uint8_t i = 0; i < m.member_count; i++)
        members[i] = take_member(&r);
    if (r.is_short || !is_valid_message(fields, &m, members) ||
        !is_encoding_of(data, length, cluster, &m, members))
        return PEER_MALFORMED;
    *ret_message = m;
    memcpy(ret_members, members, sizeof(members));
    return PEER_OK;
}
