/*
 * A datagram with a PROXY v2 header. The header is refused with its outputs untouched, or it lies
 * within the datagram; then its addresses are canonical and round-trip.
 */
#include <errno.h>
#include <string.h>

#include "fuzz.h"
#include "headless/wire/proxy.h"

static void check_canonical(const struct address *a)
{
    static const uint8_t zeros[16];

    FUZZ_CHECK(a->zero == 0 && a->scope == 0);
    if (a->family == ADDRESS_V6)
        return;
    FUZZ_CHECK(memcmp(a->ip + 4, zeros, 12) == 0);
    FUZZ_CHECK(a->family == ADDRESS_V4 || address_equal(a, &(struct address){0}));
}

static void check_round_trip(const struct address *client, const struct address *local)
{
    uint8_t header[PROXY_HEADER_MAX];
    struct address client_again, local_again;
    size_t bytes = proxy_put_header(header, client, local);

    FUZZ_CHECK(bytes == 28 || bytes == PROXY_HEADER_MAX);
    FUZZ_CHECK(proxy_parse_header(header, bytes, &client_again, &local_again) == (int)bytes);
    FUZZ_CHECK(address_equal(client, &client_again));
    FUZZ_CHECK(address_equal(local, &local_again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct address untouched = {.family = 77};
    struct address client = untouched, local = untouched;
    int bytes = proxy_parse_header(data, size, &client, &local);

    if (bytes < 0) {
        FUZZ_CHECK(bytes == -EBADMSG);
        FUZZ_CHECK(address_equal(&client, &untouched) && address_equal(&local, &untouched));
        return 0;
    }
    FUZZ_CHECK(bytes >= 16 && (size_t)bytes <= size);
    check_canonical(&client);
    check_canonical(&local);
    FUZZ_CHECK(address_is_set(&client) == address_is_set(&local));
    if (address_is_set(&client))
        check_round_trip(&client, &local);
    return 0;
}
