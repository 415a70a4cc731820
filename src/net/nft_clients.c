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
#include "net/nft_rule.h"

#define CHAIN_NAME "output"
#define CHAIN_PRIORITY \
    (-300) /* before connection tracking, to which a request and its reply would be two connections */
#define UDP_CHECKSUM   6
#define ICMP_HEADER    8
#define ICMP_CHECKSUM  2
#define CLIENT_PORT    NFT_REG32_05     /* behind the longest key */
#define KEY_TYPE(a, b) ((a) << 6 | (b)) /* types of nft(8), for "nft list ruleset" */
#define TYPE_IPV4      7
#define TYPE_IPV6      8
#define TYPE_PORT      13

static const struct nft_layout ipv4 = {.family = NFPROTO_IPV4,
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
static const struct nft_layout ipv6 = {.family = NFPROTO_IPV6,
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

/* ---- table, map and chain ---- */

/* A batch is applied as a whole, or not at all. */
static void put_batch(struct netlink_request *request, uint16_t type)
{
    const struct nfgenmsg body = {.version = NFNETLINK_V0, .res_id = htons(NFNL_SUBSYS_NFTABLES)};

    netlink_begin(request, type, 0, &body, sizeof(body));
}

static void put_table(struct nft_build *build)
{
    nft_begin(build, NFT_MSG_NEWTABLE, NLM_F_EXCL);
    netlink_put_text(build->request, NFTA_TABLE_NAME, build->table);
    nft_put_be32(build, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
}

static void put_map(struct nft_build *build)
{
    size_t description;

    nft_begin(build, NFT_MSG_NEWSET, 0);
    netlink_put_text(build->request, NFTA_SET_TABLE, build->table);
    netlink_put_text(build->request, NFTA_SET_NAME, NFT_MAP_NAME);
    nft_put_be32(build, NFTA_SET_ID, NFT_MAP_ID);
    nft_put_be32(build, NFTA_SET_FLAGS, NFT_SET_EVAL | NFT_SET_MAP);
    nft_put_be32(build, NFTA_SET_KEY_TYPE, build->layout->key_type);
    nft_put_be32(build, NFTA_SET_KEY_LEN, build->layout->address_bytes + 4);
    nft_put_be32(build, NFTA_SET_DATA_TYPE, TYPE_PORT);
    nft_put_be32(build, NFTA_SET_DATA_LEN, 2);
    description = netlink_nest(build->request, NFTA_SET_DESC);
    nft_put_be32(build, NFTA_SET_DESC_SIZE, build->clients->clients_max);
    netlink_unnest(build->request, description);
}

/* Of type route: a datagram whose mark or source has changed is routed again. */
static void put_chain(struct nft_build *build)
{
    size_t hook;

    nft_begin(build, NFT_MSG_NEWCHAIN, 0);
    netlink_put_text(build->request, NFTA_CHAIN_TABLE, build->table);
    netlink_put_text(build->request, NFTA_CHAIN_NAME, CHAIN_NAME);
    netlink_put_text(build->request, NFTA_CHAIN_TYPE, "route");
    hook = netlink_nest(build->request, NFTA_CHAIN_HOOK);
    nft_put_be32(build, NFTA_HOOK_HOOKNUM, NF_INET_LOCAL_OUT);
    nft_put_be32(build, NFTA_HOOK_PRIORITY, (uint32_t)CHAIN_PRIORITY);
    netlink_unnest(build->request, hook);
}

/* ---- rules ---- */

static size_t begin_rule_of(struct nft_build *build)
{
    nft_begin(build, NFT_MSG_NEWRULE, NLM_F_APPEND);
    netlink_put_text(build->request, NFTA_RULE_TABLE, build->table);
    netlink_put_text(build->request, NFTA_RULE_CHAIN, CHAIN_NAME);
    return netlink_nest(build->request, NFTA_RULE_EXPRESSIONS);
}

/* Of datagrams from the socket of a worker to the app's address; their destination port is the client's. */
static size_t begin_rule_of_socket(struct nft_build *build, uint16_t port)
{
    size_t rule = begin_rule_of(build);

    nft_expect_protocol(build, IPPROTO_UDP);
    nft_expect_port(build, port);
    nft_expect_address(build, build->layout->destination);
    nft_load(build, NFT_PAYLOAD_NETWORK_HEADER, build->layout->ttl, 1, NFT_REG_1);
    return rule;
}

static void put_request_rule(struct nft_build *build, uint16_t port)
{
    const uint8_t signals = NFT_SIGNAL_DELETE;
    uint16_t app_port = htons(build->clients->app.port);
    size_t rule = begin_rule_of_socket(build, port);

    nft_compare(build, NFT_REG_1, NFT_CMP_GT, &signals, sizeof(signals));
    nft_load(build, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, CLIENT_PORT);
    nft_write_port(build, CLIENT_PORT, 0, UDP_CHECKSUM);
    nft_set_register(build, &app_port, sizeof(app_port));
    nft_write_port(build, NFT_REG_1, 2, UDP_CHECKSUM);
    nft_leave_untracked(build);
    nft_end_with(build, NF_ACCEPT);
    netlink_unnest(build->request, rule);
}

/* Adding an element that exists does nothing, so that of another worker is deleted before. */
static void put_add_rule(struct nft_build *build, uint16_t port)
{
    const uint8_t signal = NFT_SIGNAL_ADD;
    size_t rule = begin_rule_of_socket(build, port);

    nft_expect(build, &signal, sizeof(signal));
    nft_load_key(build, build->layout->source, 2);
    nft_load(build, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, NFT_SOCKET_PORT);
    nft_change_map(build, NFT_DYNSET_OP_DELETE);
    nft_change_map(build, NFT_DYNSET_OP_ADD);
    nft_end_with(build, NF_DROP);
    netlink_unnest(build->request, rule);
}

/* Only an element of this socket: another worker may have a session of the client since. */
static void put_delete_rule(struct nft_build *build, uint16_t port)
{
    const uint8_t signal = NFT_SIGNAL_DELETE;
    uint16_t own = htons(port);
    size_t rule = begin_rule_of_socket(build, port);

    nft_expect(build, &signal, sizeof(signal));
    nft_load_key(build, build->layout->source, 2);
    nft_look_up(build);
    nft_compare(build, NFT_SOCKET_PORT, NFT_CMP_EQ, &own, sizeof(own));
    /* The same value, but nft(8) cannot list an element with one that was looked up. */
    nft_load(build, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, NFT_SOCKET_PORT);
    nft_change_map(build, NFT_DYNSET_OP_DELETE);
    nft_end_with(build, NF_DROP);
    netlink_unnest(build->request, rule);
}

/* Nothing else leaves these sockets: a signal for which the map has no room, for instance. */
static void put_drop_rule(struct nft_build *build, uint16_t port)
{
    size_t rule = begin_rule_of(build);

    nft_expect_protocol(build, IPPROTO_UDP);
    nft_expect_port(build, port);
    nft_end_with(build, NF_DROP);
    netlink_unnest(build->request, rule);
}

/* checksum: where it is corrected. NFT_NO_CHECKSUM: of datagrams that have none (SO_NO_CHECK), which is a 0
 * that has to stay; set_source knows that by itself. */
static void put_reply_rule(struct nft_build *build, uint32_t checksum)
{
    const uint16_t none = 0;
    size_t rule = begin_rule_of(build);

    nft_expect_protocol(build, IPPROTO_UDP);
    nft_expect_port(build, build->clients->app.port);
    if (checksum == NFT_NO_CHECKSUM) {
        nft_load(build, NFT_PAYLOAD_TRANSPORT_HEADER, UDP_CHECKSUM, sizeof(none), NFT_REG_1);
        nft_expect(build, &none, sizeof(none));
    }
    if (build->clients->is_port_shared)
        nft_expect_address(build, build->layout->source);
    nft_load_key(build, build->layout->destination, 2);
    nft_look_up(build);
    nft_load(build, NFT_PAYLOAD_TRANSPORT_HEADER, 2, 2, CLIENT_PORT);
    nft_write_port(build, CLIENT_PORT, 0, checksum);
    nft_write_port(build, NFT_SOCKET_PORT, 2, checksum);
    if (!build->clients->is_port_shared)
        nft_set_source(build);
    nft_set_mark(build);
    nft_leave_untracked(build);
    nft_end_with(build, NF_ACCEPT);
    netlink_unnest(build->request, rule);
}

/* The quoted datagram is behind the ICMP header, as the app's host got it: its source is the key, and its
 * ports become those with which the socket sent it. The sockets send no IP options. */
static void put_icmp_rule(struct nft_build *build)
{
    const struct nft_layout *layout = build->layout;
    uint32_t quoted = ICMP_HEADER + layout->header_bytes;
    size_t rule = begin_rule_of(build);

    nft_expect_protocol(build, layout->icmp);
    nft_expect_byte(build, 0, layout->icmp_unreachable);
    nft_expect_byte(build, ICMP_HEADER + layout->next_header, IPPROTO_UDP);
    nft_expect_address(build, layout->source);
    nft_load_key(build, layout->destination, quoted);
    nft_look_up(build);
    nft_load(build, NFT_PAYLOAD_TRANSPORT_HEADER, quoted, 2, CLIENT_PORT);
    nft_write_port(build, NFT_SOCKET_PORT, quoted, ICMP_CHECKSUM);
    nft_write_port(build, CLIENT_PORT, quoted + 2, ICMP_CHECKSUM);
    nft_set_mark(build);
    nft_leave_untracked(build);
    netlink_unnest(build->request, rule);
}

static int nft_clients_try(const struct nft_clients *clients, bool has_notrack)
{
    struct netlink_request request = {.used = 0};
    struct nft_build build = {.request = &request,
                              .clients = clients,
                              .has_notrack = has_notrack,
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
    put_reply_rule(&build, NFT_NO_CHECKSUM);
    put_reply_rule(&build, UDP_CHECKSUM);
    put_icmp_rule(&build);
    put_batch(&request, NFNL_MSG_BATCH_END);
    rc = netlink_ask(fd, &request);
    if (rc)
        (void)close(fd);
    return rc ? rc : fd;
}

int nft_clients_open(const struct nft_clients *clients)
{
    int fd = nft_clients_try(clients, true);

    /* A kernel without nft_ct: then with connection tracking, if there is any. */
    return fd == -ENOENT ? nft_clients_try(clients, false) : fd;
}
