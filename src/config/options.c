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
static const char *const proxy_protocols[] = {
    [CONFIG_PROXY_NONE] = "none",
    [CONFIG_PROXY_V2] = "v2",
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
static const char *const booleans[] = {"false", "true"};
static const char *const quorums[] = {
    [CONFIG_QUORUM_AUTO] = "auto",
    [CONFIG_QUORUM_MAJORITY] = "majority",
    [CONFIG_QUORUM_NONE] = "none",
};
static const char *const refused_modes[] = {
    [CONFIG_REFUSED_FAST] = "fast",
    [CONFIG_REFUSED_TIMEOUT] = "timeout",
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
     .allowed = "1 to 63 printable characters, no spaces",
     .help = "Name of the cluster; members with another name are not listened to."},
    {.key = "self",
     .type = OPTION_ADDRESS,
     FIELD(self),
     .preset = "auto",
     .preset_words = "bind when that is one address, else the default route's source, else "
                     "127.0.0.1",
     .allowed = "an IP address, or auto",
     .help = "Own address, at which the other pods reach this one.",
     .aliases = {"POD_IP", "MY_POD_IP"}},
    {.key = "name",
     .type = OPTION_NAME,
     FIELD(name),
     .preset = "auto",
     .preset_words = "the name that peers gives to self, else the text of self",
     .allowed = "1 to 63 letters, digits and - . _ : %, or auto",
     .help = "Own name in logs, status and leader commands.",
     .aliases = {"POD_NAME"}},
    /* ---- */
    {.key = "bind",
     .group = "Sockets",
     .type = OPTION_ADDRESS,
     FIELD(bind),
     .preset = "auto",
     .preset_words = "self when that is loopback, else any",
     .allowed = "an IP address, any, or auto",
     .help = "Address of the data, relay and peer sockets."},
    {.key = "data.port",
     .type = OPTION_NUMBER,
     FIELD(data_port),
     .preset = "12000",
     RANGE(1, 65535),
     .help = "UDP port of the clients' datagrams and of leader commands.",
     .aliases = {"PORT"}},
    {.key = "relay.port",
     .type = OPTION_NUMBER,
     FIELD(relay_port),
     .preset = "12001",
     RANGE(1, 65535),
     .help = "UDP port of datagrams carried between pods."},
    {.key = "peer.port",
     .type = OPTION_NUMBER,
     FIELD(peer_port),
     .preset = "12002",
     RANGE(1, 65535),
     .help = "UDP port of heartbeats and claims between pods."},
    {.key = "admin.listen",
     .type = OPTION_LISTEN,
     FIELD(admin_listen),
     .preset = ":8080",
     .preset_words = "port 8080 of the address of bind",
     .allowed = "ADDRESS:PORT, :PORT for the address of bind, or none",
     .help = "TCP address of health checks, metrics and status page."},
    {.key = "rcvbuf",
     .type = OPTION_SIZE,
     FIELD(rcvbuf_bytes),
     .preset = "max",
     .preset_words = "as much as the kernel grants",
     RANGE(4 * KIB, 1 * GIB),
     .zero = "max",
     .help = "Receive buffer to ask for, per UDP socket."},
    {.key = "multicast.groups",
     .type = OPTION_GROUPS,
     FIELD(multicast_groups),
     .preset = "none",
     .allowed = "a list of up to 16 GROUP or GROUP%INTERFACE, or none",
     .help = "Multicast groups to join, on data.port. What comes there goes to the app of each pod "
             "that gets it, whatever route says, and only the leader's answers leave. Without "
             "%INTERFACE a group is joined where self is."},
    /* ---- */
    {.key = "peers",
     .group = "Who leads",
     .type = OPTION_PEERS,
     FIELD(peers),
     .preset = "none",
     .allowed = "a list of up to 128 ADDRESS or NAME=ADDRESS, or none",
     .help = "The members; this pod may be among them."},
    {.key = "leader",
     .type = OPTION_LEADER,
     FIELD(leader),
     .preset = "none",
     .allowed = "a member's address or name, ADDRESS:PORT outside the cluster (relay.format raw or "
                "proxy-v2 only), or none",
     .reloadable = true,
     .help = "The leader to begin with; a reload obeys it only with a higher leader_generation.",
     .aliases = {"LEADER_IP"}},
    {.key = "leader_generation",
     .type = OPTION_NUMBER,
     FIELD(leader_generation),
     .preset = "0",
     RANGE(0, INT64_MAX),
     .reloadable = true,
     .help = "Raise it together with leader, so that the newer of two settings wins."},
    {.key = "leader_list",
     .type = OPTION_ORDER,
     FIELD(leader_list),
     .preset = "none",
     .preset_words = "the order of joining",
     .allowed = "a list of up to 128 ADDRESS or NAME, or none",
     .help = "The order of succession; members outside it come after it."},
    {.key = "eligible",
     .type = OPTION_CHOICE,
     FIELD(eligible),
     .preset = "true",
     WORDS(booleans),
     .help = "Whether this pod may lead."},
    {.key = "discovery.dns",
     .type = OPTION_TEXT,
     FIELD(discovery_dns),
     .preset = "none",
     .zero = "none",
     .allowed = "a host name, best with a dot at its end, or none",
     .help = "A name that has an address for each pod, such as that of a headless Service."},
    {.key = "discovery.interval",
     .type = OPTION_DURATION,
     FIELD(discovery_interval_ns),
     .preset = "5s",
     RANGE(100 * NS_PER_MS, 1 * HOUR),
     .help = "How often the name is looked up; every second at most while there is no leader."},
    {.key = "store",
     .type = OPTION_TEXT,
     FIELD(store),
     .preset = "none",
     .zero = "none",
     .allowed = "the path of a file, or none",
     .help = "Keeps the highest term over restarts, so that terms never fall."},
    /* ---- */
    {.key = "heartbeat.interval",
     .group = "Failover",
     .type = OPTION_DURATION,
     FIELD(heartbeat_interval_ns),
     .preset = "200ms",
     RANGE(10 * NS_PER_MS, 30 * SEC),
     .help = "How often the leader shows that it lives."},
    {.key = "heartbeat.misses",
     .type = OPTION_NUMBER,
     FIELD(heartbeat_misses),
     .preset = "4",
     RANGE(2, 20),
     .help = "After so many intervals of silence the leader is taken for dead."},
    {.key = "quorum",
     .type = OPTION_CHOICE,
     FIELD(quorum),
     .preset = "auto",
     .preset_words = "a majority, once there have been three members",
     WORDS(quorums),
     .help = "Whether a leader needs a majority of the members."},
    {.key = "quorum.expect",
     .type = OPTION_NUMBER,
     FIELD(quorum_expect),
     .preset = "auto",
     .preset_words = "as many as peers names, this pod included",
     RANGE(1, 129),
     .zero = "auto",
     .help = "Members to expect; the first leader needs a majority of so many."},
    {.key = "member.forget",
     .type = OPTION_DURATION,
     FIELD(member_forget_ns),
     .preset = "60s",
     RANGE(1 * SEC, 24 * HOUR),
     .help = "A member that has been silent for so long leaves the list."},
    {.key = "failover.on_refused",
     .type = OPTION_CHOICE,
     FIELD(failover_on_refused),
     .preset = "fast",
     WORDS(refused_modes),
     .help = "Believe a host's word that its process has gone, or wait for the heartbeats to stop; "
             "timeout is for networks where such words are forged."},
    /* ---- */
    {.key = "route",
     .group = "Relay and hold",
     .type = OPTION_CHOICE,
     FIELD(route),
     .preset = "leader",
     WORDS(routes),
     .help =
         "To whose app a datagram goes: the leader's, that of the pod where it arrived (clients "
         "send to all pods), all pods', or all pods' in one order. Only the leader's answers "
         "leave."},
    {.key = "ordered.commit",
     .type = OPTION_CHOICE,
     FIELD(ordered_commit),
     .preset = "none",
     WORDS(commits),
     .help =
         "With route ordered: give an app a message at once, or when a majority of the pods has "
         "it, so that no leader's death can change the order."},
    {.key = "ordered.history",
     .type = OPTION_SIZE,
     FIELD(ordered_history_bytes),
     .preset = "16MiB",
     RANGE(MIB, 4 * GIB),
     .help = "With route ordered: memory for the last messages, of which members get again what "
             "they missed."},
    {.key = "relay.format",
     .type = OPTION_CHOICE,
     FIELD(relay_format),
     .preset = "framed",
     WORDS(relay_formats),
     .help = "How datagrams travel to the leader: packed, as they came, or with PROXY headers."},
    {.key = "relay.mtu",
     .type = OPTION_NUMBER,
     FIELD(relay_mtu),
     .preset = "1400",
     RANGE(576, 65535),
     .help = "IP MTU of the path between pods, in bytes; frames are no larger."},
    {.key = "relay.linger",
     .type = OPTION_DURATION,
     FIELD(relay_linger_ns),
     .preset = "1ms",
     RANGE(0, 5 * NS_PER_MS),
     .help =
         "With route all or ordered: how long the leader's copies for the other pods wait for more "
         "of them since the last ones left; 0 sends them with each batch."},
    {.key = "hold.time",
     .type = OPTION_DURATION,
     FIELD(hold_time_ns),
     .preset = "2s",
     RANGE(0, 60 * SEC),
     .reloadable = true,
     .help =
         "With route all or ordered: how long the leader's copies for the other pods wait for more "
         "of them since the last ones left; 0 sends them with each batch."},
    {.key = "hold.bytes",
     .type = OPTION_SIZE,
     FIELD(hold_bytes),
     .preset = "16MiB",
     RANGE(0, 4 * GIB),
     .help = "Memory for waiting datagrams; the oldest go first when it is full."},
    {.key = "drain.time",
     .type = OPTION_DURATION,
     FIELD(drain_time_ns),
     .preset = "5s",
     RANGE(0, 600 * SEC),
     .reloadable = true,
     .help =
         "How long a stopping pod goes on serving at most; then up to 2s for the last answers."},
    {.key = "reply.grace",
     .type = OPTION_DURATION,
     FIELD(reply_grace_ns),
     .preset = "2s",
     RANGE(0, 60 * SEC),
     .reloadable = true,
     .help = "How long answers of a leader that stepped down in order may still leave."},
    /* ---- */
    {.key = "app.target",
     .group = "App",
     .type = OPTION_TARGET,
     FIELD(app_target),
     .preset = "echo",
     .allowed = "echo, whoami, discard, or udp://ADDRESS:PORT",
     .help = "What consumes the datagrams at the leader: a built-in, or a UDP server of yours.",
     .flag_alias = "app"},
    {.key = "app.proxy_protocol",
     .type = OPTION_CHOICE,
     FIELD(app_proxy_protocol),
     .preset = "none",
     WORDS(proxy_protocols),
     .help = "Tell the app each client's true address by a PROXY protocol header."},
    {.key = "app.idle",
     .type = OPTION_DURATION,
     FIELD(app_idle_ns),
     .preset = "60s",
     RANGE(1 * SEC, 1 * HOUR),
     .reloadable = true,
     .help = "A client that is quiet for so long is forgotten."},
    {.key = "app.max_sessions",
     .type = OPTION_NUMBER,
     FIELD(app_max_sessions),
     .preset = "65536",
     RANGE(1, 1048576),
     .help = "Clients remembered at once."},
    {.key = "app.notify",
     .type = OPTION_LISTEN,
     FIELD(app_notify),
     .preset = "none",
     .allowed = "ADDRESS:PORT, :PORT on this machine, or none",
     .help = "Where a datagram of JSON goes whenever the leader changes, the same as GET /leader."},
    {.key = "app.fail",
     .type = OPTION_DURATION,
     FIELD(app_fail_ns),
     .preset = "1s",
     RANGE(10 * NS_PER_MS, 1 * HOUR),
     .help = "An app that has refused for so long, or three datagrams, is taken for down."},
    /* ---- */
    {.key = "data.allow",
     .group = "Who may send to the data port",
     .type = OPTION_CIDRS,
     FIELD(data_allow),
     .preset = "any",
     .preset_words = "everybody",
     .allowed = "a list of up to 32 ADDRESS or ADDRESS/BITS, or any",
     .reloadable = true,
     .help = "Who may send datagrams to the data port and to multicast.groups; those of all others "
             "are dropped (reason acl). Leader commands come through this door too: they need it "
             "and control.allow. What other pods relay does not."},
    {.key = "data.rate",
     .type = OPTION_NUMBER,
     FIELD(data_rate),
     .preset = "none",
     RANGE(1, 1000000),
     .zero = "none",
     .reloadable = true,
     .help = "Datagrams a second that one source may send, leader commands included; what is more "
             "is dropped (reason rate). A source is an IPv4 address, or the /64 of an IPv6 one. "
             "Each working thread counts for itself, and a client's port decides which one gets "
             "its datagrams: with several, a source with many ports may send as much to each."},
    {.key = "data.burst",
     .type = OPTION_NUMBER,
     FIELD(data_burst),
     .preset = "auto",
     .preset_words = "as many as data.rate, one second's worth",
     RANGE(1, 1000000),
     .zero = "auto",
     .reloadable = true,
     .help = "Datagrams that a source may send at once after a while of quiet, beyond which "
             "data.rate holds. Below 64 it also cuts trains, which clients send in one piece."},
    /* ---- */
    {.key = "control.accept",
     .group = "Leader commands on the data port",
     .type = OPTION_CHOICE,
     FIELD(control_accept),
     .preset = "auto",
     WORDS(control_modes),
     .reloadable = true,
     .help =
         "Which {\"leader\":\"ADDRESS\"} is obeyed. open: what comes from control.allow, or is "
         "signed. signed: only what is signed with one of keys. none: all is data. auto: signed "
         "with keys, else open."},
    {.key = "control.allow",
     .type = OPTION_CIDRS,
     FIELD(control_allow),
     .preset = "127.0.0.0/8,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,100.64.0.0/10,169.254.0.0/16,"
               "::1,fc00::/7,fe80::/10",
     .preset_words = "loopback and private ranges",
     .allowed = "a list of up to 32 ADDRESS or ADDRESS/BITS, any, or none",
     .reloadable = true,
     .help = "Where leader commands that are not signed may come from."},
    /* ---- */
    {.key = "keys",
     .group = "Keys",
     .type = OPTION_TEXT,
     FIELD(keys),
     .preset = "none",
     .zero = "none",
     .allowed = "a directory, or none",
     .help = "Secret keys that all pods share, one file each, such as a mounted Secret; read again "
             "when they change. With them pods listen only to each other (keys.mode), and leader "
             "commands are signed (control.accept)."},
    {.key = "keys.mode",
     .type = OPTION_CHOICE,
     FIELD(keys_mode),
     .preset = "enforce",
     WORDS(key_modes),
     .help = "To introduce keys to running pods, one step after the other: none sends open and "
             "takes both, permissive sends sealed and takes both, enforce takes only sealed."},
    /* ---- */
    {.key = "receivers",
     .group = "Threads and queues",
     .type = OPTION_NUMBER,
     FIELD(receivers),
     .preset = "1",
     RANGE(1, 16),
     .help = "Receiving threads, each with a socket of its own on the data port."},
    {.key = "workers",
     .type = OPTION_NUMBER,
     FIELD(workers),
     .preset = "1",
     RANGE(0, 16),
     .help = "Working threads; 0 does the work in the receiving threads."},
    {.key = "batch",
     .type = OPTION_NUMBER,
     FIELD(batch),
     .preset = "64",
     RANGE(1, 256),
     .help = "Datagrams read or sent by one system call at most."},
    {.key = "train",
     .type = OPTION_NUMBER,
     FIELD(gso),
     .preset = "64",
     RANGE(1, 64),
     .help =
         "Datagrams of one size to one address that leave as one train (GSO) at most; 1: none."},
    {.key = "gro",
     .type = OPTION_CHOICE,
     FIELD(gro),
     .preset = "true",
     WORDS(booleans),
     .help = "Receive trains, and what the kernel merged, in one piece (UDP_GRO)."},
    {.key = "ring",
     .type = OPTION_NUMBER,
     FIELD(ring),
     .preset = "4096",
     RANGE(64, 65536),
     .power_of_two = true,
     .help = "Datagrams between a receiving and a working thread at most."},
    /* ---- */
    {.key = "seccomp",
     .group = "Confinement",
     .type = OPTION_CHOICE,
     FIELD(seccomp),
     .preset = "true",
     WORDS(booleans),
     .help = "Give up all system calls that serving does not need (docs/confinement.md)."},
    /* ---- */
    {.key = "log.level",
     .group = "Log",
     .type = OPTION_CHOICE,
     FIELD(log_level),
     .preset = "info",
     WORDS(log_levels),
     .reloadable = true,
     .help = "The least important lines to write."},
    {.key = "log.format",
     .type = OPTION_CHOICE,
     FIELD(log_format),
     .preset = "auto",
     .preset_words = "text on a terminal, JSON elsewhere",
     WORDS(log_formats),
     .help = "How lines are written to standard error."},
};
const size_t config_option_count = sizeof(config_options) / sizeof(config_options[0]);
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

const char *option_flag(const struct config_option *o, char text[static OPTION_NAME_MAX])
{
    (void)snprintf(text, OPTION_NAME_MAX, "%s", o->key);
    for (char *c = text; *c; c++)
        if (*c == '.' || *c == '_')
            *c = '-';
    return text;
}

const char *option_variable(const struct config_option *o, char text[static OPTION_NAME_MAX])
{
    (void)snprintf(text, OPTION_NAME_MAX, "HEADLESSD_%s", o->key);
    for (char *c = text; *c; c++)
        *c = (char)(*c == '.' ? '_' : toupper((unsigned char)*c));
    return text;
}
