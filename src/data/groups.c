#include "headless/data/groups.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "headless/base/log.h"
#include "headless/net/multicast.h"

/* What each failure is mended by. */
static const char *hint(int rc)
{
    switch (rc) {
    case -ENODEV:
    case -EINVAL:
        return "name an interface that there is, as in GROUP%eth0";
    case -EADDRINUSE:
        return "another process has data.port of all addresses";
    case -EAFNOSUPPORT:
        return "this host has no such addresses";
    default:
        return "name an interface that has multicast, as in GROUP%eth0, or leave the group out";
    }
}

static uint32_t choose_interface(const struct config *config, const struct config_group *wanted)
{
    return *wanted->interface ? multicast_find_interface(wanted->interface)
                              : multicast_interface_of(&config->self);
}

/* From where its answers leave; the kernel has to choose where self is of the other family. */
static struct address answers_from(const struct config *config, const struct group *group)
{
    if (config->self.family != group->address.family)
        return (struct address){0};
    return address_with_port(config->self, config->data_port);
}

static int join(const struct config *config, const struct config_group *wanted,
                struct group *ret_group)
{
    const struct udp_options options = {.merged = config->gro,
                                        .rcvbuf_bytes = config->rcvbuf_bytes,
                                        .receive_timeout_ns = AGENT_IDLE_MAX_NS};
    struct group group = {.address = address_with_port(wanted->address, config->data_port),
                          .interface = choose_interface(config, wanted)};
    int rc = *wanted->interface && group.interface == MULTICAST_ANY_INTERFACE ? -ENODEV : 0;

    if (!rc)
        rc = multicast_open(&group.address, group.interface, &options, &group.socket);
    if (rc)
        return rc;
    group.socket.local = answers_from(config, &group);
    *ret_group = group;
    return 0;
}

static void join_or_tell(struct groups *groups, const struct config *config,
                         const struct config_group *wanted)
{
    char text[ADDRESS_TEXT_MAX];
    int rc = join(config, wanted, &groups->list[groups->count]);

    if (!rc) {
        groups->count++;
        return;
    }
    log_error("multicast_failed",
              "multicast.groups: cannot join %s%s%s: %s; unicast goes on; %s, and restart",
              address_format_ip(&wanted->address, text), *wanted->interface ? "%" : "",
              wanted->interface, strerror(-rc), hint(rc));
}

static void share(const struct udp_socket *sockets, size_t count, bool is_shared)
{
    for (size_t i = 0; i < count; i++)
        udp_share_address(&sockets[i], is_shared);
}

int groups_open(struct groups *groups, const struct config *config,
                const struct udp_socket *data_sockets, size_t data_socket_count)
{
    const struct config_groups *wanted = &config->multicast_groups;
    int rc = 0;

    *groups = (struct groups){0};
    if (wanted->count == 0)
        return 0;
    groups->list = aligned_alloc(CACHE_LINE_BYTES, wanted->count * sizeof(*groups->list));
    if (!groups->list)
        return -ENOMEM;
    /* A data socket of all addresses has the groups' addresses too; and only now others may be
     * bound to a part of them, or they could take the clients' datagrams away. */
    share(data_sockets, data_socket_count, true);
    for (size_t i = 0; i < wanted->count; i++)
        join_or_tell(groups, config, &wanted->list[i]);
    share(data_sockets, data_socket_count, false);
    for (size_t i = 0; !rc && i < groups->count; i++) {
        struct group *group = &groups->list[i];

        rc = receiver_init(&group->receiver, SOURCE_GROUP, config->ring, config->batch,
                           config->workers);
        group->receiver.socket = &group->socket;
    }
    return rc;
}

void groups_close(struct groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        receiver_fini(&groups->list[i].receiver);
        udp_close(&groups->list[i].socket);
    }
    free(groups->list);
    *groups = (struct groups){0};
}

int groups_start(struct groups *groups)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < groups->count; i++) {
        struct receiver *receiver = &groups->list[i].receiver;
        char name[16];

        (void)snprintf(name, sizeof(name), "group-%u", (unsigned)i);
        rc = agent_start(&receiver->agent, name, &receiver_agent_ops, receiver);
    }
    return rc;
}

void groups_stop(struct groups *groups)
{
    for (size_t i = 0; i < groups->count; i++)
        agent_stop(&groups->list[i].receiver.agent, NULL);
}

void groups_leave(const struct groups *groups)
{
    for (size_t i = 0; i < groups->count; i++)
        multicast_leave(&groups->list[i].socket, &groups->list[i].address,
                        groups->list[i].interface);
}

uint64_t groups_kernel_drops(const struct groups *groups)
{
    uint64_t drops = 0;

    for (size_t i = 0; i < groups->count; i++)
        drops += udp_kernel_drops(groups->list[i].socket.fd);
    return drops;
}
