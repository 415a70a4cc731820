#include "sender.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "endpoint.h"
#include "headless/base/clock.h"
#include "payload.h"
#include "stop.h"

/* All windows together: 8 MiB, divided among the flows. */
#define WINDOW_BITS (UINT64_C(1) << 26)

static uint64_t power_of_two_from(uint64_t least)
{
    uint64_t power = 64;

    while (power < least)
        power *= 2;
    return power;
}

/* One bit for each datagram of a flow, at most its share of the budget. */
static uint64_t window_size(const struct send_options *o)
{
    uint64_t share = WINDOW_BITS / power_of_two_from(o->flows);

    if (o->count && o->count / o->flows + o->burst < share)
        return power_of_two_from(o->count / o->flows + o->burst);
    return share;
}

static int sender_open_flow(struct sender *s, unsigned index)
{
    const struct send_options *o = s->options;
    struct flow *f = &s->flows[index];
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
    uint64_t granted;

    f->target = index % o->target_count;
    f->fd = endpoint_open_client(&o->targets[f->target], &o->from, !o->unconnected);
    if (f->fd < 0)
        return f->fd;
    granted = endpoint_grow_rcvbuf(f->fd, o->rcvbuf_bytes);
    if (granted < s->rcvbuf_bytes)
        s->rcvbuf_bytes = granted;
    return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, f->fd, &event) < 0 ? -errno : 0;
}

static int sender_open_flows(struct sender *s)
{
    const struct send_options *o = s->options;
    uint64_t size = window_size(o);
    int rc = 0;

    for (unsigned i = 0; i < o->flows; i++) {
        s->flows[i].fd = -1;
        window_init(&s->flows[i].answered, s->window_bits + i * (size / 64), size);
    }
    for (unsigned i = 0; i < o->flows && !rc; i++)
        rc = sender_open_flow(s, i);
    return rc;
}

/* The usual soft limit of 1,024 descriptors limits the flows: raise it to the hard limit. */
static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int open_waiting(struct sender *s)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u32 = UINT32_MAX};

    s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (s->epoll_fd < 0)
        return -errno;
    s->stop_fd = stop_open();
    if (s->stop_fd < 0)
        return s->stop_fd;
    return epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, s->stop_fd, &event) < 0 ? -errno : 0;
}

static int sender_allocate(struct sender *s)
{
    const struct send_options *o = s->options;
    int rc = batch_init(&s->in);

    if (!rc)
        rc = batch_init(&s->out);
    if (!rc && o->closed_loop)
        rc = places_init(&s->places, (unsigned)o->outstanding);
    s->flows = calloc(o->flows, sizeof(*s->flows));
    s->window_bits = calloc(o->flows * (window_size(o) / 64), sizeof(*s->window_bits));
    return rc || s->flows == NULL || s->window_bits == NULL ? -ENOMEM : 0;
}

int sender_open(struct sender *s, const struct send_options *options)
{
    int rc;

    memset(s, 0, sizeof(*s));
    s->options = options;
    s->epoll_fd = s->stop_fd = -1;
    s->rcvbuf_bytes = UINT64_MAX;
    s->gso = options->gso;
    s->clock = payload_clock();
    while (s->run == 0)
        randombytes_buf(&s->run, sizeof(s->run));
    for (unsigned i = 0; i < options->target_count; i++)
        s->target_lengths[i] = address_to_sockaddr(
            &options->targets[i], options->targets[i].family == ADDRESS_V6 ? AF_INET6 : AF_INET,
            &s->targets[i]);
    raise_descriptor_limit();
    (void)prctl(PR_SET_TIMERSLACK, 1UL); /* the default of 50 us would add to the lateness */
    rc = sender_allocate(s);
    if (!rc)
        rc = open_waiting(s);
    if (!rc)
        rc = sender_open_flows(s);
    if (rc)
        sender_close(s);
    return rc;
}

void sender_begin(struct sender *s, const struct send_trial *trial)
{
    s->trial = *trial;
    s->next = 0;
    s->last_sent_ns = s->last_reply_ns = s->last_received_ns = s->silence_ns = 0;
    s->counts = (struct send_counts){0};
    s->own_drops_before = sender_own_drops(s);
    histogram_init(&s->round_trip);
    histogram_init(&s->lateness);
    for (unsigned i = 0; i < s->options->flows; i++)
        s->flows[i].first_sequence = s->flows[i].next_sequence;
}

static void sender_close_descriptor(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void sender_close(struct sender *s)
{
    for (unsigned i = 0; s->flows && i < s->options->flows; i++)
        sender_close_descriptor(s->flows[i].fd);
    sender_close_descriptor(s->epoll_fd);
    sender_close_descriptor(s->stop_fd);
    free(s->flows);
    free(s->window_bits);
    places_fini(&s->places);
    batch_fini(&s->in);
    batch_fini(&s->out);
}

uint64_t sender_own_drops(const struct sender *s)
{
    uint64_t drops = 0;

    for (unsigned i = 0; i < s->options->flows; i++)
        drops += endpoint_drops(s->flows[i].fd);
    return drops;
}
