#include "data/app/session_number.h"

#include <sodium.h>

#define SESSION_NETWORK UINT32_C(0x7f800000) /* 127.128.0.0 */
#define LAST_OCTETS     254                  /* of 256: without .0 and .255 */

static uint32_t reverse_bits(uint32_t bits)
{
    bits = (bits >> 1 & 0x55555555) | (bits & 0x55555555) << 1;
    bits = (bits >> 2 & 0x33333333) | (bits & 0x33333333) << 2;
    bits = (bits >> 4 & 0x0f0f0f0f) | (bits & 0x0f0f0f0f) << 4;
    return __builtin_bswap32(bits) >> (32 - SESSION_NUMBER_BITS);
}

struct address session_number_to_address(uint32_t number)
{
    uint32_t ip = htonl(SESSION_NETWORK | reverse_bits(number));
    struct address address = address_any(ADDRESS_V4);

    memcpy(address.ip, &ip, sizeof(ip));
    return address;
}

uint32_t session_number_of_address(const struct address *address)
{
    uint32_t ip;

    memcpy(&ip, address->ip, sizeof(ip));
    ip = ntohl(ip) - SESSION_NETWORK;
    return ip < SESSION_NUMBERS ? reverse_bits(ip) : SESSION_NUMBER_NONE;
}

void session_number_key(const char *cluster, uint8_t ret_key[static 16])
{
    static const uint8_t purpose[] = "headlessd app.client_address";

    (void)crypto_generichash(ret_key, 16, (const uint8_t *)cluster, strlen(cluster), purpose,
                             sizeof(purpose) - 1);
}

uint32_t session_number_hashed(const uint8_t key[static 16], const struct address *client,
                               uint32_t attempt)
{
    uint8_t input[sizeof(*client) + sizeof(attempt)], hash[crypto_shorthash_BYTES];
    uint64_t number;
    uint32_t high, low;

    /* Without the scope: the number of an interface differs from pod to pod. */
    memset(input, 0, sizeof(input));
    memcpy(input, client->ip, sizeof(client->ip));
    input[16] = client->family;
    input[17] = (uint8_t)(client->port >> 8);
    input[18] = (uint8_t)client->port;
    input[19] = (uint8_t)attempt;
    (void)crypto_shorthash(hash, input, sizeof(input), key);
    memcpy(&number, hash, sizeof(number));
    number = le64toh(number);
    high = (uint32_t)(number >> 32) % LAST_OCTETS + 1; /* reversed, it is the last octet */
    low = (uint32_t)number & ((SESSION_NUMBERS >> 8) - 1);
    return high << (SESSION_NUMBER_BITS - 8) | low;
}
