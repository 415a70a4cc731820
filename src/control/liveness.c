#include "liveness.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "headless/base/bytes.h"
#include "headless/base/log.h"
#include "headless/net/tcp.h"
#include "liveness_internal.h"

#define EVENTS_MAX   16
#define LENGTH_BYTES 2

/* ---- messages ---- */

bool liveness_watch(struct liveness *liveness, int fd, uint32_t events, uint32_t which)
{
    struct epoll_event event = {.events = events, .data.u32 = which};

    return epoll_ctl(liveness->fd, EPOLL_CTL_ADD, fd, &event) == 0 ||
           (errno == EEXIST && epoll_ctl(liveness->fd, EPOLL_CTL_MOD, fd, &event) == 0);
}

/* The socket's buffer is empty, so that it takes the few bytes at once, or the connection is bad. */
bool liveness_send(struct liveness *liveness, int fd, const struct address *to,
                   const struct election_message *message)
{
    uint8_t out[LENGTH_BYTES + PEER_BYTES_MAX + SEAL_BYTES];
    struct peer_transport_bytes bytes;

    if (!peer_transport_write(liveness->transport, to, message, NULL, &bytes))
        return false;
    put_be16(out, (uint16_t)bytes.length);
    memcpy(out + LENGTH_BYTES, bytes.buffer + bytes.start, bytes.length);
    if (send(fd, out, LENGTH_BYTES + bytes.length, MSG_NOSIGNAL | MSG_DONTWAIT) !=
        (ssize_t)(LENGTH_BYTES + bytes.length))
        return false;
    counters_add(liveness->counters, COUNTER_PEER_SENT, 1);
    return true;
}

static enum liveness_read open_input(struct liveness *liveness, const struct address *from,
                                     const struct liveness_input *input,
                                     struct election_message *ret_message)
{
    size_t length;

    if (input->length < LENGTH_BYTES)
        return LIVENESS_MORE;
    length = get_be16(input->bytes);
    if (length > sizeof(input->bytes) - LENGTH_BYTES || input->length > LENGTH_BYTES + length)
        return LIVENESS_BAD;
    if (input->length < LENGTH_BYTES + length)
        return LIVENESS_MORE;
    return peer_transport_read(liveness->transport, from, input->bytes + LENGTH_BYTES, length,
                               ret_message)
               ? LIVENESS_MESSAGE
               : LIVENESS_BAD;
}

enum liveness_read liveness_receive(struct liveness *liveness, int fd, const struct address *from,
                                    struct liveness_input *input,
                                    struct election_message *ret_message)
{
    size_t room = sizeof(input->bytes) - input->length;
    ssize_t n = recv(fd, input->bytes + input->length, room, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return LIVENESS_MORE;
    if (n == 0)
        errno = 0;
    if (n <= 0)
        return LIVENESS_ENDED;
    input->length += (size_t)n;
    return open_input(liveness, from, input, ret_message);
}

/* ---- open and close ---- */

/* An admin port with this number has precedence: operators and probes depend on it. */
static int liveness_listen(struct liveness *liveness, const struct config *config)
{
    const struct address at = address_with_port(config->bind, config->peer_port);

    if (config->admin_listen.port == config->peer_port)
        return -EADDRINUSE;
    return tcp_listen(&at, &liveness->listener);
}

void liveness_open(struct liveness *liveness, const struct config *config,
                   struct peer_transport *transport, const struct election_list *list)
{
    int rc;

    liveness->transport = transport;
    liveness->list = list;
    liveness->counters = transport->counters;
    liveness->fd = liveness->listener = liveness->own.fd = -1;
    for (size_t i = 0; i < LIVENESS_ACCEPTED_MAX; i++)
        liveness->accepted[i].fd = -1;
    if (config->failover_on_refused != CONFIG_REFUSED_FAST)
        return; /* nothing would follow from a closed connection */
    liveness->fd = epoll_create1(EPOLL_CLOEXEC);
    rc = liveness->fd < 0 ? -errno : liveness_listen(liveness, config);
    if (!rc && !liveness_watch(liveness, liveness->listener, EPOLLIN, LIVENESS_LISTENER))
        rc = -errno;
    if (rc)
        log_warn(
            "connection_listen_failed",
            "cannot listen on port %u/tcp (peer.port): %s; in an idle cluster, followers detect "
            "that this pod was killed by late heartbeats only",
            (unsigned)config->peer_port, strerror(-rc));
}

static void liveness_close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void liveness_close(struct liveness *liveness)
{
    if (!liveness->transport)
        return; /* never opened */
    liveness_own_close(liveness);
    for (size_t i = 0; i < LIVENESS_ACCEPTED_MAX; i++)
        liveness_free(liveness, &liveness->accepted[i]);
    liveness_close_fd(&liveness->listener);
    liveness_close_fd(&liveness->fd);
}

/* ---- the caller's side ---- */

size_t liveness_run(struct liveness *liveness, uint64_t now_ns)
{
    struct epoll_event events[EVENTS_MAX];
    size_t done;
    int n;

    if (liveness->fd < 0)
        return 0;
    done = liveness_own_tick(liveness, now_ns);
    liveness_expire(liveness, now_ns);
    n = epoll_wait(liveness->fd, events, EVENTS_MAX, 0);
    for (int i = 0; i < n; i++) {
        if (events[i].data.u32 == LIVENESS_LISTENER)
            liveness_accept(liveness, now_ns);
        else if (events[i].data.u32 == LIVENESS_OWN)
            liveness_own_ready(liveness, now_ns);
        else
            liveness_serve(liveness, events[i].data.u32 - LIVENESS_ACCEPTED);
        done++;
    }
    return done;
}

enum liveness_event liveness_take(struct liveness *liveness, uint64_t *ret_instance)
{
    enum liveness_event event = liveness->event;

    *ret_instance = liveness->event_instance;
    liveness->event = LIVENESS_NOTHING;
    return event;
}

bool liveness_has(const struct liveness *liveness, uint64_t instance)
{
    if (liveness->own.state == LIVENESS_OPEN && liveness->own.instance == instance)
        return true;
    for (size_t i = 0; i < LIVENESS_ACCEPTED_MAX; i++) {
        if (liveness->accepted[i].fd >= 0 && liveness->accepted[i].instance == instance)
            return true;
    }
    return false;
}
