/* udp-limit: the bare loops that headlessd is measured against. One row per mode, one per option.
 */
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "headless/base/address.h"
#include "headless/base/clock.h"
#include "limit.h"
#include "options.h"

#define WAIT_US 100000 /* longest wait before a reader checks for a stop */

static const struct mode {
    const char *name;
    int (*run_fn)(struct limit_loop *l);
    unsigned needs;
    const char *purpose;
} modes[] = {
    {"receive", limit_receive, OPTIONS_LISTEN, "recvmmsg, count, discard; also a cheap sink"},
    {"one", limit_one, OPTIONS_LISTEN | OPTIONS_TO, "recvfrom and sendto, one by one"},
    {"fanout", limit_fanout, OPTIONS_LISTEN | OPTIONS_TO,
     "recv, and a sendto to each of a range of addresses"},
    {"receive-gso", limit_receive_gso, OPTIONS_LISTEN | OPTIONS_TO,
     "recvmmsg, and a GSO batch for each run of equal-sized neighbours"},
    {"receive-pack-gso", limit_receive_pack_gso, OPTIONS_LISTEN | OPTIONS_TO,
     "recvmmsg, records packed into 1,372-byte frames, GSO"},
    {"gro-gso", limit_gro_gso, OPTIONS_LISTEN | OPTIONS_TO,
     "recvmmsg of merged datagrams (UDP_GRO), and GSO"},
    {"send", limit_send, OPTIONS_TO | OPTIONS_RATE, "send at a fixed rate, without feedback"},
};

#define MODES (sizeof(modes) / sizeof(modes[0]))

static volatile sig_atomic_t stopping;

bool limit_is_stopping(void)
{
    return stopping;
}

static void limit_stop(int signal_number)
{
    (void)signal_number;
    stopping = 1;
}

static void limit_print_usage(FILE *out)
{
    (void)fprintf(out,
                  "Usage: " LIMIT_PROGRAM " MODE [OPTION...]\n\n"
                  "Forward UDP with as little code as possible, to measure the minimum cost.\n\n"
                  "Modes:\n");
    for (size_t i = 0; i < MODES; i++)
        (void)fprintf(out, "  %-17s  %s\n", modes[i].name, modes[i].purpose);
    (void)fputs(options_help, out);
}

/* ---- sockets */

int limit_open_connected(const struct sockaddr_in *to)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int error;

    if (fd < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0)
        return fd;
    error = errno;
    (void)close(fd);
    return -error;
}

/* Returns a bound socket, and prints its address on standard error; or a negative errno. */
static int open_bound(struct limit_options *o)
{
    const struct timeval wait = {.tv_usec = WAIT_US};
    int rcvbuf = o->rcvbuf_bytes ? (int)o->rcvbuf_bytes : INT32_MAX;
    socklen_t length = sizeof(o->listen);
    char text[ADDRESS_TEXT_MAX];
    struct address address;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | (o->pause_us ? SOCK_NONBLOCK : 0), 0);
    int error;

    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf)) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
        bind(fd, (struct sockaddr *)&o->listen, sizeof(o->listen)) == 0 &&
        getsockname(fd, (struct sockaddr *)&o->listen, &length) == 0) {
        address_from_sockaddr((struct sockaddr *)&o->listen, &address);
        (void)fprintf(stderr, "listening on %s\n", address_format(&address, text));
        return fd;
    }
    error = errno;
    (void)close(fd);
    return -error;
}

static int limit_open_sockets(struct limit_loop *l, unsigned needs)
{
    l->in = l->out = -1;
    if (!(needs & OPTIONS_LISTEN))
        return 0; /* the sender opens a socket per flow */
    l->in = open_bound(&l->options);
    if (l->in < 0)
        return l->in;
    if (needs & OPTIONS_TO)
        l->out = limit_open_connected(&l->options.to);
    return l->out < -1 ? l->out : 0;
}

/* ---- the result */

static uint64_t cpu_ns(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
    return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

#define NUMBER(name, value) ", \"" name "\": %llu", (unsigned long long)(value)

static void print_counts(const struct mode *mode, const struct limit_counts *c, uint64_t span_ns)
{
    (void)printf("{\"mode\": \"%s\"", mode->name);
    (void)printf(NUMBER("received", c->received));
    (void)printf(NUMBER("received_bytes", c->received_bytes));
    (void)printf(NUMBER("batches", c->batches));
    (void)printf(NUMBER("sent", c->sent));
    (void)printf(NUMBER("frames", c->frames));
    (void)printf(NUMBER("trains", c->gso_batches));
    (void)printf(NUMBER("unsent", c->unsent));
    (void)printf(NUMBER("skipped", c->skipped));
    (void)printf(NUMBER("span_ns", span_ns));
    (void)printf(NUMBER("cpu_ns", cpu_ns()));
    (void)puts("}");
}

static const struct mode *find_mode(const char *name)
{
    for (size_t i = 0; i < MODES; i++)
        if (strcmp(name, modes[i].name) == 0)
            return &modes[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const struct sigaction action = {.sa_handler = limit_stop}; /* no SA_RESTART: it ends a wait */
    const struct mode *mode = argc > 1 ? find_mode(argv[1]) : NULL;
    struct limit_loop l = {0};
    uint64_t start_ns;
    int rc;

    if (!mode) {
        bool asked = argc > 1 && strcmp(argv[1], "--help") == 0;

        limit_print_usage(asked ? stdout : stderr);
        return asked ? LIMIT_EXIT_DONE : LIMIT_EXIT_USAGE;
    }
    if (options_read(argc - 1, argv + 1, mode->needs, &l.options)) {
        limit_print_usage(stdout);
        return LIMIT_EXIT_DONE;
    }
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    rc = limit_open_sockets(&l, mode->needs);
    start_ns = clock_now_ns();
    if (!rc)
        rc = mode->run_fn(&l);
    if (rc) {
        (void)fprintf(stderr, LIMIT_PROGRAM " %s: %s\n", mode->name, strerror(-rc));
        return LIMIT_EXIT_FAILED;
    }
    print_counts(mode, &l.counts, clock_now_ns() - start_ns);
    return LIMIT_EXIT_DONE;
}
