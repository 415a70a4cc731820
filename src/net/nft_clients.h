/*
 * nft_clients: an nftables table that finds the app's datagrams to clients where their source does
 * not tell (return_path.h).
 *
 * Private to net/. Needed for an app bound to the wildcard, which the kernel gives a source address of
 * its choice, and for one at an address of the pod, which may also send to others. The table has a
 * set of clients, ADDRESS . PORT, and an output chain:
 *
 *   from CLIENT to the app's address, signal_port, 1 byte      add the client to the set; drop
 *   the same with 2 bytes                                         delete it; drop
 *   from the app's port to a member of the set                    source: the app's address; mark
 *   ICMP errors of the app's address that quote a member          mark
 *
 * So the set is changed by datagrams of transparent sockets (transparent.h): no netlink message and
 * no capability for each client, and no work for each datagram. The kernel removes the table when the
 * descriptor is closed, also by a killed process (NFT_TABLE_F_OWNER, Linux 5.12).
 *
 * Source: net/netfilter/nf_tables_api.c, nft_dynset.c, nft_payload.c; nft --debug=netlink.
 */
#ifndef HEADLESS_NET_NFT_CLIENTS_H
#define HEADLESS_NET_NFT_CLIENTS_H

#include <stdbool.h>

#include "headless/base/address.h"

#define NFT_SIGNAL_ADD    1 /* bytes of payload */
#define NFT_SIGNAL_DELETE 2

struct nft_clients {
    struct address app;
    uint16_t signal_port;
    uint32_t mark;
    uint32_t clients_max; /* elements of the set; deleted ones count for about a second more */
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
