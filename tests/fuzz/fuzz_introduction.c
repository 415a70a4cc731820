/*
 * Whatever arrives on the peer port sealed as an introduction, once it has been opened. It is
 * refused with its output untouched, or within all bounds; then written again it gives the same
 * bytes, the token aside. No other reader takes it.
 */
#include <string.h>

#include "fuzz.h"
#include "headless/wire/introduction.h"

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
    struct introduction introduction = {.from = 77, .key_count = 77};

    FUZZ_CHECK(introduction_open(data, size, cluster, &introduction) != PEER_OK);
    FUZZ_CHECK(introduction.from == 77 && introduction.key_count == 77);
}

static void check_bounds(const struct introduction *introduction)
{
    struct introduction other = *introduction;

    FUZZ_CHECK(introduction->from != 0 && introduction->suites != 0);
    FUZZ_CHECK(introduction->key_count >= 1);
    FUZZ_CHECK(introduction->key_count <= INTRODUCTION_KEYS_MAX);
    FUZZ_CHECK(introduction->lane_count <= INTRODUCTION_LANES_MAX);
    FUZZ_CHECK(introduction_digest(introduction) != 0);
    other.keys[0] ^= 1;
    FUZZ_CHECK(introduction_digest(&other) != introduction_digest(introduction));
}

static void check_opened(const uint8_t *data, size_t size, uint64_t cluster,
                         const struct introduction *introduction)
{
    struct election_member members[ELECTION_PAGE];
    uint8_t again[INTRODUCTION_BYTES];
    struct election_message message;
    struct peer_header header;

    FUZZ_CHECK(size == INTRODUCTION_BYTES);
    FUZZ_CHECK(peer_read_header(data, size, &header));
    FUZZ_CHECK(header.from == introduction->from && header.to == introduction->to);
    introduction_put(again, cluster, introduction);
    peer_put_token(again, header.token);
    FUZZ_CHECK(memcmp(again, data, size) == 0);
    FUZZ_CHECK(peer_open(data, size, cluster, &message, members) == PEER_MALFORMED);
    peer_put_sealed(again, true);
    check_refused(again, size, cluster);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t cluster = cluster_of(data, size);
    struct introduction introduction;

    check_refused(data, size, ~cluster);
    if (introduction_open(data, size, cluster, &introduction) != PEER_OK) {
        check_refused(data, size, cluster);
        return 0;
    }
    check_bounds(&introduction);
    check_opened(data, size, cluster, &introduction);
    return 0;
}
