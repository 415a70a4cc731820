/*
 * return_path: the way from and to an app that sees its clients' own addresses (app.source client).
 *
 * Transparent sockets (transparent.h) send requests from the client's address. The app replies to that
 * address, and the kernel has to deliver the reply to the socket here instead of sending it into the
 * network. Only datagrams to clients with an open session are to take this way: an app may also send
 * to others from its port (a SIP server that calls out).
 *
 * An nftables table translates ports and finds the clients (nft_clients.h). Rules and a route of their
 * own lead to the socket (policy_route.h).
 *
 * Needs CAP_NET_ADMIN while it is opened, and no capability afterwards. What the kernel does not remove
 * with the process is harmless, and replaced by the next start. Main thread.
 */
#ifndef HEADLESS_NET_RETURN_PATH_H
#define HEADLESS_NET_RETURN_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "headless/base/address.h"

#define RETURN_PATH_WHY_MAX 256

struct return_path_setup {
    struct address app;
    const uint16_t *ports; /* of the transparent sockets */
    size_t port_count;
    uint32_t clients_max; /* with an open session at once */
    /* Another socket of the pod has the app's port, at another address. */
    bool is_port_shared;
};

struct return_path {
    int nft_fd; /* owns the nftables table; -1: there is none */
};

/* Returns 0, or a negative errno with a text. */
int return_path_open(const struct return_path_setup *setup, struct return_path *ret_path,
                     char ret_why[static RETURN_PATH_WHY_MAX]) __attribute__((warn_unused_result));
void return_path_close(struct return_path *path);

#endif
