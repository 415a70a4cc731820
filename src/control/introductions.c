#include <string.h>

#include "headless/base/clock.h"
#include "introductions_internal.h"

#define ANSWERS_PER_SECOND 2000
#define ANSWERS_BURST      500
#define PEER_LANE          0

void introductions_init(struct introductions *i, uint64_t cluster, uint64_t instance,
                        const struct address *self)
{
    sodium_memzero(i, sizeof(*i));
    i->cluster = cluster;
    i->instance = instance;
    i->self = address_with_port(*self, 0);
    i->answers = budget_make(NS_PER_SEC / ANSWERS_PER_SECOND, ANSWERS_BURST);
    seal_lane_init(&i->lane, KEY_FOR_PEER, instance, PEER_LANE);
    seal_cache_init(&i->cache, KEY_FOR_PEER);
}

void introductions_tell_lanes(struct introductions *i, const struct seal_lane *const *lanes,
                              uint8_t count)
{
    i->lanes = lanes;
    i->lane_count = count;
}

void introductions_fini(struct introductions *i)
{
    sodium_memzero(i, sizeof(*i));
}

/* ---- what we say of ourselves ---- */

static struct introduction describe_us(const struct introductions *i)
{
    struct introduction us = {.from = i->instance,
                              .address = i->self,
                              .suites = seal_suites(),
                              .key_count = (uint8_t)i->ring.count,
                              .lane_count = i->lane_count};

    for (uint32_t k = 0; k < i->ring.count; k++)
        us.keys[k] = i->ring.keys[k].id;
    for (uint8_t k = 0; k < i->lane_count; k++)
        us.counters[k] = seal_lane_last(i->lanes[k]);
    return us;
}

void introductions_take_keys(struct introductions *i, const struct keyring *ring)
{
    if (keyring_equal(&i->ring, ring))
        return;
    i->ring = *ring;
    i->changes++;
    for (size_t k = 0; k < CONTACTS_MAX; k++) {
        i->contacts[k].asked = 0; /* at once, not when its patience is over */
        i->contacts[k].asked_ns = 0;
    }
}

/* ---- keys and ciphers ---- */

/* The newest key that both have, or NULL. */
static const struct key *common_key(const struct introductions *i, const struct contact *contact)
{
    for (uint32_t k = 0; k < i->ring.count; k++) {
        if (contact_has_key(contact, i->ring.keys[k].id))
            return &i->ring.keys[k];
    }
    return NULL;
}

static enum seal_suite common_suite(const struct contact *contact)
{
    return contact->theirs.suites & seal_suites() & 1U << SEAL_AES256_GCM ? SEAL_AES256_GCM
                                                                          : SEAL_CHACHA20_POLY1305;
}

/* ---- asking ---- */

static size_t write_sealed(struct introductions *i, const struct introduction *introduction,
                           const struct key *key, uint8_t out[static INTRODUCTIONS_SEALED])
{
    uint64_t counter = seal_lane_count(&i->lane);

    introduction_put(out + SEAL_BLOCK_BYTES, i->cluster, introduction);
    peer_put_sealed(out + SEAL_BLOCK_BYTES, true);
    return seal_wrap(&i->lane, key, SEAL_CHACHA20_POLY1305, counter, counter, out,
                     INTRODUCTION_BYTES);
}

/* Does it hold what we say of ourselves? */
static bool knows_us(const struct introductions *i, const struct contact *contact)
{
    const struct introduction us = describe_us(i);

    return contact->theirs.known == introduction_digest(&us);
}

static bool is_done(const struct introductions *i, const struct contact *contact)
{
    return contact->is_introduced && knows_us(i, contact);
}

/* Of a question: an answer to it is fresh. */
static uint64_t draw_nonce(struct contact *contact)
{
    do
        randombytes_buf(&contact->nonce, sizeof(contact->nonce));
    while (contact->nonce == 0);
    return contact->nonce;
}

/* A key for a question: one that it has; where that is not known, one after the other. */
static const struct key *question_key(const struct introductions *i, const struct contact *contact)
{
    const struct key *key = contact->is_introduced ? common_key(i, contact) : NULL;

    return key ? key : &i->ring.keys[contact->asked % i->ring.count];
}

static uint32_t known_of(const struct contact *contact)
{
    return contact->is_introduced ? introduction_digest(&contact->theirs) : 0;
}

size_t introductions_ask(struct introductions *i, const struct address *ip, uint64_t now_ns,
                         uint8_t out[static INTRODUCTIONS_SEALED])
{
    struct introduction question = describe_us(i);
    struct contact *contact = contact_at(i, ip, now_ns);
    uint64_t patience_ns = INTRODUCTIONS_ASK_NS << (contact->asked < 8 ? contact->asked : 8);
    const struct key *key;

    contact->used_ns = now_ns;
    if (patience_ns > INTRODUCTIONS_PATIENCE)
        patience_ns = INTRODUCTIONS_PATIENCE;
    if (i->ring.count == 0 || is_done(i, contact) ||
        (contact->asked_ns && now_ns < contact->asked_ns + patience_ns))
        return 0;
    key = question_key(i, contact);
    contact->asked++;
    contact->asked_ns = now_ns;
    question.to = contact->is_introduced ? contact->instance : 0;
    question.nonce = draw_nonce(contact);
    question.known = known_of(contact);
    return write_sealed(i, &question, key, out);
}

/* ---- hearing ---- */

/* Fresh, because it echoes our nonce: from now on it is believed. */
static void introduce(struct introductions *i, struct contact *contact,
                      const struct introduction *theirs, uint64_t counter)
{
    if (!contact->is_introduced ||
        introduction_digest(&contact->theirs) != introduction_digest(theirs))
        i->changes++;
    if (!contact->is_introduced) {
        replay_reset(&contact->window, counter);
        contact->theirs = *theirs;
    }
    /* The counters stay those of the first time: what came since then has been counted. */
    memcpy(contact->theirs.keys, theirs->keys, sizeof(theirs->keys));
    contact->theirs.key_count = theirs->key_count;
    contact->theirs.suites = theirs->suites;
    contact->theirs.known = theirs->known;
    contact->is_introduced = true;
    contact->asked = 0;
    contact->address = theirs->address;
    contact_forget_predecessors(i, contact);
}

/* The contact that answers a question of ours; what was asked at an address may be answered by
 * another instance than the one that was there. NULL: nobody was asked this. */
static struct contact *find_asked(struct introductions *i, const struct introduction *theirs,
                                  const struct address *from, uint64_t now_ns)
{
    struct contact *asked = NULL, *contact = contact_find_instance(i, theirs->from);

    for (size_t k = 0; k < CONTACTS_MAX; k++) {
        struct contact *candidate = &i->contacts[k];

        if (theirs->echo && candidate->nonce == theirs->echo)
            asked = candidate;
    }
    if (!asked)
        return NULL;
    asked->nonce = 0;
    if (contact)
        return contact;
    if (asked->instance)
        return contact_meet(i, theirs->from, from, now_ns);
    asked->instance = theirs->from;
    return asked;
}

/* With the key of the question: that one both have. What we have asked already stays asked: else
 * two who ask each other at once would wait for answers that are never given. */
static size_t answer(struct introductions *i, struct contact *contact,
                     const struct introduction *theirs, const struct key *key,
                     uint8_t out[static INTRODUCTIONS_SEALED])
{
    struct introduction ours = describe_us(i);
    bool is_news = !contact->is_introduced ||
                   introduction_digest(&contact->theirs) != introduction_digest(theirs);

    ours.to = theirs->from;
    ours.echo = theirs->nonce;
    ours.nonce = !is_news ? 0 : contact->nonce ? contact->nonce : draw_nonce(contact);
    ours.known = known_of(contact);
    return write_sealed(i, &ours, key, out);
}

/* Open it in place, and read it. The cheap questions come first. */
static enum introductions_verdict read_sealed(struct introductions *i, uint8_t *data, size_t length,
                                              struct introduction *ret_theirs,
                                              struct seal_block *ret_block)
{
    struct seal_sender sender = {.lane = PEER_LANE};
    const struct contact *contact;
    struct peer_header header;
    const struct key *key;

    if (length != INTRODUCTIONS_SEALED || !seal_read_block(data, length, ret_block) ||
        !peer_read_header(data, length, &header) || !header.from)
        return INTRODUCTIONS_MALFORMED;
    key = keyring_find(&i->ring, ret_block->key);
    if (!key)
        return INTRODUCTIONS_KEY;
    if (header.from == i->instance || (header.to && header.to != i->instance))
        return INTRODUCTIONS_MISDIRECTED;
    contact = contact_find_instance(i, header.from);
    if (contact && !replay_is_new(&contact->window, ret_block->value))
        return INTRODUCTIONS_REPLAY;
    sender.instance = header.from;
    sender.counter = ret_block->value;
    if (!seal_unwrap(&i->cache, key, &sender, ret_block, data, length))
        return INTRODUCTIONS_FORGED;
    peer_put_sealed(data + SEAL_BLOCK_BYTES, false);
    return introduction_open(data + SEAL_BLOCK_BYTES, length - SEAL_BYTES, i->cluster,
                             ret_theirs) == PEER_OK
               ? INTRODUCTIONS_OK
               : INTRODUCTIONS_MALFORMED;
}

enum introductions_verdict introductions_hear(struct introductions *i, const struct address *from,
                                              uint8_t *data, size_t length, uint64_t now_ns,
                                              uint8_t out[static INTRODUCTIONS_SEALED],
                                              size_t *ret_length)
{
    struct introduction theirs;
    struct contact *contact;
    struct seal_block block;
    enum introductions_verdict verdict = read_sealed(i, data, length, &theirs, &block);

    if (verdict != INTRODUCTIONS_OK)
        return verdict;
    if (!address_equal_ip(&theirs.address, from))
        return INTRODUCTIONS_MISDIRECTED;
    theirs.address = address_with_port(*from, 0); /* with the scope that it has here */
    contact = find_asked(i, &theirs, from, now_ns);
    if (contact)
        introduce(i, contact, &theirs, block.value);
    else
        contact = contact_of(i, &theirs, from, now_ns);
    contact->used_ns = now_ns;
    /* Where the window was just set, it begins behind this one. */
    (void)replay_accept(&contact->window, block.value);
    *ret_length = 0;
    if (theirs.nonce && budget_take(&i->answers, now_ns))
        *ret_length = answer(i, contact, &theirs, keyring_find(&i->ring, block.key), out);
    return INTRODUCTIONS_OK;
}

/* ---- other messages ---- */

size_t introductions_seal(struct introductions *i, const struct contact *contact, uint8_t *buffer,
                          size_t length)
{
    const struct key *key = common_key(i, contact);
    uint64_t counter;

    if (!key)
        return 0;
    peer_put_sealed(buffer + SEAL_BLOCK_BYTES, true);
    counter = seal_lane_count(&i->lane);
    return seal_wrap(&i->lane, key, common_suite(contact), counter, counter, buffer, length);
}

enum introductions_verdict introductions_open(struct introductions *i, const struct address *from,
                                              uint8_t *data, size_t length, uint64_t now_ns)
{
    struct contact *contact;
    struct seal_sender sender = {.lane = PEER_LANE};
    struct peer_header header;
    struct seal_block block;
    const struct key *key;

    if (!peer_read_header(data, length, &header) || !seal_read_block(data, length, &block))
        return INTRODUCTIONS_MALFORMED;
    key = keyring_find(&i->ring, block.key);
    if (!key)
        return INTRODUCTIONS_KEY;
    contact = introductions_find(i, header.from);
    if (!contact)
        return INTRODUCTIONS_STRANGER;
    if (header.to != i->instance)
        return INTRODUCTIONS_MISDIRECTED;
    if (!replay_is_new(&contact->window, block.value))
        return INTRODUCTIONS_REPLAY;
    sender.instance = header.from;
    sender.counter = block.value;
    if (!seal_unwrap(&i->cache, key, &sender, &block, data, length))
        return INTRODUCTIONS_FORGED;
    if (!address_equal_ip(&contact->address, from))
        return INTRODUCTIONS_MISDIRECTED;
    if (!replay_accept(&contact->window, block.value))
        return INTRODUCTIONS_REPLAY;
    contact->used_ns = now_ns;
    peer_put_sealed(data + SEAL_BLOCK_BYTES, false);
    return INTRODUCTIONS_OK;
}
