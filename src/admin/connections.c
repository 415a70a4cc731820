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

void connections_init(struct connections *connections)
{
    *connections = (struct connections){.count[CONNECTION_FREE] = CONNECTIONS_MAX,
                                        .shed_lines.period_ns = SHED_LINE_NS};
}

static void set_class(struct connections *connections, struct connection *connection,
                      enum connection_class class)
{
    connections->count[connection->class]--;
    connections->count[class]++;
    connection->class = class;
    connection->number = connections->arrivals++;
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

static void say_shed(struct connections *connections, const struct connection *connection)
{
    char text[ADDRESS_TEXT_MAX];
    uint64_t suppressed;

    if (!log_limit_pass(&connections->shed_lines, clock_now_ns(), &suppressed))
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
static void make_room(struct connections *connections, enum connection_class class)
{
    struct connection *connection;

    if (connections->count[class] <= rooms[class])
        return;
    connection = choose(connections, class);
    if (!connection)
        return;
    say_shed(connections, connection);
    (void)shutdown(connection->fd, SHUT_RDWR);
    set_class(connections, connection, CONNECTION_GOING);
    connections->shed++;
}

struct connection *connections_enter(struct connections *connections, int fd,
                                     const struct address *client)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *connection = &connections->all[i];

        if (connection->class != CONNECTION_FREE)
            continue;
        connection->fd = fd;
        connection->client = *client;
        set_class(connections, connection, CONNECTION_ASKING);
        make_room(connections, CONNECTION_ASKING);
        return connection;
    }
    return NULL;
}

void connections_move(struct connections *connections, struct connection *connection,
                      enum connection_class class)
{
    if (!connection || connection->class == class || connection->class == CONNECTION_GOING)
        return;
    set_class(connections, connection, class);
    make_room(connections, class);
}

void connections_leave(struct connections *connections, struct connection *connection)
{
    if (connection)
        set_class(connections, connection, CONNECTION_FREE);
}

size_t connections_count(const struct connections *connections)
{
    size_t count = 0;

    for (size_t class = CONNECTION_ASKING; class < CONNECTION_CLASS_COUNT; class ++)
        count += connections->count[class];
    return count;
}
