#include "question.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "headless/base/clock.h"
#include "payload.h"

#define MAGIC_QUESTION UINT32_C(0x51736c68) /* "hlsQ" */
#define MAGIC_ANSWER   UINT32_C(0x52736c68) /* "hlsR" */
#define TRIES_MAX      40
#define TRY_NS         (100 * NS_PER_MS) /* how long to wait for an answer */
#define PAUSE_NS       (30 * NS_PER_MS)  /* between two equal ones */

/* The layout, all numbers little-endian. */
struct wire {
    uint32_t magic, number;
    uint64_t run, unique, zero, checksum;
};
_Static_assert(sizeof(struct wire) == QUESTION_SIZE, "no padding");

static uint64_t sum(const struct wire *w)
{
    uint64_t hash = payload_mix(((uint64_t)w->magic << 32) ^ w->number);

    hash = payload_mix(hash ^ w->run);
    hash = payload_mix(hash ^ w->unique);
    return payload_mix(hash ^ w->zero);
}

void question_build(const struct question *q, uint8_t ret_bytes[static QUESTION_SIZE])
{
    struct wire w = {.magic = htole32(q->is_reply ? MAGIC_ANSWER : MAGIC_QUESTION),
                     .number = htole32(q->number),
                     .run = htole64(q->run),
                     .unique = htole64(q->unique)};

    w.checksum = sum(&w);
    memcpy(ret_bytes, &w, sizeof(w));
}

bool question_parse(const uint8_t *bytes, size_t length, struct question *ret_question)
{
    struct wire w;

    if (length != sizeof(w))
        return false;
    memcpy(&w, bytes, sizeof(w));
    if (le32toh(w.magic) != MAGIC_QUESTION && le32toh(w.magic) != MAGIC_ANSWER)
        return false;
    if (w.checksum != sum(&w))
        return false;
    *ret_question = (struct question){.is_reply = le32toh(w.magic) == MAGIC_ANSWER,
                                      .number = le32toh(w.number),
                                      .run = le64toh(w.run),
                                      .unique = le64toh(w.unique)};
    return true;
}

/* Wait for the answer to this question; earlier ones are thrown away. */
static bool await(int fd, const struct question *q, uint64_t *ret_unique)
{
    uint64_t end_ns = clock_now_ns() + TRY_NS;

    for (;;) {
        struct pollfd pollfd = {.fd = fd, .events = POLLIN};
        uint64_t now_ns = clock_now_ns();
        struct timespec ts = clock_to_timespec(now_ns < end_ns ? end_ns - now_ns : 0);
        uint8_t bytes[QUESTION_SIZE + 1];
        struct question answer;
        ssize_t length;

        if (ppoll(&pollfd, 1, &ts, NULL) <= 0)
            return false;
        length = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
        if (length > 0 && question_parse(bytes, (size_t)length, &answer) && answer.is_reply &&
            answer.number == q->number && answer.run == q->run) {
            *ret_unique = answer.unique;
            return true;
        }
    }
}

int question_ask(int fd, uint64_t run, uint64_t *ret_unique)
{
    struct question q = {.run = run};
    uint64_t last = UINT64_MAX;

    for (unsigned tries = 0; tries < TRIES_MAX; tries++) {
        struct timespec pause = clock_to_timespec(PAUSE_NS);
        uint8_t bytes[QUESTION_SIZE];
        uint64_t unique;

        q.number++;
        question_build(&q, bytes);
        if (send(fd, bytes, sizeof(bytes), 0) < 0 && errno != ECONNREFUSED && errno != EAGAIN &&
            errno != ENOBUFS)
            return -errno;
        if (!await(fd, &q, &unique))
            continue;
        if (unique == last) {
            *ret_unique = unique;
            return 0;
        }
        last = unique;
        (void)nanosleep(&pause, NULL); /* for what is under way */
    }
    return last == UINT64_MAX ? -ETIMEDOUT : -EBUSY;
}
