/* Peer messages over one socket: sealing, opening, verdicts, refusals. */
#include "peer_transport.h"

#include <errno.h>
#include <sodium.h>

#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/wire/peer.h"

int peer_transport_open(struct peer_transport *transport, const struct config *config,
                        struct counters *counters)
{
    const struct udp_options options = {.rcvbuf_bytes = config->rcvbuf_bytes, .error_queue = true};
    const struct address at = address_with_port(config->bind, config->peer_port);
    char text[ADDRESS_TEXT_MAX];
    int rc;

    memset(transport, 0, sizeof(*transport));
    transport->config = config;
    transport->socket.fd = -1;
    transport->counters = counters;
    transport->has_keys = config_has_keys(config);
    transport->is_sealing = config_seals(config);
    transport->takes_open = config_takes_open(config);
    rc = udp_open(&at, &options, &transport->socket);
    if (rc)
        log_error("bind_failed", "cannot bind %s (peer.port): %s%s", address_format(&at, text),
                  strerror(-rc), rc == -EADDRINUSE ? "; is another headlessd running here?" : "");
    return rc;
}

void peer_transport_close(struct peer_transport *transport)
{
    udp_close(&transport->socket);
    handshake_fini(&transport->handshake);
}

void peer_transport_set_identity(struct peer_transport *transport, const struct identity *identity)
{
    transport->cluster = identity->cluster;
    transport->instance = identity->instance;
    randombytes_buf(transport->token_key, sizeof(transport->token_key));
    handshake_init(&transport->handshake, identity->cluster, identity->instance,
                   &transport->config->self);
    if (!transport->takes_open)
        transport->handshake.abilities = HANDSHAKE_READS_NOMINATE;
}

static uint64_t token_of(const struct peer_transport *transport, const struct peer_header *header)
{
    const uint64_t fields[] = {header->cluster, header->from, header->to, header->type};
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t token;

    (void)crypto_shorthash(hash, (const uint8_t *)fields, sizeof(fields), transport->token_key);
    memcpy(&token, hash, sizeof(token));
    return token;
}

/* ---- sending ---- */

static void peer_transport_post(struct peer_transport *transport, const struct address *to,
                                const uint8_t *bytes, size_t length)
{
    const struct address there = address_with_port(*to, transport->config->peer_port);
    int rc = udp_send_one(&transport->socket, &there, &transport->config->self, bytes, length);

    counters_add(transport->counters, rc ? COUNTER_PEER_UNSENT : COUNTER_PEER_SENT, 1);
}

void peer_transport_start_handshake(struct peer_transport *transport, const struct address *ip)
{
    uint8_t bytes[HANDSHAKE_SEALED];
    /* A pod that sends unsealed messages (keys.mode none) sends requests only to pods that sent it
     * one: they must learn its new keys. */
    bool is_allowed = transport->is_sealing ||
                      (transport->has_keys && handshake_find_address(&transport->handshake, ip));
    size_t length =
        is_allowed ? handshake_request(&transport->handshake, ip, clock_now_ns(), bytes) : 0;

    if (length)
        peer_transport_post(transport, ip, bytes, length);
}

/* The recipient: this instance, or, with instance 0, any at this address. */
static struct handshake_peer *find_handshake_peer(struct peer_transport *transport,
                                                  const struct address *to, uint64_t instance)
{
    return instance ? handshake_find(&transport->handshake, instance)
                    : handshake_find_address(&transport->handshake, to);
}

/* The plain message is at buffer + SEAL_BLOCK_BYTES. */
static void send_sealed(struct peer_transport *transport, const struct address *to,
                        uint64_t instance, uint8_t *buffer, size_t length)
{
    const struct handshake_peer *peer = find_handshake_peer(transport, to, instance);
    uint8_t *message = buffer + SEAL_BLOCK_BYTES;
    struct peer_header header;

    if (peer) {
        peer_put_to(message, peer->instance);
        if (peer_read_header(message, length, &header))
            peer_put_token(message, token_of(transport, &header));
        length = handshake_seal(&transport->handshake, peer, buffer, length);
    }
    if (peer && length) {
        peer_transport_post(transport, to, buffer, length);
    } else {
        counters_add(transport->counters, COUNTER_PEER_UNSENT, 1);
        peer_transport_start_handshake(transport, to);
    }
}

void peer_transport_send(struct peer_transport *transport, const struct address *to,
                         const struct election_message *message,
                         const struct election_member *members)
{
    uint8_t buffer[PEER_BYTES_MAX + SEAL_BYTES], *bytes = buffer + SEAL_BLOCK_BYTES;
    size_t length = peer_put(bytes, transport->cluster, message, members);
    struct peer_header header;

    if (transport->is_sealing) {
        send_sealed(transport, to, message->to, buffer, length);
        return;
    }
    if (peer_read_header(bytes, length, &header))
        peer_put_token(bytes, token_of(transport, &header));
    peer_transport_post(transport, to, bytes, length);
}

/* ---- receiving ---- */

/* A received datagram and its source. */
struct arrival {
    uint8_t
        bytes[PEER_BYTES_MAX + SEAL_BYTES + 1]; /* one more than is legal, to detect longer ones */
    size_t length;
    const uint8_t *plain; /* the opened message in it */
    struct address from;
};

static bool read_datagram(struct peer_transport *transport, struct arrival *arrival)
{
    struct sockaddr_storage sa;
    socklen_t sa_length = sizeof(sa);
    ssize_t n = recvfrom(transport->socket.fd, arrival->bytes, sizeof(arrival->bytes), MSG_DONTWAIT,
                         (struct sockaddr *)&sa, &sa_length);

    if (n < 0 && udp_is_read_failure(errno)) {
        log_warn("receive_failed", "cannot read the peer socket: %s; trying again",
                 strerror(errno));
        counters_add(transport->counters, COUNTER_RECEIVE_FAILED, 1);
    }
    if (n < 0)
        return false;
    arrival->length = (size_t)n;
    arrival->plain = arrival->bytes;
    address_from_sockaddr((struct sockaddr *)&sa, &arrival->from);
    return true;
}

static enum peer_transport_result count_refused(struct peer_transport *transport,
                                                enum handshake_verdict verdict)
{
    static const struct {
        size_t counter;
        enum peer_transport_result result;
    } verdicts[] = {
        [HANDSHAKE_MALFORMED] = {COUNTER_PEER_MALFORMED, PEER_TRANSPORT_DROPPED},
        [HANDSHAKE_KEY] = {COUNTER_PEER_KEY, PEER_TRANSPORT_UNVERIFIED},
        [HANDSHAKE_UNKNOWN] = {COUNTER_PEER_INTRODUCTION, PEER_TRANSPORT_DROPPED},
        [HANDSHAKE_MISDIRECTED] = {COUNTER_PEER_MISDIRECTED, PEER_TRANSPORT_DROPPED},
        [HANDSHAKE_REPLAY] = {COUNTER_PEER_REPLAY, PEER_TRANSPORT_DROPPED},
        [HANDSHAKE_FORGED] = {COUNTER_PEER_AUTH, PEER_TRANSPORT_UNVERIFIED},
    };

    counters_add(transport->counters, verdicts[verdict].counter, 1);
    return verdicts[verdict].result;
}

static enum peer_transport_result receive_handshake(struct peer_transport *transport,
                                                    struct arrival *arrival)
{
    uint32_t before = handshake_count(&transport->handshake);
    uint8_t reply[HANDSHAKE_SEALED];
    enum handshake_verdict verdict;
    size_t length;

    verdict = handshake_receive(&transport->handshake, &arrival->from, arrival->bytes,
                                arrival->length, clock_now_ns(), reply, &length);
    if (verdict != HANDSHAKE_OK)
        return count_refused(transport, verdict);
    counters_add(transport->counters, COUNTER_PEER_RECEIVED, 1);
    if (handshake_count(&transport->handshake) > before)
        counters_add(transport->counters, COUNTER_INTRODUCED, 1);
    if (length)
        peer_transport_post(transport, &arrival->from, reply, length);
    return PEER_TRANSPORT_HANDSHAKE;
}

static enum peer_transport_result open_peer_message(struct peer_transport *transport,
                                                    struct arrival *arrival)
{
    enum handshake_verdict verdict = handshake_open(
        &transport->handshake, &arrival->from, arrival->bytes, arrival->length, clock_now_ns());

    if (verdict != HANDSHAKE_OK)
        return count_refused(transport, verdict);
    arrival->plain = arrival->bytes + SEAL_BLOCK_BYTES;
    arrival->length -= SEAL_BYTES;
    return PEER_TRANSPORT_MESSAGE;
}

/* PEER_TRANSPORT_MESSAGE: peer_open may read it. */
static enum peer_transport_result verify_datagram(struct peer_transport *transport,
                                                  struct arrival *arrival)
{
    struct peer_header header;

    if (peer_open_header(arrival->bytes, arrival->length, transport->cluster, &header) != PEER_OK)
        return PEER_TRANSPORT_MESSAGE; /* peer_open returns the verdict */
    if (!peer_is_sealed(arrival->bytes) && transport->takes_open)
        return PEER_TRANSPORT_MESSAGE;
    if (!peer_is_sealed(arrival->bytes) || !transport->has_keys) {
        counters_add(transport->counters,
                     transport->has_keys ? COUNTER_PEER_AUTH : COUNTER_PEER_KEY, 1);
        return PEER_TRANSPORT_UNVERIFIED;
    }
    return header.type == PEER_HANDSHAKE ? receive_handshake(transport, arrival)
                                         : open_peer_message(transport, arrival);
}

static void adopt_zones(const struct peer_transport *transport, struct election_message *message,
                        struct election_member *members)
{
    const struct address *self = &transport->config->self;

    address_adopt_zone(&message->leader_address, self);
    for (uint8_t i = 0; i < message->member_count; i++)
        address_adopt_zone(&members[i].address, self);
}

enum peer_transport_result
peer_transport_receive(struct peer_transport *transport, struct election_message *ret_message,
                       struct election_member ret_members[static ELECTION_PAGE],
                       struct address *ret_from)
{
    static const size_t drops[] = {[PEER_MALFORMED] = COUNTER_PEER_MALFORMED,
                                   [PEER_BAD_VERSION] = COUNTER_PEER_VERSION,
                                   [PEER_BAD_CLUSTER] = COUNTER_PEER_CLUSTER};
    enum peer_transport_result result;
    enum peer_verdict verdict;
    struct arrival arrival;

    /* recvfrom also returns a pending refusal, once, as an error; it stays in the error queue. */
    if (!read_datagram(transport, &arrival))
        return errno == EAGAIN || errno == EWOULDBLOCK ? PEER_TRANSPORT_EMPTY
                                                       : PEER_TRANSPORT_DROPPED;
    result = verify_datagram(transport, &arrival);
    if (result != PEER_TRANSPORT_DROPPED)
        *ret_from = arrival.from;
    if (result != PEER_TRANSPORT_MESSAGE)
        return result;
    verdict =
        peer_open(arrival.plain, arrival.length, transport->cluster, ret_message, ret_members);
    if (verdict != PEER_OK) {
        counters_add(transport->counters, drops[verdict], 1);
        return PEER_TRANSPORT_DROPPED;
    }
    adopt_zones(transport, ret_message, ret_members);
    counters_add(transport->counters, COUNTER_PEER_RECEIVED, 1);
    return PEER_TRANSPORT_MESSAGE;
}

bool peer_transport_take_refusal(struct peer_transport *transport, uint64_t *ret_instance)
{
    struct udp_failure failure;
    struct peer_header header;

    if (!udp_take_error(transport->socket.fd, &failure))
        return false;
    *ret_instance = 0;
    if (failure.error == ECONNREFUSED && failure.is_remote &&
        peer_read_header(failure.quoted, failure.length, &header) &&
        header.from == transport->instance && header.token == token_of(transport, &header))
        *ret_instance = header.to;
    return true;
}
