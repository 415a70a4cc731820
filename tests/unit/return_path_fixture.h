/* return_path_fixture: the socket of a worker, its return path, and requests through both. */
#ifndef RETURN_PATH_FIXTURE_H
#define RETURN_PATH_FIXTURE_H

#include <errno.h>
#include <netinet/in.h>

#include "headless/net/return_path.h"
#include "headless/net/transparent.h"
#include "namespace_fixture.h"

#define APP    "127.0.0.1:5353"
#define CLIENT "10.9.9.9:4444"

static inline struct address parse(const char *text)
{
    struct address address;

    cr_assert_eq(address_parse(text, 0, &address), 0);
    return address;
}

/* The socket of a worker, and its return path. */
struct way {
    struct address app;
    struct udp_socket socket;
    struct return_path path;
};

static inline int try_open(const char *app, struct way *way, char why[static RETURN_PATH_WHY_MAX])
{
    struct return_path_setup setup = {.app = parse(app), .port_count = 1, .clients_max = 10};

    way->app = setup.app;
    way->path.nft_fd = -1;
    cr_assert_eq(udp_open_transparent(&way->app, 0, &way->socket), 0);
    setup.ports = &way->socket.local.port;
    return return_path_open(&setup, &way->path, why);
}

static inline void open_way(const char *app, struct way *way)
{
    char why[RETURN_PATH_WHY_MAX];

    cr_assert_eq(try_open(app, way, why), 0, "%s", why);
    cr_assert_str_empty(why);
}

static inline void close_way(struct way *way)
{
    return_path_close(&way->path);
    udp_close(&way->socket);
}

static inline int send_request(const struct way *way, const struct address *client, size_t bytes)
{
    const struct address to = address_with_port(way->app, client->port);
    static const char payload[UDP_PAYLOAD_MAX];

    return udp_send_one(&way->socket, &to, client, payload, bytes);
}

/* The app, and a return path to it that a client is announced on. The app waits 5 s for a request. */
static inline void open_way_and_app(const char *app_text, const struct address *client,
                                    struct way *way, struct udp_socket *app)
{
    const struct udp_options options = {.receive_timeout_ns = UINT64_C(5000000000)};

    open_way(app_text, way);
    cr_assert_eq(udp_open(&way->app, &options, app), 0);
    udp_transparent_announce(&way->socket, client, &way->app, true);
}

/* The reply: it comes to the client's address, from the client's port at the app's address. */
static inline void expect_reply(const struct way *way, const struct address *client, size_t bytes)
{
    struct address peer, expected = address_with_port(way->app, client->port);
    static char payload[UDP_PAYLOAD_MAX];
    struct sockaddr_storage sa;
    socklen_t length = sizeof(sa);

    cr_expect_eq(
        recvfrom(way->socket.fd, payload, sizeof(payload), 0, (struct sockaddr *)&sa, &length),
        (ssize_t)bytes);
    address_from_sockaddr((struct sockaddr *)&sa, &peer);
    cr_expect(address_equal(&peer, &expected));
}

/* A request to a closed port: the error names the client. */
static inline void expect_refusal(const struct way *way, const struct address *client)
{
    struct udp_failure failure;

    cr_assert_eq(send_request(way, client, 5), 0);
    cr_assert(udp_take_error(way->socket.fd, &failure));
    cr_expect_eq(failure.error, ECONNREFUSED);
    cr_expect(address_equal_ip(&failure.from, client));
    cr_expect_eq(failure.to.port, client->port);
    cr_expect(address_equal_ip(&failure.to, &way->app));
}

#endif
