/*
 * address_watch: notices that this machine or pod has got an address.
 *
 * The kernel reports changes on a netlink socket (rtnetlink(7)), without a capability. Of IPv4 it is asked for
 * routes: bind(2) looks an address up in the table of local routes, and the message about the address itself
 * precedes the route (net/ipv4/devinet.c: __inet_insert_ifa). IPv6 has a list of addresses, which it reports
 * once they are usable.
 *
 * Threads: the owner of the descriptor. Never blocks.
 */
#ifndef HEADLESS_NET_ADDRESS_WATCH_H
#define HEADLESS_NET_ADDRESS_WATCH_H

#include <stdbool.h>

#include "headless/base/address.h"

/* Returns a descriptor, to be closed by its owner, or a negative errno. */
int address_watch_open(enum address_family family) __attribute__((warn_unused_result));

/* Were there changes since the last call? Also true for some that concern no address, and when messages were
 * lost. Reads a bounded number of messages; the next call reads the rest. */
bool address_watch_take(int fd);

#endif
