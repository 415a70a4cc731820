#include "net/nft_clients.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <stdio.h>
#include <unistd.h>

#include "net/netlink.h"

#define MAP_NAME   "clients"
#define MAP_ID     1
#define CHAIN_NAME "output"
#define CHAIN_PRIORITY \
    (-300) /* before connection tracking, which then sees the app's own address */
#define UDP_CHECKSUM   6
#define NO_CHECKSUM    UINT32_MAX
#define ICMP_HEADER    8
#define ICMP_CHECKSUM  2
#define CLIENT_PORT    NFT_REG32_05 /* behind the longest key */
#define SOCKET_PORT    NFT_REG32_06
#define KEY_TYPE(a, b) ((a) << 6 | (b)) /* types of nft(8), for "nft list ruleset" */
#define TYPE_IPV4      7
#define TYPE_IPV6      8
#define TYPE_PORT      13

/* Offsets in the network header. */
struct layout {
    uint32_t family, address_bytes, source, destination, header_bytes, next_header, ttl;
    uint32_t checksum_type, checksum_offset;
    uint32_t key_type, port_register; /* the key begins in NFT_REG_1 */
    uint8_t icmp, icmp_unreachable;
};

static const struct layout ipv4 = {.family = NFPROTO_IPV4,
                                   .address_bytes = 4,
                                   .source = 12,
                                   .destination = 16,
                                   .header_bytes = 20,
                                   .next_header = 9,
                                   .ttl = 8,
                                   .checksum_type = NFT_PAYLOAD_CSUM_INET,
                                   .checksum_offset = 10,
                                   .key_type = KEY_TYPE(TYPE_IPV4, TYPE_PORT),
                                   .port_register = NFT_REG32_01,
                                   .icmp = IPPROTO_ICMP,
                                   .icmp_unreachable = ICMP_DEST_UNREACH};
static const struct layout ipv6 = {.family = NFPROTO_IPV6,
                                   .address_bytes = 16,
                                   .source = 8,
                                   .destination = 24,
                                   .header_bytes = 40,
                                   .next_header = 6,
                                   .ttl = 7,
                                   .checksum_type = NFT_PAYLOAD_CSUM_NONE,
                                   .key_type = KEY_TYPE(TYPE_IPV6, TYPE_PORT),
                                   .port_register = NFT_REG32_04,
                                   .icmp = IPPROTO_ICMPV6,
                                   .icmp_unreachable = ICMP6_DST_UNREACH};

/* Of all functions below. */
struct build {
    struct netlink_request *request;
    const struct nft_clients *clients;
    const struct layout *layout;
    char table[32];
};

/* ---- messages ---- */

static void begin_nft(struct build *build, uint16_t message, uint16_t flags)
{
    const struct nfgenmsg body = {.nfgen_family = (uint8_t)build->layout->family,
                                  .version = NFNETLINK_V0};

    netlink_begin(build->request, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message),
                  (uint16_t)(NLM_F_CREATE | NLM_F_ACK | flags), &body, sizeof(body));
}

/* A batch is applied as a whole, or not at all. */
static void put_batch(struct netlink_request *request, uint16_t type)
{
    const struct nfgenmsg body = {.version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};

    netlink_begin(request, type, 0, &body, sizeof(body));
}

static void put_be32(struct build *build, uint16_t type, uint32_t value)
{
    netlink_put_u32(build->request, type, htonl(value));
}

static void put_table(struct build *build)
{
    begin_nft(build, NFT_MSG_NEWTABLE, NLM_F_EXCL);
    netlink_put_text(build->request, NFTA_TABLE_NAME, build->table);
    put_be32(build, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
}

static void put_map(struct build *build)
{
    size_t description;

    begin_nft(build, NFT_MSG_NEWSET, 0);
    netlink_put_text(build->request, NFTA_SET_TABLE, build->table);
    netlink_put_text(build->request, NFTA_SET_NAME, MAP_NAME);
    put_be32(build, NFTA_SET_ID, MAP_ID);
    put_be32(build, NFTA_SET_FLAGS, NFT_SET_EVAL | NFT_SET_MAP);
    put_be32(build, NFTA_SET_KEY_TYPE, build->layout->key_type);
    put_be32(build, NFTA_SET_KEY_LEN, build->layout->address_bytes + 4);
    put_be32(build, NFTA_SET_DATA_TYPE, TYPE_PORT);
    put_be32(build, NFTA_SET_DATA_LEN, 2);
    description = netlink_nest(build->request, NFTA_SET_DESC);
    put_be32(build, NFTA_SET_DESC_SIZE, build->clients->clients_max);
    netlink_unnest(build->request, description);
}

/* Of type route: a datagram whose mark or source has changed is routed again. */
static void put_chain(struct build *build)
{
    size_t hook;

    begin_nft(build, NFT_MSG_NEWCHAIN, 0);
    netlink_put_text(build->request, NFTA_CHAIN_TABLE, build->table);
    netlink_put_text(build->request, NFTA_CHAIN_NAME, CHAIN_NAME);
    netlink_put_text(build->request, NFTA_CHAIN_TYPE, "route");
    hook = netlink_nest(build->request, NFTA_CHAIN_HOOK);
    put_be32(build, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
    put_be32(build, NFTA_HOOK_PRIORITY, (uint32_t)CHAIN_PRIORITY);
    netlink_unnest(build->request, hook);
}

/* ---- expressions of a rule ---- */

struct nesting {
    size_t element, data;
};

static struct nesting begin_expression(struct build *build, const char *name)
{
    struct nesting nesting;

    nesting.element = netlink_nest(build->request, NFTA_LIST_ELEM);
    netlink_put_text(build->request, NFTA_EXPR_NAME, name);
    nesting.data = netlink_nest(build->request, NFTA_EXPR_DATA);
    return nesting;
}

static void end_expression(struct build *build, struct nesting nesting)
{
    netlink_unnest(build->request, nesting.data);
    netlink_unnest(build->request, nesting.element);
}

static void put_value(struct build *build, uint16_t type, const void *value, size_t bytes)
{
    size_t data = netlink_nest(build->request, type);

    netlink_put(build->request, NFTA_DATA_VALUE, value, bytes);
    netlink_unnest(build->request, data);
}

/* Load a part of the datagram into a register. */
static void load(struct build *build, uint32_t base, uint32_t offset, uint32_t bytes, uint32_t into)
{
    struct nesting nesting = begin_expression(build, "payload");

    put_be32(build, NFTA_PAYLOAD_DREG, into);
    put_be32(build, NFTA_PAYLOAD_BASE, base);
    put_be32(build, NFTA_PAYLOAD_OFFSET, offset);
    put_be32(build, NFTA_PAYLOAD_LEN, bytes);
    end_expression(build, nesting);
}

/* The rule goes on if the register compares so with this value. */
static void compare(struct build *build, uint32_t from, uint32_t operation, const void *value,
                    size_t bytes)
{
    struct nesting nesting = begin_expression(build, "cmp");

    put_be32(build, NFTA_CMP_SREG, from);
    put_be32(build, NFTA_CMP_OP, operation);
    put_value(build, NFTA_CMP_DATA, value, bytes);
    end_expression(build, nesting);
}

static void expect(struct build *build, const void *value, size_t bytes)
{
    compare(build, NFT_REG_1, NFT_CMP_EQ, value, bytes);
}

static void expect_protocol(struct build *build, uint8_t protocol)
{
    struct nesting nesting = begin_expression(build, "meta");

    put_be32(build, NFTA_META_DREG, NFT_REG_1);
    put_be32(build, NFTA_META_KEY, NFT_META_L4PROTO);
    end_expression(build, nesting);
    expect(build, &protocol, sizeof(protocol));
}

static void expect_address(struct build *build, uint32_t offset)
{
    load(build, NFT_PAYLOAD_NETWORK_HEADER, offset, build->layout->address_bytes, NFT_REG_1);
    expect(build, build->clients->app.ip, build->layout->address_bytes);
}

static void expect_byte(struct build *build, uint32_t offset, uint8_t value)
{
    load(build, NFT_PAYLOAD_TRANSPORT_HEADER, offset, 1, NFT_REG_1);
    expect(build, &value, sizeof(value));
}

static void expect_port(struct build *build, uint16_t port)
{
    uint16_t network_order = htons(port);

    load(build, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(port), NFT_REG_1);
    expect(build, &network_order, sizeof(network_order));
}

/* The key of the map: an address of the network header, the client's port behind it. */
static void load_key(struct build *build, uint32_t address_offset, uint32_t port_offset)
{
    load(build, NFT_PAYLOAD_NETWORK_HEADER, address_offset, build->layout->address_bytes,
         NFT_REG_1);
    load(build, NFT_PAYLOAD_TRANSPORT_HEADER, port_offset, 2, build->layout->port_register);
}

/* The rule goes on for a client of the map, with the port of its socket in a register. */
static void look_up(struct build *build)
{
    struct nesting nesting = begin_expression(build, "lookup");

    netlink_put_text(build->request, NFTA_LOOKUP_SET, MAP_NAME);
    put_be32(build, NFTA_LOOKUP_SET_ID, MAP_ID);
    put_be32(build, NFTA_LOOKUP_SREG, NFT_REG_1);
    put_be32(build, NFTA_LOOKUP_DREG, SOCKET_PORT);
    end_expression(build, nesting);
}

static void change_map(struct build *build, uint32_t operation)
{
    struct nesting nesting = begin_expression(build, "dynset");

    netlink_put_text(build->request, NFTA_DYNSET_SET_NAME, MAP_NAME);
    put_be32(build, NFTA_DYNSET_SET_ID, MAP_ID);
    put_be32(build, NFTA_DYNSET_OP, operation);
    put_be32(build, NFTA_DYNSET_SREG_KEY, NFT_REG_1);
    put_be32(build, NFTA_DYNSET_SREG_DATA, SOCKET_PORT);
    end_expression(build, nesting);
}

static void set_register(struct build *build, const void *value, size_t bytes)
{
    struct nesting nesting = begin_expression(build, "immediate");

    put_be32(build, NFTA_IMMEDIATE_DREG, NFT_REG_1);
    put_value(build, NFTA_IMMEDIATE_DATA, value, bytes);
    end_expression(build, nesting);
}

static void end_with(struct build *build, uint32_t code)
{
    struct nesting nesting = begin_expression(build, "immediate");
    size_t data, verdict;

    put_be32(build, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    data = netlink_nest(build->request, NFTA_IMMEDIATE_DATA);
    verdict = netlink_nest(build->request, NFTA_DATA_VERDICT);
    put_be32(build, NFTA_VERDICT_CODE, code);
    netlink_unnest(build->request, verdict);
    netlink_unnest(build->request, data);
    end_expression(build, nesting);
}

/* Write a port in or behind the transport header, and correct the checksum there, if there is one. */
static void write_port(struct build *build, uint32_t from, uint32_t offset, uint32_t checksum)
{
    struct nesting nesting = begin_expression(build, "payload");

    put_be32(build, NFTA_PAYLOAD_SREG, from);
    put_be32(build, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
    put_be32(build, NFTA_PAYLOAD_OFFSET, offset);
    put_be32(build, NFTA_PAYLOAD_LEN, 2);
    if (checksum != NO_CHECKSUM) {
        put_be32(build, NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
        put_be32(build, NFTA_PAYLOAD_CSUM_OFFSET, checksum);
    }
    end_expression(build, nesting);
}

/* Also corrects the checksums. */
static void set_source(struct build *build)
{
    const struct layout *layout = build->layout;
    struct nesting nesting;

    set_register(build, build->clients->app.ip, layout->address_bytes);
    nesting = begin_expression(build, "payload");
    put_be32(build, NFTA_PAYLOAD_SREG, NFT_REG_1);
    put_be32(build, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
    put_be32(build, NFTA_PAYLOAD_OFFSET, layout->source);
    put_be32(build, NFTA_PAYLOAD_LEN, layout->address_bytes);
    put_be32(build, NFTA_PAYLOAD_CSUM_TYPE, layout->checksum_type);
    put_be32(build, NFTA_PAYLOAD_CSUM_OFFSET, layout->checksum_offset);
    put_be32(build, NFTA_PAYLOAD_CSUM_FLAGS, NFT_PAYLOAD_L4CSUM_PSEUDOHDR);
    end_expression(build, nesting);
}

static void set_mark(struct build *build)
{
    uint32_t mark = build->clients->mark;
    struct nesting nesting;

    set_register(build, &mark, sizeof(mark));
    nesting = begin_expression(build, "meta");
    put_be32(build, NFTA_META_KEY, NFT_META_MARK);
    put_be32(build, NFTA_META_SREG, NFT_REG_1);
    end_expression(build, nesting);
}

/* ---- rules ---- */

static size_t begin_rule_of(struct build *build)
{
    begin_nft(build, NFT_MSG_NEWRULE, NLM_F_APPEND);
    netlink_put_text(build->request, NFTA_RULE_TABLE, build->table);
    netlink_put_text(build->request, NFTA_RULE_CHAIN, CHAIN_NAME);
    return netlink_nest(build->request, NFTA_RULE_EXPRESSIONS);
}

/* Of datagrams from the socket of a worker to the app's address; their destination port is the client's. */
static size_t begin_rule_of_socket(struct build *build, uint16_t port)
{
    size_t rule = begin_rule_of(build);

    expect_protocol(build, IPPROTO_UDP);
    expect_port(build, port);
    expect_address(build, build->layout->destination);
    load(build, NFT_PAYLOAD_NETWORK_HEADER, build->layout->ttl, 1, NFT_REG_1);
    return rule;
}

static void put_request_rule(struct build *build, uint16_t port)
{
    const uint8_t signals = NFT_SIGNAL_DELETE;
    uint16_t app_port = htons(build->clients->app.port);
    size_t rule = begin_rule_of_socket(build, port);

    compare(build, NFT_REG_1, NFT_CMP_GT, &signals, sizeof(signals));
    load(build, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, CLIENT_PORT);
    write_port(build, CLIENT_PORT, 0, UDP_CHECKSUM);
    set_register(build, &app_port, sizeof(app_port));
    write_port(build, NFT_REG_1, 2, UDP_CHECKSUM);
    end_with(build, NF_ACCEPT);
    netlink_unnest(build->request, rule);
}

/* Adding an element that exists does nothing, so that of another worker is deleted before. */
static void put_add_rule(struct build *build, uint16_t port)
{
    const uint8_t signal = NFT_SIGNAL_ADD;
    size_t rule = begin_rule_of_socket(build, port);

    expect(build, &signal, sizeof(signal));
    load_key(build, build->layout->source, 2);
    load(build, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, SOCKET_PORT);
    change_map(build, NFT_DYNSET_OP_DELETE);
    change_map(build, NFT_DYNSET_OP_ADD);
    end_with(build, NF_DROP);
    netlink_unnest(build->request, rule);
}

/* Only an element of this socket: another worker may have a session of the client since. */
static void put_delete_rule(struct build *build, uint16_t port)
{
    const uint8_t signal = NFT_SIGNAL_DELETE;
    uint16_t own = htons(port);
    size_t rule = begin_rule_of_socket(build, port);

    expect(build, &signal, sizeof(signal));
    load_key(build, build->layout->source, 2);
    look_up(build);
    compare(build, SOCKET_PORT, NFT_CMP_EQ, &own, sizeof(own));
    /* The same value, but nft(8) cannot list an element with one that was looked up. */
    load(build, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, SOCKET_PORT);
    change_map(build, NFT_DYNSET_OP_DELETE);
    end_with(build, NF_DROP);
    netlink_unnest(build->request, rule);
}

/* Nothing else leaves these sockets: a signal for which the map has no room, for instance. */
static void put_drop_rule(struct build *build, uint16_t port)
{
    size_t rule = begin_rule_of(build);

    expect_protocol(build, IPPROTO_UDP);
    expect_port(build, port);
    end_with(build, NF_DROP);
    netlink_unnest(build->request, rule);
}

/* checksum: where it is corrected. NO_CHECKSUM: of datagrams that have none (SO_NO_CHECK), which is a 0
 * that has to stay; set_source knows that by itself. */
static void put_reply_rule(struct build *build, uint32_t checksum)
{
    const uint16_t none = 0;
    size_t rule = begin_rule_of(build);

    expect_protocol(build, IPPROTO_UDP);
    expect_port(build, build->clients->app.port);
    if (checksum == NO_CHECKSUM) {
        load(build, NFT_PAYLOAD_TRANSPORT_HEADER, UDP_CHECKSUM, sizeof(none), NFT_REG_1);
        expect(build, &none, sizeof(none));
    }
    if (build->clients->is_port_shared)
        expect_address(build, build->layout->source);
    load_key(build, build->layout->destination, 2);
    look_up(build);
    load(build, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, CLIENT_PORT);
    write_port(build, CLIENT_PORT, 0, checksum);
    write_port(build, SOCKET_PORT, 2, checksum);
    if (!build->clients->is_port_shared)
        set_source(build);
    set_mark(build);
    end_with(build, NF_ACCEPT);
    netlink_unnest(build->request, rule);
}

/* The quoted datagram is behind the ICMP header, as the app's host got it: its source is the key, and its
 * ports become those with which the socket sent it. The sockets send no IP options. */
static void put_icmp_rule(struct build *build)
{
    const struct layout *layout = build->layout;
    uint32_t quoted = ICMP_HEADER + layout->header_bytes;
    size_t rule = begin_rule_of(build);

    expect_protocol(build, layout->icmp);
    expect_byte(build, 0, layout->icmp_unreachable);
    expect_byte(build, ICMP_HEADER + layout->next_header, IPPROTO_UDP);
    expect_address(build, layout->source);
    load_key(build, layout->destination, quoted);
    look_up(build);
    load(build, NFT_PAYLOAD_TRANSPORT_HEADER, quoted, 2, CLIENT_PORT);
    write_port(build, SOCKET_PORT, quoted, ICMP_CHECKSUM);
    write_port(build, CLIENT_PORT, quoted + 2, ICMP_CHECKSUM);
    set_mark(build);
    netlink_unnest(build->request, rule);
}

int nft_clients_open(const struct nft_clients *clients)
{
    struct netlink_request request = {.used = 0};
    struct build build = {.request = &request,
                          .clients = clients,
                          .layout = clients->app.family == ADDRESS_V6 ? &ipv6 : &ipv4};
    int fd = netlink_open(NETLINK_NETFILTER), rc;

    if (fd < 0)
        return fd;
    (void)snprintf(build.table, sizeof(build.table), "headlessd_%u", clients->app.port);
    put_batch(&request, NFNL_MSG_BATCH_BEGIN);
    put_table(&build);
    put_map(&build);
    put_chain(&build);
    for (size_t i = 0; i < clients->port_count; i++) {
        put_request_rule(&build, clients->ports[i]);
        put_add_rule(&build, clients->ports[i]);
        put_delete_rule(&build, clients->ports[i]);
        put_drop_rule(&build, clients->ports[i]);
    }
    put_reply_rule(&build, NO_CHECKSUM);
    put_reply_rule(&build, UDP_CHECKSUM);
    put_icmp_rule(&build);
    put_batch(&request, NFNL_MSG_BATCH_END);
    rc = netlink_ask(fd, &request);
    if (rc)
        (void)close(fd);
    return rc ? rc : fd;
}
