/*
 * An HTTP client for one GET, without libcurl: HTTP/1.0 without redirects, TLS, proxies or chunks is a
 * few lines, and a tool that is copied into small images should not bring thirty libraries.
 */
#include <ctype.h>
#include <errno.h>
#include <json-c/json.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "headless/ctl/ctl.h"

#define ADMIN_PORT   8080
#define ADMIN_PRESET "127.0.0.1:8080"
#define TOTAL_NS     (5 * NS_PER_SEC)
#define RESPONSE_MAX ((size_t)1 << 20)

static int wait_for(int fd, short events, uint64_t deadline_ns)
{
    struct pollfd poller = {.fd = fd, .events = events};
    uint64_t now_ns = clock_now_ns();
    int n;

    if (now_ns >= deadline_ns)
        return -ETIMEDOUT;
    n = poll(&poller, 1, (int)((deadline_ns - now_ns) / NS_PER_MS) + 1);
    if (n < 0 && errno != EINTR)
        return -errno;
    return n == 0 ? -ETIMEDOUT : 0;
}

static int finish_connect(int fd, uint64_t deadline_ns)
{
    int error = 0;
    socklen_t length = sizeof(error);
    int rc = wait_for(fd, POLLOUT, deadline_ns);

    if (!rc && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
        rc = -errno;
    return rc ? rc : -error;
}

static int open_connection(const struct address *to, uint64_t deadline_ns, int *ret_fd)
{
    int family = to->family == ADDRESS_V4 ? AF_INET : AF_INET6;
    struct sockaddr_storage sa;
    socklen_t length = address_to_sockaddr(to, family, &sa);
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int rc = 0;

    if (fd < 0)
        return -errno;
    if (connect(fd, (struct sockaddr *)&sa, length) < 0)
        rc = errno == EINPROGRESS ? finish_connect(fd, deadline_ns) : -errno;
    if (rc) {
        (void)close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

/* Reads until the server closes, which it does after one response. */
static int read_to_end(int fd, uint64_t deadline_ns, char *text)
{
    size_t length = 0;

    for (;;) {
        ssize_t n = recv(fd, text + length, RESPONSE_MAX - length, 0);
        int rc = 0;

        if (n == 0)
            break;
        if (n > 0)
            length += (size_t)n;
        else if (errno == EAGAIN || errno == EINTR)
            rc = wait_for(fd, POLLIN, deadline_ns);
        else
            rc = -errno;
        if (!rc && length == RESPONSE_MAX)
            rc = -EFBIG;
        if (rc)
            return rc;
    }
    text[length] = '\0';
    return 0;
}

static int read_response(int fd, uint64_t deadline_ns, struct ctl_response *ret_response)
{
    char *text = malloc(RESPONSE_MAX + 1);
    int rc;

    if (!text)
        return -ENOMEM;
    rc = read_to_end(fd, deadline_ns, text);
    if (!rc)
        rc = ctl_response_parse(text, ret_response);
    if (rc)
        free(text);
    return rc;
}

int ctl_response_parse(char *text, struct ctl_response *ret_response)
{
    const char *code = text + strlen("HTTP/1.x ");
    const char *body = strstr(text, "\r\n\r\n");

    if (strncmp(text, "HTTP/1.", 7) != 0 || !body || body < code + 3)
        return -EPROTO;
    if (!isdigit((unsigned char)code[0]) || !isdigit((unsigned char)code[1]) ||
        !isdigit((unsigned char)code[2]))
        return -EPROTO;
    ret_response->status = (unsigned)strtoul(code, NULL, 10);
    ret_response->text = text;
    ret_response->body = body + 4;
    return 0;
}

/* ret_fd: the connection on which the response arrives. */
static int send_get(const struct address *to, const char *path, uint64_t deadline_ns, int *ret_fd)
{
    char request[256], host[ADDRESS_TEXT_MAX];
    int length = snprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: %s\r\n\r\n", path,
                          address_format(to, host));
    int fd = -1;
    int rc = open_connection(to, deadline_ns, &fd);

    if (rc)
        return rc;
    /* A new connection's send buffer has room for all of it. */
    if (send(fd, request, (size_t)length, MSG_NOSIGNAL) != length) {
        (void)close(fd);
        return -EIO;
    }
    *ret_fd = fd;
    return 0;
}

const char *ctl_admin(const struct ctl_options *options)
{
    const char *variable = getenv("HEADLESSD_ADMIN_LISTEN");

    if (options->admin)
        return options->admin;
    return variable && *variable ? variable : ADMIN_PRESET;
}

int ctl_find_admin(const struct ctl_options *options, struct ctl_addresses *ret_addresses)
{
    const char *where = ctl_admin(options);

    *ret_addresses = (struct ctl_addresses){0};
    if (strcmp(where, "none") == 0 || strcmp(where, "off") == 0) {
        (void)fprintf(stderr, "headlessctl: HEADLESSD_ADMIN_LISTEN says that the pod has no admin "
                              "port; --admin names another\n");
        return -EINVAL;
    }
    return ctl_resolve(where, ADMIN_PORT, SIZE_MAX, ret_addresses);
}

/* The first address that responds. response NULL: the caller reads it from ret_fd. */
static int get_from(const struct ctl_addresses *addresses, const char *path, uint64_t limit_ns,
                    struct ctl_response *response, int *ret_fd)
{
    const uint64_t deadline_ns = clock_now_ns() + limit_ns;
    int rc = -EADDRNOTAVAIL;

    for (size_t i = 0; rc && i < addresses->count; i++) {
        rc = send_get(&addresses->list[i], path, deadline_ns, ret_fd);
        if (!rc && response) {
            rc = read_response(*ret_fd, deadline_ns, response);
            (void)close(*ret_fd);
        }
    }
    return rc;
}

int ctl_get_from(const struct ctl_addresses *addresses, const char *path, uint64_t limit_ns,
                 struct ctl_response *ret_response)
{
    int fd = -1;

    return get_from(addresses, path, limit_ns, ret_response, &fd);
}

/* Writes errors. */
static int get_from_admin(const struct ctl_options *options, const char *path,
                          struct ctl_response *response, int *ret_fd)
{
    struct ctl_addresses addresses;
    int rc = ctl_find_admin(options, &addresses);

    if (rc)
        return rc;
    rc = get_from(&addresses, path, TOTAL_NS, response, ret_fd);
    if (rc)
        (void)fprintf(stderr,
                      "headlessctl: no response from the admin port at %s: %s; set the address "
                      "with --admin\n",
                      ctl_admin(options), strerror(-rc));
    return rc;
}

int ctl_get(const struct ctl_options *options, const char *path, struct ctl_response *ret_response)
{
    int fd = -1;

    return get_from_admin(options, path, ret_response, &fd);
}

int ctl_get_json(const struct ctl_options *options, const char *path,
                 struct json_object **ret_document)
{
    struct json_object *json;
    struct ctl_response response;
    int rc = ctl_get(options, path, &response);

    if (rc)
        return rc == -EINVAL ? CTL_USAGE : CTL_NO;
    json = json_tokener_parse(response.body);
    rc = response.status == 200 && json_object_is_type(json, json_type_object) ? CTL_OK : CTL_NO;
    if (rc) {
        (void)fprintf(stderr, "headlessctl: %s returned status %u, which headlessd does not send\n",
                      path, response.status);
        (void)json_object_put(json);
    } else {
        *ret_document = json;
    }
    free(response.text);
    return rc;
}

int ctl_get_open(const struct ctl_options *options, const char *path, int *ret_fd)
{
    return get_from_admin(options, path, NULL, ret_fd);
}
