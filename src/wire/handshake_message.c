#include "headless/wire/handshake_message.h"

#include <string.h>

#include "headless/base/bytes.h"

#define IP_BYTES 16 /* also of IPv4: what is not used is 0 */

_Static_assert(HANDSHAKE_MESSAGE_BYTES <= PEER_BYTES_MAX, "it must fit the courier's buffer");

void handshake_message_put(uint8_t out[static HANDSHAKE_MESSAGE_BYTES], uint64_t cluster,
                           const struct handshake_message *message)
{
    const struct handshake_message *i = message;
    uint8_t *next = peer_put_header(
        out, &(struct peer_header){
                 .cluster = cluster, .from = i->from, .to = i->to, .type = PEER_HANDSHAKE});

    next = put_be64(next, i->nonce);
    next = put_be64(next, i->echo);
    next = put_be32(next, i->known);
    *next++ = i->suites;
    *next++ = i->key_count;
    *next++ = i->nonce_space_count;
    *next++ = i->address.family == ADDRESS_V6 ? 6 : 4;
    memcpy(next, i->address.ip, IP_BYTES);
    next += IP_BYTES;
    for (size_t k = 0; k < HANDSHAKE_KEYS_MAX; k++)
        next = put_be32(next, i->keys[k]);
    for (size_t k = 0; k < HANDSHAKE_NONCE_SPACES_MAX; k++)
        next = put_be64(next, i->counters[k]);
}

static struct address get_address(uint8_t family, const uint8_t *ip)
{
    struct address a = {.family = family == 4 ? ADDRESS_V4 : family == 6 ? ADDRESS_V6 : 0};

    memcpy(a.ip, ip, IP_BYTES);
    return a;
}

/* In its one spelling: what a shorter one does not use is 0. */
static bool is_address(const struct address *a)
{
    static const uint8_t zeros[IP_BYTES];

    return address_is_set(a) && address_is_canonical(a) &&
           (a->family == ADDRESS_V6 || memcmp(a->ip + 4, zeros, IP_BYTES - 4) == 0);
}

static bool is_plausible(const struct handshake_message *i)
{
    if (i->from == 0 || i->key_count == 0 || i->key_count > HANDSHAKE_KEYS_MAX ||
        i->nonce_space_count > HANDSHAKE_NONCE_SPACES_MAX || i->suites == 0 ||
        !is_address(&i->address))
        return false;
    for (size_t k = 0; k < HANDSHAKE_KEYS_MAX; k++) {
        if ((i->keys[k] != 0) != (k < i->key_count))
            return false;
    }
    for (size_t k = i->nonce_space_count; k < HANDSHAKE_NONCE_SPACES_MAX; k++) {
        if (i->counters[k] != 0)
            return false;
    }
    return true;
}

enum peer_verdict handshake_message_open(const uint8_t *data, size_t length, uint64_t cluster,
                                         struct handshake_message *ret_message)
{
    const uint8_t *in = data + PEER_HEADER_BYTES;
    struct handshake_message i = {0};
    struct peer_header header;
    enum peer_verdict verdict = peer_open_header(data, length, cluster, &header);

    if (verdict != PEER_OK)
        return verdict;
    if (length != HANDSHAKE_MESSAGE_BYTES || header.type != PEER_HANDSHAKE || header.flags != 0 ||
        data[6] != 0 || data[7] != 0)
        return PEER_MALFORMED;
    i.from = header.from;
    i.to = header.to;
    i.nonce = get_be64(in);
    i.echo = get_be64(in + 8);
    i.known = get_be32(in + 16);
    i.suites = in[20];
    i.key_count = in[21];
    i.nonce_space_count = in[22];
    i.address = get_address(in[23], in + 24);
    in += 24 + IP_BYTES;
    for (size_t k = 0; k < HANDSHAKE_KEYS_MAX; k++, in += 4)
        i.keys[k] = get_be32(in);
    for (size_t k = 0; k < HANDSHAKE_NONCE_SPACES_MAX; k++, in += 8)
        i.counters[k] = get_be64(in);
    if (!is_plausible(&i))
        return PEER_MALFORMED;
    *ret_message = i;
    return PEER_OK;
}

/* FNV-1a over 32-bit words: it only has to tell a change. */
uint32_t handshake_message_digest(const struct handshake_message *message)
{
    uint32_t digest = 2166136261U ^ message->suites;

    for (size_t k = 0; k < message->key_count && k < HANDSHAKE_KEYS_MAX; k++)
        digest = (digest ^ message->keys[k]) * 16777619U;
    return digest ? digest : 1;
}
