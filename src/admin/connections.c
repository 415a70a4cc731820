#include "headless/admin/connections.h"

#include <sys/socket.h>

#include "headless/base/clock.h"

#define SHED_LINE_NS (10 * NS_PER_SEC)

static const size_t rooms[CONNECTION_CLASS_COUNT] = {
    [CONNECTION_ASKING] = CONNECTIONS_ASKING,
    [CONNECTION_ANSWERED] = CONNECTIONS_ANSWERED,
    [CONNECTION_STREAM] = CONNECTIONS_MAX, /* events.c has a limit of its own */
    [CONNECTION_GOING] = CONNECTIONS_MAX,
};

/* 0: as long as it likes. */
static const uint64_t limits_ns[CONNECTION_CLASS_COUNT] = {
    [CONNECTION_ASKING] = CONNECTIONS_ASKING_NS,
    [CONNECTION_ANSWERED] = CONNECTIONS_ANSWERED_NS,
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

/* How many of its class are of its address. */
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

/* Of the address with the most, the oldest; all of one each, the oldest. Never the newest of two.
 */
static struct connection *choose(struct connections *connections, enum connection_class class)
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

static void say_shed(struct connections *connections, const struct connection *connection,
                     uint64_t now_ns)
{
    char text[ADDRESS_TEXT_MAX];
    uint64_t suppressed;

    if (!log_limit_pass(&connections->shed_lines, LOG_LEVEL_WARN, now_ns, &suppressed))
        return;
    log_warn("admin_crowded",
             "too many connections to admin.listen: closed one of %s, which %s (and %llu others "
             "since the last such line); a NetworkPolicy keeps strangers away",
             address_format_ip(&connection->client, text),
             connection->class == CONNECTION_ASKING ? "sent no whole request"
                                                    : "did not read its answer",
             (unsigned long long)suppressed);
}

/* libmicrohttpd is told by epoll that it has ended, and closes it: in its next turn, not in this
 * call, in which it may be at work on any of them. */
static void shut(struct connections *connections, struct connection *connection, uint64_t now_ns)
{
    (void)shutdown(connection->fd, SHUT_RDWR);
    set_class(connections, connection, CONNECTION_GOING, now_ns);
}

/* True: one had to go, and was this. Its line comes without the lock: standard error may block. */
static bool make_room(struct connections *connections, enum connection_class class, uint64_t now_ns,
                      struct connection *ret_gone)
{
    struct connection *connection;

    if (connections->count[class] <= rooms[class])
        return false;
    connection = choose(connections, class);
    if (!connection)
        return false;
    *ret_gone = *connection;
    shut(connections, connection, now_ns);
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
    struct connection *connection, gone;
    bool is_crowded = false;

    (void)pthread_mutex_lock(&connections->lock);
    connection = find_free(connections);
    if (connection) {
        connection->fd = fd;
        connection->client = *client;
        set_class(connections, connection, CONNECTION_ASKING, now_ns);
        is_crowded = make_room(connections, CONNECTION_ASKING, now_ns, &gone);
    }
    (void)pthread_mutex_unlock(&connections->lock);
    if (is_crowded)
        say_shed(connections, &gone, now_ns);
    return connection;
}

void connections_move(struct connections *connections, struct connection *connection,
                      enum connection_class class, uint64_t now_ns)
{
    struct connection gone;
    bool is_crowded = false;

    if (!connection)
        return;
    (void)pthread_mutex_lock(&connections->lock);
    if (connection->class != class && connection->class != CONNECTION_GOING) {
        set_class(connections, connection, class, now_ns);
        is_crowded = make_room(connections, class, now_ns, &gone);
    }
    (void)pthread_mutex_unlock(&connections->lock);
    if (is_crowded)
        say_shed(connections, &gone, now_ns);
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
        shut(connections, connection, now_ns);
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
