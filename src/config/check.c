/* Rules between options: one row each. A rule is checked if each of its options is valid. */
#include <stdio.h>
#include <string.h>

#include "headless/base/clock.h"
#include "loader.h"

#define CHECK_OPTIONS 5
#define DETECTION_MAX (60 * NS_PER_SEC)

struct check {
    const char *options[CHECK_OPTIONS]; /* the error names the one from the strongest source */
    /* True when the rule is broken; why then tells. */
    bool (*broken)(const struct config *config, char why[static VALUE_WHY_MAX]);
};

static bool same_ports(const char *a, unsigned port_a, const char *b, unsigned port_b, char *why)
{
    if (port_a == port_b)
        (void)snprintf(why, VALUE_WHY_MAX, "%s and %s are both %u", a, b, port_a);
    return port_a == port_b;
}

static bool data_is_relay(const struct config *c, char why[static VALUE_WHY_MAX])
{
    return same_ports("data.port", c->data_port, "relay.port", c->relay_port, why);
}

static bool data_is_peer(const struct config *c, char why[static VALUE_WHY_MAX])
{
    return same_ports("data.port", c->data_port, "peer.port", c->peer_port, why);
}

static bool relay_is_peer(const struct config *c, char why[static VALUE_WHY_MAX])
{
    return same_ports("relay.port", c->relay_port, "peer.port", c->peer_port, why);
}

static bool self_is_not_unicast(const struct config *c, char why[static VALUE_WHY_MAX])
{
    char text[ADDRESS_TEXT_MAX];

    if (value_is_unicast(&c->self))
        return false;
    (void)value_refuse(why, address_format_ip(&c->self, text), "is not the address of one machine");
    return true;
}

static bool bind_is_multicast(const struct config *c, char why[static VALUE_WHY_MAX])
{
    char text[ADDRESS_TEXT_MAX];

    if (!address_is_multicast(&c->bind) && !address_is_broadcast(&c->bind))
        return false;
    (void)value_refuse(why, address_format_ip(&c->bind, text), "cannot be bound");
    return true;
}

static bool admin_is_multicast(const struct config *c, char why[static VALUE_WHY_MAX])
{
    char text[ADDRESS_TEXT_MAX];

    if (!address_is_multicast(&c->admin_listen) && !address_is_broadcast(&c->admin_listen))
        return false;
    (void)value_refuse(why, address_format(&c->admin_listen, text), "cannot be bound");
    return true;
}

/* The IPv6 wildcard receives IPv4 as well. */
static bool bind_misses_self(const struct config *c, char why[static VALUE_WHY_MAX])
{
    char bind[ADDRESS_TEXT_MAX], self[ADDRESS_TEXT_MAX];

    if (c->bind.family == c->self.family ||
        (c->bind.family == ADDRESS_V6 && address_is_any(&c->bind)))
        return false;
    (void)snprintf(why, VALUE_WHY_MAX, "bind %s and self %s are of different address families",
                   address_format_ip(&c->bind, bind), address_format_ip(&c->self, self));
    return true;
}

static bool peers_miss_self(const struct config *c, char why[static VALUE_WHY_MAX])
{
    char peer[ADDRESS_TEXT_MAX], self[ADDRESS_TEXT_MAX];

    for (size_t i = 0; i < c->peers.count; i++) {
        if (c->peers.list[i].address.family == c->self.family)
            continue;
        (void)snprintf(why, VALUE_WHY_MAX, "peer %s and self %s are of different address families",
                       address_format_ip(&c->peers.list[i].address, peer),
                       address_format_ip(&c->self, self));
        return true;
    }
    return false;
}

/* A name that is an address must be ours, or "leader: 10.0.0.2" would name two pods. */
static bool name_is_foreign(const struct config *c, char why[static VALUE_WHY_MAX])
{
    char self[ADDRESS_TEXT_MAX];
    struct address a;

    if (address_parse_ip(c->name, &a) || address_equal(&a, &c->self))
        return false;
    (void)value_refuse(why, c->name, "is an address, but not self, which is %s",
                       address_format_ip(&c->self, self));
    return true;
}

static bool name_is_not_listed(const struct config *c, char why[static VALUE_WHY_MAX])
{
    for (size_t i = 0; i < c->peers.count; i++) {
        const struct config_peer *peer = &c->peers.list[i];

        if (*peer->name &&
            address_equal(&peer->address, &c->self) != (strcmp(peer->name, c->name) == 0)) {
            (void)snprintf(why, VALUE_WHY_MAX, "name \"%s\" does not agree with the list of peers",
                           c->name);
            return true;
        }
    }
    return false;
}

static bool leader_needs_raw(const struct config *c, char why[static VALUE_WHY_MAX])
{
    struct address a;

    if (!config_leader_address(c, &a) || a.port == 0 || c->relay_format != CONFIG_RELAY_FRAMED)
        return false;
    (void)value_refuse(why, c->leader,
                       "has a port, so it is outside the cluster: that needs relay.format raw or "
                       "proxy-v2 (a member has no port)");
    return true;
}

static bool route_needs_frames(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (c->route == CONFIG_ROUTE_LEADER || c->relay_format == CONFIG_RELAY_FRAMED)
        return false;
    (void)snprintf(why, VALUE_WHY_MAX,
                   "routes local, all and ordered need relay.format framed: the others end at one "
                   "leader, whose replies do not come back through this pod");
    return true;
}

static bool order_needs_one_worker(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (c->route != CONFIG_ROUTE_ORDERED || (c->workers ? c->workers : c->receivers) == 1)
        return false;
    (void)snprintf(why, VALUE_WHY_MAX,
                   "route ordered needs one thread that orders: workers 1, or workers 0 with "
                   "receivers 1");
    return true;
}

static bool commit_needs_quorum(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (c->route != CONFIG_ROUTE_ORDERED || c->ordered_commit == CONFIG_COMMIT_NONE ||
        c->quorum != CONFIG_QUORUM_NONE)
        return false;
    (void)snprintf(
        why, VALUE_WHY_MAX,
        "ordered.commit majority needs quorum auto or majority: without one there may be "
        "two leaders");
    return true;
}

static bool groups_need_frames(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (c->multicast_groups.count == 0 || c->relay_format == CONFIG_RELAY_FRAMED)
        return false;
    (void)snprintf(
        why, VALUE_WHY_MAX,
        "multicast.groups needs relay.format framed: the others end at one leader, whose "
        "replies do not come back through this pod");
    return true;
}

/* Replies are sent from the data socket, so it must have the clients' address family. */
static bool groups_miss_bind(const struct config *c, char why[static VALUE_WHY_MAX])
{
    char group[ADDRESS_TEXT_MAX], bind[ADDRESS_TEXT_MAX];

    for (size_t i = 0; i < c->multicast_groups.count; i++) {
        const struct address *address = &c->multicast_groups.list[i].address;

        if (address_is_any(&c->bind) || address->family == c->bind.family)
            continue;
        (void)snprintf(why, VALUE_WHY_MAX,
                       "multicast group %s and bind %s are of different address families, so that "
                       "no reply could be sent; bind: any has both",
                       address_format_ip(address, group), address_format_ip(&c->bind, bind));
        return true;
    }
    return false;
}

static bool leader_misses_self(const struct config *c, char why[static VALUE_WHY_MAX])
{
    char self[ADDRESS_TEXT_MAX];
    struct address a;

    if (!config_leader_address(c, &a) || a.family == c->self.family)
        return false;
    (void)snprintf(why, VALUE_WHY_MAX, "leader %s and self %s are of different address families",
                   c->leader, address_format_ip(&c->self, self));
    return true;
}

static bool nobody_may_send(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (c->data_allow.count > 0)
        return false;
    (void)snprintf(why, VALUE_WHY_MAX,
                   "no source could send: name the ranges that may, or write any");
    return true;
}

/* Refused, because data.burst alone limits nothing. */
static bool burst_needs_rate(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (c->data_burst == 0 || c->data_rate > 0)
        return false;
    (void)snprintf(why, VALUE_WHY_MAX,
                   "data.burst %u limits nothing without data.rate: set that too, or data.burst "
                   "auto",
                   c->data_burst);
    return true;
}

/* A lease grant lasts as long as a detection: bound the time without a leader. */
static bool detection_is_too_long(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (c->heartbeat_interval_ns * c->heartbeat_misses <= DETECTION_MAX)
        return false;
    (void)snprintf(why, VALUE_WHY_MAX,
                   "heartbeat.interval x heartbeat.misses is more than a minute, in which a failed "
                   "leader is not detected");
    return true;
}

static bool nobody_is_eligible(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (c->eligible || c->peers.count > 0 || *c->discovery_dns)
        return false;
    (void)snprintf(why, VALUE_WHY_MAX,
                   "this pod may not lead, and there are no others: set peers or discovery.dns");
    return true;
}

static bool expects_fewer_than_listed(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (c->quorum_expect == 0 || c->quorum_expect >= c->peers.count)
        return false;
    (void)snprintf(why, VALUE_WHY_MAX,
                   "quorum.expect %u is less than the %zu members of peers: each half of "
                   "them could be a majority",
                   c->quorum_expect, c->peers.count);
    return true;
}

static bool signing_needs_keys(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (c->control_accept != CONFIG_CONTROL_SIGNED || *c->keys)
        return false;
    (void)snprintf(why, VALUE_WHY_MAX,
                   "control.accept signed needs keys, a directory of those that commands are "
                   "signed with: without any, no command would be accepted");
    return true;
}

static bool store_is_relative(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (!*c->store || *c->store == '/')
        return false;
    (void)value_refuse(why, c->store, "is not an absolute path");
    return true;
}

static bool ring_below_batch(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (c->ring >= c->batch)
        return false;
    (void)snprintf(why, VALUE_WHY_MAX, "ring %u does not hold one batch of %u", c->ring, c->batch);
    return true;
}

static const struct check checks[] = {
    {{"relay.port", "data.port"}, data_is_relay},
    {{"peer.port", "data.port"}, data_is_peer},
    {{"peer.port", "relay.port"}, relay_is_peer},
    {{"self", "bind"}, self_is_not_unicast},
    {{"bind"}, bind_is_multicast},
    {{"admin.listen", "bind"}, admin_is_multicast},
    {{"bind", "self"}, bind_misses_self},
    {{"peers", "self", "bind"}, peers_miss_self},
    {{"self", "bind"}, config_self_has_no_zone},
    {{"peers", "self", "bind"}, config_peers_are_on_other_links},
    {{"name", "self"}, name_is_foreign},
    {{"name", "peers", "self"}, name_is_not_listed},
    {{"leader", "relay.format"}, leader_needs_raw},
    {{"route", "relay.format"}, route_needs_frames},
    {{"workers", "receivers", "route"}, order_needs_one_worker},
    {{"workers", "receivers", "relay.confirm"}, config_replied_needs_one_worker},
    {{"ordered.commit", "quorum", "route"}, commit_needs_quorum},
    {{"drain.sessions", "route", "relay.format"}, config_sessions_may_not_stay},
    {{"multicast.groups", "relay.format"}, groups_need_frames},
    {{"multicast.groups", "bind", "self"}, groups_miss_bind},
    {{"leader", "self"}, leader_misses_self},
    {{"leader", "self", "bind", "data.port"}, config_leader_is_own_socket},
    {{"app.target", "self", "bind", "data.port"}, config_app_is_own_socket},
    {{"app.reply_from", "app.target", "app.source"}, config_replies_need_loopback},
    {{"app.source", "app.target", "self"}, config_source_needs_local_app},
    {{"app.notify", "self", "bind", "data.port"}, config_notify_is_own_socket},
    {{"data.allow"}, nobody_may_send},
    {{"data.burst", "data.rate"}, burst_needs_rate},
    {{"heartbeat.interval", "heartbeat.misses"}, detection_is_too_long},
    {{"eligible", "peers", "discovery.dns"}, nobody_is_eligible},
    {{"quorum.expect", "peers"}, expects_fewer_than_listed},
    {{"control.accept", "keys"}, signing_needs_keys},
    {{"store"}, store_is_relative},
    {{"platform.api"}, config_api_is_unusable},
    {{"platform.token"}, config_token_is_relative},
    {{"platform.ca"}, config_ca_is_relative},
    {{"platform.namespace"}, config_namespace_is_no_name},
    {{"discovery.kubernetes"}, config_service_is_no_name},
    {{"lease.name"}, config_lease_is_no_name},
    {{"lease.duration"}, config_lease_has_fraction},
    {{"lease.renew", "lease.timeout", "lease.duration"}, config_lease_renews_late},
    {{"election", "ordered.commit", "route"}, config_lease_needs_no_commit},
    {{"ring", "batch"}, ring_below_batch},
};

/* The option that the error names; false if one of them is invalid, which has been reported. */
static bool pick_option(const struct loader *l, const struct check *check, size_t *ret_option)
{
    size_t picked = option_by_key(check->options[0]);

    for (size_t i = 0; i < CHECK_OPTIONS && check->options[i]; i++) {
        size_t option = option_by_key(check->options[i]);

        if (l->wrong[option])
            return false;
        if (l->set->origins[option].source > l->set->origins[picked].source)
            picked = option;
    }
    *ret_option = picked;
    return true;
}

void config_check(struct loader *l)
{
    for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
        char why[VALUE_WHY_MAX];
        size_t option;

        if (pick_option(l, &checks[i], &option) && checks[i].broken(&l->set->values, why))
            loader_refuse(l, option, &l->set->origins[option], "%s", why);
    }
}
