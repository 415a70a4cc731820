/* Joins multicast groups, and joins again after a failure or the loss of an interface. */
#include "data/ingress/multicast.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "headless/base/log.h"
#include "headless/net/multicast.h"

/* The remedy for each failure. */
static const char *remedy(int rc)
{
    switch (rc) {
    case -ENODEV:
    case -EINVAL:
        return "name an interface that exists, as in GROUP%eth0";
    case -ENXIO:
        return "it is bound to one link, whose interface has gone: restart";
    case -EADDRINUSE:
        return "another process is bound to data.port of all addresses";
    case -EAFNOSUPPORT:
        return "this host has no addresses of this family";
    default:
        return "name an interface that has multicast, as in GROUP%eth0, or leave the group out";
    }
}

/* The kernel chooses an interface only for the first join: later its choice could be another. */
static int choose_interface(const struct config *config, const struct multicast_group *group,
                            uint32_t *ret_interface)
{
    const char *name = group->wanted->interface;
    uint32_t interface = 0;
    int rc = 0;

    if (*name)
        interface = multicast_find_interface(name);
    else
        rc = multicast_interface_of(&config->self, &interface);
    if (rc) /* not the kernel's choice: that could be another interface */
        return rc;
    if (interface == MULTICAST_ANY_INTERFACE && (*name || group->was_joined))
        return -ENODEV;
    *ret_interface = interface;
    return 0;
}

/* The source of its replies. Unset, so that the kernel chooses, where self is of the other family. */
static struct address replies_from(const struct config *config, const struct multicast_group *group)
{
    if (config->self.family != group->address.family)
        return (struct address){0};
    return address_with_port(config->self, config->data_port);
}

/*
 * A data socket bound to all addresses has the groups' addresses too. It shares them only while the
 * group is bound: otherwise another process could bind a part of them and take datagrams of clients.
 */
static int bind_shared(const struct multicast_groups *groups, struct multicast_group *group,
                       uint32_t interface)
{
    int rc;

    for (size_t i = 0; i < groups->data_socket_count; i++)
        udp_share_address(&groups->data_sockets[i], true);
    rc = multicast_bind(&group->socket, &group->address, interface);
    for (size_t i = 0; i < groups->data_socket_count; i++)
        udp_share_address(&groups->data_sockets[i], false);
    if (rc)
        return rc;
    group->is_bound = true;
    group->bound_interface = multicast_is_of_one_link(&group->address) ? interface : 0;
    return 0;
}

static int join_group(const struct multicast_groups *groups, struct multicast_group *group)
{
    uint32_t interface;
    int rc = choose_interface(groups->config, group, &interface);

    if (!rc && !group->is_bound)
        rc = bind_shared(groups, group, interface);
    if (!rc && group->bound_interface && group->bound_interface != interface)
        return -ENXIO;
    if (!rc)
        rc = multicast_join(&group->socket, &group->address, interface);
    if (rc)
        return rc;
    group->interface = interface;
    group->was_joined = true;
    atomic_store_explicit(&group->is_joined, true, memory_order_relaxed);
    return 0;
}

/* "239.1.2.3%eth0" */
#define NAME_MAX_BYTES (ADDRESS_TEXT_MAX + 64)
static const char *name_of(const struct config_group *wanted, char name[static NAME_MAX_BYTES])
{
    char text[ADDRESS_TEXT_MAX];

    (void)snprintf(name, NAME_MAX_BYTES, "%s%s%s", address_format_ip(&wanted->address, text),
                   *wanted->interface ? "%" : "", wanted->interface);
    return name;
}

static void log_join_failure(const struct config_group *wanted, int rc, bool is_last)
{
    char name[NAME_MAX_BYTES];

    log_error("multicast_failed", "multicast.groups: cannot join %s: %s; unicast goes on; %s%s",
              name_of(wanted, name), strerror(-rc), remedy(rc),
              is_last ? "" : "; trying again every few seconds");
}

static void join_or_log(const struct multicast_groups *groups, struct multicast_group *group,
                        bool is_again)
{
    char name[NAME_MAX_BYTES];
    int rc = join_group(groups, group);

    if (!rc && is_again)
        log_info("group_joined", "multicast.groups: joined %s", name_of(group->wanted, name));
    if (rc && rc != group->logged_errno &&
        !(group->was_joined && rc == -ENODEV)) /* its loss has been logged */
        log_join_failure(group->wanted, rc, rc == -ENXIO);
    group->logged_errno = rc;
}

/* The membership ends with the interface, and does not return with it. */
static void leave_lost(struct multicast_group *group)
{
    char name[NAME_MAX_BYTES];

    multicast_leave(&group->socket, &group->address, group->interface);
    atomic_store_explicit(&group->is_joined, false, memory_order_relaxed);
    log_warn("group_lost",
             "multicast.groups: the interface of %s has gone; joining again when it is back",
             name_of(group->wanted, name));
}

static bool is_joined(const struct multicast_group *group)
{
    return atomic_load_explicit(&group->is_joined, memory_order_relaxed);
}

void multicast_groups_retry(struct multicast_groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        struct multicast_group *group = &groups->list[i];

        if (is_joined(group) && group->interface != MULTICAST_ANY_INTERFACE &&
            !multicast_has_interface(group->interface))
            leave_lost(group);
        if (!is_joined(group))
            join_or_log(groups, group, true);
    }
}

size_t multicast_groups_joined(const struct multicast_groups *groups)
{
    size_t count = 0;

    for (size_t i = 0; i < groups->count; i++)
        count += is_joined(&groups->list[i]);
    return count;
}

static int open_group(struct multicast_groups *groups, const struct config_group *wanted)
{
    const struct config *config = groups->config;
    const struct udp_options options = {.tos = true,
                                        .merged = config->gro,
                                        .rcvbuf_bytes = config->rcvbuf_bytes,
                                        .receive_timeout_ns = AGENT_IDLE_MAX_NS};
    struct multicast_group *group = &groups->list[groups->count];
    int rc;

    memset(group, 0, sizeof(*group));
    group->wanted = wanted;
    group->address = address_with_port(wanted->address, config->data_port);
    rc = multicast_create(&group->address, &options, &group->socket);
    if (rc) {
        log_join_failure(wanted, rc, true);
        return 0;
    }
    groups->count++;
    group->socket.local = replies_from(config, group);
    join_or_log(groups, group, false);
    rc =
        receiver_init(&group->receiver, SOURCE_GROUP, config->ring, config->batch, config->workers);
    group->receiver.socket = &group->socket;
    return rc;
}

int multicast_groups_open(struct multicast_groups *groups, const struct config *config,
                          const struct udp_socket *data_sockets, size_t data_socket_count)
{
    const struct config_groups *wanted = &config->multicast_groups;
    int rc = 0;

    *groups = (struct multicast_groups){
        .config = config, .data_sockets = data_sockets, .data_socket_count = data_socket_count};
    if (wanted->count == 0)
        return 0;
    groups->list = aligned_alloc(CACHE_LINE_BYTES, wanted->count * sizeof(*groups->list));
    if (!groups->list)
        return -ENOMEM;
    for (size_t i = 0; !rc && i < wanted->count; i++)
        rc = open_group(groups, &wanted->list[i]);
    return rc;
}

void multicast_groups_close(struct multicast_groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        receiver_fini(&groups->list[i].receiver);
        udp_close(&groups->list[i].socket);
    }
    free(groups->list);
    *groups = (struct multicast_groups){0};
}

int multicast_groups_start(struct multicast_groups *groups)
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

void multicast_groups_stop(struct multicast_groups *groups)
{
    for (size_t i = 0; i < groups->count; i++)
        agent_stop(&groups->list[i].receiver.agent, NULL);
}

void multicast_groups_leave(struct multicast_groups *groups)
{
    for (size_t i = 0; i < groups->count; i++) {
        struct multicast_group *group = &groups->list[i];

        if (is_joined(group))
            multicast_leave(&group->socket, &group->address, group->interface);
        atomic_store_explicit(&group->is_joined, false, memory_order_relaxed);
    }
}

uint64_t multicast_groups_kernel_drops(const struct multicast_groups *groups)
{
    uint64_t drops = 0;

    for (size_t i = 0; i < groups->count; i++)
        drops += udp_kernel_drops(groups->list[i].socket.fd);
    return drops;
}
