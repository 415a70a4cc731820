#include "headless/data/gate.h"

#include <errno.h>
#include <stdlib.h>

#include "headless/wire/frame.h"

#define PASSES DROP_REASON_COUNT

struct replay_window *gate_make_windows(void)
{
    return calloc((size_t)VIEW_MEMBERS_MAX * GATE_LANES, sizeof(struct replay_window));
}

static struct replay_window *window_of(struct replay_window *windows, uint16_t slot, uint16_t lane)
{
    return &windows[(size_t)slot * GATE_LANES + lane];
}

void gate_prime(struct replay_window *windows, uint16_t slot,
                const uint64_t counters[static GATE_LANES])
{
    for (uint16_t lane = 0; lane < GATE_LANES; lane++)
        replay_reset(window_of(windows, slot, lane), counters[lane]);
}

int gate_init(struct gate *gate, const struct config *config, const struct identity *identity,
              struct replay_window *windows)
{
    *gate = (struct gate){.identity = identity,
                          .has_keys = config_has_keys(config),
                          .takes_open = config_takes_open(config),
                          .windows = windows};
    if (!gate->has_keys)
        return 0;
    gate->cache = aligned_alloc(_Alignof(struct seal_cache), sizeof(*gate->cache));
    if (!gate->cache)
        return -ENOMEM;
    seal_cache_init(gate->cache, KEY_FOR_FRAMES);
    return 0;
}

void gate_fini(struct gate *gate)
{
    if (gate->cache)
        seal_cache_wipe(gate->cache);
    free(gate->cache);
    gate->cache = NULL;
}

/* An answer is for whoever gets it: the tag in it says whose it is. Copies are for all. */
static bool is_for_us(const struct gate *gate, const struct frame_header *header, uint64_t receiver)
{
    if (receiver)
        return receiver == gate->identity->instance;
    return header->type == FRAME_REPLY || header->type == FRAME_COPY ||
           header->type == FRAME_ENTRIES;
}

/* The bytes of a datagram are ours, in a slot: read-only is what those further down are given. */
static uint8_t *bytes_of(const struct datagram *datagram)
{
    return (uint8_t *)(uintptr_t)datagram->payload;
}

static enum drop_reason open_sealed(struct gate *gate, const struct view *view,
                                    const struct frame_header *header, struct datagram *datagram)
{
    const struct member *member = view_find_instance(view, header->instance);
    const struct seal_sender sender = {header->instance, header->lane, header->sequence};
    struct replay_window *window;
    struct seal_block block;
    const struct key *key;

    if (!seal_read_block(datagram->payload, datagram->length, &block) || header->lane >= GATE_LANES)
        return DROP_malformed;
    key = keyring_find(&view->keyring, block.key);
    if (!key)
        return DROP_key;
    if (!member || !member->is_introduced)
        return DROP_introduction;
    if (!is_for_us(gate, header, block.value))
        return DROP_misdirected;
    window = window_of(gate->windows, member->slot, header->lane);
    if (!replay_is_new(window, header->sequence))
        return DROP_replay;
    if (!seal_unwrap(gate->cache, key, &sender, &block, bytes_of(datagram), datagram->length))
        return DROP_auth;
    /* Where it comes from is the ingress pod, to which the answer goes. */
    if (!address_equal_ip(&member->address, &datagram->peer))
        return DROP_misdirected;
    if (!replay_accept(window, header->sequence))
        return DROP_replay;
    datagram->payload += SEAL_BLOCK_BYTES;
    datagram->length -= SEAL_BYTES;
    frame_put_sealed(bytes_of(datagram), false);
    return PASSES;
}

enum drop_reason gate_pass(struct gate *gate, const struct view *view, struct datagram *datagram)
{
    struct frame_header header;

    if (!frame_read_header(datagram->payload, datagram->length, &header) ||
        header.cluster != gate->identity->cluster)
        return PASSES; /* none of ours */
    if (!frame_is_sealed(datagram->payload))
        return gate->takes_open ? PASSES : DROP_auth;
    return gate->has_keys ? open_sealed(gate, view, &header, datagram) : DROP_key;
}
