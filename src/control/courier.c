#include "headless/control/courier.h"

#include <errno.h>
#include <sodium.h>

#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/wire/peer.h"

int courier_open(struct courier *courier, const struct config *config, struct counters *counters)
{
    const struct udp_options options = {.rcvbuf_bytes = config->rcvbuf_bytes, .error_queue = true};
    const struct address at = address_with_port(config->bind, config->peer_port);
    char text[ADDRESS_TEXT_MAX];
    int rc;

    memset(courier, 0, sizeof(*courier));
    courier->config = config;
    courier->socket.fd = -1;
    courier->counters = counters;
    courier->has_keys = config_has_keys(config);
    courier->is_sealing = config_seals(config);
    courier->takes_open = config_takes_open(config);
    rc = udp_open(&at, &options, &courier->socket);
    if (rc)
        log_error("bind_failed", "cannot bind %s (peer.port): %s%s", address_format(&at, text),
                  strerror(-rc), rc == -EADDRINUSE ? "; is another headlessd running here?" : "");
    return rc;
}

void courier_close(struct courier *courier)
{
    udp_close(&courier->socket);
    introductions_fini(&courier->introductions);
}

void courier_introduce(struct courier *courier, const struct identity *identity)
{
    courier->cluster = identity->cluster;
    courier->instance = identity->instance;
    randombytes_buf(courier->token_key, sizeof(courier->token_key));
    introductions_init(&courier->introductions, identity->cluster, identity->instance,
                       &courier->config->self);
}

static uint64_t token_of(const struct courier *courier, const struct peer_header *header)
{
    const uint64_t fields[] = {header->cluster, header->from, header->to, header->type};
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t token;

    (void)crypto_shorthash(hash, (const uint8_t *)fields, sizeof(fields), courier->token_key);
    memcpy(&token, hash, sizeof(token));
    return token;
}

/* ---- sending ---- */

static void post(struct courier *courier, const struct address *to, const uint8_t *bytes,
                 size_t length)
{
    const struct address there = address_with_port(*to, courier->config->peer_port);
    int rc = udp_send_one(&courier->socket, &there, &courier->config->self, bytes, length);

    counters_add(courier->counters, rc ? COUNTER_PEER_UNSENT : COUNTER_PEER_SENT, 1);
}

void courier_meet(struct courier *courier, const struct address *ip)
{
    uint8_t bytes[INTRODUCTIONS_SEALED];
    /* Who sends open asks those that asked it before: they have to hear of its new keys. */
    bool may_ask = courier->is_sealing ||
                   (courier->has_keys && introductions_find_address(&courier->introductions, ip));
    size_t length =
        may_ask ? introductions_ask(&courier->introductions, ip, clock_now_ns(), bytes) : 0;

    if (length)
        post(courier, ip, bytes, length);
}

/* For whom is it: the instance that is meant, or whoever is at that address? */
static struct contact *find_contact(struct courier *courier, const struct address *to,
                                    uint64_t instance)
{
    return instance ? introductions_find(&courier->introductions, instance)
                    : introductions_find_address(&courier->introductions, to);
}

/* The plain message is at buffer + SEAL_BLOCK_BYTES. */
static void send_sealed(struct courier *courier, const struct address *to, uint64_t instance,
                        uint8_t *buffer, size_t length)
{
    const struct contact *contact = find_contact(courier, to, instance);
    uint8_t *message = buffer + SEAL_BLOCK_BYTES;
    struct peer_header header;

    if (contact) {
        peer_put_to(message, contact->instance);
        if (peer_read_header(message, length, &header))
            peer_put_token(message, token_of(courier, &header));
        length = introductions_seal(&courier->introductions, contact, buffer, length);
    }
    if (contact && length) {
        post(courier, to, buffer, length);
    } else {
        counters_add(courier->counters, COUNTER_PEER_UNSENT, 1);
        courier_meet(courier, to);
    }
}

void courier_send(struct courier *courier, const struct address *to,
                  const struct election_message *message, const struct election_member *members)
{
    uint8_t buffer[PEER_BYTES_MAX + SEAL_BYTES], *bytes = buffer + SEAL_BLOCK_BYTES;
    size_t length = peer_put(bytes, courier->cluster, message, members);
    struct peer_header header;

    if (courier->is_sealing) {
        send_sealed(courier, to, message->to, buffer, length);
        return;
    }
    if (peer_read_header(bytes, length, &header))
        peer_put_token(bytes, token_of(courier, &header));
    post(courier, to, bytes, length);
}

/* ---- receiving ---- */

/* What arrived, and where it came from. */
struct arrival {
    uint8_t bytes[PEER_BYTES_MAX + SEAL_BYTES + 1]; /* one more than is legal: what is too long */
    size_t length;
    const uint8_t *plain; /* the message in it */
    struct address from;
};

static bool read_one(struct courier *courier, struct arrival *arrival)
{
    struct sockaddr_storage sa;
    socklen_t sa_length = sizeof(sa);
    ssize_t n = recvfrom(courier->socket.fd, arrival->bytes, sizeof(arrival->bytes), MSG_DONTWAIT,
                         (struct sockaddr *)&sa, &sa_length);

    if (n < 0)
        return false;
    arrival->length = (size_t)n;
    arrival->plain = arrival->bytes;
    address_from_sockaddr((struct sockaddr *)&sa, &arrival->from);
    return true;
}

static enum courier_result refuse(struct courier *courier, enum introductions_verdict verdict)
{
    static const struct {
        size_t counter;
        enum courier_result result;
    } verdicts[] = {
        [INTRODUCTIONS_MALFORMED] = {COUNTER_PEER_MALFORMED, COURIER_DROPPED},
        [INTRODUCTIONS_KEY] = {COUNTER_PEER_KEY, COURIER_UNVERIFIED},
        [INTRODUCTIONS_STRANGER] = {COUNTER_PEER_INTRODUCTION, COURIER_DROPPED},
        [INTRODUCTIONS_MISDIRECTED] = {COUNTER_PEER_MISDIRECTED, COURIER_DROPPED},
        [INTRODUCTIONS_REPLAY] = {COUNTER_PEER_REPLAY, COURIER_DROPPED},
        [INTRODUCTIONS_FORGED] = {COUNTER_PEER_AUTH, COURIER_UNVERIFIED},
    };

    counters_add(courier->counters, verdicts[verdict].counter, 1);
    return verdicts[verdict].result;
}

static enum courier_result hear_introduction(struct courier *courier, struct arrival *arrival)
{
    uint32_t before = introductions_count(&courier->introductions);
    uint8_t answer[INTRODUCTIONS_SEALED];
    enum introductions_verdict verdict;
    size_t length;

    verdict = introductions_hear(&courier->introductions, &arrival->from, arrival->bytes,
                                 arrival->length, clock_now_ns(), answer, &length);
    if (verdict != INTRODUCTIONS_OK)
        return refuse(courier, verdict);
    counters_add(courier->counters, COUNTER_PEER_RECEIVED, 1);
    if (introductions_count(&courier->introductions) > before)
        counters_add(courier->counters, COUNTER_INTRODUCED, 1);
    if (length)
        post(courier, &arrival->from, answer, length);
    return COURIER_INTRODUCTION;
}

static enum courier_result open_sealed(struct courier *courier, struct arrival *arrival)
{
    enum introductions_verdict verdict = introductions_open(
        &courier->introductions, &arrival->from, arrival->bytes, arrival->length, clock_now_ns());

    if (verdict != INTRODUCTIONS_OK)
        return refuse(courier, verdict);
    arrival->plain = arrival->bytes + SEAL_BLOCK_BYTES;
    arrival->length -= SEAL_BYTES;
    return COURIER_MESSAGE;
}

/* COURIER_MESSAGE: it may be read. */
static enum courier_result admit(struct courier *courier, struct arrival *arrival)
{
    struct peer_header header;

    if (peer_open_header(arrival->bytes, arrival->length, courier->cluster, &header) != PEER_OK)
        return COURIER_MESSAGE; /* peer_open has the words for it */
    if (!peer_is_sealed(arrival->bytes) && courier->takes_open)
        return COURIER_MESSAGE;
    if (!peer_is_sealed(arrival->bytes) || !courier->has_keys) {
        counters_add(courier->counters, courier->has_keys ? COUNTER_PEER_AUTH : COUNTER_PEER_KEY,
                     1);
        return COURIER_UNVERIFIED;
    }
    return header.type == PEER_INTRODUCTION ? hear_introduction(courier, arrival)
                                            : open_sealed(courier, arrival);
}

enum courier_result courier_receive(struct courier *courier, struct election_message *ret_message,
                                    struct election_member ret_members[static ELECTION_PAGE],
                                    struct address *ret_from)
{
    static const size_t drops[] = {[PEER_MALFORMED] = COUNTER_PEER_MALFORMED,
                                   [PEER_BAD_VERSION] = COUNTER_PEER_VERSION,
                                   [PEER_BAD_CLUSTER] = COUNTER_PEER_CLUSTER};
    enum courier_result result;
    enum peer_verdict verdict;
    struct arrival arrival;

    if (!read_one(courier, &arrival)) /* a pending refusal is told once, and waits in its queue */
        return errno == EAGAIN || errno == EWOULDBLOCK ? COURIER_EMPTY : COURIER_DROPPED;
    result = admit(courier, &arrival);
    if (result != COURIER_DROPPED)
        *ret_from = arrival.from;
    if (result != COURIER_MESSAGE)
        return result;
    verdict = peer_open(arrival.plain, arrival.length, courier->cluster, ret_message, ret_members);
    if (verdict != PEER_OK) {
        counters_add(courier->counters, drops[verdict], 1);
        return COURIER_DROPPED;
    }
    counters_add(courier->counters, COUNTER_PEER_RECEIVED, 1);
    return COURIER_MESSAGE;
}

bool courier_take_refusal(struct courier *courier, uint64_t *ret_instance)
{
    struct udp_failure failure;
    struct peer_header header;

    if (!udp_take_error(courier->socket.fd, &failure))
        return false;
    *ret_instance = 0;
    if (failure.error == ECONNREFUSED && failure.is_remote &&
        peer_read_header(failure.quoted, failure.length, &header) &&
        header.from == courier->instance && header.token == token_of(courier, &header))
        *ret_instance = header.to;
    return true;
}
