#include "headless/net/return_path.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "net/nft_clients.h"
#include "net/policy_route.h"

/* Of the routing table and the mark, with the app's port: no number that others use by chance. */
#define RETURN_PATH_NUMBERS UINT32_C(0x68640000)
/* Kubernetes has a meaning for these bits of a mark (0x4000 masquerade, 0x8000 drop). */
#define KUBERNETES_MARKS    UINT32_C(0xc000)
/* Deleted elements stay in the set for a second or so: clients that come and go meanwhile. */
#define CLIENTS_SPARE       UINT32_C(262144)

static bool lacks_nftables(int rc)
{
    return rc == -EPROTONOSUPPORT || rc == -EOPNOTSUPP || rc == -EINVAL || rc == -ENOENT;
}

static int refuse_table(const struct return_path_setup *setup, int rc,
                        char ret_why[static RETURN_PATH_WHY_MAX])
{
    if (rc == -EPERM)
        (void)snprintf(ret_why, RETURN_PATH_WHY_MAX,
                       "nftables table headlessd_%u belongs to another running process: only one "
                       "headlessd of a network namespace may have an app at this port",
                       setup->app.port);
    else if (rc == -EEXIST)
        (void)snprintf(ret_why, RETURN_PATH_WHY_MAX,
                       "nftables table headlessd_%u exists, made by another program: delete it",
                       setup->app.port);
    else if (lacks_nftables(rc))
        (void)snprintf(ret_why, RETURN_PATH_WHY_MAX,
                       "the kernel lacks a part of nftables (%s): Linux 5.12 with nf_tables",
                       strerror(-rc));
    else
        (void)snprintf(ret_why, RETURN_PATH_WHY_MAX, "nftables table headlessd_%u: %s",
                       setup->app.port, strerror(-rc));
    return rc;
}

static void refuse_routes(const struct policy_route *policy, int rc,
                          char ret_why[static RETURN_PATH_WHY_MAX])
{
    if (rc == -EEXIST)
        (void)snprintf(ret_why, RETURN_PATH_WHY_MAX,
                       "routing table %u is in use: it has rules or routes of another program",
                       policy->table);
    else
        (void)snprintf(ret_why, RETURN_PATH_WHY_MAX, "rules and route of routing table %u: %s",
                       policy->table, strerror(-rc));
}

static int open_table(const struct return_path_setup *setup, uint32_t mark,
                      struct return_path *path, char ret_why[static RETURN_PATH_WHY_MAX])
{
    const struct nft_clients clients = {.app = setup->app,
                                        .ports = setup->ports,
                                        .port_count = setup->port_count,
                                        .mark = mark,
                                        .clients_max = setup->clients_max + CLIENTS_SPARE,
                                        .is_port_shared = setup->is_port_shared};
    int fd = nft_clients_open(&clients);

    if (fd < 0)
        return refuse_table(setup, fd, ret_why);
    path->nft_fd = fd;
    return 0;
}

int return_path_open(const struct return_path_setup *setup, struct return_path *ret_path,
                     char ret_why[static RETURN_PATH_WHY_MAX])
{
    struct return_path made = {.nft_fd = -1};
    struct policy_route policy = {.app = setup->app,
                                  .table = RETURN_PATH_NUMBERS | setup->app.port,
                                  .mark =
                                      RETURN_PATH_NUMBERS | (setup->app.port & ~KUBERNETES_MARKS)};
    int rc;

    *ret_why = '\0';
    rc = open_table(setup, policy.mark, &made, ret_why);
    if (rc)
        return rc;
    rc = policy_route_install(&policy);
    if (rc) {
        refuse_routes(&policy, rc, ret_why);
        return_path_close(&made);
        return rc;
    }
    *ret_path = made;
    return 0;
}

void return_path_close(struct return_path *path)
{
    if (path->nft_fd >= 0)
        (void)close(path->nft_fd);
    path->nft_fd = -1;
}
