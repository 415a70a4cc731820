/*
 * notify_listen: stands in for the service manager: receives the messages at NOTIFY_SOCKET.
 *
 *   notify_listen PATH|@NAME
 *
 * Writes "listening" to standard error, then each datagram as a line of standard output, with
 * spaces for its line breaks, until a signal ends it.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    size_t length = argc == 2 ? strlen(argv[1]) : 0;
    char text[4096];
    ssize_t n;

    if (length == 0 || length >= sizeof(address.sun_path))
        return 2;
    memcpy(address.sun_path, argv[1], length);
    if (address.sun_path[0] == '@')
        address.sun_path[0] = '\0';
    if (fd < 0 || bind(fd, (struct sockaddr *)&address,
                       (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0) {
        perror(argv[1]);
        return 1;
    }
    (void)fputs("listening\n", stderr);
    while ((n = recv(fd, text, sizeof(text) - 1, 0)) >= 0) {
        text[n] = '\0';
        for (char *c = text; *c; c++)
            *c = (char)(*c == '\n' ? ' ' : *c);
        (void)puts(text);
        (void)fflush(stdout);
    }
    return 1;
}
