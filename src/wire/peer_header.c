/* The first 40 bytes of every peer message. */
#include <string.h>

#include "headless/base/bytes.h"
#include "headless/wire/peer.h"

#define SEALED_OFFSET 7
#define TO_OFFSET     24

static const uint8_t magic[2] = {'h', 'p'};

uint8_t *peer_put_header(uint8_t out[static PEER_HEADER_BYTES], const struct peer_header *header)
{
    uint8_t *next = out;

    memcpy(next, magic, sizeof(magic));
    next[2] = PEER_VERSION;
    next[3] = header->type;
    next = put_be16(next + 4, header->flags);
    next = put_be16(next, 0); /* not sealed */
    next = put_be64(next, header->cluster);
    next = put_be64(next, header->from);
    next = put_be64(next, header->to);
    return put_be64(next, 0); /* token */
}

void peer_put_sealed(uint8_t out[static PEER_HEADER_BYTES], bool is_sealed)
{
    out[SEALED_OFFSET] = is_sealed;
}

bool peer_is_sealed(const uint8_t data[static PEER_HEADER_BYTES])
{
    return data[SEALED_OFFSET] == 1;
}

void peer_put_to(uint8_t *message, uint64_t to)
{
    (void)put_be64(message + TO_OFFSET, to);
}

void peer_put_token(uint8_t *message, uint64_t token)
{
    (void)put_be64(message + PEER_TOKEN_OFFSET, token);
}

bool peer_read_header(const uint8_t *data, size_t length, struct peer_header *ret_header)
{
    if (length < PEER_HEADER_BYTES || memcmp(data, magic, sizeof(magic)) != 0 ||
        data[2] != PEER_VERSION)
        return false;
    *ret_header = (struct peer_header){.cluster = get_be64(data + 8),
                                       .from = get_be64(data + 16),
                                       .to = get_be64(data + 24),
                                       .token = get_be64(data + PEER_TOKEN_OFFSET),
                                       .flags = get_be16(data + 4),
                                       .type = data[3]};
    return true;
}

enum peer_verdict peer_open_header(const uint8_t *data, size_t length, uint64_t cluster,
                                   struct peer_header *ret_header)
{
    struct peer_header header;

    if (length < 3 || memcmp(data, magic, sizeof(magic)) != 0)
        return PEER_MALFORMED;
    if (data[2] != PEER_VERSION)
        return PEER_BAD_VERSION;
    if (!peer_read_header(data, length, &header))
        return PEER_MALFORMED;
    if (header.cluster != cluster)
        return PEER_BAD_CLUSTER;
    *ret_header = header;
    return PEER_OK;
}
