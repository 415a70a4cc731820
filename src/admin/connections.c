#include "headless/admin/connections.h"

#include <sys/socket.h>

#include "headless/base/clock.h"

#define SHED_LINE_NS (10 * NS_PER_SEC)

static const size_t limits[CONNECTION_CLASS_COUNT] = {
    [CONNECTION_REQUESTING] = CONNECTIONS_REQUESTING,
    [CONNECTION_RESPONDING] = CONNECTIONS_RESPONDING,
    [CONNECTION_STREAM] = CONNECTIONS_MAX, /* events.c has a limit of its own */
    [CONNECTION_CLOSING] = CONNECTIONS_MAX,
};

/* 0: no limit. */
static const uint64_t limits_ns[CONNECTION_CLASS_COUNT] = {
    [CONNECTION_REQUESTING] = CONNECTIONS_REQUESTING_NS,
    [CONNECTION_RESPONDING] = CONNECTIONS_RESPONDING_NS,
};

void connections_init(struct connections *connections)
{
    *connections = (struct connections){.count[CONNECTION_FREE] = CONNECTIONS_MAX,
                                        .shed_lines.period_ns = SHED_LINE_NS};
    (void)pthread_mutex_init(&connections->lock, NULL);
}

static void set_class(struct connections *connections, struct connection *connection,
                      enum connection_class class, uint64_t now_ns)
{
    connections->count[connection->class]--;
    connections->count[class]++;
    connection->class = class;
    connection->number = connections->arrivals++;
    connection->since_ns = now_ns;
}

/* The number of connections of its class that have its address. */
static size_t weigh(const struct connections *connections, const struct connection *connection)
{
    size_t weight = 0;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        const struct connection *other = &connections->all[i];

        weight += other->class == connection->class &&
                  address_equal_ip(&other->client, &connection->client);
    }
    return weight;
}

/* The oldest of the address with the most connections; among equals the oldest of all. */
static struct connection *choose_connection(struct connections *connections,
                                            enum connection_class class)
{
    struct connection *chosen = NULL;
    size_t most = 0;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &connections->all[i];
        size_t weight;

        if (connection->class != class)
            continue;
        weight = weigh(connections, connection);
        if (chosen && (weight < most || (weight == most && connection->number > chosen->number)))
            continue;
        chosen = connection;
        most = weight;
    }
    return chosen;
}

static void warn_shed(struct connections *connections, const struct connection *connection,
                      uint64_t now_ns)
{
    char text[ADDRESS_TEXT_MAX];
    uint64_t suppressed;

    if (!log_limit_pass(&connections->shed_lines, LOG_LEVEL_WARN, now_ns, &suppressed))
        return;
    log_warn("admin_crowded",
             "too many connections to admin.listen: closed one of %s, which %s (and %llu others "
             "since the last such line); restrict access with a NetworkPolicy",
             address_format_ip(&connection->client, text),
             connection->class == CONNECTION_REQUESTING ? "sent no complete request"
                                                        : "did not read its response",
             (unsigned long long)suppressed);
}

/* Only shut down: libmicrohttpd closes it in its next turn, after epoll reports its end. During this
 * call it may be working on any connection. */
static void close_later(struct connections *connections, struct connection *connection,
                        uint64_t now_ns)
{
    (void)shutdown(connection->fd, SHUT_RDWR);
    set_class(connections, connection, CONNECTION_CLOSING, now_ns);
}

/* True: *ret_closed was closed. The caller logs it after the lock, because standard error may
 * block. */
static bool shed_connection(struct connections *connections, enum connection_class class,
                            uint64_t now_ns, struct connection *ret_closed)
{
    struct connection *connection;

    if (connections->count[class] <= limits[class])
        return false;
    connection = choose_connection(connections, class);
    if (!connection)
        return false;
    *ret_closed = *connection;
    close_later(connections, connection, now_ns);
    connections->shed++;
    return true;
}

static struct connection *find_free(struct connections *connections)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (connections->all[i].class == CONNECTION_FREE)
            return &connections->all[i];
    }
    return NULL;
}

struct connection *connections_enter(struct connections *connections, int fd,
                                     const struct address *client, uint64_t now_ns)
{
    struct connection *connection, closed;
    bool is_crowded = false;

    (void)pthread_mutex_lock(&connections->lock);
    connection = find_free(connections);
    if (connection) {
        connection->fd = fd;
        connection->client = *client;
        set_class(connections, connection, CONNECTION_REQUESTING, now_ns);
        is_crowded = shed_connection(connections, CONNECTION_REQUESTING, now_ns, &closed);
    }
    (void)pthread_mutex_unlock(&connections->lock);
    if (is_crowded)
        warn_shed(connections, &closed, now_ns);
    return connection;
}

void connections_move(struct connections *connections, struct connection *connection,
                      enum connection_class class, uint64_t now_ns)
{
    struct connection closed;
    bool is_crowded = false;

    if (!connection)
        return;
    (void)pthread_mutex_lock(&connections->lock);
    if (connection->class != class && connection->class != CONNECTION_CLOSING) {
        set_class(connections, connection, class, now_ns);
        is_crowded = shed_connection(connections, class, now_ns, &closed);
    }
    (void)pthread_mutex_unlock(&connections->lock);
    if (is_crowded)
        warn_shed(connections, &closed, now_ns);
}

void connections_leave(struct connections *connections, struct connection *connection)
{
    if (!connection)
        return;
    (void)pthread_mutex_lock(&connections->lock);
    set_class(connections, connection, CONNECTION_FREE, 0);
    (void)pthread_mutex_unlock(&connections->lock);
}

void connections_expire(struct connections *connections, uint64_t now_ns)
{
    (void)pthread_mutex_lock(&connections->lock);
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &connections->all[i];
        uint64_t limit_ns = limits_ns[connection->class];

        if (limit_ns == 0 || now_ns < connection->since_ns + limit_ns)
            continue;
        close_later(connections, connection, now_ns);
        connections->expired++;
    }
    (void)pthread_mutex_unlock(&connections->lock);
}

struct connection_counts connections_read(struct connections *connections)
{
    struct connection_counts counts;

    (void)pthread_mutex_lock(&connections->lock);
    counts =
        (struct connection_counts){.open = CONNECTIONS_MAX - connections->count[CONNECTION_FREE],
                                   .shed = connections->shed,
                                   .expired = connections->expired};
    (void)pthread_mutex_unlock(&connections->lock);
    return counts;
}
