#include "headless/control/courier.h"

#include <errno.h>
#include <sodium.h>

#include "headless/base/log.h"
#include "headless/wire/peer.h"

int courier_open(struct courier *courier, const struct config *config, struct counters *counters)
{
    const struct udp_options options = {.rcvbuf_bytes = config->rcvbuf_bytes, .error_queue = true};
    const struct address at = address_with_port(config->bind, config->peer_port);
    char text[ADDRESS_TEXT_MAX];
    int rc;

    *courier = (struct courier){.config = config, .socket.fd = -1, .counters = counters};
    rc = udp_open(&at, &options, &courier->socket);
    if (rc)
        log_error("bind_failed", "cannot bind %s (peer.port): %s%s", address_format(&at, text),
                  strerror(-rc), rc == -EADDRINUSE ? "; is another headlessd running here?" : "");
    return rc;
}

void courier_close(struct courier *courier)
{
    udp_close(&courier->socket);
}

void courier_introduce(struct courier *courier, const struct identity *identity)
{
    courier->cluster = identity->cluster;
    courier->instance = identity->instance;
    randombytes_buf(courier->token_key, sizeof(courier->token_key));
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

void courier_send(struct courier *courier, const struct address *to,
                  const struct election_message *message, const struct election_member *members)
{
    const struct address there = address_with_port(*to, courier->config->peer_port);
    uint8_t bytes[PEER_BYTES_MAX];
    size_t length = peer_put(bytes, courier->cluster, message, members);
    struct peer_header header;
    int rc;

    if (peer_read_header(bytes, length, &header))
        peer_put_token(bytes, token_of(courier, &header));
    /* A pending refusal, of another message to anybody, is reported in place of the send. */
    for (int tries = 0; tries < 3; tries++) {
        rc = udp_send_one(&courier->socket, &there, &courier->config->self, bytes, length);
        if (!rc || udp_classify_error(-rc) != UDP_ERROR_REFUSED)
            break;
    }
    counters_add(courier->counters, rc ? COUNTER_PEER_UNSENT : COUNTER_PEER_SENT, 1);
}

enum courier_result courier_receive(struct courier *courier, struct election_message *ret_message,
                                    struct election_member ret_members[static ELECTION_PAGE],
                                    struct address *ret_from)
{
    static const size_t drops[] = {[PEER_MALFORMED] = COUNTER_PEER_MALFORMED,
                                   [PEER_BAD_VERSION] = COUNTER_PEER_VERSION,
                                   [PEER_BAD_CLUSTER] = COUNTER_PEER_CLUSTER};
    uint8_t bytes[PEER_BYTES_MAX + 1]; /* one more than is legal tells what is too long */
    struct sockaddr_storage sa;
    socklen_t sa_length = sizeof(sa);
    enum peer_verdict verdict;
    ssize_t n = recvfrom(courier->socket.fd, bytes, sizeof(bytes), MSG_DONTWAIT,
                         (struct sockaddr *)&sa, &sa_length);

    if (n < 0) /* a pending refusal is told once, and waits in the error queue */
        return errno == EAGAIN || errno == EWOULDBLOCK ? COURIER_EMPTY : COURIER_DROPPED;
    verdict = peer_open(bytes, (size_t)n, courier->cluster, ret_message, ret_members);
    if (verdict != PEER_OK) {
        counters_add(courier->counters, drops[verdict], 1);
        return COURIER_DROPPED;
    }
    counters_add(courier->counters, COUNTER_PEER_RECEIVED, 1);
    address_from_sockaddr((struct sockaddr *)&sa, ret_from);
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
