/*
 * session_number: the number of a session as an address for the app.
 *
 * The bits of a number are reversed in its address: numbers that are dealt one after the other
 * are in different /24 and /16 networks, because apps limit rates by network. The first and the
 * last number of 127.128.0.0/9 are never an address: 127.255.255.255 is a broadcast address.
 *
 * Pure functions; any thread.
 */
#ifndef DATA_APP_SESSION_NUMBER_H
#define DATA_APP_SESSION_NUMBER_H

#include "headless/base/address.h"

#define SESSION_NUMBER_BITS 23 /* as many as 127.128.0.0/9 has */
#define SESSION_NUMBERS     (UINT32_C(1) << SESSION_NUMBER_BITS)
#define SESSION_NUMBER_NONE UINT32_MAX
#define SESSION_ATTEMPTS    16 /* addresses that app.client_address: hashed tries for a client */

struct address session_number_to_address(uint32_t number);

/* SESSION_NUMBER_NONE: not in 127.128.0.0/9. */
uint32_t session_number_of_address(const struct address *address);

/* The key of session_number_hashed: the same in all pods of a cluster. */
void session_number_key(const char *cluster, uint8_t ret_key[static 16]);

/*
 * The number that a client gets at this attempt (0, 1, ...), if another client has the ones before.
 * Its address ends neither in .0 nor in .255.
 */
uint32_t session_number_hashed(const uint8_t key[static 16], const struct address *client,
                               uint32_t attempt);

#endif
