/* The follower's connection to its leader: attempts, the PROBE, its end. */
#include <errno.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/net/tcp.h"
#include "liveness_internal.h"

#define ATTEMPT_NS   (2 * NS_PER_SEC) /* of connecting and of the exchange, together */
#define WAIT_NS      NS_PER_SEC       /* after a failure; it doubles */
#define WAIT_MAX_NS  (32 * NS_PER_SEC)
#define CHECKS_MAX   3          /* attempts at once after the connection was closed */
#define CHECK_GAP_NS NS_PER_SEC /* forged ends cause no more attempts than this */
#define TELL_AFTER   4          /* failures */

static void set_event(struct liveness *liveness, enum liveness_event event)
{
    liveness->event = event;
    liveness->event_instance = liveness->own.instance;
}

void liveness_own_close(struct liveness *liveness)
{
    struct liveness_own *own = &liveness->own;

    if (own->fd >= 0)
        (void)close(own->fd);
    own->fd = -1;
    liveness->changes += own->state == LIVENESS_OPEN;
    own->state = LIVENESS_NONE;
    own->input.length = 0;
}

void liveness_follow(struct liveness *liveness, uint64_t instance, const struct address *address)
{
    struct liveness_own *own = &liveness->own;

    if (own->instance == instance)
        return;
    liveness_own_close(liveness);
    own->instance = instance;
    own->address = address_with_port(*address, liveness->transport->config->peer_port);
    own->next_ns = 0;
    own->wait_ns = WAIT_NS;
    own->checks = 0;
    own->checked_ns = 0;
    own->failures = 0;
}

/* ---- failures ---- */

static void log_failures(const struct liveness_own *own, int error)
{
    char text[ADDRESS_TEXT_MAX];

    log_info(
        "connection_failed",
        "no connection to the leader at %s/tcp (peer.port): %s; while no client sends, this pod "
        "detects the end of its process by late heartbeats only: allow TCP between pods there",
        address_format(&own->address, text), strerror(error));
}

/* After the connection was closed, some more attempts follow at once: the listening socket may be
 * closed a little later, and then resets them. */
static void fail_attempt(struct liveness *liveness, int error, uint64_t now_ns)
{
    struct liveness_own *own = &liveness->own;

    counters_add(liveness->counters, COUNTER_CONNECTION_FAILED, 1);
    liveness_own_close(liveness);
    if (own->checks > 0 && error == ECONNREFUSED) {
        own->checks = 0;
        set_event(liveness, LIVENESS_REFUSED);
    }
    if (++own->failures == TELL_AFTER)
        log_failures(own, error);
    if (own->checks > 0) {
        own->checks--;
        own->next_ns = now_ns;
        return;
    }
    own->next_ns = now_ns + own->wait_ns;
    own->wait_ns = own->wait_ns < WAIT_MAX_NS ? 2 * own->wait_ns : WAIT_MAX_NS;
}

/* A connection that has timed out is no hint, and one that we closed is not either. */
static void end_open(struct liveness *liveness, int error, uint64_t now_ns)
{
    struct liveness_own *own = &liveness->own;

    liveness_own_close(liveness);
    own->next_ns = now_ns + own->wait_ns;
    if (error && error != ECONNRESET && error != EPIPE) {
        counters_add(liveness->counters, COUNTER_CONNECTION_FAILED, 1);
        return;
    }
    set_event(liveness, LIVENESS_CLOSED);
    log_debug("connection_closed", "the leader's host closed the connection to instance %" PRIx64,
              own->instance);
    if (own->checked_ns && now_ns < own->checked_ns + CHECK_GAP_NS)
        return;
    own->checked_ns = now_ns;
    own->checks = CHECKS_MAX;
    own->next_ns = now_ns;
}

/* ---- an attempt ---- */

static void send_probe(struct liveness *liveness, uint64_t now_ns)
{
    struct liveness_own *own = &liveness->own;
    const struct election_message probe = {.type = ELECTION_PROBE,
                                           .from = liveness->transport->instance,
                                           .to = own->instance,
                                           .stamp_ns = now_ns};

    own->stamp_ns = now_ns;
    own->state = LIVENESS_ASKED;
    if (!liveness_send(liveness, own->fd, &own->address, &probe) ||
        !liveness_watch(liveness, own->fd, EPOLLIN, LIVENESS_OWN))
        fail_attempt(liveness, EPROTO, now_ns);
}

static void attempt(struct liveness *liveness, uint64_t now_ns)
{
    struct liveness_own *own = &liveness->own;
    int rc = tcp_connect(&own->address, &liveness->transport->config->self, &own->fd);

    own->next_ns = now_ns + ATTEMPT_NS;
    if (rc && rc != -EINPROGRESS) {
        own->fd = -1;
        fail_attempt(liveness, -rc, now_ns);
    } else if (!rc) {
        send_probe(liveness, now_ns);
    } else {
        own->state = LIVENESS_CONNECTING;
        if (!liveness_watch(liveness, own->fd, EPOLLOUT, LIVENESS_OWN))
            fail_attempt(liveness, errno, now_ns);
    }
}

size_t liveness_own_tick(struct liveness *liveness, uint64_t now_ns)
{
    struct liveness_own *own = &liveness->own;

    if (!own->instance || own->state == LIVENESS_OPEN || now_ns < own->next_ns)
        return 0;
    if (own->state == LIVENESS_NONE)
        attempt(liveness, now_ns);
    else
        fail_attempt(liveness, ETIMEDOUT, now_ns);
    return 1;
}

static void read_alive(struct liveness *liveness, uint64_t now_ns)
{
    struct liveness_own *own = &liveness->own;
    struct election_message m;
    enum liveness_read result = liveness_receive(liveness, own->fd, &own->address, &own->input, &m);

    if (result == LIVENESS_MORE)
        return;
    if (result == LIVENESS_ENDED) {
        fail_attempt(liveness, errno ? errno : EPROTO, now_ns);
        return;
    }
    if (result == LIVENESS_BAD || m.type != ELECTION_ALIVE || m.from != own->instance ||
        m.to != liveness->transport->instance || m.stamp_ns != own->stamp_ns) {
        fail_attempt(liveness, EPROTO, now_ns);
        return;
    }
    own->state = LIVENESS_OPEN;
    own->input.length = 0;
    own->wait_ns = WAIT_NS;
    own->checks = 0;
    own->failures = 0;
    liveness->changes++;
}

/* Nothing is sent on an open connection. */
static void read_open(struct liveness *liveness, uint64_t now_ns)
{
    struct liveness_own *own = &liveness->own;
    struct election_message m;
    enum liveness_read result = liveness_receive(liveness, own->fd, &own->address, &own->input, &m);

    if (result == LIVENESS_ENDED)
        end_open(liveness, errno, now_ns);
    else if (result != LIVENESS_MORE || own->input.length > 0)
        end_open(liveness, EPROTO, now_ns);
}

void liveness_own_ready(struct liveness *liveness, uint64_t now_ns)
{
    struct liveness_own *own = &liveness->own;
    int rc;

    switch (own->state) {
    case LIVENESS_NONE:
        break; /* closed since the kernel reported it */
    case LIVENESS_CONNECTING:
        rc = tcp_error(own->fd);
        if (rc)
            fail_attempt(liveness, -rc, now_ns);
        else
            send_probe(liveness, now_ns);
        break;
    case LIVENESS_ASKED:
        read_alive(liveness, now_ns);
        break;
    case LIVENESS_OPEN:
        read_open(liveness, now_ns);
        break;
    }
}
