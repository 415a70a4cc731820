#include "data/ingress/multicast.h"

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
    case -ENXIO:
        return "it is of one link, and that interface has gone: restart";
    case -EADDRINUSE:
        return "another process has data.port of all addresses";
    case -EAFNOSUPPORT:
        return "this host has no such addresses";
    default:
        return "name an interface that has multicast, as in GROUP%eth0, or leave the group out";
    }
}

/* Once it was joined on an interface, the kernel is not left to choose another. */
static int choose_interface(const struct config *config, const struct multicast_group *group,
                            uint32_t *ret_interface)
{
    const char *name = group->wanted->interface;
    uint32_t interface =
        *name ? multicast_find_interface(name) : multicast_interface_of(&config->self);

    if (interface == MULTICAST_ANY_INTERFACE && (*name || group->was_joined))
        return -ENODEV;
    *ret_interface = interface;
    return 0;
}

/* From where its replies leave; the kernel has to choose where self is of the other family. */
static struct address answers_from(const struct config *config, const struct multicast_group *group)
{
    if (config->self.family != group->address.family)
        return (struct address){0};
    return address_with_port(config->self, config->data_port);
}

/*
 * A data socket of all addresses has the groups' addresses too: only meanwhile others may be bound
 * to a part of them, or they could take the clients' datagrams away.
 */
static int bind_beside(const struct multicast_groups *groups, struct multicast_group *group,
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

static int join(const struct multicast_groups *groups, struct multicast_group *group)
{
    uint32_t interface;
    int rc = choose_interface(groups->config, group, &interface);

    if (!rc && !group->is_bound)
        rc = bind_beside(groups, group, interface);
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

static void tell_failure(const struct config_group *wanted, int rc, bool is_last)
{
    char name[NAME_MAX_BYTES];

    log_error("multicast_failed", "multicast.groups: cannot join %s: %s; unicast goes on; %s%s",
              name_of(wanted, name), strerror(-rc), hint(rc),
              is_last ? "" : "; it is tried again every few seconds");
}

static void join_or_tell(const struct multicast_groups *groups, struct multicast_group *group,
                         bool is_again)
{
    char name[NAME_MAX_BYTES];
    int rc = join(groups, group);

    if (!rc && is_again)
        log_info("group_joined", "multicast.groups: %s is joined now",
                 name_of(group->wanted, name));
    if (rc && rc != group->told &&
        !(group->was_joined && rc == -ENODEV)) /* that it is lost is told */
        tell_failure(group->wanted, rc, rc == -ENXIO);
    group->told = rc;
}

/* The membership ends with the interface, and does not come back with it. */
static void leave_lost(struct multicast_group *group)
{
    char name[NAME_MAX_BYTES];

    multicast_leave(&group->socket, &group->address, group->interface);
    atomic_store_explicit(&group->is_joined, false, memory_order_relaxed);
    log_warn("group_lost",
             "multicast.groups: the interface of %s has gone; it is joined again with the next one",
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
            join_or_tell(groups, group, true);
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
    const struct udp_options options = {.merged = config->gro,
                                        .rcvbuf_bytes = config->rcvbuf_bytes,
                                        .receive_timeout_ns = AGENT_IDLE_MAX_NS};
    struct multicast_group *group = &groups->list[groups->count];
    int rc;

    memset(group, 0, sizeof(*group));
    group->wanted = wanted;
    group->address = address_with_port(wanted->address, config->data_port);
    rc = multicast_create(&group->address, &options, &group->socket);
    if (rc) {
        tell_failure(wanted, rc, true);
        return 0;
    }
    groups->count++;
    group->socket.local = answers_from(config, group);
    join_or_tell(groups, group, false);
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
