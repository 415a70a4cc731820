/* Connections of followers: of members only, a bounded number, for a bounded time until a PROBE. */
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "headless/net/tcp.h"
#include "liveness_internal.h"

#define ACCEPTS_MAX 16 /* a slice */
#define PAUSE_NS    (100 * NS_PER_MS)
#define UNPROVED_NS (5 * NS_PER_SEC)

void liveness_free(struct liveness *liveness, struct liveness_accepted *accepted)
{
    if (accepted->fd < 0)
        return;
    (void)close(accepted->fd);
    accepted->fd = -1;
    accepted->instance = 0;
    liveness->changes++;
}

static void liveness_refuse(struct liveness *liveness, struct liveness_accepted *accepted)
{
    counters_add(liveness->counters, COUNTER_CONNECTION_UNPROVED, 1);
    liveness_free(liveness, accepted);
}

static const struct election_member *find_member_at(const struct liveness *liveness,
                                                    const struct address *from)
{
    for (uint16_t i = 0; i < liveness->list->count; i++) {
        if (address_equal_ip(&liveness->list->members[i].address, from))
            return &liveness->list->members[i];
    }
    return NULL;
}

/* ---- accepting ---- */

/* Level-triggered: a listener that cannot be served, or with a flood of strangers, would be ready
 * all the time. */
static void pause_listening(struct liveness *liveness, uint64_t now_ns)
{
    liveness->accept_ns = now_ns + PAUSE_NS;
    (void)liveness_watch(liveness, liveness->listener, 0, LIVENESS_LISTENER);
}

/* A member has one connection without proof at most: its next one takes that one's place. */
static struct liveness_accepted *choose_place(struct liveness *liveness, const struct address *from)
{
    struct liveness_accepted *free_place = NULL;
    size_t unproved = 0;

    for (size_t i = 0; i < LIVENESS_ACCEPTED_MAX; i++) {
        struct liveness_accepted *accepted = &liveness->accepted[i];

        if (accepted->fd < 0) {
            free_place = accepted;
            continue;
        }
        if (!accepted->instance && address_equal_ip(&accepted->from, from)) {
            liveness_refuse(liveness, accepted);
            return accepted;
        }
        unproved += !accepted->instance;
    }
    return unproved < LIVENESS_UNPROVED_MAX ? free_place : NULL;
}

static void take_connection(struct liveness *liveness, int fd, const struct address *from,
                            uint64_t now_ns)
{
    bool is_member = find_member_at(liveness, from);
    struct liveness_accepted *place = is_member ? choose_place(liveness, from) : NULL;

    if (place && liveness_watch(liveness, fd, EPOLLIN,
                                LIVENESS_ACCEPTED + (uint32_t)(place - liveness->accepted))) {
        *place = (struct liveness_accepted){.fd = fd, .from = *from, .since_ns = now_ns};
        return;
    }
    (void)close(fd);
    counters_add(liveness->counters,
                 is_member ? COUNTER_CONNECTION_LIMIT : COUNTER_CONNECTION_STRANGER, 1);
}

void liveness_accept(struct liveness *liveness, uint64_t now_ns)
{
    for (unsigned i = 0; i < ACCEPTS_MAX; i++) {
        struct address from;
        int fd = tcp_accept(liveness->listener, &from);

        if (fd == -EAGAIN || fd == -EWOULDBLOCK)
            return;
        if (fd < 0) {
            counters_add(liveness->counters, COUNTER_CONNECTION_FAILED, 1);
            break;
        }
        take_connection(liveness, fd, &from, now_ns);
    }
    pause_listening(liveness, now_ns);
}

/* ---- accepted connections ---- */

/* Of an instance, the newest one remains. */
static void close_former(struct liveness *liveness, const struct liveness_accepted *newest)
{
    for (size_t i = 0; i < LIVENESS_ACCEPTED_MAX; i++) {
        struct liveness_accepted *accepted = &liveness->accepted[i];

        if (accepted != newest && accepted->instance &&
            address_equal_ip(&accepted->from, &newest->from))
            liveness_free(liveness, accepted);
    }
}

static bool is_probe_of(const struct liveness *liveness, const struct liveness_accepted *accepted,
                        const struct election_message *m)
{
    const struct election_member *member = find_member_at(liveness, &accepted->from);

    return m->type == ELECTION_PROBE && m->to == liveness->transport->instance && member &&
           member->instance == m->from;
}

static void reply(struct liveness *liveness, struct liveness_accepted *accepted,
                  const struct election_message *probe)
{
    const struct election_message alive = {.type = ELECTION_ALIVE,
                                           .from = liveness->transport->instance,
                                           .to = probe->from,
                                           .stamp_ns = probe->stamp_ns};

    if (!is_probe_of(liveness, accepted, probe) ||
        !liveness_send(liveness, accepted->fd, &accepted->from, &alive)) {
        liveness_refuse(liveness, accepted);
        return;
    }
    accepted->instance = probe->from;
    liveness->changes++;
    close_former(liveness, accepted);
}

void liveness_serve(struct liveness *liveness, size_t index)
{
    struct liveness_accepted *accepted = &liveness->accepted[index];
    struct election_message probe;

    if (accepted->fd < 0)
        return; /* closed since the kernel reported it */
    switch (liveness_receive(liveness, accepted->fd, &accepted->from, &accepted->input, &probe)) {
    case LIVENESS_MORE:
        break;
    case LIVENESS_ENDED:
        liveness_free(liveness, accepted);
        break;
    case LIVENESS_MESSAGE:
        if (accepted->instance)
            liveness_refuse(liveness, accepted);
        else
            reply(liveness, accepted, &probe);
        break;
    case LIVENESS_BAD:
        liveness_refuse(liveness, accepted);
        break;
    }
}

void liveness_expire(struct liveness *liveness, uint64_t now_ns)
{
    if (now_ns < liveness->expire_ns)
        return; /* not in each slice: it looks at all of them */
    liveness->expire_ns = now_ns + PAUSE_NS;
    if (liveness->accept_ns && now_ns >= liveness->accept_ns) {
        liveness->accept_ns = 0;
        if (!liveness_watch(liveness, liveness->listener, EPOLLIN, LIVENESS_LISTENER))
            liveness->accept_ns = now_ns + PAUSE_NS;
    }
    for (size_t i = 0; i < LIVENESS_ACCEPTED_MAX; i++) {
        struct liveness_accepted *accepted = &liveness->accepted[i];

        if (accepted->fd >= 0 && !accepted->instance && now_ns >= accepted->since_ns + UNPROVED_NS)
            liveness_refuse(liveness, accepted);
    }
}
