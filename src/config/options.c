#include "options.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "headless/base/clock.h"
#include "headless/base/log.h"

#define KIB  UINT64_C(1024)
#define MIB  (1024 * KIB)
#define GIB  (1024 * MIB)
#define SEC  NS_PER_SEC
#define HOUR (3600 * NS_PER_SEC)

static const char *const session_modes[] = {
    [CONFIG_SESSIONS_MOVE] = "move", [CONFIG_SESSIONS_STAY] = "stay"};
static const char *const routes[] = {
    [CONFIG_ROUTE_LEADER] = "leader",
    [CONFIG_ROUTE_LOCAL] = "local",
    [CONFIG_ROUTE_ALL] = "all",
    [CONFIG_ROUTE_ORDERED] = "ordered",
};
static const char *const commits[] = {
    [CONFIG_COMMIT_NONE] = "none",
    [CONFIG_COMMIT_MAJORITY] = "majority",
};
static const char *const relay_formats[] = {
    [CONFIG_RELAY_FRAMED] = "framed",
    [CONFIG_RELAY_RAW] = "raw",
    [CONFIG_RELAY_PROXY_V2] = "proxy-v2",
};
static const char *const reply_from[] = {
    [CONFIG_REPLY_FROM_SAME] = "same",
    [CONFIG_REPLY_FROM_PORT] = "port",
    [CONFIG_REPLY_FROM_ANY] = "any",
};
static const char *const proxy_protocols[] = {
    [CONFIG_PROXY_NONE] = "none",
    [CONFIG_PROXY_V2] = "v2",
};
static const char *const app_sources[] = {
    [CONFIG_APP_SOURCE_SESSION] = "session",
    [CONFIG_APP_SOURCE_CLIENT] = "client",
};
static const char *const client_addresses[] = {
    [CONFIG_CLIENT_ADDRESS_DEALT] = "dealt",
    [CONFIG_CLIENT_ADDRESS_HASHED] = "hashed",
};
static const char *const control_modes[] = {
    [CONFIG_CONTROL_AUTO] = "auto",
    [CONFIG_CONTROL_OPEN] = "open",
    [CONFIG_CONTROL_SIGNED] = "signed",
    [CONFIG_CONTROL_NONE] = "none",
};
static const char *const key_modes[] = {
    [CONFIG_KEYS_NONE] = "none",
    [CONFIG_KEYS_PERMISSIVE] = "permissive",
    [CONFIG_KEYS_ENFORCE] = "enforce",
};
static const char *const confirms[] = {
    [CONFIG_CONFIRM_NONE] = "none",
    [CONFIG_CONFIRM_DELIVERED] = "delivered",
    [CONFIG_CONFIRM_REPLIED] = "replied",
};
static const char *const booleans[] = {"false", "true"};
static const char *const elections[] = {
    [CONFIG_ELECTION_PEERS] = "peers",
    [CONFIG_ELECTION_LEASE] = "lease",
};
static const char *const quorums[] = {
    [CONFIG_QUORUM_AUTO] = "auto",
    [CONFIG_QUORUM_MAJORITY] = "majority",
    [CONFIG_QUORUM_NONE] = "none",
};
static const char *const refused_modes[] = {
    [CONFIG_REFUSED_FAST] = "fast",
    [CONFIG_REFUSED_TIMEOUT] = "timeout",
};
static const char *const down_modes[] = {
    [CONFIG_DOWN_REFUSE] = "refuse",
    [CONFIG_DOWN_HOLD] = "hold",
};
static const char *const log_levels[] = {
    [LOG_LEVEL_ERROR] = "error",
    [LOG_LEVEL_WARN] = "warn",
    [LOG_LEVEL_INFO] = "info",
    [LOG_LEVEL_DEBUG] = "debug",
};
static const char *const log_formats[] = {
    [LOG_FORMAT_TEXT] = "text",
    [LOG_FORMAT_JSON] = "json",
    [LOG_FORMAT_AUTO] = "auto",
};

#define FIELD(field) \
    .offset = offsetof(struct config, field), .size = sizeof(((struct config *)NULL)->field)
#define RANGE(low, high) .min = (low), .max = (high)
#define WORDS(words)     .choices = (words), .choice_count = sizeof(words) / sizeof((words)[0])

const struct config_option config_options[] = {
    /* ---- */
    {.key = "cluster",
     .group = "This pod",
     .type = OPTION_TEXT,
     FIELD(cluster),
     .preset = "headless",
     .allowed = "1 to 255 printable characters, no spaces",
     .help = "Name of the cluster. Frames and peer messages of a cluster with another name are "
             "dropped."},
    {.key = "self",
     .type = OPTION_ADDRESS,
     FIELD(self),
     .preset = "auto",
     .preset_words = "bind when that is one address, otherwise the source address of the default "
                     "route, otherwise 127.0.0.1",
     .allowed = "an IP address, or auto",
     .help = "Own IP address, at which the other pods reach this one. A link-local IPv6 address "
             "needs its interface, as in fe80::1%eth0.",
     .aliases = {"POD_IP", "MY_POD_IP"}},
    {.key = "name",
     .type = OPTION_NAME,
     FIELD(name),
     .preset = "auto",
     .preset_words = "the name that peers gives to self, otherwise the text of self",
     .allowed = "1 to 253 letters, digits and - . _ : %, or auto",
     .help = "Own name in logs, in /status and in leader commands; no other pod may have it. A "
             "name of more than 63 characters is shortened, with a hash of the whole name; leader "
             "commands and the "
             "options leader, leader_list and peers take it in full as well.",
     .aliases = {"POD_NAME"}},
    /* ---- */
    {.key = "bind",
     .group = "Sockets",
     .type = OPTION_ADDRESS,
     FIELD(bind),
     .preset = "auto",
     .preset_words = "self when that is loopback, otherwise any",
     .allowed = "an IP address, any, or auto",
     .help = "IP address to which the data, relay and peer sockets are bound."},
    {.key = "data.port",
     .type = OPTION_NUMBER,
     FIELD(data_port),
     .preset = "12000",
     RANGE(1, 65535),
     .help = "UDP port for the clients' datagrams and for leader commands.",
     .aliases = {"PORT"}},
    {.key = "relay.port",
     .type = OPTION_NUMBER,
     FIELD(relay_port),
     .preset = "12001",
     RANGE(1, 65535),
     .help = "UDP port for relay frames between pods."},
    {.key = "peer.port",
     .type = OPTION_NUMBER,
     FIELD(peer_port),
     .preset = "12002",
     RANGE(1, 65535),
     .help = "UDP port for the peer messages of the election, such as heartbeats and votes, and "
             "TCP port of "
             "the connections between pods."},
    {.key = "admin.listen",
     .type = OPTION_LISTEN,
     FIELD(admin_listen),
     .preset = ":8080",
     .preset_words = "port 8080 of the address of bind",
     .allowed = "ADDRESS:PORT, :PORT for the address of bind, or none",
     .help = "TCP address of the admin server: probes, metrics, status."},
    {.key = "rcvbuf",
     .type = OPTION_SIZE,
     FIELD(rcvbuf_bytes),
     .preset = "max",
     .preset_words = "as much as the kernel grants",
     RANGE(4 * KIB, 1 * GIB),
     .zero = "max",
     .help = "Receive buffer to request for each UDP socket; the kernel may grant less "
             "(net.core.rmem_max). max, and more than 256MiB, request 256MiB."},
    {.key = "multicast.groups",
     .type = OPTION_GROUPS,
     FIELD(multicast_groups),
     .preset = "none",
     .allowed = "a list of up to 16 GROUP or GROUP%INTERFACE, or none",
     .help = "Multicast groups to join, on data.port. A datagram to a group goes to the app of "
             "each pod that receives it, whatever route says, and only the leader's replies are "
             "sent. Without %INTERFACE a group is joined on the interface that has self, or on one "
             "that the kernel chooses if none has it."},
    /* ---- */
    {.key = "peers",
     .group = "Leadership",
     .type = OPTION_PEERS,
     FIELD(peers),
     .preset = "none",
     .allowed = "a list of up to 128 ADDRESS or NAME=ADDRESS, or none",
     .help = "The members of the cluster; the list may include this pod. A link-local IPv6 address "
             "without an interface has that of self, and so have such addresses in leader_list and "
             "in DNS."},
    {.key = "leader",
     .type = OPTION_LEADER,
     FIELD(leader),
     .preset = "none",
     .allowed = "a member's address or name, ADDRESS:PORT outside the cluster (relay.format raw or "
                "proxy-v2 only), or none",
     .reloadable = true,
     .help = "The preferred leader at the start. A reload transfers the leadership to it only if "
             "leader_generation has grown.",
     .aliases = {"LEADER_IP"}},
    {.key = "leader_generation",
     .type = OPTION_NUMBER,
     FIELD(leader_generation),
     .preset = "0",
     RANGE(0, INT64_MAX),
     .reloadable = true,
     .help = "Number of the setting of leader. A reload transfers the leadership only if this is "
             "higher than the highest number that any pod has sent; raise it with each change of "
             "leader."},
    {.key = "leader_list",
     .type = OPTION_ORDER,
     FIELD(leader_list),
     .preset = "none",
     .preset_words = "the order of joining",
     .allowed = "a list of up to 128 ADDRESS or NAME, or none",
     .help = "Order of succession. Members that are not listed come after those that are."},
    {.key = "eligible",
     .type = OPTION_CHOICE,
     FIELD(eligible),
     .preset = "true",
     WORDS(booleans),
     .help = "Whether this pod may become leader."},
    {.key = "discovery.dns",
     .type = OPTION_TEXT,
     FIELD(discovery_dns),
     .preset = "none",
     .zero = "none",
     .allowed = "a host name, best with a dot at its end, or none",
     .help = "Host name that resolves to the addresses of all pods, such as that of a headless "
             "Service."},
    {.key = "discovery.interval",
     .type = OPTION_DURATION,
     FIELD(discovery_interval_ns),
     .preset = "5s",
     RANGE(100 * NS_PER_MS, 1 * HOUR),
     .help = "Interval between look-ups of discovery.dns, plus or minus 10 %; at most 1s while "
             "there is no leader."},
    {.key = "discovery.kubernetes",
     .type = OPTION_TEXT,
     FIELD(discovery_kubernetes),
     .preset = "none",
     .zero = "none",
     .allowed = "the name of a Service, or none",
     .help =
         "Service of the pods, usually the headless one, whose EndpointSlices are read from the "
         "API server (platform.api). While they are current, discovery.dns is not used; while the "
         "API server is away or refuses, both name pods."},
    {.key = "store",
     .type = OPTION_TEXT,
     FIELD(store),
     .preset = "none",
     .zero = "none",
     .allowed = "the absolute path of a file, or none",
     .help = "File that keeps the highest term over restarts, so that terms never decrease. A "
             "volume that does not respond delays nothing (log: store_failed)."},
    /* ---- */
    {.key = "platform.api",
     .group = "API server",
     .type = OPTION_TEXT,
     FIELD(platform_api),
     .preset = "auto",
     .preset_words =
         "https at KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT, which a pod has",
     .allowed = "https://ADDRESS:PORT, http:// with a loopback address, or auto",
     .help = "The API server of the cluster, by its IP address: a name would need name lookups, "
             "which may depend on the cluster."},
    {.key = "platform.token",
     .type = OPTION_TEXT,
     FIELD(platform_token),
     .preset = "/var/run/secrets/kubernetes.io/serviceaccount/token",
     .zero = "none",
     .allowed = "the absolute path of a file, or none",
     .help =
         "File of the token of the pod's service account. It is read again when it changes, each "
         "minute, and when the API server refuses it."},
    {.key = "platform.ca",
     .type = OPTION_TEXT,
     FIELD(platform_ca),
     .preset = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt",
     .allowed = "the absolute path of a file",
     .help = "File of the certificates (PEM) one of which must have signed the API server's. It is "
             "read again at least each minute when a connection is made."},
    {.key = "platform.namespace",
     .type = OPTION_TEXT,
     FIELD(platform_namespace),
     .preset = "auto",
     .preset_words = "the content of the file namespace beside platform.token, otherwise the "
                     "variable POD_NAMESPACE",
     .allowed = "the name of a namespace, or auto",
     .help = "Namespace of this pod's objects."},
    {.key = "platform.role_label",
     .type = OPTION_CHOICE,
     FIELD(platform_role_label),
     .preset = "false",
     WORDS(booleans),
     .help = "Whether the pod that leads has the label headlessd.io/role=leader, so that a Service "
             "can select it. Each pod writes the label of its own pod, which is called as name "
             "says, and the next leader removes that of one that has died."},
    /* ---- */
    {.key = "lease.name",
     .group = "Lease",
     .type = OPTION_TEXT,
     FIELD(lease_name),
     .preset = "headlessd",
     .allowed = "the name of a Lease",
     .help =
         "Lease object (coordination.k8s.io) of election lease, in platform.namespace; the same "
         "for all pods of a cluster, and of no other cluster."},
    {.key = "lease.duration",
     .type = OPTION_DURATION,
     FIELD(lease_duration_ns),
     .preset = "15s",
     RANGE(5 * SEC, 600 * SEC),
     .help = "Time without a renewal after which another pod may take the Lease without votes and "
             "without evidence; whole seconds. A leader that cannot renew it leads on for at most "
             "two thirds of it. Change it in all pods at once."},
    {.key = "lease.renew",
     .type = OPTION_DURATION,
     FIELD(lease_renew_ns),
     .preset = "auto",
     .preset_words = "a sixth of lease.duration",
     RANGE(200 * NS_PER_MS, 200 * SEC),
     .zero = "auto",
     .help = "Interval at which the leader renews the Lease; with lease.timeout at most half of "
             "lease.duration."},
    {.key = "lease.timeout",
     .type = OPTION_DURATION,
     FIELD(lease_timeout_ns),
     .preset = "1s",
     RANGE(100 * NS_PER_MS, 10 * SEC),
     .help = "Time limit of one request about the Lease."},
    /* ---- */
    {.key = "heartbeat.interval",
     .group = "Failover",
     .type = OPTION_DURATION,
     FIELD(heartbeat_interval_ns),
     .preset = "200ms",
     RANGE(10 * NS_PER_MS, 30 * SEC),
     .help = "Interval between leader heartbeats."},
    {.key = "heartbeat.misses",
     .type = OPTION_NUMBER,
     FIELD(heartbeat_misses),
     .preset = "4",
     RANGE(2, 20),
     .help = "Number of heartbeat intervals without a heartbeat after which the leader counts as "
             "failed. heartbeat.interval times this is at most 1m."},
    {.key = "election",
     .type = OPTION_CHOICE,
     FIELD(election),
     .preset = "peers",
     WORDS(elections),
     .help = "What decides on the leader. peers: the votes of a majority of the pods. lease: the "
             "Lease object of the cluster's API server (lease.name, platform.api); the pods find "
             "out that a leader failed, and who succeeds it. The same in all pods."},
    {.key = "quorum",
     .type = OPTION_CHOICE,
     FIELD(quorum),
     .preset = "auto",
     .preset_words = "a majority, once there have been three members",
     WORDS(quorums),
     .help = "Whether a leader needs the votes of a majority of the members. none: it needs only "
             "its own, and two leaders are possible."},
    {.key = "quorum.expect",
     .type = OPTION_NUMBER,
     FIELD(quorum_expect),
     .preset = "auto",
     .preset_words = "as many as peers names, this pod included",
     RANGE(1, 129),
     .zero = "auto",
     .help = "Number of members to expect, this pod included; not less than the number of peers. "
             "The first leader needs replies of a majority of them; with quorum none, or auto and "
             "two members, a pod leads alone after 3 x heartbeat.interval x heartbeat.misses. With "
             "quorum majority, each leader needs a majority of them."},
    {.key = "member.forget",
     .type = OPTION_DURATION,
     FIELD(member_forget_ns),
     .preset = "60s",
     RANGE(1 * SEC, 24 * HOUR),
     .help = "Time after which the leader removes a member that sends nothing from the list. With "
             "quorum majority the list keeps quorum.expect entries."},
    {.key = "failover.on_refused",
     .type = OPTION_CHOICE,
     FIELD(failover_on_refused),
     .preset = "fast",
     WORDS(refused_modes),
     .is_looser = restrict_on_refused,
     .help = "fast: treat an ICMP port unreachable from the leader's host as proof that its "
             "process died, and keep a TCP connection to it (peer.port), whose end makes this pod "
             "probe it. timeout: wait until heartbeats are missing, without connections; for "
             "networks in which ICMP errors may be forged."},
    /* ---- */
    {.key = "route",
     .group = "Relay and hold",
     .type = OPTION_CHOICE,
     FIELD(route),
     .preset = "leader",
     WORDS(routes),
     .help = "Which app receives a datagram. leader: the leader's. local: that of the pod where it "
             "arrived, for clients that send to every pod. all: that of every live member. "
             "ordered: that of every live member, in the same order. Only the leader's replies "
             "are sent."},
    {.key = "ordered.commit",
     .type = OPTION_CHOICE,
     FIELD(ordered_commit),
     .preset = "none",
     WORDS(commits),
     .help = "With route ordered, when a message is delivered to the app. none: at once. majority: "
             "when a majority of the members has it, so that no failover changes the order."},
    {.key = "ordered.history",
     .type = OPTION_SIZE,
     FIELD(ordered_history_bytes),
     .preset = "16MiB",
     RANGE(MIB, 4 * GIB),
     .help = "With route ordered: memory for the newest messages, from which members get those "
             "they missed."},
    {.key = "relay.format",
     .type = OPTION_CHOICE,
     FIELD(relay_format),
     .preset = "framed",
     WORDS(relay_formats),
     .help = "How datagrams are sent to the leader. framed: packed into frames that carry the "
             "client's address. raw: as they came. proxy-v2: with a PROXY protocol header. raw "
             "and proxy-v2 need route leader and no multicast.groups."},
    {.key = "relay.mtu",
     .type = OPTION_NUMBER,
     FIELD(relay_mtu),
     .preset = "1400",
     RANGE(576, 65535),
     .help = "Largest IP packet of a frame between pods, in bytes. Frames are smaller where the "
             "interface, the route or the path's MTU that the kernel knows is smaller (at least "
             "1280); a datagram larger than a frame continues in the next one."},
    {.key = "relay.linger",
     .type = OPTION_DURATION,
     FIELD(relay_linger_ns),
     .preset = "1ms",
     RANGE(0, 5 * NS_PER_MS),
     .help = "With route all or ordered: shortest time between two sends of the leader's copies "
             "for the other pods; copies made meanwhile share frames. 0, or ordered.commit "
             "majority: send them with each batch."},
    {.key = "relay.confirm",
     .type = OPTION_CHOICE,
     FIELD(relay_confirm),
     .preset = "delivered",
     WORDS(confirms),
     .help = "How long a request that was relayed is kept, to be relayed again when the leader is "
             "lost: at least once, so the next leader's app may be given it a second time. none: "
             "not at all, so none is given twice, and more are lost. delivered: until the leader's "
             "app socket took it. replied: until a reply to its client has passed; needs one "
             "worker. With delivered and replied, frames lost between pods are sent again."},
    {.key = "relay.keep",
     .type = OPTION_SIZE,
     FIELD(relay_keep_bytes),
     .preset = "16MiB",
     RANGE(256 * KIB, 4 * GIB),
     .help = "With relay.confirm: memory for kept requests and replies, shared equally by the "
             "workers. When it is full, the oldest are no longer kept."},
    {.key = "relay.keep_time",
     .type = OPTION_DURATION,
     FIELD(relay_keep_ns),
     .preset = "1s",
     RANGE(100 * NS_PER_MS, 60 * SEC),
     .help = "With relay.confirm: longest time for which a request or a reply is kept."},
    {.key = "hold.time",
     .type = OPTION_DURATION,
     FIELD(hold_time_ns),
     .preset = "2s",
     RANGE(0, 60 * SEC),
     .reloadable = true,
     .help = "Longest time for which a datagram is held while no leader is valid, or while this "
             "pod leads and its app refuses datagrams. An older one is dropped (reason "
             "hold_expired). 0: nothing is held (reason no_leader)."},
    {.key = "hold.bytes",
     .type = OPTION_SIZE,
     FIELD(hold_bytes),
     .preset = "16MiB",
     RANGE(0, 4 * GIB),
     .help = "Memory for held datagrams, shared equally by the workers. When it is full, the "
             "oldest are dropped (reason hold_overflow). 0: each is dropped with this reason."},
    {.key = "drain.time",
     .type = OPTION_DURATION,
     FIELD(drain_time_ns),
     .preset = "5s",
     RANGE(0, 600 * SEC),
     .reloadable = true,
     .help = "Longest time for which a stopping pod goes on serving; it ends earlier after 1s "
             "without a datagram. Then it sends the last replies for up to 2s, or for twice this "
             "time if that is shorter."},
    {.key = "drain.sessions",
     .type = OPTION_CHOICE,
     FIELD(drain_sessions),
     .preset = "move",
     WORDS(session_modes),
     .reloadable = true,
     .help =
         "After a leader has stepped down (a command, SIGTERM). move: all requests go to the next "
         "leader. stay: those of clients with a session go on to the app of the former leader, "
         "until these sessions end (app.idle), at most for drain.time; for servers with a state "
         "for each client (QUIC, DTLS, OpenVPN). stay needs route leader and relay.format framed."},
    {.key = "reply.grace",
     .type = OPTION_DURATION,
     FIELD(reply_grace_ns),
     .preset = "2s",
     RANGE(0, 60 * SEC),
     .reloadable = true,
     .help =
         "Time for which replies of a leader may still be sent after it has stepped down. After "
         "1.5 times this time the next leader's app may push: send to clients that it got no "
         "request from since. 0: neither."},
    /* ---- */
    {.key = "app.target",
     .group = "App",
     .type = OPTION_TARGET,
     FIELD(app_target),
     .preset = "echo",
     .allowed = "echo, whoami, discard, or udp://ADDRESS:PORT",
     .help =
         "Consumer of the datagrams: a built-in app, or a UDP server. A server at an IPv4 loopback "
         "address sees each client as an address out of 127.128.0.0/9; one elsewhere, or with "
         "IPv6, sees this machine with a port for each client. Warning: a server that trusts "
         "127.0.0.0/8 trusts every client. BIND, Unbound and PowerDNS Recursor are open resolvers "
         "by default; a RADIUS client entry for 127.0.0.0/8 gives its secret to all; rsyslog has "
         "a name for each session. A server that admits clients by their networks admits none. "
         "docs/apps.md: settings for each server.",
     .flag_alias = "app"},
    {.key = "app.proxy_protocol",
     .type = OPTION_CHOICE,
     FIELD(app_proxy_protocol),
     .preset = "none",
     WORDS(proxy_protocols),
     .help = "Send the client's address to the app in a PROXY protocol header, in front of each "
             "payload. The server must take headers from 127.128.0.0/9, and apply its access list "
             "to the address inside: dnsdist only does with "
             "setProxyProtocolApplyACLToProxiedClients(true)."},
    {.key = "app.reply_from",
     .type = OPTION_CHOICE,
     FIELD(app_reply_from),
     .preset = "same",
     WORDS(reply_from),
     .is_looser = restrict_reply_from,
     .help =
         "Sources of replies to clients. same: app.target only. port: every port of its address; "
         "the client's later datagrams go to the port that replied first (TFTP). any: also "
         "loopback and the pod's own address. Other replies are dropped (reason stranger). port "
         "and any need an app on IPv4 loopback, and trust every process of this machine or pod."},
    {.key = "app.source",
     .type = OPTION_CHOICE,
     FIELD(app_source),
     .preset = "session",
     WORDS(app_sources),
     .help =
         "Source address of a client's datagrams as the app sees it. session: out of "
         "127.128.0.0/9 for an app at an IPv4 loopback address (app.client_address), otherwise "
         "an address of this pod and a port of the session. client: the client's own address "
         "and port; needs CAP_NET_ADMIN at the start, and app.target at a loopback address or at "
         "self."},
    {.key = "app.client_address",
     .type = OPTION_CHOICE,
     FIELD(app_client_address),
     .preset = "dealt",
     WORDS(client_addresses),
     .help = "Choice of the address out of 127.128.0.0/9 that a client has for an app at an IPv4 "
             "loopback address. dealt: the next one. hashed: derived from the client's address and "
             "port and the name of the cluster, so that it is nearly always the same in all pods "
             "and after a restart."},
    {.key = "app.idle",
     .type = OPTION_DURATION,
     FIELD(app_idle_ns),
     .preset = "60s",
     RANGE(1 * SEC, 1 * HOUR),
     .reloadable = true,
     .help = "Time without a datagram in either direction after which a client's session with the "
             "app is closed. The client keeps its address until another client needs it "
             "(app.max_sessions)."},
    {.key = "app.max_sessions",
     .type = OPTION_NUMBER,
     FIELD(app_max_sessions),
     .preset = "262144",
     RANGE(1, 1048576),
     .help = "Largest number of clients with an address for the app, closed sessions included, "
             "shared equally by the workers; each that was needed takes 68 bytes. Beyond it, a new "
             "client takes the place of one that has sent a single datagram or was silent longest "
             "(sessions_evicted_total)."},
    {.key = "app.notify",
     .type = OPTION_LISTEN,
     FIELD(app_notify),
     .preset = "none",
     .allowed = "ADDRESS:PORT, :PORT on this machine, or none",
     .help = "Address to which a JSON datagram, the same as the body of GET /leader, is sent at "
             "the start and when the leader changes. With route ordered, also reports of entries "
             "that are missing or not in the common log."},
    {.key = "app.fail",
     .type = OPTION_DURATION,
     FIELD(app_fail_ns),
     .preset = "1s",
     RANGE(10 * NS_PER_MS, 1 * HOUR),
     .help = "Time of refusals (ICMP port unreachable) after which the app counts as down. It "
             "also counts as down after three refusals in a row."},
    {.key = "app.down",
     .type = OPTION_CHOICE,
     FIELD(app_down),
     .preset = "refuse",
     WORDS(down_modes),
     .reloadable = true,
     .help =
         "What a client gets once the app of every pod has been down for hold.time, and for at "
         "least 1s. refuse: an ICMP port unreachable, as from a server that does not run, until "
         "one app is up; leader commands are refused as well. Only with receivers 1 and an app "
         "udp:// at a loopback address. hold: nothing; each datagram is held for hold.time."},
    /* ---- */
    {.key = "data.allow",
     .group = "Ingress filter of the data port",
     .type = OPTION_CIDRS,
     FIELD(data_allow),
     .preset = "any",
     .preset_words = "every source",
     .allowed = "a list of up to 32 ADDRESS or ADDRESS/BITS, or any",
     .reloadable = true,
     .is_looser = restrict_data_allow,
     .help = "Source addresses that may send to the data port and to multicast.groups; datagrams "
             "from others are dropped (reason acl). A leader command must come from one of "
             "these, and an unsigned one also from control.allow. Frames from other pods, and "
             "datagrams that a member relays raw, are not checked."},
    {.key = "data.rate",
     .type = OPTION_NUMBER,
     FIELD(data_rate),
     .preset = "none",
     RANGE(1, 1000000),
     .zero = "none",
     .reloadable = true,
     .is_looser = restrict_data_rate,
     .help = "Datagrams a second that one source may send, leader commands included; more are "
             "dropped (reason rate). A source is an IPv4 address, the /64 of an IPv6 address, or a "
             "link-local IPv6 address. "
             "Each worker counts for itself and a client's port decides its worker, so with N "
             "workers a source with many ports may send N times as much."},
    {.key = "data.burst",
     .type = OPTION_NUMBER,
     FIELD(data_burst),
     .preset = "auto",
     .preset_words = "as many as data.rate, one second's worth",
     RANGE(1, 1000000),
     .zero = "auto",
     .reloadable = true,
     .is_looser = restrict_data_burst,
     .help = "Datagrams that a source may send at once after a pause; above that, data.rate "
             "applies. A value below 64 can drop the end of a client's GSO batch."},
    /* ---- */
    {.key = "control.accept",
     .group = "Leader commands on the data port",
     .type = OPTION_CHOICE,
     FIELD(control_accept),
     .preset = "auto",
     WORDS(control_modes),
     .reloadable = true,
     .is_looser = restrict_control_accept,
     .help = "Which leader commands, {\"leader\":\"ADDRESS\"}, are obeyed. open: those from "
             "control.allow, and signed ones. signed: those signed with one of keys. none: none, "
             "and they are data. auto: signed if keys is set, otherwise open."},
    {.key = "control.allow",
     .type = OPTION_CIDRS,
     FIELD(control_allow),
     .preset = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,169.254.0.0/16,"
               "::1,fc00::/7,fe80::/10",
     .preset_words = "loopback and private ranges",
     .allowed = "a list of up to 32 ADDRESS or ADDRESS/BITS, any, or none",
     .reloadable = true,
     .is_looser = restrict_control_allow,
     .help = "Source addresses from which unsigned leader commands are accepted."},
    /* ---- */
    {.key = "keys",
     .group = "Keys",
     .type = OPTION_TEXT,
     FIELD(keys),
     .preset = "none",
     .zero = "none",
     .allowed = "a directory, or none",
     .is_looser = restrict_keys,
     .help = "Directory of the secret keys that all pods share, one file each, such as a mounted "
             "Secret; it is read again when it changes. With keys, pods accept only each other's "
             "messages (keys.mode), and leader commands are signed (control.accept)."},
    {.key = "keys.mode",
     .type = OPTION_CHOICE,
     FIELD(keys_mode),
     .preset = "enforce",
     WORDS(key_modes),
     .is_looser = restrict_keys_mode,
     .help = "The steps by which running pods get keys. none: send unsealed, accept both. "
             "permissive: send sealed, accept both. enforce: send sealed, accept only sealed."},
    /* ---- */
    {.key = "receivers",
     .group = "Threads and queues",
     .type = OPTION_NUMBER,
     FIELD(receivers),
     .preset = "1",
     RANGE(1, 16),
     .help = "Number of receiver threads, each with its own socket on the data port."},
    {.key = "workers",
     .type = OPTION_NUMBER,
     FIELD(workers),
     .preset = "1",
     RANGE(0, 16),
     .help = "Number of worker threads. 0: the receiver threads do the work."},
    {.key = "batch",
     .type = OPTION_NUMBER,
     FIELD(batch),
     .preset = "64",
     RANGE(1, 256),
     .help = "Largest number of datagrams, or GSO and GRO batches, in one system call."},
    {.key = "gso",
     .type = OPTION_NUMBER,
     FIELD(gso),
     .preset = "64",
     RANGE(1, 64),
     .help = "Largest number of datagrams of one size and destination that are sent as one GSO "
             "batch (UDP_SEGMENT). 1: each is sent by itself."},
    {.key = "gro",
     .type = OPTION_CHOICE,
     FIELD(gro),
     .preset = "true",
     WORDS(booleans),
     .help =
         "Receive GSO batches, and datagrams that the kernel merged, as one message (UDP_GRO)."},
    {.key = "ring",
     .type = OPTION_NUMBER,
     FIELD(ring),
     .preset = "4096",
     RANGE(64, 65536),
     .power_of_two = true,
     .help = "Largest number of datagrams, or GRO batches, between a receiver and its workers. "
             "When all are in use, the receiver stops reading and the kernel drops "
             "(socket_drops_total)."},
    /* ---- */
    {.key = "seccomp",
     .group = "Confinement",
     .type = OPTION_CHOICE,
     FIELD(seccomp),
     .preset = "true",
     WORDS(booleans),
     .is_looser = restrict_seccomp,
     .help = "Install a seccomp filter that refuses all system calls that serving does not need "
             "(docs/confinement.md)."},
    /* ---- */
    {.key = "log.level",
     .group = "Log",
     .type = OPTION_CHOICE,
     FIELD(log_level),
     .preset = "info",
     WORDS(log_levels),
     .reloadable = true,
     .help = "Least severe level of the lines that are written."},
    {.key = "log.format",
     .type = OPTION_CHOICE,
     FIELD(log_format),
     .preset = "auto",
     .preset_words = "text on a terminal, otherwise JSON",
     WORDS(log_formats),
     .help = "Format of the lines on standard error."},
};
const size_t config_option_count = sizeof(config_options) / sizeof(config_options[0]);

/* Remove a row in the release after the one that renamed the option. */
const struct option_rename config_renames[] = {
    {.was = "train", .is = "gso"},
};
const size_t config_rename_count = sizeof(config_renames) / sizeof(config_renames[0]);
_Static_assert(sizeof(config_options) / sizeof(config_options[0]) <= OPTION_MAX,
               "raise OPTION_MAX");

size_t option_by_key(const char *key)
{
    size_t i = 0;

    while (i < config_option_count && strcmp(config_options[i].key, key) != 0)
        i++;
    return i;
}

size_t option_by_flag(const char *flag)
{
    char text[OPTION_NAME_MAX];
    size_t i;

    for (i = 0; i < config_option_count; i++) {
        const struct config_option *o = &config_options[i];

        if (strcmp(option_flag(o, text), flag) == 0)
            break;
        if (o->flag_alias && strcmp(o->flag_alias, flag) == 0)
            break;
    }
    return i;
}

size_t option_by_variable(const char *variable)
{
    char text[OPTION_NAME_MAX];
    size_t i = 0;

    while (i < config_option_count &&
           strcmp(option_variable(&config_options[i], text), variable) != 0)
        i++;
    return i;
}

size_t option_by_prefix(const char *prefix)
{
    size_t length = strlen(prefix);
    size_t i;

    for (i = 0; i < config_option_count; i++)
        if (strncmp(config_options[i].key, prefix, length) == 0 &&
            config_options[i].key[length] == '.')
            break;
    return i;
}

static size_t find_former(const char *name, const char *(*spell)(const char *key, char *text),
                          const char **ret_former)
{
    char text[OPTION_NAME_MAX];

    for (size_t i = 0; i < config_rename_count; i++) {
        if (strcmp(spell(config_renames[i].was, text), name) == 0) {
            *ret_former = config_renames[i].was;
            return option_by_key(config_renames[i].is);
        }
    }
    return config_option_count;
}

static const char *spell_key(const char *key, char *text)
{
    (void)text;
    return key;
}

size_t option_by_former_key(const char *key, const char **ret_former)
{
    return find_former(key, spell_key, ret_former);
}

size_t option_by_former_flag(const char *flag, const char **ret_former)
{
    return find_former(flag, option_flag_of_key, ret_former);
}

size_t option_by_former_variable(const char *variable, const char **ret_former)
{
    return find_former(variable, option_variable_of_key, ret_former);
}

const char *option_flag_of_key(const char *key, char text[static OPTION_NAME_MAX])
{
    (void)snprintf(text, OPTION_NAME_MAX, "%s", key);
    for (char *c = text; *c; c++)
        if (*c == '.' || *c == '_')
            *c = '-';
    return text;
}

const char *option_flag(const struct config_option *o, char text[static OPTION_NAME_MAX])
{
    return option_flag_of_key(o->key, text);
}

const char *option_variable_of_key(const char *key, char text[static OPTION_NAME_MAX])
{
    (void)snprintf(text, OPTION_NAME_MAX, "HEADLESSD_%s", key);
    for (char *c = text; *c; c++)
        *c = (char)(*c == '.' ? '_' : toupper((unsigned char)*c));
    return text;
}

const char *option_variable(const struct config_option *o, char text[static OPTION_NAME_MAX])
{
    return option_variable_of_key(o->key, text);
}
