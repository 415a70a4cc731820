#include "headless/wire/handshake_message.h"

#include <string.h>

#include "headless/base/bytes.h"

#define IP_BYTES 16 /* of IPv4 too: unused bytes are 0 */

_Static_assert(HANDSHAKE_MESSAGE_BYTES <= PEER_BYTES_MAX,
               "it must fit the buffer of peer_transport.c");

void handshake_message_put(uint8_t out[static HANDSHAKE_MESSAGE_BYTES], uint64_t cluster,
                           const struct handshake_message *message)
{
    const struct handshake_message *m = message;
    uint8_t *next = peer_put_header(
        out, &(struct peer_header){
                 .cluster = cluster, .from = m->from, .to = m->to, .type = PEER_HANDSHAKE});

    next = put_be64(next, m->nonce);
    next = put_be64(next, m->echo);
    next = put_be32(next, m->known);
    *next++ = m->suites;
    *next++ = m->key_count;
    *next++ = m->nonce_space_count;
    *next++ = m->address.family == ADDRESS_V6 ? 6 : 4;
    memcpy(next, m->address.ip, IP_BYTES);
    next += IP_BYTES;
    for (size_t k = 0; k < HANDSHAKE_KEYS_MAX; k++)
        next = put_be32(next, m->keys[k]);
    for (size_t k = 0; k < HANDSHAKE_NONCE_SPACES_MAX; k++)
        next = put_be64(next, m->counters[k]);
}

static struct address handshake_get_address(uint8_t family, const uint8_t *ip)
{
    struct address a = {.family = family == 4 ? ADDRESS_V4 : family == 6 ? ADDRESS_V6 : 0};

    memcpy(a.ip, ip, IP_BYTES);
    return a;
}

/* In its one encoding: the bytes that IPv4 does not use are 0. */
static bool is_address(const struct address *a)
{
    static const uint8_t zeros[IP_BYTES];

    return address_is_set(a) && address_is_canonical(a) &&
           (a->family == ADDRESS_V6 || memcmp(a->ip + 4, zeros, IP_BYTES - 4) == 0);
}

static bool is_valid_handshake(const struct handshake_message *m)
{
    if (m->from == 0 || m->key_count == 0 || m->key_count > HANDSHAKE_KEYS_MAX ||
        m->nonce_space_count > HANDSHAKE_NONCE_SPACES_MAX || m->suites == 0 ||
        !is_address(&m->address))
        return false;
    for (size_t k = 0; k < HANDSHAKE_KEYS_MAX; k++) {
        if ((m->keys[k] != 0) != (k < m->key_count))
            return false;
    }
    for (size_t k = m->nonce_space_count; k < HANDSHAKE_NONCE_SPACES_MAX; k++) {
        if (m->counters[k] != 0)
            return false;
    }
    return true;
}

enum peer_verdict handshake_message_open(const uint8_t *data, size_t length, uint64_t cluster,
                                         struct handshake_message *ret_message)
{
    const uint8_t *in = data + PEER_HEADER_BYTES;
    struct handshake_message m = {0};
    struct peer_header header;
    enum peer_verdict verdict = peer_open_header(data, length, cluster, &header);

    if (verdict != PEER_OK)
        return verdict;
    if (length != HANDSHAKE_MESSAGE_BYTES || header.type != PEER_HANDSHAKE || header.flags != 0 ||
        data[6] != 0 || data[7] != 0)
        return PEER_MALFORMED;
    m.from = header.from;
    m.to = header.to;
    m.nonce = get_be64(in);
    m.echo = get_be64(in + 8);
    m.known = get_be32(in + 16);
    m.suites = in[20];
    m.key_count = in[21];
    m.nonce_space_count = in[22];
    m.address = handshake_get_address(in[23], in + 24);
    in += 24 + IP_BYTES;
    for (size_t k = 0; k < HANDSHAKE_KEYS_MAX; k++, in += 4)
        m.keys[k] = get_be32(in);
    for (size_t k = 0; k < HANDSHAKE_NONCE_SPACES_MAX; k++, in += 8)
        m.counters[k] = get_be64(in);
    if (!is_valid_handshake(&m))
        return PEER_MALFORMED;
    *ret_message = m;
    return PEER_OK;
}

/* FNV-1a over 32-bit words: it only has to detect a change. */
uint32_t handshake_message_digest(const struct handshake_message *message)
{
    uint32_t digest = 2166136261U ^ message->suites;

    for (size_t k = 0; k < message->key_count && k < HANDSHAKE_KEYS_MAX; k++)
        digest = (digest ^ message->keys[k]) * 16777619U;
    return digest ? digest : 1;
}
