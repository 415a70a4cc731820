/*
 * udp_stream: an open-loop client. Sends numbered datagrams at a steady rate to several pods in
 * turn, and reports replies, losses and the longest interruption.
 *
 *   udp_stream [-a] [-i INTERFACE] [-l MILLISECONDS] RATE SIZE MILLISECONDS ADDRESS:PORT...
 *
 * -a: each datagram is sent to all of them, and one reply is enough. One connected socket a pod. An
 * ADDRESS may be a multicast group, to which it sends by INTERFACE, and accepts replies from any
 * address. A pod whose host refuses a datagram is gone: it gets no more, and the datagrams sent to
 * it from the refused one on count as refused, not lost, since the client knows. Ends after
 * MILLISECONDS, or at SIGTERM; then waits for replies until none came for 10 s, or for the time of -l.
 * Prints one line:
 *
 *   sent N answered N lost N duplicated N refused N gap_ms N gap_at_ms N foreign N disordered N missed N
 *
 * gap_ms: the longest time between two successive replies, which began gap_at_ms after 1970. foreign: replies to none of our
 * datagrams, or of another length. disordered: replies behind the reply to a later datagram that was
 * sent to the same pod. missed: replies that the kernel dropped at our sockets, because this process
 * read too late. Writes "started" to standard error after the first datagram.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "headless/net/multicast.h"

#define TARGETS_MAX 16
#define LINGER_MS   10000
#define PORTION     64
#define BYTES_MAX   1400

struct head {
    uint64_t run, sequence;
};

struct stream {
    uint64_t rate, size, end_ns, linger_ns, run;
    struct udp_socket sockets[TARGETS_MAX];
    struct address groups[TARGETS_MAX]; /* unset: the socket is connected to a pod */
    uint32_t interface;
    uint64_t gone[TARGETS_MAX]; /* the first refused sequence; UINT64_MAX: not gone */
    size_t targets;
    bool to_all;
    uint64_t last[TARGETS_MAX]; /* the highest sequence of a reply, + 1 */
    uint64_t sent, answered, duplicated, foreign, disordered, gap_ns, gap_at_ns, last_answer_ns;
    uint8_t *seen; /* index: sequence */
    uint64_t capacity;
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "udp_stream: %s: %s\n", what, strerror(errno));
    exit(2);
}

static void take_answer(struct stream *s, size_t target, const uint8_t *bytes, size_t length,
                        uint64_t now_ns)
{
    struct head head = {0};

    if (length == s->size)
        memcpy(&head, bytes, sizeof(head));
    if (length != s->size || head.run != s->run || head.sequence >= s->sent) {
        s->foreign++;
        return;
    }
    if (s->seen[head.sequence]) {
        s->duplicated++;
        return;
    }
    s->seen[head.sequence] = 1;
    s->disordered += head.sequence < s->last[target];
    if (head.sequence >= s->last[target])
        s->last[target] = head.sequence + 1;
    s->answered++;
    if (s->last_answer_ns && now_ns - s->last_answer_ns > s->gap_ns) {
        s->gap_ns = now_ns - s->last_answer_ns;
        s->gap_at_ns = s->last_answer_ns;
    }
    s->last_answer_ns = now_ns;
}

static void take_refusals(struct stream *s, size_t target)
{
    struct udp_failure failure;
    struct head head;

    while (udp_take_error(s->sockets[target].fd, &failure)) {
        if (failure.error != ECONNREFUSED || failure.length < sizeof(head))
            continue;
        memcpy(&head, failure.quoted, sizeof(head));
        if (head.run == s->run && head.sequence < s->gone[target])
            s->gone[target] = head.sequence;
    }
}

static void read_answers(struct stream *s)
{
    uint8_t bytes[BYTES_MAX + 1];

    for (size_t i = 0; i < s->targets; i++) {
        ssize_t n;

        while ((n = recv(s->sockets[i].fd, bytes, sizeof(bytes), MSG_DONTWAIT)) >= 0 ||
               errno == ECONNREFUSED) {
            if (n >= 0)
                take_answer(s, i, bytes, (size_t)n, clock_now_ns());
        }
        take_refusals(s, i);
    }
}

static bool try_send(const struct stream *s, size_t target, const uint8_t *bytes)
{
    const struct address any = {0};

    if (address_is_set(&s->groups[target]))
        return udp_send_one(&s->sockets[target], &s->groups[target], &any, bytes, s->size) == 0;
    return send(s->sockets[target].fd, bytes, s->size, 0) >= 0;
}

/* The sequence advances even if its pod is gone. */
static void send_one(struct stream *s)
{
    uint8_t bytes[BYTES_MAX] = {0};
    struct head head = {.run = s->run, .sequence = s->sent};
    uint64_t number = s->sent++;

    memcpy(bytes, &head, sizeof(head));
    for (size_t i = 0; i < s->targets; i++) {
        if (!s->to_all && i != number % s->targets)
            continue;
        take_refusals(s, i);
        if (s->gone[i] == UINT64_MAX && !try_send(s, i, bytes))
            (void)try_send(s, i, bytes); /* the first call returned a pending error */
    }
}

/* Datagrams sent to pods from their first refusal on. */
static uint64_t count_refused(const struct stream *s)
{
    uint64_t refused = 0;

    for (uint64_t i = 0; !s->to_all && i < s->sent; i++)
        refused += !s->seen[i] && i >= s->gone[i % s->targets];
    return refused;
}

static uint64_t count_missed(const struct stream *s)
{
    uint64_t missed = 0;

    for (size_t i = 0; i < s->targets; i++)
        missed += udp_kernel_drops(s->sockets[i].fd);
    return missed;
}

static void wait_until(struct stream *s, uint64_t at_ns)
{
    struct pollfd fds[TARGETS_MAX];
    struct timespec timeout = {0};
    uint64_t now_ns = clock_now_ns();

    for (size_t i = 0; i < s->targets; i++)
        fds[i] = (struct pollfd){.fd = s->sockets[i].fd, .events = POLLIN};
    if (at_ns > now_ns)
        timeout = clock_to_timespec(at_ns - now_ns);
    (void)ppoll(fds, s->targets, &timeout, NULL);
    read_answers(s);
}

static void run(struct stream *s)
{
    uint64_t start_ns = clock_now_ns();
    uint64_t quiet_since_ns, answered;
    bool has_started = false;

    while (!stopped && clock_now_ns() < s->end_ns && s->sent < s->capacity) {
        uint64_t due = (clock_now_ns() - start_ns) * s->rate / NS_PER_SEC + 1;

        /* Catch up after a pause in portions, and read replies in between. */
        for (unsigned i = 0; i < PORTION && s->sent < due && s->sent < s->capacity; i++)
            send_one(s);
        if (!has_started)
            (void)fputs("started\n", stderr);
        has_started = true;
        wait_until(s, start_ns + s->sent * NS_PER_SEC / s->rate);
    }
    quiet_since_ns = clock_now_ns();
    while (s->answered + count_refused(s) < s->sent &&
           clock_now_ns() < quiet_since_ns + s->linger_ns) {
        answered = s->answered;
        wait_until(s, clock_now_ns() + 20 * NS_PER_MS);
        if (s->answered > answered)
            quiet_since_ns = clock_now_ns();
    }
}

/* Not connected: replies come from the pods' addresses. */
static int open_group(struct stream *s, const struct address *group)
{
    const struct udp_options options = {0};
    const struct address any = address_any((enum address_family)group->family);
    struct udp_socket *socket = &s->sockets[s->targets];
    int rc = group->family == ADDRESS_V4 ? udp_open_ipv4(&any, &options, socket)
                                         : udp_open(&any, &options, socket);

    s->groups[s->targets] = *group;
    if (group->family == ADDRESS_V6)
        s->groups[s->targets].scope = s->interface;
    return rc ? rc : multicast_send_by(socket, s->interface, 1);
}

static void open_target(struct stream *s, const char *text)
{
    struct address to, any = {0};

    if (s->targets == TARGETS_MAX || address_parse(text, 0, &to) || to.port == 0) {
        errno = EINVAL;
        die(text);
    }
    errno =
        -(address_is_multicast(&to) ? open_group(s, &to)
                                    : udp_open_connected(&to, &any, 0, &s->sockets[s->targets]));
    if (!errno)
        errno = -udp_keep_errors(&s->sockets[s->targets]);
    if (errno)
        die(text);
    s->gone[s->targets++] = UINT64_MAX;
}

/* Returns the number of arguments that it took. */
static int take_options(struct stream *s, int argc, char *argv[])
{
    int option;

    s->linger_ns = LINGER_MS * NS_PER_MS;
    while ((option = getopt(argc, argv, "+ai:l:")) >= 0) {
        if (option == 'a')
            s->to_all = true;
        else if (option == 'i')
            s->interface = multicast_find_interface(optarg);
        else if (option == 'l')
            s->linger_ns = strtoull(optarg, NULL, 10) * NS_PER_MS;
        else
            return argc;
    }
    return optind - 1;
}

/* A time of our clock as milliseconds since 1970. */
static uint64_t real_ms(uint64_t at_ns)
{
    struct timespec real;
    uint64_t ago_ns = clock_now_ns() - at_ns;

    (void)clock_gettime(CLOCK_REALTIME, &real);
    return ((uint64_t)real.tv_sec * NS_PER_SEC + (uint64_t)real.tv_nsec - ago_ns) / NS_PER_MS;
}

static void print_results(const struct stream *s)
{
    uint64_t refused = count_refused(s);

    (void)printf("sent %llu answered %llu lost %llu duplicated %llu refused %llu gap_ms %llu "
                 "gap_at_ms %llu foreign %llu disordered %llu missed %llu\n",
                 (unsigned long long)(s->sent - refused), (unsigned long long)s->answered,
                 (unsigned long long)(s->sent - refused - s->answered),
                 (unsigned long long)s->duplicated, (unsigned long long)refused,
                 (unsigned long long)(s->gap_ns / NS_PER_MS),
                 (unsigned long long)(s->gap_at_ns ? real_ms(s->gap_at_ns) : 0),
                 (unsigned long long)s->foreign, (unsigned long long)s->disordered,
                 (unsigned long long)count_missed(s));
}

int main(int argc, char *argv[])
{
    struct stream s = {0};
    int taken = take_options(&s, argc, argv);

    argc -= taken, argv += taken;
    if (argc < 5) {
        (void)fprintf(stderr, "usage: udp_stream [-a] [-i INTERFACE] [-l MILLISECONDS] RATE SIZE "
                              "MILLISECONDS ADDRESS:PORT...\n");
        return 2;
    }
    s.rate = strtoull(argv[1], NULL, 10);
    s.size = strtoull(argv[2], NULL, 10);
    s.run = clock_now_ns() ^ (uint64_t)getpid() << 48;
    s.end_ns = clock_now_ns() + strtoull(argv[3], NULL, 10) * NS_PER_MS;
    s.capacity = s.rate * (strtoull(argv[3], NULL, 10) + 1000) / 1000;
    s.seen = calloc(s.capacity, 1);
    if (!s.seen || !s.rate || s.size < sizeof(struct head) || s.size > BYTES_MAX) {
        errno = EINVAL;
        die("RATE or SIZE");
    }
    for (int i = 4; i < argc; i++)
        open_target(&s, argv[i]);
    (void)signal(SIGTERM, stop);
    run(&s);
    print_results(&s);
    free(s.seen);
    return 0;
}
