/*
 * Server-sent events: the "data:" line of each event, because a pod's data is one line. Ids, names and
 * comments are ignored; a comment arrives every 15 s while the pod is alive.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "headless/ctl/ctl.h"

#define SILENCE_SECONDS 40 /* more than two keep-alives */

static void show_event(const struct ctl_options *options, const char *data)
{
    struct json_object *document = json_tokener_parse(data);

    if (!document || !strchr(data, '\n')) { /* the stream was cut off */
        (void)json_object_put(document);
        return;
    }
    if (options->json)
        (void)fputs(data, stdout);
    else
        ctl_show_event(stdout, document, time(NULL));
    (void)fflush(stdout);
    (void)json_object_put(document);
}

/* Reads the header. Returns the HTTP status; 0: it is no header. */
static unsigned long read_header(FILE *in, char **line, size_t *room)
{
    const size_t version = strlen("HTTP/1.x ");
    unsigned long status;

    if (getline(line, room, in) < (ssize_t)version || strncmp(*line, "HTTP/1.", 7) != 0)
        return 0;
    status = strtoul(*line + version, NULL, 10);
    while (getline(line, room, in) > 0) {
        if (strcmp(*line, "\r\n") == 0)
            return status;
    }
    return 0;
}

/* Follows the stream to its end, and prints the reason of the end. */
static void follow_stream(FILE *in, const struct ctl_options *options)
{
    static const char data[] = "data: ";
    char *line = NULL;
    size_t room = 0;
    unsigned long status = read_header(in, &line, &room);

    errno = 0;
    while (status && getline(&line, &room, in) > 0) {
        if (status != 200)
            (void)fprintf(stderr, "headlessctl: the pod returned status %lu: %s", status, line);
        else if (strncmp(line, data, strlen(data)) == 0)
            show_event(options, line + strlen(data));
    }
    if (!status)
        (void)fputs("headlessctl: the response is not one of headlessd\n", stderr);
    else if (status == 200)
        (void)fprintf(stderr, "headlessctl: %s\n",
                      feof(in)          ? "the pod has ended the stream"
                      : errno == EAGAIN ? "no data from the pod for 40 s"
                                        : strerror(errno));
    free(line);
}

int ctl_follow(const struct ctl_options *options, const char *path)
{
    const struct timeval limit = {.tv_sec = SILENCE_SECONDS};
    int fd, rc = ctl_get_open(options, path, &fd);
    FILE *in;

    if (rc)
        return rc;
    if (fcntl(fd, F_SETFL, 0) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
        !(in = fdopen(fd, "r"))) {
        rc = -errno;
        (void)close(fd);
        return rc;
    }
    follow_stream(in, options);
    (void)fclose(in);
    return 0;
}
