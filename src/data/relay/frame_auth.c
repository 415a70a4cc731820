#include "data/relay/frame_auth.h"

#include <errno.h>
#include <stdlib.h>

#include "headless/wire/frame.h"

#define PASSES DROP_REASON_COUNT

struct replay_window *frame_auth_create_windows(void)
{
    return calloc((size_t)MEMBERS_MAX * FRAME_AUTH_NONCE_SPACES, sizeof(struct replay_window));
}

static struct replay_window *window_of(struct replay_window *windows, uint16_t slot,
                                       uint16_t nonce_space)
{
    return &windows[(size_t)slot * FRAME_AUTH_NONCE_SPACES + nonce_space];
}

void frame_auth_reset_windows(struct replay_window *windows, uint16_t slot,
                              const uint64_t counters[static FRAME_AUTH_NONCE_SPACES])
{
    for (uint16_t nonce_space = 0; nonce_space < FRAME_AUTH_NONCE_SPACES; nonce_space++)
        replay_reset(window_of(windows, slot, nonce_space), counters[nonce_space]);
}

int frame_auth_init(struct frame_auth *frame_auth, const struct config *config,
                    const struct identity *identity, struct replay_window *windows)
{
    *frame_auth = (struct frame_auth){.identity = identity,
                                      .has_keys = config_has_keys(config),
                                      .takes_open = config_takes_open(config),
                                      .windows = windows};
    if (!frame_auth->has_keys)
        return 0;
    frame_auth->cache = aligned_alloc(_Alignof(struct seal_cache), sizeof(*frame_auth->cache));
    if (!frame_auth->cache)
        return -ENOMEM;
    seal_cache_init(frame_auth->cache, KEY_FOR_FRAMES);
    return 0;
}

void frame_auth_fini(struct frame_auth *frame_auth)
{
    if (frame_auth->cache)
        seal_cache_wipe(frame_auth->cache);
    free(frame_auth->cache);
    frame_auth->cache = NULL;
}

/* Replies have no receiver: their tag names the ingress pod. Copies are for all. */
static bool is_for_us(const struct frame_auth *frame_auth, const struct frame_header *header,
                      uint64_t receiver)
{
    if (receiver)
        return receiver == frame_auth->identity->instance;
    return header->type == FRAME_REPLY || header->type == FRAME_CONFIRM ||
           header->type == FRAME_COPY || header->type == FRAME_ENTRIES;
}

static enum drop_reason frame_auth_open(struct frame_auth *frame_auth,
                                        const struct leader_snapshot *snapshot,
                                        const struct frame_header *header,
                                        struct datagram *datagram)
{
    const struct member *member = leadership_find_instance(&snapshot->leader, header->instance);
    const struct seal_sender sender = {header->instance, header->nonce_space, header->sequence};
    struct replay_window *window;
    struct seal_block block;
    const struct key *key;

    if (!seal_read_block(datagram->payload, datagram->length, &block) ||
        header->nonce_space >= FRAME_AUTH_NONCE_SPACES)
        return DROP_malformed;
    key = keyring_find(&snapshot->keys.keyring, block.key);
    if (!key)
        return DROP_key;
    if (!member || !member->is_authenticated)
        return DROP_introduction;
    if (!is_for_us(frame_auth, header, block.value))
        return DROP_misdirected;
    window = window_of(frame_auth->windows, member->member_index, header->nonce_space);
    if (!replay_is_new(window, header->sequence))
        return DROP_replay;
    /* The source address is taken for the ingress pod, to which replies are sent. */
    if (!address_equal_ip(&member->address, &datagram->peer))
        return DROP_misdirected;
    if (!seal_unwrap(frame_auth->cache, key, &sender, &block, datagram_bytes(datagram),
                     datagram->length))
        return DROP_auth;
    if (!replay_accept(window, header->sequence))
        return DROP_replay;
    datagram->payload += SEAL_BLOCK_BYTES;
    datagram->length -= SEAL_BYTES;
    frame_put_sealed(datagram_bytes(datagram), false);
    return PASSES;
}

enum drop_reason frame_auth_check(struct frame_auth *frame_auth,
                                  const struct leader_snapshot *snapshot, struct datagram *datagram)
{
    struct frame_header header;

    if (!frame_read_header(datagram->payload, datagram->length, &header) ||
        header.cluster != frame_auth->identity->cluster)
        return PASSES; /* frame_open refuses it with its own verdict */
    if (!frame_is_sealed(datagram->payload))
        return frame_auth->takes_open ? PASSES : DROP_auth;
    return frame_auth->has_keys ? frame_auth_open(frame_auth, snapshot, &header, datagram)
                                : DROP_key;
}
