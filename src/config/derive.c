/* Derived settings: own address, wildcard, name, the admin server's address. */
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "loader.h"

/*
 * The source address of this machine's default route: connecting a UDP socket looks up the route
 * and sends nothing. The destinations are documentation addresses, which no host has.
 */
static bool derive_source(int family, struct address *ret_address)
{
    struct address far = {0};
    struct sockaddr_storage sa = {0};
    socklen_t length = sizeof(sa);
    bool found;
    int fd;

    if (address_parse(family == AF_INET ? "198.51.100.1" : "2001:db8::1", 9, &far))
        return false;
    fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    found = connect(fd, (struct sockaddr *)&sa, address_to_sockaddr(&far, family, &sa)) == 0 &&
            getsockname(fd, (struct sockaddr *)&sa, &length) == 0;
    (void)close(fd);
    if (found) {
        address_from_sockaddr((struct sockaddr *)&sa, ret_address);
        ret_address->port = 0;
    }
    return found;
}

static bool is_one_address(const struct address *a)
{
    return address_is_set(a) && !address_is_any(a);
}

/* The address family of the members, as far as the settings tell. */
static int members_family(const struct config *config)
{
    if (config->peers.count > 0 && config->peers.list[0].address.family == ADDRESS_V6)
        return AF_INET6;
    return AF_INET;
}

static struct address find_self(const struct config *config)
{
    int family = members_family(config);
    struct address self = {.family = ADDRESS_V4, .ip = {127, 0, 0, 1}};

    if (is_one_address(&config->bind))
        return config->bind;
    if (!derive_source(family, &self))
        (void)derive_source(family == AF_INET ? AF_INET6 : AF_INET, &self);
    return self;
}

/* Kernels can be built or booted without IPv6; then any means IPv4. */
static bool has_ipv6(void)
{
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    (void)close(fd);
    return true;
}

static void without_ipv6(struct address *a)
{
    if (a->family == ADDRESS_V6 && address_is_any(a))
        a->family = ADDRESS_V4;
}

static const char *listed_name(const struct config *config)
{
    for (size_t i = 0; i < config->peers.count; i++)
        if (address_equal(&config->peers.list[i].address, &config->self))
            return config->peers.list[i].name;
    return "";
}

static void derive_name(struct config *config)
{
    char text[ADDRESS_TEXT_MAX];
    const char *name = listed_name(config);

    if (!*name)
        name = address_format_ip(&config->self, text);
    (void)snprintf(config->name, sizeof(config->name), "%.63s", name);
}

static struct address loopback(void)
{
    struct address address = {0};

    (void)address_parse_ip("127.0.0.1", &address);
    return address;
}

/* Interfaces have other names on other hosts: a list that all share has no zones. */
static void derive_zones(struct config *config)
{
    address_adopt_zone(&config->bind, &config->self);
    address_adopt_zone(&config->admin_listen, &config->self);
    for (size_t i = 0; i < config->peers.count; i++)
        address_adopt_zone(&config->peers.list[i].address, &config->self);
    for (size_t i = 0; i < config->leader_list.count; i++)
        address_adopt_zone(&config->leader_list.list[i].address, &config->self);
}

void config_derive(struct config *config)
{
    if (!address_is_set(&config->self))
        config->self = find_self(config);
    derive_zones(config);
    if (!address_is_set(&config->bind))
        config->bind = address_is_loopback(&config->self) ? config->self : address_any(ADDRESS_V6);
    if (config->admin_listen.port != 0 && !address_is_set(&config->admin_listen))
        config->admin_listen = address_with_port(config->bind, config->admin_listen.port);
    if (config->app_notify.port != 0 && !address_is_set(&config->app_notify))
        config->app_notify = address_with_port(loopback(), config->app_notify.port);
    if (!has_ipv6()) {
        without_ipv6(&config->bind);
        without_ipv6(&config->admin_listen);
    }
    if (!*config->name)
        derive_name(config);
}
