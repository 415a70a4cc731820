#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

#include "headless/ctl/ctl.h"

#define DATA_PORT 12000
#define HOST_MAX  256

static int refuse_address(const char *text, const char *wrong)
{
    (void)fprintf(stderr, "headlessctl: \"%s\": %s\n", text, wrong);
    return -EINVAL;
}

static void add_address(struct ctl_addresses *addresses, struct address address)
{
    static const struct address this_machine = {.family = ADDRESS_V4, .ip = {127, 0, 0, 1}};

    if (address_is_any(&address))
        address = address_with_port(this_machine, address.port);
    for (size_t i = 0; i < addresses->count; i++) {
        if (address_equal(&addresses->list[i], &address))
            return;
    }
    if (addresses->count < CTL_ADDRESSES_MAX)
        addresses->list[addresses->count++] = address;
}

/* NAME[:PORT]; the port is parsed as part of an address. */
static int split_name(const char *text, uint16_t default_port, char host[static HOST_MAX],
                      uint16_t *ret_port)
{
    size_t length = strcspn(text, ":");
    struct address port = {.port = default_port};
    char spelled[32];

    if (length >= HOST_MAX)
        return refuse_address(text, "too long");
    memcpy(host, text, length);
    host[length] = '\0';
    if (text[length] == ':') {
        if (strlen(text + length) > 6)
            return refuse_address(text, "is not HOST:PORT");
        (void)snprintf(spelled, sizeof(spelled), "0.0.0.0%s", text + length);
        if (address_parse(spelled, 0, &port) || port.port == 0)
            return refuse_address(text, "is not HOST:PORT");
    }
    *ret_port = port.port;
    return 0;
}

static int resolve_host(const char *text, uint16_t default_port, size_t max,
                        struct ctl_addresses *addresses)
{
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found;
    char host[HOST_MAX];
    uint16_t port;
    int rc = split_name(text, default_port, host, &port);

    if (rc)
        return rc;
    if (!host[0]) {
        add_address(addresses, address_with_port(address_any(ADDRESS_V4), port));
        return 0;
    }
    rc = getaddrinfo(host, NULL, &hints, &found);
    if (rc) {
        (void)refuse_address(text, gai_strerror(rc));
        return -EHOSTUNREACH;
    }
    for (const struct addrinfo *i = found; i && max > 0; i = i->ai_next, max--) {
        struct address address;

        address_from_sockaddr(i->ai_addr, &address);
        if (address_is_set(&address))
            add_address(addresses, address_with_port(address, port));
    }
    freeaddrinfo(found);
    return 0;
}

int ctl_resolve(const char *text, uint16_t default_port, size_t max,
                struct ctl_addresses *addresses)
{
    struct address address;

    if (address_parse(text, default_port, &address))
        return resolve_host(text, default_port, max, addresses);
    if (address.port == 0)
        return refuse_address(text, "has no port");
    add_address(addresses, address);
    return 0;
}

int ctl_find_pods(const struct ctl_options *options, struct ctl_addresses *ret_addresses)
{
    char *list, *rest, *item;
    int rc = 0;

    ret_addresses->count = 0;
    if (options->service && options->data)
        return refuse_address(options->service, "give --data or --service, not both");
    if (options->service)
        return ctl_resolve(options->service, DATA_PORT, SIZE_MAX, ret_addresses);
    rest = list = strdup(options->data ? options->data : "127.0.0.1");
    if (!list)
        return refuse_address("--data", "out of memory");
    while (!rc && (item = strsep(&rest, ",")))
        rc = *item ? ctl_resolve(item, DATA_PORT, 1, ret_addresses)
                   : refuse_address(options->data, "has an empty place");
    free(list);
    return rc;
}

int ctl_find_group(const struct ctl_options *options, struct address *ret_group)
{
    struct ctl_addresses addresses = {0};
    int rc;

    if (options->data || options->service)
        return refuse_address(options->multicast,
                              "give --multicast, --data or --service, one of them");
    rc = ctl_resolve(options->multicast, DATA_PORT, 1, &addresses);
    if (rc)
        return rc;
    if (addresses.count == 0 || !address_is_multicast(&addresses.list[0]))
        return refuse_address(options->multicast, "is no multicast group");
    *ret_group = addresses.list[0];
    return 0;
}
