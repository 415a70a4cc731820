#include "count_request.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "headless/base/clock.h"
#include "payload.h"

#define MAGIC_REQUEST UINT32_C(0x51736c68) /* "hlsQ" */
#define MAGIC_REPLY   UINT32_C(0x52736c68) /* "hlsR" */
#define TRIES_MAX     40
#define TRY_NS        (100 * NS_PER_MS) /* timeout of one request */
#define PAUSE_NS      (30 * NS_PER_MS)  /* between two requests */

/* The layout, all numbers little-endian. */
struct wire {
    uint32_t magic, number;
    uint64_t run, unique, zero, checksum;
};
_Static_assert(sizeof(struct wire) == COUNT_REQUEST_SIZE, "no padding");

static uint64_t get_checksum(const struct wire *w)
{
    uint64_t hash = payload_mix(((uint64_t)w->magic << 32) ^ w->number);

    hash = payload_mix(hash ^ w->run);
    hash = payload_mix(hash ^ w->unique);
    return payload_mix(hash ^ w->zero);
}

void count_request_build(const struct count_request *q,
                         uint8_t ret_bytes[static COUNT_REQUEST_SIZE])
{
    struct wire w = {.magic = htole32(q->is_reply ? MAGIC_REPLY : MAGIC_REQUEST),
                     .number = htole32(q->number),
                     .run = htole64(q->run),
                     .unique = htole64(q->unique)};

    w.checksum = get_checksum(&w);
    memcpy(ret_bytes, &w, sizeof(w));
}

bool count_request_parse(const uint8_t *bytes, size_t length, struct count_request *ret_request)
{
    struct wire w;

    if (length != sizeof(w))
        return false;
    memcpy(&w, bytes, sizeof(w));
    if (le32toh(w.magic) != MAGIC_REQUEST && le32toh(w.magic) != MAGIC_REPLY)
        return false;
    if (w.checksum != get_checksum(&w))
        return false;
    *ret_request = (struct count_request){.is_reply = le32toh(w.magic) == MAGIC_REPLY,
                                          .number = le32toh(w.number),
                                          .run = le64toh(w.run),
                                          .unique = le64toh(w.unique)};
    return true;
}

/* Wait for the reply to this request; discard earlier ones. */
static bool await_reply(int fd, const struct count_request *q, uint64_t *ret_unique)
{
    uint64_t end_ns = clock_now_ns() + TRY_NS;

    for (;;) {
        struct pollfd pollfd = {.fd = fd, .events = POLLIN};
        uint64_t now_ns = clock_now_ns();
        struct timespec ts = clock_to_timespec(now_ns < end_ns ? end_ns - now_ns : 0);
        uint8_t bytes[COUNT_REQUEST_SIZE + 1];
        struct count_request reply;
        ssize_t length;

        if (ppoll(&pollfd, 1, &ts, NULL) <= 0)
            return false;
        length = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (length > 0 && count_request_parse(bytes, (size_t)length, &reply) && reply.is_reply &&
            reply.number == q->number && reply.run == q->run) {
            *ret_unique = reply.unique;
            return true;
        }
    }
}

int count_request_ask(int fd, uint64_t run, uint64_t *ret_unique)
{
    struct count_request q = {.run = run};
    uint64_t last = UINT64_MAX;

    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        struct timespec pause = clock_to_timespec(PAUSE_NS);
        uint8_t bytes[COUNT_REQUEST_SIZE];
        uint64_t unique;

        q.number++;
        count_request_build(&q, bytes);
        if (send(fd, bytes, sizeof(bytes), 0) < 0 && errno != ECONNREFUSED && errno != EAGAIN &&
            errno != ENOBUFS)
            return -errno;
        if (!await_reply(fd, &q, &unique))
            continue;
        if (unique == last) {
            *ret_unique = unique;
            return 0;
        }
        last = unique;
        (void)nanosleep(&pause, NULL); /* for datagrams in transit */
    }
    return last == UINT64_MAX ? -ETIMEDOUT : -EBUSY;
}
