/* Lists: the members, their order, and the ranges that leader commands may come from. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "headless/base/member_name.h"
#include "value.h"

/* NAME=ADDRESS or ADDRESS. */
static int parse_peer(const char *text, struct config_peer *ret_peer, char *why)
{
    struct config_peer peer = {0};
    char name[MEMBER_NAME_FULL_MAX];
    const char *equals = strchr(text, '=');
    const char *ip = equals ? equals + 1 : text;

    if (equals) {
        (void)snprintf(name, sizeof(name), "%.*s", (int)(equals - text), text);
        if (!value_is_name(name) || strlen(name) != (size_t)(equals - text))
            return value_refuse(why, text,
                                "has no good name: use 1 to 253 letters, digits and - . _ : %%");
        value_keep_name(name, peer.name, why);
    }
    if (address_parse_ip(ip, &peer.address)) {
        if (address_parse(ip, 0, &peer.address) == 0 && peer.address.port != 0)
            return value_refuse(why, text, "has a port; all members use the same relay.port");
        return value_refuse(why, text, "is not ADDRESS or NAME=ADDRESS");
    }
    if (!value_is_unicast(&peer.address))
        return value_refuse(why, text, "is not the address of one machine");
    *ret_peer = peer;
    return 0;
}

static int append_peer(const struct config_option *o, const char *text, void *field, char *why)
{
    struct config_peers *peers = field;
    struct config_peer peer = {0};
    int rc = parse_peer(text, &peer, why);

    (void)o;
    if (rc)
        return rc;
    for (size_t i = 0; i < peers->count; i++) {
        if (address_equal(&peers->list[i].address, &peer.address))
            return value_refuse(why, text, "has an address that is listed twice");
        if (*peer.name && strcmp(peers->list[i].name, peer.name) == 0)
            return value_refuse(why, text, "has a name that is listed twice");
    }
    if (peers->count == CONFIG_PEERS_MAX)
        return value_refuse(why, text, "is one more than the %d allowed", CONFIG_PEERS_MAX);
    peers->list[peers->count++] = peer;
    return 0;
}

static void format_peer(const struct config_option *o, const void *field, size_t item, char *text)
{
    const struct config_peers *peers = field;
    const struct config_peer *peer = &peers->list[item];
    char spelled[ADDRESS_TEXT_MAX];

    (void)o;
    (void)snprintf(text, VALUE_TEXT_MAX, "%s%s%s", peer->name, *peer->name ? "=" : "",
                   address_format_ip(&peer->address, spelled));
}

static size_t count_peers(const void *field)
{
    const struct config_peers *peers = field;

    return peers->count;
}

static void clear_peers(void *field)
{
    memset(field, 0, sizeof(struct config_peers));
}

static int append_rank(const struct config_option *o, const char *text, void *field, char *why)
{
    struct config_order *order = field;
    struct config_peer peer = {0};

    (void)o;
    if (address_parse_ip(text, &peer.address)) {
        if (!value_is_name(text))
            return value_refuse(why, text, "is neither an address nor a name");
        value_keep_name(text, peer.name, why);
    }
    for (size_t i = 0; i < order->count; i++) {
        if (memcmp(&order->list[i], &peer, sizeof(peer)) == 0)
            return value_refuse(why, text, "is listed twice");
    }
    if (order->count == CONFIG_PEERS_MAX)
        return value_refuse(why, text, "is one more than the %d allowed", CONFIG_PEERS_MAX);
    order->list[order->count++] = peer;
    return 0;
}

static void format_rank(const struct config_option *o, const void *field, size_t item, char *text)
{
    const struct config_order *order = field;
    const struct config_peer *peer = &order->list[item];
    char spelled[ADDRESS_TEXT_MAX];

    (void)o;
    (void)snprintf(text, VALUE_TEXT_MAX, "%s",
                   *peer->name ? peer->name : address_format_ip(&peer->address, spelled));
}

static size_t count_order(const void *field)
{
    const struct config_order *order = field;

    return order->count;
}

static void clear_order(void *field)
{
    memset(field, 0, sizeof(struct config_order));
}

/* any stands for the two ranges that contain every address. */
static int append_cidr(const struct config_option *o, const char *text, void *field, char *why)
{
    struct config_cidrs *cidrs = field;
    struct cidr ranges[2] = {{.base.family = ADDRESS_V4}, {.base.family = ADDRESS_V6}};
    size_t count = strcmp(text, "any") == 0 ? 2 : 1;

    (void)o;
    if (count == 1 && cidr_parse(text, &ranges[0]))
        return value_refuse(why, text, "is not ADDRESS or ADDRESS/BITS");
    if (cidrs->count + count > CONFIG_CIDRS_MAX)
        return value_refuse(why, text, "is one more than the %d allowed", CONFIG_CIDRS_MAX);
    memcpy(&cidrs->list[cidrs->count], ranges, count * sizeof(ranges[0]));
    cidrs->count += count;
    return 0;
}

static void format_cidr(const struct config_option *o, const void *field, size_t item, char *text)
{
    const struct config_cidrs *cidrs = field;
    const struct cidr *range = &cidrs->list[item];
    char spelled[ADDRESS_TEXT_MAX];

    (void)o;
    (void)snprintf(text, VALUE_TEXT_MAX, "%s/%u", address_format_ip(&range->base, spelled),
                   range->bits);
}

static size_t count_cidrs(const void *field)
{
    const struct config_cidrs *cidrs = field;

    return cidrs->count;
}

static void clear_cidrs(void *field)
{
    memset(field, 0, sizeof(struct config_cidrs));
}

const struct value_type value_peers = {.called = "[NAME=]ADDRESS,...|none",
                                       .parse = append_peer,
                                       .format = format_peer,
                                       .count = count_peers,
                                       .clear = clear_peers};
const struct value_type value_order = {.called = "NAME,...|none",
                                       .parse = append_rank,
                                       .format = format_rank,
                                       .count = count_order,
                                       .clear = clear_order};
const struct value_type value_cidrs = {.called = "ADDRESS/BITS,...|none",
                                       .parse = append_cidr,
                                       .format = format_cidr,
                                       .count = count_cidrs,
                                       .clear = clear_cidrs};
