#include "net/policy_route.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <unistd.h>

#include "net/netlink.h"

/* Rules of our table. */
struct found_rules {
    uint32_t table;
    size_t count;
    bool has_strangers;
    struct netlink_request deletions;
};

static int family_of(const struct policy_route *policy)
{
    return policy->app.family == ADDRESS_V6 ? AF_INET6 : AF_INET;
}

static size_t policy_address_bytes(const struct policy_route *policy)
{
    return policy->app.family == ADDRESS_V6 ? 16 : 4;
}

/* ---- rules ---- */

static struct fib_rule_hdr rule_header(const struct policy_route *policy)
{
    return (struct fib_rule_hdr){.family = (uint8_t)family_of(policy), .action = FR_ACT_TO_TBL};
}

static void begin_rule(struct netlink_request *request, const struct policy_route *policy,
                       const struct fib_rule_hdr *header)
{
    const uint8_t protocol = POLICY_PROTOCOL;

    netlink_begin(request, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, header,
                  sizeof(*header));
    netlink_put_u32(request, FRA_PRIORITY, POLICY_PRIORITY);
    netlink_put_u32(request, FRA_TABLE, policy->table);
    netlink_put(request, FRA_PROTOCOL, &protocol, sizeof(protocol));
    /* Sent by this host: a datagram of the network must not be taken for one of the app. */
    netlink_put_text(request, FRA_IIFNAME, "lo");
}

/* port 0: every one, or the protocol has none. */
static int add_source_rule(int fd, const struct policy_route *policy, uint8_t protocol,
                           uint16_t port)
{
    const struct fib_rule_port_range range = {.start = port, .end = port};
    struct netlink_request request = {.used = 0};
    struct fib_rule_hdr header = rule_header(policy);

    header.src_len = (uint8_t)(8 * policy_address_bytes(policy));
    begin_rule(&request, policy, &header);
    netlink_put(&request, FRA_SRC, policy->app.ip, policy_address_bytes(policy));
    netlink_put(&request, FRA_IP_PROTO, &protocol, sizeof(protocol));
    if (port)
        netlink_put(&request, FRA_SPORT_RANGE, &range, sizeof(range));
    if (!address_is_loopback(&policy->app))
        netlink_put_text(&request, FRA_OIFNAME, "lo");
    return netlink_ask(fd, &request);
}

static int add_mark_rule(int fd, const struct policy_route *policy)
{
    struct netlink_request request = {.used = 0};
    const struct fib_rule_hdr header = rule_header(policy);

    begin_rule(&request, policy, &header);
    netlink_put_u32(&request, FRA_FWMARK, policy->mark);
    return netlink_ask(fd, &request);
}

static int install_rules(int fd, const struct policy_route *policy)
{
    uint8_t icmp = policy->app.family == ADDRESS_V6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
    int rc = add_source_rule(fd, policy, IPPROTO_UDP, policy->app.port);

    if (!rc && address_is_loopback(&policy->app)) /* its refusals */
        rc = add_source_rule(fd, policy, icmp, 0);
    if (!rc)
        rc = add_mark_rule(fd, policy);
    return rc;
}

/* A rule is deleted by a message like that which the kernel lists. One request has them all. */
static void note_rule(void *context, const struct nlmsghdr *message)
{
    struct found_rules *found = context;
    const uint32_t *table =
        netlink_find(message, sizeof(struct fib_rule_hdr), FRA_TABLE, sizeof(*table));
    const uint8_t *protocol =
        netlink_find(message, sizeof(struct fib_rule_hdr), FRA_PROTOCOL, sizeof(*protocol));

    if (message->nlmsg_type != RTM_NEWRULE || !table ||
        memcmp(table, &found->table, sizeof(*table)) != 0)
        return;
    if (!protocol || *protocol != POLICY_PROTOCOL) {
        found->has_strangers = true;
        return;
    }
    found->count++;
    netlink_begin(&found->deletions, RTM_DELRULE, NLM_F_ACK,
                  (const uint8_t *)message + NLMSG_HDRLEN, message->nlmsg_len - NLMSG_HDRLEN);
}

static int delete_own_rules(int fd, const struct policy_route *policy)
{
    const struct fib_rule_hdr header = {.family = (uint8_t)family_of(policy)};
    struct found_rules found = {.table = policy->table};
    struct netlink_request request = {.used = 0};
    int rc;

    netlink_begin(&request, RTM_GETRULE, NLM_F_DUMP, &header, sizeof(header));
    rc = netlink_dump(fd, &request, note_rule, &found);
    if (!rc && found.has_strangers)
        rc = -EEXIST;
    if (!rc && found.count)
        rc = netlink_ask(fd, &found.deletions);
    return rc;
}

/* ---- the route ---- */

struct found_routes {
    uint32_t table;
    bool has_strangers;
};

static void note_route(void *context, const struct nlmsghdr *message)
{
    struct found_routes *found = context;
    struct rtmsg route = {0};
    const uint32_t *table = netlink_find(message, sizeof(struct rtmsg), RTA_TABLE, sizeof(*table));

    if (message->nlmsg_len >= NLMSG_LENGTH(sizeof(route)))
        memcpy(&route, (const uint8_t *)message + NLMSG_HDRLEN, sizeof(route));
    if (message->nlmsg_type == RTM_NEWROUTE && table &&
        memcmp(table, &found->table, sizeof(*table)) == 0 && route.rtm_protocol != POLICY_PROTOCOL)
        found->has_strangers = true;
}

static int find_other_routes(int fd, const struct policy_route *policy)
{
    const struct rtmsg header = {.rtm_family = (uint8_t)family_of(policy)};
    struct found_routes found = {.table = policy->table};
    struct netlink_request request = {.used = 0};
    int rc;

    netlink_begin(&request, RTM_GETROUTE, NLM_F_DUMP, &header, sizeof(header));
    rc = netlink_dump(fd, &request, note_route, &found);
    return !rc && found.has_strangers ? -EEXIST : rc;
}

static int set_route(int fd, const struct policy_route *policy)
{
    const struct rtmsg header = {.rtm_family = (uint8_t)family_of(policy),
                                 .rtm_table = RT_TABLE_UNSPEC, /* RTA_TABLE: has 32 bits */
                                 .rtm_protocol = POLICY_PROTOCOL,
                                 .rtm_scope = RT_SCOPE_HOST,
                                 .rtm_type = RTN_LOCAL};
    const uint32_t loopback_index = 1; /* in every network namespace (LOOPBACK_IFINDEX) */
    struct netlink_request request = {.used = 0};

    netlink_begin(&request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, &header,
                  sizeof(header));
    netlink_put_u32(&request, RTA_TABLE, policy->table);
    netlink_put_u32(&request, RTA_OIF, loopback_index);
    return netlink_ask(fd, &request);
}

int policy_route_install(const struct policy_route *policy)
{
    int fd = netlink_open(NETLINK_ROUTE), rc;

    if (fd < 0)
        return fd;
    rc = find_other_routes(fd, policy);
    if (!rc)
        rc = delete_own_rules(fd, policy);
    if (!rc)
        rc = set_route(fd, policy);
    if (!rc)
        rc = install_rules(fd, policy);
    (void)close(fd);
    return rc;
}
