/* Requests, replies and the opening of messages; the table of peers is in handshake_peers.c. */
#include <string.h>

#include "handshake_internal.h"
#include "headless/base/clock.h"

#define REPLIES_PER_SECOND 2000
#define REPLIES_BURST      500
#define PEER_NONCE_SPACE   0

void handshake_init(struct handshake *handshake, uint64_t cluster, uint64_t instance,
                    const struct address *self)
{
    sodium_memzero(handshake, sizeof(*handshake));
    handshake->cluster = cluster;
    handshake->instance = instance;
    handshake->self = address_with_port(*self, 0);
    handshake->replies = budget_make(NS_PER_SEC / REPLIES_PER_SECOND, REPLIES_BURST);
    nonce_space_init(&handshake->nonce_space, KEY_FOR_PEER, instance, PEER_NONCE_SPACE);
    seal_cache_init(&handshake->cache, KEY_FOR_PEER);
}

void handshake_set_nonce_spaces(struct handshake *handshake,
                                const struct nonce_space *const *nonce_spaces, uint8_t count)
{
    handshake->nonce_spaces = nonce_spaces;
    handshake->nonce_space_count = count;
}

void handshake_fini(struct handshake *handshake)
{
    sodium_memzero(handshake, sizeof(*handshake));
}

/* ---- our own keys and counters ---- */

static struct handshake_message describe_self(const struct handshake *handshake)
{
    struct handshake_message self = {.from = handshake->instance,
                                     .address = handshake->self,
                                     .suites = (uint8_t)(seal_suites() | handshake->abilities),
                                     .key_count = (uint8_t)handshake->ring.count,
                                     .nonce_space_count = handshake->nonce_space_count};

    for (uint32_t k = 0; k < handshake->ring.count; k++)
        self.keys[k] = handshake->ring.keys[k].id;
    for (uint8_t k = 0; k < handshake->nonce_space_count; k++)
        self.counters[k] = nonce_space_last(handshake->nonce_spaces[k]);
    return self;
}

/* The newest common key, or NULL. */
static const struct key *find_common(const struct keyring *ring, const struct handshake_peer *peer)
{
    for (uint32_t k = 0; k < ring->count; k++) {
        if (handshake_peer_has_key(peer, ring->keys[k].id))
            return &ring->keys[k];
    }
    return NULL;
}

static const struct key *common_key(const struct handshake *handshake,
                                    const struct handshake_peer *peer)
{
    return find_common(&handshake->ring, peer);
}

static void forget_last_key(struct handshake_peer *peer)
{
    sodium_memzero(&peer->last_key, sizeof(peer->last_key));
    peer->has_last_key = false;
}

/* Our keys are about to change to these. */
static void keep_last_key(const struct handshake *handshake, struct handshake_peer *peer,
                          const struct keyring *ring)
{
    const struct key *key = peer->is_authenticated ? common_key(handshake, peer) : NULL;

    if (find_common(ring, peer)) {
        forget_last_key(peer);
    } else if (key) {
        peer->last_key = *key;
        peer->has_last_key = peer->is_last_key_next = true;
    }
}

void handshake_set_keys(struct handshake *handshake, const struct keyring *ring)
{
    if (keyring_equal(&handshake->ring, ring))
        return;
    for (size_t k = 0; k < handshake->place_count; k++) {
        struct handshake_peer *peer = &handshake->peers[k];

        keep_last_key(handshake, peer, ring);
        peer->requests = 0; /* the next request is due at once */
        peer->requested_ns = 0;
    }
    handshake->ring = *ring;
    handshake->changes++;
}

bool handshake_shares_key(struct handshake *handshake, const struct address *ip)
{
    const struct handshake_peer *peer = handshake_find_address(handshake, ip);

    return peer && !peer->other_keys_ns && common_key(handshake, peer);
}

uint64_t handshake_other_keys_ns(struct handshake *handshake, const struct address *ip)
{
    const struct handshake_peer *peer = handshake_find_address(handshake, ip);

    return peer ? peer->other_keys_ns : 0;
}

/* ---- ciphers ---- */

static enum seal_suite common_suite(const struct handshake_peer *peer)
{
    return peer->theirs.suites & seal_suites() & 1U << SEAL_AES256_GCM ? SEAL_AES256_GCM
                                                                       : SEAL_CHACHA20_POLY1305;
}

/* ---- requests ---- */

static size_t write_sealed(struct handshake *handshake,
                           const struct handshake_message *handshake_message, const struct key *key,
                           uint8_t out[static HANDSHAKE_SEALED])
{
    uint64_t counter = nonce_space_next(&handshake->nonce_space);

    handshake_message_put(out + SEAL_BLOCK_BYTES, handshake->cluster, handshake_message);
    peer_put_sealed(out + SEAL_BLOCK_BYTES, true);
    return seal_wrap(&handshake->nonce_space, key, SEAL_CHACHA20_POLY1305, counter, counter, out,
                     HANDSHAKE_MESSAGE_BYTES);
}

/* This peer has our present keys and suites. */
static bool knows_self(const struct handshake *handshake, const struct handshake_peer *peer)
{
    const struct handshake_message self = describe_self(handshake);

    return peer->theirs.known == handshake_message_digest(&self);
}

static bool is_done(const struct handshake *handshake, const struct handshake_peer *peer)
{
    return peer->is_authenticated && knows_self(handshake, peer);
}

/* A random nonce, never 0: a reply that echoes it is fresh. */
static uint64_t draw_nonce(struct handshake_peer *peer)
{
    do
        randombytes_buf(&peer->nonce, sizeof(peer->nonce));
    while (peer->nonce == 0);
    return peer->nonce;
}

/* A common key; where none is known, each of ours in turn, and in between the last common one. */
static const struct key *request_key(const struct handshake *handshake, struct handshake_peer *peer)
{
    const struct key *key = peer->is_authenticated ? common_key(handshake, peer) : NULL;
    bool is_last_key = peer->has_last_key && peer->is_last_key_next;

    peer->is_last_key_next = peer->has_last_key && !is_last_key;
    if (key)
        return key;
    return is_last_key ? &peer->last_key
                       : &handshake->ring.keys[peer->requests % handshake->ring.count];
}

static uint32_t known_digest(const struct handshake_peer *peer)
{
    return peer->is_authenticated ? handshake_message_digest(&peer->theirs) : 0;
}

size_t handshake_request(struct handshake *handshake, const struct address *ip, uint64_t now_ns,
                         uint8_t out[static HANDSHAKE_SEALED])
{
    struct handshake_message request = describe_self(handshake);
    struct handshake_peer *peer = handshake_peer_at(handshake, ip, now_ns);
    uint64_t retry_ns = HANDSHAKE_RETRY_NS << (peer->requests < 8 ? peer->requests : 8);
    const struct key *key;

    peer->used_ns = now_ns;
    if (retry_ns > HANDSHAKE_RETRY_MAX_NS)
        retry_ns = HANDSHAKE_RETRY_MAX_NS;
    if (handshake->ring.count == 0 || is_done(handshake, peer) ||
        (peer->requested_ns && now_ns < peer->requested_ns + retry_ns))
        return 0;
    key = request_key(handshake, peer);
    peer->requests++;
    peer->requested_ns = now_ns;
    request.to = peer->is_authenticated ? peer->instance : 0;
    request.nonce = draw_nonce(peer);
    request.known = known_digest(peer);
    return write_sealed(handshake, &request, key, out);
}

/* ---- receiving ---- */

/* The message echoes our nonce, so it is fresh. */
static void authenticate(struct handshake *handshake, struct handshake_peer *peer,
                         const struct handshake_message *theirs, uint64_t counter)
{
    if (!peer->is_authenticated ||
        handshake_message_digest(&peer->theirs) != handshake_message_digest(theirs))
        handshake->changes++;
    if (!peer->is_authenticated) {
        replay_reset(&peer->window, counter);
        peer->theirs = *theirs;
    }
    /* Keep the first counters: the replay windows have advanced since then. */
    memcpy(peer->theirs.keys, theirs->keys, sizeof(theirs->keys));
    peer->theirs.key_count = theirs->key_count;
    peer->theirs.suites = theirs->suites;
    peer->theirs.known = theirs->known;
    peer->is_authenticated = true;
    peer->requests = 0;
    peer->address = theirs->address;
    if (common_key(handshake, peer))
        forget_last_key(peer);
    handshake_peer_remove_predecessors(handshake, peer);
}

/* The peer whose outstanding nonce this message echoes; another instance may reply from the same
 * address. NULL: no request is outstanding with this nonce. */
static struct handshake_peer *find_requested(struct handshake *handshake,
                                             const struct handshake_message *theirs,
                                             const struct address *from, uint64_t now_ns)
{
    struct handshake_peer *requested = NULL,
                          *peer = handshake_peer_find_instance(handshake, theirs->from);

    for (size_t k = 0; k < handshake->place_count; k++) {
        struct handshake_peer *candidate = &handshake->peers[k];

        if (theirs->echo && candidate->nonce == theirs->echo)
            requested = candidate;
    }
    if (!requested)
        return NULL;
    requested->nonce = 0;
    if (peer)
        return peer;
    if (requested->instance)
        return handshake_peer_add(handshake, theirs->from, from, now_ns);
    requested->instance = theirs->from;
    return requested;
}

/* The key of the request is common to both. An outstanding nonce of ours is repeated: with a new one,
 * two pods whose requests cross would wait for replies that are never sent. */
static size_t handshake_reply(struct handshake *handshake, struct handshake_peer *peer,
                              const struct handshake_message *theirs, const struct key *key,
                              uint8_t out[static HANDSHAKE_SEALED])
{
    struct handshake_message ours = describe_self(handshake);
    bool is_changed = !peer->is_authenticated ||
                      handshake_message_digest(&peer->theirs) != handshake_message_digest(theirs);

    ours.to = theirs->from;
    ours.echo = theirs->nonce;
    ours.nonce = !is_changed ? 0 : peer->nonce ? peer->nonce : draw_nonce(peer);
    ours.known = known_digest(peer);
    return write_sealed(handshake, &ours, key, out);
}

static bool lists_other_keys(const struct handshake *handshake,
                             const struct handshake_message *theirs)
{
    for (uint8_t k = 0; k < theirs->key_count; k++) {
        if (keyring_find(&handshake->ring, theirs->keys[k]))
            return false;
    }
    return true;
}

/* Open it in place, and read it. Cheap checks come before decryption. */
static enum handshake_verdict read_sealed(struct handshake *handshake, uint8_t *data, size_t length,
                                          struct handshake_message *ret_theirs,
                                          struct seal_block *ret_block)
{
    struct seal_sender sender = {.nonce_space = PEER_NONCE_SPACE};
    const struct handshake_peer *peer;
    struct peer_header header;
    const struct key *key;

    if (length != HANDSHAKE_SEALED || !seal_read_block(data, length, ret_block) ||
        !peer_read_header(data, length, &header) || !header.from)
        return HANDSHAKE_MALFORMED;
    key = keyring_find(&handshake->ring, ret_block->key);
    if (!key)
        return HANDSHAKE_KEY;
    if (header.from == handshake->instance || (header.to && header.to != handshake->instance))
        return HANDSHAKE_MISDIRECTED;
    peer = handshake_peer_find_instance(handshake, header.from);
    if (peer && !replay_is_new(&peer->window, ret_block->value))
        return HANDSHAKE_REPLAY;
    sender.instance = header.from;
    sender.counter = ret_block->value;
    if (!seal_unwrap(&handshake->cache, key, &sender, ret_block, data, length))
        return HANDSHAKE_FORGED;
    peer_put_sealed(data + SEAL_BLOCK_BYTES, false);
    return handshake_message_open(data + SEAL_BLOCK_BYTES, length - SEAL_BYTES, handshake->cluster,
                                  ret_theirs) == PEER_OK
               ? HANDSHAKE_OK
               : HANDSHAKE_MALFORMED;
}

enum handshake_verdict handshake_receive(struct handshake *handshake, const struct address *from,
                                         uint8_t *data, size_t length, uint64_t now_ns,
                                         uint8_t out[static HANDSHAKE_SEALED], size_t *ret_length)
{
    struct handshake_message theirs;
    struct handshake_peer *peer;
    struct seal_block block;
    enum handshake_verdict verdict = read_sealed(handshake, data, length, &theirs, &block);

    if (verdict != HANDSHAKE_OK)
        return verdict;
    if (!address_equal_ip(&theirs.address, from))
        return HANDSHAKE_MISDIRECTED;
    theirs.address = address_with_port(*from, 0); /* with its scope at this pod */
    peer = find_requested(handshake, &theirs, from, now_ns);
    if (peer)
        authenticate(handshake, peer, &theirs, block.value);
    else
        peer = handshake_peer_of(handshake, &theirs, from, now_ns);
    peer->used_ns = now_ns;
    peer->other_keys_ns = lists_other_keys(handshake, &theirs) ? now_ns : 0;
    /* Fails if the window was just set: then it starts behind this counter. */
    (void)replay_accept(&peer->window, block.value);
    *ret_length = 0;
    if (theirs.nonce && budget_take(&handshake->replies, now_ns))
        *ret_length = handshake_reply(handshake, peer, &theirs,
                                      keyring_find(&handshake->ring, block.key), out);
    return HANDSHAKE_OK;
}

/* ---- other messages ---- */

size_t handshake_seal(struct handshake *handshake, const struct handshake_peer *peer,
                      uint8_t *buffer, size_t length)
{
    const struct key *key = common_key(handshake, peer);
    uint64_t counter;

    if (!key)
        return 0;
    peer_put_sealed(buffer + SEAL_BLOCK_BYTES, true);
    counter = nonce_space_next(&handshake->nonce_space);
    return seal_wrap(&handshake->nonce_space, key, common_suite(peer), counter, counter, buffer,
                     length);
}

enum handshake_verdict handshake_open(struct handshake *handshake, const struct address *from,
                                      uint8_t *data, size_t length, uint64_t now_ns)
{
    struct handshake_peer *peer;
    struct seal_sender sender = {.nonce_space = PEER_NONCE_SPACE};
    struct peer_header header;
    struct seal_block block;
    const struct key *key;

    if (!peer_read_header(data, length, &header) || !seal_read_block(data, length, &block))
        return HANDSHAKE_MALFORMED;
    key = keyring_find(&handshake->ring, block.key);
    if (!key)
        return HANDSHAKE_KEY;
    peer = handshake_find(handshake, header.from);
    if (!peer)
        return HANDSHAKE_UNKNOWN;
    if (header.to != handshake->instance)
        return HANDSHAKE_MISDIRECTED;
    if (!replay_is_new(&peer->window, block.value))
        return HANDSHAKE_REPLAY;
    sender.instance = header.from;
    sender.counter = block.value;
    if (!seal_unwrap(&handshake->cache, key, &sender, &block, data, length))
        return HANDSHAKE_FORGED;
    if (!address_equal_ip(&peer->address, from))
        return HANDSHAKE_MISDIRECTED;
    if (!replay_accept(&peer->window, block.value))
        return HANDSHAKE_REPLAY;
    peer->used_ns = now_ns;
    peer_put_sealed(data + SEAL_BLOCK_BYTES, false);
    return HANDSHAKE_OK;
}
