/* session_address: session numbers as addresses in 127.128.0.0/9 (udp_app.c). */
#ifndef DATA_APP_SESSION_ADDRESS_H
#define DATA_APP_SESSION_ADDRESS_H

#include <arpa/inet.h>
#include <string.h>

#include "data/app/session.h"

#define SESSION_NETWORK UINT32_C(0x7f800000) /* 127.128.0.0 */

static inline struct address session_address(uint32_t number)
{
    uint32_t ip = htonl(SESSION_NETWORK + number);
    struct address address = address_any(ADDRESS_V4);

    memcpy(address.ip, &ip, sizeof(ip));
    return address;
}

static inline uint32_t session_address_number(const struct address *address)
{
    uint32_t ip;

    memcpy(&ip, address->ip, sizeof(ip));
    return ntohl(ip) - SESSION_NETWORK;
}

static inline bool session_address_is_one(const struct address *address)
{
    return address->family == ADDRESS_V4 &&
           session_address_number(address) >> SESSION_NUMBER_BITS == 0;
}

#endif
