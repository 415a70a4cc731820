/*
 * receive: counts and discards; in a pod the minimum that any forwarder must do, at a leader a
 * sink.
 *
 * As a sink it must cost the forwarder nothing, because a real one is another host. A reader that
 * waits in its socket is woken at each datagram, and GSO batches are split on the way into its
 * socket, both in the sender's CPU time: --pause and --gro avoid that. --tell writes the count to a
 * file for other programs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "reader.h"

#define BUFFER_BYTES  2048
#define REPORT_EVERY  64   /* datagrams; a fraction of a percent of a second's load */
#define REPORT_SELDOM 4096 /* the same with --pause, where every pause writes, too */
#define REPORT_BYTES  21

static void limit_sink_take(struct limit_loop *l, struct reader *r, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        size_t length = r->messages[i].msg_len;

        l->counts.received_bytes += length;
        l->counts.received += l->options.gro ? reader_datagrams(length, reader_segment(r, i)) : 1;
    }
    l->counts.batches++;
}

/* In place and of one width: a reader sees either the old or the new number. */
static void limit_sink_report(const struct limit_loop *l, int fd)
{
    char text[REPORT_BYTES + 1];

    (void)snprintf(text, sizeof(text), "%20llu\n", (unsigned long long)l->counts.received);
    if (pwrite(fd, text, REPORT_BYTES, 0) < 0)
        perror("udp-limit: --tell");
}

static int open_count_file(const struct limit_loop *l)
{
    int fd = open(l->options.tell, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd < 0)
        return -errno;
    limit_sink_report(l, fd);
    return fd;
}

static int limit_sink_run(struct limit_loop *l, struct reader *r, int count_fd)
{
    const struct timespec pause = clock_to_timespec(l->options.pause_us * NS_PER_US);
    uint64_t every = l->options.pause_us ? REPORT_SELDOM : REPORT_EVERY;
    uint64_t reported = 0;

    while (!limit_is_stopping()) {
        int n = reader_receive(r, l->in);

        if (n < 0)
            return n;
        if (n > 0)
            limit_sink_take(l, r, (unsigned)n);
        if (count_fd >= 0 && l->counts.received >= reported + (n ? every : 1)) {
            reported = l->counts.received;
            limit_sink_report(l, count_fd);
        }
        if (n == 0 && l->options.pause_us)
            (void)nanosleep(&pause, NULL);
    }
    return 0;
}

int limit_receive(struct limit_loop *l)
{
    struct reader r;
    int count_fd = -1;
    int rc = l->options.gro ? reader_init_merged(&r, l->in)
                            : reader_init(&r, BUFFER_BYTES, READER_PAYLOAD);

    if (!rc && l->options.tell) {
        count_fd = open_count_file(l);
        rc = count_fd < 0 ? count_fd : 0;
    }
    if (!rc)
        rc = limit_sink_run(l, &r, count_fd);
    if (count_fd >= 0) {
        limit_sink_report(l, count_fd);
        (void)close(count_fd);
    }
    reader_fini(&r);
    return rc;
}
