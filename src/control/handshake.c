#include <string.h>

#include "handshake_internal.h"
#include "headless/base/clock.h"

#define ANSWERS_PER_SECOND 2000
#define ANSWERS_BURST      500
#define PEER_NONCE_SPACE   0

void handshake_init(struct handshake *i, uint64_t cluster, uint64_t instance,
                    const struct address *self)
{
    sodium_memzero(i, sizeof(*i));
    i->cluster = cluster;
    i->instance = instance;
    i->self = address_with_port(*self, 0);
    i->replies = budget_make(NS_PER_SEC / ANSWERS_PER_SECOND, ANSWERS_BURST);
    nonce_space_init(&i->nonce_space, KEY_FOR_PEER, instance, PEER_NONCE_SPACE);
    seal_cache_init(&i->cache, KEY_FOR_PEER);
}

void handshake_set_nonce_spaces(struct handshake *i, const struct nonce_space *const *nonce_spaces,
                                uint8_t count)
{
    i->nonce_spaces = nonce_spaces;
    i->nonce_space_count = count;
}

void handshake_fini(struct handshake *i)
{
    sodium_memzero(i, sizeof(*i));
}

/* ---- what we say of ourselves ---- */

static struct handshake_message describe_us(const struct handshake *i)
{
    struct handshake_message us = {.from = i->instance,
                                   .address = i->self,
                                   .suites = seal_suites(),
                                   .key_count = (uint8_t)i->ring.count,
                                   .nonce_space_count = i->nonce_space_count};

    for (uint32_t k = 0; k < i->ring.count; k++)
        us.keys[k] = i->ring.keys[k].id;
    for (uint8_t k = 0; k < i->nonce_space_count; k++)
        us.counters[k] = nonce_space_last(i->nonce_spaces[k]);
    return us;
}

void handshake_set_keys(struct handshake *i, const struct keyring *ring)
{
    if (keyring_equal(&i->ring, ring))
        return;
    i->ring = *ring;
    i->changes++;
    for (size_t k = 0; k < HANDSHAKE_PEERS_MAX; k++) {
        i->peers[k].asked = 0; /* at once, not when its patience is over */
        i->peers[k].asked_ns = 0;
    }
}

/* ---- keys and ciphers ---- */

/* The newest key that both have, or NULL. */
static const struct key *common_key(const struct handshake *i, const struct handshake_peer *peer)
{
    for (uint32_t k = 0; k < i->ring.count; k++) {
        if (handshake_peer_has_key(peer, i->ring.keys[k].id))
            return &i->ring.keys[k];
    }
    return NULL;
}

static enum seal_suite common_suite(const struct handshake_peer *peer)
{
    return peer->theirs.suites & seal_suites() & 1U << SEAL_AES256_GCM ? SEAL_AES256_GCM
                                                                       : SEAL_CHACHA20_POLY1305;
}

/* ---- asking ---- */

static size_t write_sealed(struct handshake *i, const struct handshake_message *handshake_message,
                           const struct key *key, uint8_t out[static HANDSHAKE_SEALED])
{
    uint64_t counter = nonce_space_next(&i->nonce_space);

    handshake_message_put(out + SEAL_BLOCK_BYTES, i->cluster, handshake_message);
    peer_put_sealed(out + SEAL_BLOCK_BYTES, true);
    return seal_wrap(&i->nonce_space, key, SEAL_CHACHA20_POLY1305, counter, counter, out,
                     HANDSHAKE_MESSAGE_BYTES);
}

/* Does it hold what we say of ourselves? */
static bool knows_us(const struct handshake *i, const struct handshake_peer *peer)
{
    const struct handshake_message us = describe_us(i);

    return peer->theirs.known == handshake_message_digest(&us);
}

static bool is_done(const struct handshake *i, const struct handshake_peer *peer)
{
    return peer->is_authenticated && knows_us(i, peer);
}

/* Of a question: an reply to it is fresh. */
static uint64_t draw_nonce(struct handshake_peer *peer)
{
    do
        randombytes_buf(&peer->nonce, sizeof(peer->nonce));
    while (peer->nonce == 0);
    return peer->nonce;
}

/* A key for a question: one that it has; where that is not known, one after the other. */
static const struct key *question_key(const struct handshake *i, const struct handshake_peer *peer)
{
    const struct key *key = peer->is_authenticated ? common_key(i, peer) : NULL;

    return key ? key : &i->ring.keys[peer->asked % i->ring.count];
}

static uint32_t known_of(const struct handshake_peer *peer)
{
    return peer->is_authenticated ? handshake_message_digest(&peer->theirs) : 0;
}

size_t handshake_request(struct handshake *i, const struct address *ip, uint64_t now_ns,
                         uint8_t out[static HANDSHAKE_SEALED])
{
    struct handshake_message question = describe_us(i);
    struct handshake_peer *peer = handshake_peer_at(i, ip, now_ns);
    uint64_t patience_ns = HANDSHAKE_RETRY_NS << (peer->asked < 8 ? peer->asked : 8);
    const struct key *key;

    peer->used_ns = now_ns;
    if (patience_ns > HANDSHAKE_RETRY_MAX_NS)
        patience_ns = HANDSHAKE_RETRY_MAX_NS;
    if (i->ring.count == 0 || is_done(i, peer) ||
        (peer->asked_ns && now_ns < peer->asked_ns + patience_ns))
        return 0;
    key = question_key(i, peer);
    peer->asked++;
    peer->asked_ns = now_ns;
    question.to = peer->is_authenticated ? peer->instance : 0;
    question.nonce = draw_nonce(peer);
    question.known = known_of(peer);
    return write_sealed(i, &question, key, out);
}

/* ---- hearing ---- */

/* Fresh, because it echoes our nonce: from now on it is believed. */
static void introduce(struct handshake *i, struct handshake_peer *peer,
                      const struct handshake_message *theirs, uint64_t counter)
{
    if (!peer->is_authenticated ||
        handshake_message_digest(&peer->theirs) != handshake_message_digest(theirs))
        i->changes++;
    if (!peer->is_authenticated) {
        replay_reset(&peer->window, counter);
        peer->theirs = *theirs;
    }
    /* The counters stay those of the first time: what came since then has been counted. */
    memcpy(peer->theirs.keys, theirs->keys, sizeof(theirs->keys));
    peer->theirs.key_count = theirs->key_count;
    peer->theirs.suites = theirs->suites;
    peer->theirs.known = theirs->known;
    peer->is_authenticated = true;
    peer->asked = 0;
    peer->address = theirs->address;
    handshake_peer_remove_predecessors(i, peer);
}

/* The peer that replies a question of ours; what was asked at an address may be answered by
 * another instance than the one that was there. NULL: nobody was asked this. */
static struct handshake_peer *find_asked(struct handshake *i,
                                         const struct handshake_message *theirs,
                                         const struct address *from, uint64_t now_ns)
{
    struct handshake_peer *asked = NULL, *peer = handshake_peer_find_instance(i, theirs->from);

    for (size_t k = 0; k < HANDSHAKE_PEERS_MAX; k++) {
        struct handshake_peer *candidate = &i->peers[k];

        if (theirs->echo && candidate->nonce == theirs->echo)
            asked = candidate;
    }
    if (!asked)
        return NULL;
    asked->nonce = 0;
    if (peer)
        return peer;
    if (asked->instance)
        return handshake_peer_add(i, theirs->from, from, now_ns);
    asked->instance = theirs->from;
    return asked;
}

/* With the key of the question: that one both have. What we have asked already stays asked: else
 * two who ask each other at once would wait for replies that are never given. */
static size_t reply(struct handshake *i, struct handshake_peer *peer,
                    const struct handshake_message *theirs, const struct key *key,
                    uint8_t out[static HANDSHAKE_SEALED])
{
    struct handshake_message ours = describe_us(i);
    bool is_news = !peer->is_authenticated ||
                   handshake_message_digest(&peer->theirs) != handshake_message_digest(theirs);

    ours.to = theirs->from;
    ours.echo = theirs->nonce;
    ours.nonce = !is_news ? 0 : peer->nonce ? peer->nonce : draw_nonce(peer);
    ours.known = known_of(peer);
    return write_sealed(i, &ours, key, out);
}

/* Open it in place, and read it. The cheap questions come first. */
static enum handshake_verdict read_sealed(struct handshake *i, uint8_t *data, size_t length,
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
    key = keyring_find(&i->ring, ret_block->key);
    if (!key)
        return HANDSHAKE_KEY;
    if (header.from == i->instance || (header.to && header.to != i->instance))
        return HANDSHAKE_MISDIRECTED;
    peer = handshake_peer_find_instance(i, header.from);
    if (peer && !replay_is_new(&peer->window, ret_block->value))
        return HANDSHAKE_REPLAY;
    sender.instance = header.from;
    sender.counter = ret_block->value;
    if (!seal_unwrap(&i->cache, key, &sender, ret_block, data, length))
        return HANDSHAKE_FORGED;
    peer_put_sealed(data + SEAL_BLOCK_BYTES, false);
    return handshake_message_open(data + SEAL_BLOCK_BYTES, length - SEAL_BYTES, i->cluster,
                                  ret_theirs) == PEER_OK
               ? HANDSHAKE_OK
               : HANDSHAKE_MALFORMED;
}

enum handshake_verdict handshake_receive(struct handshake *i, const struct address *from,
                                         uint8_t *data, size_t length, uint64_t now_ns,
                                         uint8_t out[static HANDSHAKE_SEALED], size_t *ret_length)
{
    struct handshake_message theirs;
    struct handshake_peer *peer;
    struct seal_block block;
    enum handshake_verdict verdict = read_sealed(i, data, length, &theirs, &block);

    if (verdict != HANDSHAKE_OK)
        return verdict;
    if (!address_equal_ip(&theirs.address, from))
        return HANDSHAKE_MISDIRECTED;
    theirs.address = address_with_port(*from, 0); /* with the scope that it has here */
    peer = find_asked(i, &theirs, from, now_ns);
    if (peer)
        introduce(i, peer, &theirs, block.value);
    else
        peer = handshake_peer_of(i, &theirs, from, now_ns);
    peer->used_ns = now_ns;
    /* Where the window was just set, it begins behind this one. */
    (void)replay_accept(&peer->window, block.value);
    *ret_length = 0;
    if (theirs.nonce && budget_take(&i->replies, now_ns))
        *ret_length = reply(i, peer, &theirs, keyring_find(&i->ring, block.key), out);
    return HANDSHAKE_OK;
}

/* ---- other messages ---- */

size_t handshake_seal(struct handshake *i, const struct handshake_peer *peer, uint8_t *buffer,
                      size_t length)
{
    const struct key *key = common_key(i, peer);
    uint64_t counter;

    if (!key)
        return 0;
    peer_put_sealed(buffer + SEAL_BLOCK_BYTES, true);
    counter = nonce_space_next(&i->nonce_space);
    return seal_wrap(&i->nonce_space, key, common_suite(peer), counter, counter, buffer, length);
}

enum handshake_verdict handshake_open(struct handshake *i, const struct address *from,
                                      uint8_t *data, size_t length, uint64_t now_ns)
{
    struct handshake_peer *peer;
    struct seal_sender sender = {.nonce_space = PEER_NONCE_SPACE};
    struct peer_header header;
    struct seal_block block;
    const struct key *key;

    if (!peer_read_header(data, length, &header) || !seal_read_block(data, length, &block))
        return HANDSHAKE_MALFORMED;
    key = keyring_find(&i->ring, block.key);
    if (!key)
        return HANDSHAKE_KEY;
    peer = handshake_find(i, header.from);
    if (!peer)
        return HANDSHAKE_UNKNOWN;
    if (header.to != i->instance)
        return HANDSHAKE_MISDIRECTED;
    if (!replay_is_new(&peer->window, block.value))
        return HANDSHAKE_REPLAY;
    sender.instance = header.from;
    sender.counter = block.value;
    if (!seal_unwrap(&i->cache, key, &sender, &block, data, length))
        return HANDSHAKE_FORGED;
    if (!address_equal_ip(&peer->address, from))
        return HANDSHAKE_MISDIRECTED;
    if (!replay_accept(&peer->window, block.value))
        return HANDSHAKE_REPLAY;
    peer->used_ns = now_ns;
    peer_put_sealed(data + SEAL_BLOCK_BYTES, false);
    return HANDSHAKE_OK;
}
