/*
 * A handshake message from the peer port, after its seal was opened. It is rejected with the output
 * untouched, or all fields are within their bounds; written again it gives the same bytes except the
 * token. peer_open does not accept it.
 */
#include <string.h>

#include "fuzz.h"
#include "headless/wire/handshake_message.h"

/* The cluster that the input names, so that the fuzzer need not guess 64 bits. */
static uint64_t cluster_of(const uint8_t *data, size_t size)
{
    uint64_t cluster = 0;

    for (size_t i = 8; size >= 16 && i < 16; i++)
        cluster = cluster << 8 | data[i];
    return cluster;
}

static void check_refused(const uint8_t *data, size_t size, uint64_t cluster)
{
    struct handshake_message handshake_message = {.from = 77, .key_count = 77};

    FUZZ_CHECK(handshake_message_open(data, size, cluster, &handshake_message) != PEER_OK);
    FUZZ_CHECK(handshake_message.from == 77 && handshake_message.key_count == 77);
}

static void check_bounds(const struct handshake_message *handshake_message)
{
    struct handshake_message other = *handshake_message;

    FUZZ_CHECK(handshake_message->from != 0 && handshake_message->suites != 0);
    FUZZ_CHECK(handshake_message->key_count >= 1);
    FUZZ_CHECK(handshake_message->key_count <= HANDSHAKE_KEYS_MAX);
    FUZZ_CHECK(handshake_message->nonce_space_count <= HANDSHAKE_NONCE_SPACES_MAX);
    FUZZ_CHECK(handshake_message_digest(handshake_message) != 0);
    other.keys[0] ^= 1;
    FUZZ_CHECK(handshake_message_digest(&other) != handshake_message_digest(handshake_message));
}

static void check_opened(const uint8_t *data, size_t size, uint64_t cluster,
                         const struct handshake_message *handshake_message)
{
    struct election_member members[ELECTION_PAGE];
    uint8_t again[HANDSHAKE_MESSAGE_BYTES];
    struct election_message message;
    struct peer_header header;

    FUZZ_CHECK(size == HANDSHAKE_MESSAGE_BYTES);
    FUZZ_CHECK(peer_read_header(data, size, &header));
    FUZZ_CHECK(header.from == handshake_message->from && header.to == handshake_message->to);
    handshake_message_put(again, cluster, handshake_message);
    peer_put_token(again, header.token);
    FUZZ_CHECK(memcmp(again, data, size) == 0);
    FUZZ_CHECK(peer_open(data, size, cluster, &message, members) == PEER_MALFORMED);
    peer_put_sealed(again, true);
    check_refused(again, size, cluster);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t cluster = cluster_of(data, size);
    struct handshake_message handshake_message;

    check_refused(data, size, ~cluster);
    if (handshake_message_open(data, size, cluster, &handshake_message) != PEER_OK) {
        check_refused(data, size, cluster);
        return 0;
    }
    check_bounds(&handshake_message);
    check_opened(data, size, cluster, &handshake_message);
    return 0;
}
