/*
 * udp_mangler: a bad network that counts its faults, to test a measuring tool.
 *
 *   udp_mangler LISTEN_IP:PORT back|IP:PORT FIRST LAST DELAY_MS [RATE]
 *
 * Sends each datagram back (or on to a third address), and of the FIRST-th to the LAST-th
 *   every 10th is dropped,
 *   every 13th of the rest has one bit flipped, each time at another position,
 *   every 101st of the rest is delayed by DELAY_MS (0: none is),
 *   every 7th of the rest is sent twice,
 *   every 17th of the rest is swapped with the next one,
 * and with every 19th a foreign datagram is sent. With RATE it forwards RATE a second (and a
 * twentieth of that at once) and drops the excess: a device of known throughput. At SIGTERM it
 * prints its counts as one JSON object. One thread; a slow, plain loop, for low rates.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "headless/base/address.h"
#include "headless/base/clock.h"

#define PAYLOAD_MAX 65536
#define DELAYED_MAX 256

struct datagram {
    struct sockaddr_storage from;
    socklen_t from_length;
    size_t length;
    uint64_t due_ns;
    uint8_t *bytes;
};

enum action { PASS, DROP, CORRUPT, DELAY, DUPLICATE, SWAP, ACTION_COUNT };
static const char *const action_names[] = {"passed",  "dropped",    "corrupted",
                                           "delayed", "duplicated", "swapped"};

struct mangler {
    int fd;
    bool back;
    struct sockaddr_storage to; /* unless back */
    socklen_t to_length;
    unsigned long first, last, delay_ms;
    unsigned long received, overtaken, foreign, failed, limited;
    unsigned long rate; /* 0: unlimited */
    double tokens;      /* datagrams that may pass */
    uint64_t tokens_ns; /* time of tokens */
    unsigned long actions[ACTION_COUNT];
    struct datagram now, held; /* held.length 0: none */
    struct datagram delayed[DELAYED_MAX];
    unsigned delayed_head, delayed_tail; /* free-running */
};

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void send_bytes(struct mangler *m, const struct datagram *d, const void *bytes,
                       size_t length)
{
    const struct sockaddr_storage *to = m->back ? &d->from : &m->to;
    socklen_t to_length = m->back ? d->from_length : m->to_length;

    if (sendto(m->fd, bytes, length, 0, (const struct sockaddr *)to, to_length) < 0)
        m->failed++;
}

static void send_datagram(struct mangler *m, const struct datagram *d)
{
    send_bytes(m, d, d->bytes, d->length);
}

static void copy_datagram(struct datagram *to, const struct datagram *from)
{
    uint8_t *bytes = to->bytes;

    memcpy(bytes, from->bytes, from->length);
    *to = *from;
    to->bytes = bytes;
}

static enum action choose(const struct mangler *m, unsigned long n)
{
    if (n < m->first || n > m->last)
        return PASS;
    if (n % 10 == 0)
        return DROP;
    if (n % 13 == 0)
        return CORRUPT;
    if (n % 101 == 0 && m->delay_ms && m->delayed_tail - m->delayed_head < DELAYED_MAX)
        return DELAY;
    if (n % 7 == 0)
        return DUPLICATE;
    /* Only one at a time is held. */
    return n % 17 == 0 && !m->held.length ? SWAP : PASS;
}

static void act(struct mangler *m, enum action action)
{
    struct datagram *d = &m->now;
    struct datagram *later;

    switch (action) {
    case DROP:
        break;
    case CORRUPT:
        d->bytes[m->received % d->length] ^= (uint8_t)(1U << (m->received % 8));
        send_datagram(m, d);
        break;
    case DELAY:
        later = &m->delayed[m->delayed_tail++ % DELAYED_MAX];
        copy_datagram(later, d);
        later->due_ns = clock_now_ns() + m->delay_ms * NS_PER_MS;
        break;
    case SWAP:
        copy_datagram(&m->held, d);
        break;
    case DUPLICATE:
        send_datagram(m, d);
        send_datagram(m, d);
        break;
    default:
        send_datagram(m, d);
    }
}

/* Send the held one after the current one: overtaken if both are of one sender. */
static void release_held(struct mangler *m, enum action action)
{
    bool same = m->held.from_length == m->now.from_length &&
                memcmp(&m->held.from, &m->now.from, m->now.from_length) == 0;

    if (same && (action == PASS || action == DUPLICATE))
        m->overtaken++;
    send_datagram(m, &m->held);
    m->held.length = 0;
}

static bool may_pass(struct mangler *m)
{
    uint64_t now_ns = clock_now_ns();
    double rate = (double)m->rate;

    if (!m->rate)
        return true;
    m->tokens += (double)(now_ns - m->tokens_ns) * rate / (double)NS_PER_SEC;
    m->tokens_ns = now_ns;
    if (m->tokens > rate / 20)
        m->tokens = rate / 20;
    if (m->tokens < 1)
        return false;
    m->tokens--;
    return true;
}

static void handle(struct mangler *m)
{
    static const char foreign[] = "{\"leader\":\"nobody\"} and other things that are not ours";
    unsigned long n = ++m->received;
    enum action action = choose(m, n);
    bool was_held = m->held.length > 0;

    m->actions[action]++;
    act(m, action);
    if (was_held)
        release_held(m, action);
    if (n % 19 == 0 && n >= m->first && n <= m->last) {
        send_bytes(m, &m->now, foreign, sizeof(foreign));
        m->foreign++;
    }
}

static void send_delayed(struct mangler *m)
{
    uint64_t now_ns = clock_now_ns();

    while (m->delayed_head != m->delayed_tail &&
           m->delayed[m->delayed_head % DELAYED_MAX].due_ns <= now_ns)
        send_datagram(m, &m->delayed[m->delayed_head++ % DELAYED_MAX]);
}

static int wait_ms(const struct mangler *m)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t due_ns;

    if (m->delayed_head == m->delayed_tail)
        return -1;
    due_ns = m->delayed[m->delayed_head % DELAYED_MAX].due_ns;
    return due_ns <= now_ns ? 0 : (int)((due_ns - now_ns) / NS_PER_MS) + 1;
}

static void run(struct mangler *m, int signal_fd)
{
    struct pollfd pollfds[] = {{.fd = m->fd, .events = POLLIN},
                               {.fd = signal_fd, .events = POLLIN}};

    for (;;) {
        ssize_t length;

        send_delayed(m);
        if (poll(pollfds, 2, wait_ms(m)) < 0 || pollfds[1].revents)
            return;
        m->now.from_length = sizeof(m->now.from);
        length = recvfrom(m->fd, m->now.bytes, PAYLOAD_MAX, MSG_DONTWAIT,
                          (struct sockaddr *)&m->now.from, &m->now.from_length);
        if (length <= 0)
            continue;
        m->now.length = (size_t)length;
        if (may_pass(m))
            handle(m);
        else
            m->limited++;
    }
}

static socklen_t parse(const char *text, struct sockaddr_storage *ret_sa, int *ret_family)
{
    struct address a;

    if (address_parse(text, 0, &a)) {
        (void)fprintf(stderr, "udp_mangler: %s is not IP:PORT\n", text);
        exit(2);
    }
    *ret_family = a.family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    return address_to_sockaddr(&a, *ret_family, ret_sa);
}

static void listen_on(struct mangler *m, const char *text)
{
    struct sockaddr_storage sa;
    int family;
    socklen_t length = parse(text, &sa, &family);
    const int bytes = 4 << 20;
    struct address local;
    char name[ADDRESS_TEXT_MAX];

    m->fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (m->fd < 0 || bind(m->fd, (struct sockaddr *)&sa, length) < 0)
        fail("bind");
    (void)setsockopt(m->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
    length = sizeof(sa);
    if (getsockname(m->fd, (struct sockaddr *)&sa, &length) < 0)
        fail("getsockname");
    address_from_sockaddr((struct sockaddr *)&sa, &local);
    (void)fprintf(stderr, "listening on %s\n", address_format(&local, name));
}

static uint8_t *allocate(void)
{
    uint8_t *bytes = malloc(PAYLOAD_MAX);

    if (!bytes)
        fail("malloc");
    return bytes;
}

static void print_counts(const struct mangler *m)
{
    (void)printf("{\"received\":%lu,\"overtaken\":%lu,\"foreign\":%lu,\"failed\":%lu"
                 ",\"limited\":%lu",
                 m->received, m->overtaken, m->foreign, m->failed, m->limited);
    for (unsigned i = 0; i < ACTION_COUNT; i++)
        (void)printf(",\"%s\":%lu", action_names[i], m->actions[i]);
    (void)puts("}");
}

int main(int argc, char **argv)
{
    static struct mangler m;
    sigset_t set;
    int signal_fd;
    int family;

    if (argc < 6 || argc > 7) {
        (void)fputs("usage: udp_mangler LISTEN_IP:PORT back|IP:PORT FIRST LAST DELAY_MS [RATE]\n",
                    stderr);
        return 2;
    }
    m.back = strcmp(argv[2], "back") == 0;
    if (!m.back)
        m.to_length = parse(argv[2], &m.to, &family);
    m.first = strtoul(argv[3], NULL, 10);
    m.last = strtoul(argv[4], NULL, 10);
    m.delay_ms = strtoul(argv[5], NULL, 10);
    m.rate = argc > 6 ? strtoul(argv[6], NULL, 10) : 0;
    m.now.bytes = allocate();
    m.held.bytes = allocate();
    for (unsigned i = 0; i < DELAYED_MAX; i++)
        m.delayed[i].bytes = allocate();
    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &set, NULL);
    signal_fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (signal_fd < 0)
        fail("signalfd");
    listen_on(&m, argv[1]);
    run(&m, signal_fd);
    print_counts(&m);
    for (unsigned i = 0; i < DELAYED_MAX; i++)
        free(m.delayed[i].bytes);
    free(m.held.bytes);
    free(m.now.bytes);
    return m.failed ? 1 : 0;
}
