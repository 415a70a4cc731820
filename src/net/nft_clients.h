/*
 * nft_clients: the nftables table that gives requests to the app their client's port, and finds the
 * app's datagrams to clients (return_path.h).
 *
 * Private to net/. A request leaves a worker's socket from the client's address and the socket's port
 * K, and to the client's port C at the app's address A; the app's port is P. The output chain has, for
 * the socket of each worker:
 *
 *   CLIENT:K -> A:C             becomes CLIENT:C -> A:P
 *   the same with a TTL of 1    CLIENT . C : K is added to the map, or replaces its element; dropped
 *   the same with a TTL of 2    it is deleted, but not with another value than K; dropped
 *   any other from K            dropped
 *
 * and for all of them:
 *
 *   any:P -> CLIENT:C           if the map has CLIENT . C: becomes A:C -> CLIENT:K, and is marked
 *   ICMP errors of A, to CLIENT, that quote CLIENT:C -> A:P: the same for what they quote
 *
 * None of these is tracked as a connection: a request and its reply would be two, without a reply each.
 * So the port numbers carry the client's port both ways; one socket a worker serves all clients, and
 * changes the map itself: no netlink message and no capability for each client. The kernel removes the
 * table when the descriptor is closed, also by a killed process (NFT_TABLE_F_OWNER, Linux 5.12).
 *
 * Source: net/netfilter/nf_tables_api.c, nft_dynset.c, nft_payload.c; nft --debug=netlink.
 */
#ifndef HEADLESS_NET_NFT_CLIENTS_H
#define HEADLESS_NET_NFT_CLIENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "headless/base/address.h"

/* TTL, or hop limit, of a signal. That of a request is 4 or more (data/loop_guard.h). */
#define NFT_SIGNAL_ADD    1
#define NFT_SIGNAL_DELETE 2

struct nft_clients {
    struct address app;
    const uint16_t *ports; /* of the workers' sockets */
    size_t port_count;
    uint32_t mark;
    uint32_t clients_max; /* elements of the map; deleted ones count for about a second more */
    /* Another socket of the pod has the app's port: only datagrams from the app's own address are
     * the app's. */
    bool is_port_shared;
};

/*
 * Returns a descriptor to keep open. -EPERM: another process has the table; -EEXIST: another program
 * made one of its name; -EPROTONOSUPPORT, -EOPNOTSUPP, -EINVAL or -ENOENT: a kernel without nf_tables
 * or a part of it.
 */
int nft_clients_open(const struct nft_clients *clients) __attribute__((warn_unused_result));

#endif
