/*
 * policy_route: the rules and the route by which datagrams of the app to clients stay in this network
 * namespace (return_path.h).
 *
 * Private to net/. A routing table of its own has one route, "local default dev lo": every address is
 * a local one there. Rules select what is looked up in it:
 *
 *   from APP iif lo ipproto udp sport PORT     what an app at a loopback address sends from it; such
 *   from APP iif lo ipproto icmp               datagrams could leave to no network (RFC 1122, 4291)
 *   from APP iif lo oif lo ipproto udp sport PORT
 *                                              what an app at the pod's address sends over lo, because
 *                                              its requests came from there (ipi6_ifindex): IPv6 has no
 *                                              such route, and nothing was marked yet
 *   fwmark MARK iif lo                         what the table of nft_clients.h has marked
 *
 * Rules and routes have no owner in the kernel, so they stay when the process ends. Without the app's
 * socket and without marks they select nothing. The next start replaces them: it knows its own by
 * POLICY_PROTOCOL. Source: net/core/fib_rules.c, net/ipv4/fib_frontend.c.
 */
#ifndef HEADLESS_NET_POLICY_ROUTE_H
#define HEADLESS_NET_POLICY_ROUTE_H

#include "headless/base/address.h"

/* Of rules and routes: who made them (rtnetlink(7), rtm_protocol); below 4 is the kernel's. */
#define POLICY_PROTOCOL 104
#define POLICY_PRIORITY 1000 /* of the rules: after the table local, before main */

struct policy_route {
    struct address app;
    uint32_t table, mark;
};

/* Install or replace. -EEXIST: the table has rules or routes of others. */
int policy_route_install(const struct policy_route *policy) __attribute__((warn_unused_result));

#endif
