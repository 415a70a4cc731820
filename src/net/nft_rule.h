/*
 * nft_rule: the messages and the expressions of which nft_clients.c makes its table.
 *
 * Private to net/, for nft_clients.c. Each function appends to the request of the build; one that does
 * not fit makes the request full (netlink.h). Registers: NFT_REG_1 holds what is compared, or the key of
 * the map. Source: net/netfilter/nf_tables_api.c, nft_cmp.c, nft_dynset.c, nft_payload.c.
 */
#ifndef HEADLESS_NET_NFT_RULE_H
#define HEADLESS_NET_NFT_RULE_H

#include <linux/netfilter/nf_tables.h>
#include <stddef.h>
#include <stdint.h>

#include "net/netlink.h"
#include "net/nft_clients.h"

#define NFT_MAP_NAME    "clients"
#define NFT_MAP_ID      1
#define NFT_SOCKET_PORT NFT_REG32_06 /* behind the longest key, and the client's port */
#define NFT_NO_CHECKSUM UINT32_MAX

/* Offsets in the network header. */
struct nft_layout {
    uint32_t family, address_bytes, source, destination, header_bytes, next_header, ttl;
    uint32_t checksum_type, checksum_offset;
    uint32_t key_type, port_register; /* the key begins in NFT_REG_1 */
    uint8_t icmp, icmp_unreachable;
};

/* Of all functions below. */
struct nft_build {
    struct netlink_request *request;
    const struct nft_clients *clients;
    const struct nft_layout *layout;
    bool has_notrack; /* the kernel has this expression */
    char table[32];
};

/* ---- messages ---- */

void nft_begin(struct nft_build *build, uint16_t message, uint16_t flags);
void nft_put_be32(struct nft_build *build, uint16_t type, uint32_t value);

/* ---- expressions of a rule ---- */

/* Load a part of the datagram into a register. */
void nft_load(struct nft_build *build, uint32_t base, uint32_t offset, uint32_t bytes,
              uint32_t into);

/* The key of the map: an address of the network header, the client's port behind it. */
void nft_load_key(struct nft_build *build, uint32_t address_offset, uint32_t port_offset);

void nft_set_register(struct nft_build *build, const void *value, size_t bytes);

/* The rule goes on if the register compares so with this value; NFT_REG_1 equals it; the datagram has
 * this protocol, the app's address at this offset, this byte or source port in the transport header. */
void nft_compare(struct nft_build *build, uint32_t from, uint32_t operation, const void *value,
                 size_t bytes);
void nft_expect(struct nft_build *build, const void *value, size_t bytes);
void nft_expect_protocol(struct nft_build *build, uint8_t protocol);
void nft_expect_address(struct nft_build *build, uint32_t offset);
void nft_expect_byte(struct nft_build *build, uint32_t offset, uint8_t value);
void nft_expect_port(struct nft_build *build, uint16_t port);

/* The rule goes on for a client of the map, with the port of its socket in NFT_SOCKET_PORT. */
void nft_look_up(struct nft_build *build);

/* operation: NFT_DYNSET_OP_*, with the key in NFT_REG_1 and the value in NFT_SOCKET_PORT. */
void nft_change_map(struct nft_build *build, uint32_t operation);

/* Write a port in or behind the transport header, and correct the checksum there, if there is one. */
void nft_write_port(struct nft_build *build, uint32_t from, uint32_t offset, uint32_t checksum);

/* Make the app's address the source, and correct the checksums. */
void nft_set_source(struct nft_build *build);
void nft_set_mark(struct nft_build *build);

/* Connection tracking makes no entry for the datagram. */
void nft_leave_untracked(struct nft_build *build);

/* code: NF_ACCEPT or NF_DROP. */
void nft_end_with(struct nft_build *build, uint32_t code);

#endif
