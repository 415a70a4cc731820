/* The loops that forward payloads unchanged. */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>

#include "gso_batches.h"
#include "reader.h"

#define BUFFER_BYTES 2048

int limit_one(struct limit_loop *l)
{
    uint8_t buffer[BUFFER_BYTES];

    while (!limit_is_stopping()) {
        struct sockaddr_in from;
        socklen_t from_length = sizeof(from);
        ssize_t n =
            recvfrom(l->in, buffer, sizeof(buffer), 0, (struct sockaddr *)&from, &from_length);

        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (n < 0)
            continue;
        l->counts.received++;
        l->counts.received_bytes += (uint64_t)n;
        l->counts.batches++;
        if (sendto(l->out, buffer, (size_t)n, 0, NULL, 0) < 0) {
            l->counts.unsent++;
            continue;
        }
        l->counts.sent++;
        l->counts.frames++;
        l->counts.gso_batches++;
    }
    return 0;
}

/* Send to all members: consecutive addresses from `to` on. */
static void send_to_all(struct limit_loop *l, const uint8_t *datagram, size_t length)
{
    struct sockaddr_in to = l->options.to;

    for (uint64_t i = 0; i < l->options.members; i++) {
        if (sendto(l->in, datagram, length, 0, (const struct sockaddr *)&to, sizeof(to)) < 0) {
            l->counts.unsent++;
        } else {
            l->counts.sent++;
            l->counts.frames++;
            l->counts.gso_batches++;
        }
        to.sin_addr.s_addr = htonl(ntohl(to.sin_addr.s_addr) + 1);
    }
}

int limit_fanout(struct limit_loop *l)
{
    uint8_t buffer[BUFFER_BYTES];

    while (!limit_is_stopping()) {
        ssize_t n = recv(l->in, buffer, sizeof(buffer), 0);

        /* An ICMP error for an earlier datagram is reported here, too. */
        if (n < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNREFUSED)
            return -errno;
        if (n < 0)
            continue;
        l->counts.received++;
        l->counts.received_bytes += (uint64_t)n;
        l->counts.batches++;
        send_to_all(l, buffer, (size_t)n);
    }
    return 0;
}

int limit_receive_gso(struct limit_loop *l)
{
    struct gso_batches t;
    struct reader r;
    int rc = reader_init(&r, BUFFER_BYTES, READER_PAYLOAD);

    gso_batches_init(&t);
    while (!rc && !limit_is_stopping()) {
        int n = reader_receive(&r, l->in);

        for (int i = 0; i < n; i++) {
            size_t length = r.messages[i].msg_len;

            l->counts.received_bytes += length;
            gso_batches_add(&t, (struct iovec){reader_buffer(&r, (unsigned)i), length}, length, 1);
        }
        if (n > 0) {
            l->counts.received += (uint64_t)n;
            l->counts.batches++;
            gso_batches_send(&t, l->out, &l->counts);
        }
        rc = n < 0 ? n : 0;
    }
    reader_fini(&r);
    return rc;
}

static void add_merged(struct limit_loop *l, struct reader *r, struct gso_batches *t, unsigned i)
{
    size_t length = r->messages[i].msg_len;
    size_t segment = reader_segment(r, i);
    unsigned datagrams = reader_datagrams(length, segment);

    l->counts.received += datagrams;
    l->counts.received_bytes += length;
    gso_batches_add(t, (struct iovec){reader_buffer(r, i), length}, segment, datagrams);
}

int limit_gro_gso(struct limit_loop *l)
{
    struct gso_batches t;
    struct reader r;
    int rc = reader_init_merged(&r, l->in);

    gso_batches_init(&t);
    while (!rc && !limit_is_stopping()) {
        int n = reader_receive(&r, l->in);

        for (int i = 0; i < n; i++)
            add_merged(l, &r, &t, (unsigned)i);
        if (n > 0) {
            l->counts.batches++;
            gso_batches_send(&t, l->out, &l->counts);
        }
        rc = n < 0 ? n : 0;
    }
    reader_fini(&r);
    return rc;
}
