#include "net/nft_rule.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>

void nft_begin(struct nft_build *build, uint16_t message, uint16_t flags)
{
    const struct nfgenmsg body = {.nfgen_family = (uint8_t)build->layout->family,
                                  .version = NFNETLINK_V0};

    netlink_begin(build->request, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | message),
                  (uint16_t)(NLM_F_CREATE | NLM_F_ACK | flags), &body, sizeof(body));
}

void nft_put_be32(struct nft_build *build, uint16_t type, uint32_t value)
{
    netlink_put_u32(build->request, type, htonl(value));
}

struct nesting {
    size_t element, data;
};

static struct nesting begin_expression(struct nft_build *build, const char *name)
{
    struct nesting nesting;

    nesting.element = netlink_nest(build->request, NFTA_LIST_ELEM);
    netlink_put_text(build->request, NFTA_EXPR_NAME, name);
    nesting.data = netlink_nest(build->request, NFTA_EXPR_DATA);
    return nesting;
}

static void end_expression(struct nft_build *build, struct nesting nesting)
{
    netlink_unnest(build->request, nesting.data);
    netlink_unnest(build->request, nesting.element);
}

static void put_value(struct nft_build *build, uint16_t type, const void *value, size_t bytes)
{
    size_t data = netlink_nest(build->request, type);

    netlink_put(build->request, NFTA_DATA_VALUE, value, bytes);
    netlink_unnest(build->request, data);
}

void nft_load(struct nft_build *build, uint32_t base, uint32_t offset, uint32_t bytes,
              uint32_t into)
{
    struct nesting nesting = begin_expression(build, "payload");

    nft_put_be32(build, NFTA_PAYLOAD_DREG, into);
    nft_put_be32(build, NFTA_PAYLOAD_BASE, base);
    nft_put_be32(build, NFTA_PAYLOAD_OFFSET, offset);
    nft_put_be32(build, NFTA_PAYLOAD_LEN, bytes);
    end_expression(build, nesting);
}

void nft_compare(struct nft_build *build, uint32_t from, uint32_t operation, const void *value,
                 size_t bytes)
{
    struct nesting nesting = begin_expression(build, "cmp");

    nft_put_be32(build, NFTA_CMP_SREG, from);
    nft_put_be32(build, NFTA_CMP_OP, operation);
    put_value(build, NFTA_CMP_DATA, value, bytes);
    end_expression(build, nesting);
}

void nft_expect(struct nft_build *build, const void *value, size_t bytes)
{
    nft_compare(build, NFT_REG_1, NFT_CMP_EQ, value, bytes);
}

void nft_expect_protocol(struct nft_build *build, uint8_t protocol)
{
    struct nesting nesting = begin_expression(build, "meta");

    nft_put_be32(build, NFTA_META_DREG, NFT_REG_1);
    nft_put_be32(build, NFTA_META_KEY, NFT_META_L4PROTO);
    end_expression(build, nesting);
    nft_expect(build, &protocol, sizeof(protocol));
}

void nft_expect_address(struct nft_build *build, uint32_t offset)
{
    nft_load(build, NFT_PAYLOAD_NETWORK_HEADER, offset, build->layout->address_bytes, NFT_REG_1);
    nft_expect(build, build->clients->app.ip, build->layout->address_bytes);
}

void nft_expect_byte(struct nft_build *build, uint32_t offset, uint8_t value)
{
    nft_load(build, NFT_PAYLOAD_TRANSPORT_HEADER, offset, 1, NFT_REG_1);
    nft_expect(build, &value, sizeof(value));
}

void nft_expect_port(struct nft_build *build, uint16_t port)
{
    uint16_t network_order = htons(port);

    nft_load(build, NFT_PAYLOAD_TRANSPORT_HEADER, 0, sizeof(port), NFT_REG_1);
    nft_expect(build, &network_order, sizeof(network_order));
}

void nft_load_key(struct nft_build *build, uint32_t address_offset, uint32_t port_offset)
{
    nft_load(build, NFT_PAYLOAD_NETWORK_HEADER, address_offset, build->layout->address_bytes,
             NFT_REG_1);
    nft_load(build, NFT_PAYLOAD_TRANSPORT_HEADER, port_offset, 2, build->layout->port_register);
}

void nft_look_up(struct nft_build *build)
{
    struct nesting nesting = begin_expression(build, "lookup");

    netlink_put_text(build->request, NFTA_LOOKUP_SET, NFT_MAP_NAME);
    nft_put_be32(build, NFTA_LOOKUP_SET_ID, NFT_MAP_ID);
    nft_put_be32(build, NFTA_LOOKUP_SREG, NFT_REG_1);
    nft_put_be32(build, NFTA_LOOKUP_DREG, NFT_SOCKET_PORT);
    end_expression(build, nesting);
}

void nft_change_map(struct nft_build *build, uint32_t operation)
{
    struct nesting nesting = begin_expression(build, "dynset");

    netlink_put_text(build->request, NFTA_DYNSET_SET_NAME, NFT_MAP_NAME);
    nft_put_be32(build, NFTA_DYNSET_SET_ID, NFT_MAP_ID);
    nft_put_be32(build, NFTA_DYNSET_OP, operation);
    nft_put_be32(build, NFTA_DYNSET_SREG_KEY, NFT_REG_1);
    nft_put_be32(build, NFTA_DYNSET_SREG_DATA, NFT_SOCKET_PORT);
    end_expression(build, nesting);
}

void nft_set_register(struct nft_build *build, const void *value, size_t bytes)
{
    struct nesting nesting = begin_expression(build, "immediate");

    nft_put_be32(build, NFTA_IMMEDIATE_DREG, NFT_REG_1);
    put_value(build, NFTA_IMMEDIATE_DATA, value, bytes);
    end_expression(build, nesting);
}

void nft_end_with(struct nft_build *build, uint32_t code)
{
    struct nesting nesting = begin_expression(build, "immediate");
    size_t data, verdict;

    nft_put_be32(build, NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT);
    data = netlink_nest(build->request, NFTA_IMMEDIATE_DATA);
    verdict = netlink_nest(build->request, NFTA_DATA_VERDICT);
    nft_put_be32(build, NFTA_VERDICT_CODE, code);
    netlink_unnest(build->request, verdict);
    netlink_unnest(build->request, data);
    end_expression(build, nesting);
}

void nft_write_port(struct nft_build *build, uint32_t from, uint32_t offset, uint32_t checksum)
{
    struct nesting nesting = begin_expression(build, "payload");

    nft_put_be32(build, NFTA_PAYLOAD_SREG, from);
    nft_put_be32(build, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_TRANSPORT_HEADER);
    nft_put_be32(build, NFTA_PAYLOAD_OFFSET, offset);
    nft_put_be32(build, NFTA_PAYLOAD_LEN, 2);
    if (checksum != NFT_NO_CHECKSUM) {
        nft_put_be32(build, NFTA_PAYLOAD_CSUM_TYPE, NFT_PAYLOAD_CSUM_INET);
        nft_put_be32(build, NFTA_PAYLOAD_CSUM_OFFSET, checksum);
    }
    end_expression(build, nesting);
}

void nft_set_source(struct nft_build *build)
{
    const struct nft_layout *layout = build->layout;
    struct nesting nesting;

    nft_set_register(build, build->clients->app.ip, layout->address_bytes);
    nesting = begin_expression(build, "payload");
    nft_put_be32(build, NFTA_PAYLOAD_SREG, NFT_REG_1);
    nft_put_be32(build, NFTA_PAYLOAD_BASE, NFT_PAYLOAD_NETWORK_HEADER);
    nft_put_be32(build, NFTA_PAYLOAD_OFFSET, layout->source);
    nft_put_be32(build, NFTA_PAYLOAD_LEN, layout->address_bytes);
    nft_put_be32(build, NFTA_PAYLOAD_CSUM_TYPE, layout->checksum_type);
    nft_put_be32(build, NFTA_PAYLOAD_CSUM_OFFSET, layout->checksum_offset);
    nft_put_be32(build, NFTA_PAYLOAD_CSUM_FLAGS, NFT_PAYLOAD_L4CSUM_PSEUDOHDR);
    end_expression(build, nesting);
}

void nft_set_mark(struct nft_build *build)
{
    uint32_t mark = build->clients->mark;
    struct nesting nesting;

    nft_set_register(build, &mark, sizeof(mark));
    nesting = begin_expression(build, "meta");
    nft_put_be32(build, NFTA_META_KEY, NFT_META_MARK);
    nft_put_be32(build, NFTA_META_SREG, NFT_REG_1);
    end_expression(build, nesting);
}

/* An expression without attributes. */
void nft_leave_untracked(struct nft_build *build)
{
    size_t element;

    if (!build->has_notrack)
        return;
    element = netlink_nest(build->request, NFTA_LIST_ELEM);
    netlink_put_text(build->request, NFTA_EXPR_NAME, "notrack");
    netlink_unnest(build->request, element);
}
