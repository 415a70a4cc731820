/*
 * http_look: one HTTP GET, for tests that poll (starting curl and awk costs ten times more).
 *
 *   http_look ADDRESS:PORT PATH [METRIC...]
 *
 * Prints the body, or, with METRICs (name and labels as they stand in Prometheus' text), their
 * values in one line; "missing" for an absent one. Exit code: 0 if the status is 200.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "headless/base/address.h"

#define ANSWER_MAX (1 << 18)

/* Connect, send the request, read to the end. Returns the number of bytes, or -1. */
static ssize_t get(const struct address *to, const char *path, char out[static ANSWER_MAX])
{
    const struct timeval patience = {.tv_sec = 10};
    struct sockaddr_storage sa;
    int family = to->family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    socklen_t sa_length = address_to_sockaddr(to, family, &sa);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    size_t length = 0;
    ssize_t n;

    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)); /* connect's, too */
    if (fd < 0 || connect(fd, (struct sockaddr *)&sa, sa_length) < 0 ||
        dprintf(fd, "GET %s HTTP/1.1\r\nHost: pod\r\nConnection: close\r\n\r\n", path) < 0)
        return -1;
    while (length < ANSWER_MAX - 1 && (n = read(fd, out + length, ANSWER_MAX - 1 - length)) > 0)
        length += (size_t)n;
    (void)close(fd);
    out[length] = '\0';
    return (ssize_t)length;
}

static void print_metric(const char *body, const char *name)
{
    size_t length = strlen(name);
    const char *line = body;

    while (line && !(strncmp(line, name, length) == 0 && line[length] == ' ')) {
        line = strchr(line, '\n');
        line = line ? line + 1 : NULL;
    }
    if (line)
        (void)printf("%.*s", (int)strcspn(line + length + 1, "\n"), line + length + 1);
    else
        (void)printf("missing");
}

int main(int argc, char **argv)
{
    static char reply[ANSWER_MAX];
    struct address to;
    const char *body;

    if (argc < 3 || address_parse(argv[1], 80, &to)) {
        (void)fputs("usage: http_look ADDRESS:PORT PATH [METRIC...]\n", stderr);
        return 2;
    }
    if (get(&to, argv[2], reply) < 0 || strncmp(reply, "HTTP/1.1 200 ", 13) != 0)
        return 1;
    body = strstr(reply, "\r\n\r\n");
    if (!body)
        return 1;
    body += 4;
    if (argc == 3)
        (void)fputs(body, stdout);
    for (int i = 3; i < argc; i++) {
        print_metric(body, argv[i]);
        (void)putchar(i + 1 < argc ? ' ' : '\n');
    }
    return 0;
}
