/*
 * Any datagram on the peer port. peer_open refuses it with its outputs untouched, or accepts it:
 * then it is within all bounds that the election relies on, and written again it gives the same
 * bytes, except for the token.
 */
#include <string.h>

#include "fuzz.h"
#include "headless/wire/peer.h"

/* The cluster of the input, so that the fuzzer need not guess 64 bits. */
static uint64_t cluster_of(const uint8_t *data, size_t size)
{
    uint64_t cluster = 0;

    for (size_t i = 8; size >= 16 && i < 16; i++)
        cluster = cluster << 8 | data[i];
    return cluster;
}

static void check_members(const struct election_message *message,
                          const struct election_member *members)
{
    FUZZ_CHECK(message->member_count <= ELECTION_PAGE);
    for (size_t i = 0; i < message->member_count; i++) {
        FUZZ_CHECK(members[i].instance != 0);
        FUZZ_CHECK(address_is_canonical(&members[i].address));
        FUZZ_CHECK(memchr(members[i].name.text, '\0', ELECTION_NAME_MAX) != NULL);
    }
}

static void check_opened(const uint8_t *data, size_t size, uint64_t cluster,
                         const struct election_message *message,
                         const struct election_member *members)
{
    uint8_t again[PEER_BYTES_MAX];
    struct peer_header header;

    FUZZ_CHECK(message->type > 0 && message->type < ELECTION_MESSAGE_COUNT);
    FUZZ_CHECK(message->from != 0 && message->count <= ELECTION_MEMBERS_MAX);
    FUZZ_CHECK(message->first <= ELECTION_MEMBERS_MAX);
    check_members(message, members);
    FUZZ_CHECK(peer_read_header(data, size, &header));
    FUZZ_CHECK(peer_put(again, cluster, message, members) == size);
    peer_put_token(again, header.token);
    FUZZ_CHECK(memcmp(again, data, size) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t cluster = cluster_of(data, size);
    struct election_member members[ELECTION_PAGE] = {{.instance = 77}};
    struct election_message message = {.type = 77};

    if (peer_open(data, size, cluster, &message, members) == PEER_OK)
        check_opened(data, size, cluster, &message, members);
    else
        FUZZ_CHECK(message.type == 77 && members[0].instance == 77);
    return 0;
}
