/*
 * config: the settings of one process, from one table of options.
 *
 * Every option is one row of the table in src/config/options.c. The YAML key (nested or dotted), the
 * flag (--relay-format), the environment variable (HEADLESSD_RELAY_FORMAT), range and unit checks,
 * --help, --dump-config with sources and docs/options.md follow from it. Flags beat environment
 * beats file beats default.
 *
 * Threads: loaded by the main thread; afterwards immutable. A reload makes a new one.
 * Errors name option, value, what is allowed, and where it was set (file and line, flag, variable).
 */
#ifndef HEADLESS_CONFIG_CONFIG_H
#define HEADLESS_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "headless/base/address.h"

#define CONFIG_NAME_MAX   64  /* bytes of a pod's name, with NUL */
#define CONFIG_TEXT_MAX   256 /* bytes of a path or other text, with NUL */
#define CONFIG_PEERS_MAX  128
#define CONFIG_CIDRS_MAX  32
#define CONFIG_GROUPS_MAX 16
#define CONFIG_INTERFACE_MAX \
    16 /* bytes of an interface's name, with NUL: the kernel's IF_NAMESIZE */

/* A member written into the configuration: "10.0.0.1" or "NAME=10.0.0.1". */
struct config_peer {
    char name[CONFIG_NAME_MAX]; /* "" when only the address was given */
    struct address address;     /* IP, port 0 */
};

struct config_peers {
    struct config_peer list[CONFIG_PEERS_MAX];
    size_t count;
};

/* Members by name or address, in order. */
struct config_order {
    struct config_peer list[CONFIG_PEERS_MAX]; /* a name or an address, never both */
    size_t count;
};

struct config_cidrs {
    struct cidr list[CONFIG_CIDRS_MAX];
    size_t count;
};

/* A multicast group: "239.1.2.3", "ff05::12", "ff02::12%eth0". */
struct config_group {
    struct address address;               /* IP; port and scope 0 */
    char interface[CONFIG_INTERFACE_MAX]; /* name or index; "": the one that has self */
};

struct config_groups {
    struct config_group list[CONFIG_GROUPS_MAX];
    size_t count;
};

enum config_app { CONFIG_APP_ECHO, CONFIG_APP_WHOAMI, CONFIG_APP_DISCARD, CONFIG_APP_UDP };
/* The apps that receive a datagram; only the leader's replies are sent. */
enum config_route {
    CONFIG_ROUTE_LEADER, /* the leader's */
    CONFIG_ROUTE_LOCAL,  /* that of the pod where it arrived */
    CONFIG_ROUTE_ALL,    /* every live member's */
    CONFIG_ROUTE_ORDERED /* the same, in one order */
};
/* Sessions with the app of a leader that stepped down: end there, or are served by it for a while. */
enum config_sessions { CONFIG_SESSIONS_MOVE, CONFIG_SESSIONS_STAY };
/* Route ordered: deliver a message at once, or when a majority of the members has it. */
enum config_commit { CONFIG_COMMIT_NONE, CONFIG_COMMIT_MAJORITY };

enum config_confirm { CONFIG_CONFIRM_NONE, CONFIG_CONFIRM_DELIVERED, CONFIG_CONFIRM_REPLIED };
enum config_relay { CONFIG_RELAY_FRAMED, CONFIG_RELAY_RAW, CONFIG_RELAY_PROXY_V2 };
enum config_proxy { CONFIG_PROXY_NONE, CONFIG_PROXY_V2 };
/* The address from which the app gets a client's datagrams (data/app/app_source.h). */
enum config_app_source {
    CONFIG_APP_SOURCE_SESSION, /* one of this pod */
    CONFIG_APP_SOURCE_CLIENT   /* the client's own address and port */
};
/* The address of a client for an app at an IPv4 loopback address. */
enum config_client_address { CONFIG_CLIENT_ADDRESS_DEALT, CONFIG_CLIENT_ADDRESS_HASHED };
enum config_control {
    CONFIG_CONTROL_AUTO, /* signed with keys, otherwise open: config_control() */
    CONFIG_CONTROL_OPEN,
    CONFIG_CONTROL_SIGNED,
    CONFIG_CONTROL_NONE
};

/* Frames and peer messages. */
enum config_keys {
    CONFIG_KEYS_NONE,       /* sent unsealed; sealed and unsealed ones are accepted */
    CONFIG_KEYS_PERMISSIVE, /* sent sealed; both are accepted */
    CONFIG_KEYS_ENFORCE     /* sent sealed; only sealed ones are accepted */
};

enum config_election { CONFIG_ELECTION_PEERS, CONFIG_ELECTION_LEASE };
enum config_quorum { CONFIG_QUORUM_AUTO, CONFIG_QUORUM_MAJORITY, CONFIG_QUORUM_NONE };
enum config_refused { CONFIG_REFUSED_FAST, CONFIG_REFUSED_TIMEOUT };
enum config_down { CONFIG_DOWN_REFUSE, CONFIG_DOWN_HOLD };

/* Sources that may send the app's replies (data/app/app_elsewhere.h): each takes more than the one
 * before it. */
enum config_reply_from {
    CONFIG_REPLY_FROM_SAME,
    CONFIG_REPLY_FROM_PORT,
    CONFIG_REPLY_FROM_ANY,
    CONFIG_REPLY_FROM_COUNT
};

/* app.target: echo, whoami, discard or udp://HOST:PORT */
struct config_app_target {
    enum config_app kind;
    struct address address; /* only with CONFIG_APP_UDP */
};

struct config {
    char cluster[CONFIG_TEXT_MAX];
    struct address self;        /* own IP, port 0; found from the default route when not set */
    char name[CONFIG_NAME_MAX]; /* default: POD_NAME, otherwise the text of self */
    struct address bind;        /* IP of the sockets; the wildcard unless self is loopback */

    uint16_t data_port, relay_port, peer_port;
    struct address admin_listen; /* port 0: no admin server */
    uint64_t rcvbuf_bytes;       /* 0: as much as the kernel grants */
    struct config_groups multicast_groups;

    struct config_peers peers;
    char leader[CONFIG_NAME_MAX]; /* address, name, or IP:PORT outside; "" none */
    uint64_t leader_generation;

    struct config_order leader_list;     /* succession; members outside it come after it */
    int eligible;                        /* 0: never leads */
    char discovery_dns[CONFIG_TEXT_MAX]; /* a name with an address for each pod; "" none */
    uint64_t discovery_interval_ns;
    char discovery_kubernetes[CONFIG_TEXT_MAX]; /* name of a Service; "" none */
    char store[CONFIG_TEXT_MAX];                /* path of a file; "" none */

    char platform_api[CONFIG_TEXT_MAX];       /* a URL, or "auto": config_parse_api */
    char platform_token[CONFIG_TEXT_MAX];     /* path of a file; "" none */
    char platform_ca[CONFIG_TEXT_MAX];        /* path of a file */
    char platform_namespace[CONFIG_TEXT_MAX]; /* or "auto" */
    int platform_role_label;

    char lease_name[CONFIG_TEXT_MAX]; /* of the Lease object, with election lease */
    uint64_t lease_duration_ns;       /* whole seconds */
    uint64_t lease_renew_ns;          /* 0: a sixth of the duration */
    uint64_t lease_timeout_ns;        /* of one request */

    uint64_t heartbeat_interval_ns;
    uint32_t heartbeat_misses; /* intervals of silence after which a leader counts as failed */
    enum config_election election;
    enum config_quorum quorum;
    uint32_t quorum_expect; /* members to expect; 0: as many as peers names, this pod included */
    uint64_t member_forget_ns;
    enum config_refused failover_on_refused;

    enum config_route route;
    enum config_commit ordered_commit;
    uint64_t ordered_history_bytes;
    enum config_relay relay_format;
    uint32_t relay_mtu; /* IP MTU, bytes */
    uint64_t relay_linger_ns;
    enum config_confirm relay_confirm;
    uint64_t relay_keep_bytes, relay_keep_ns;

    uint64_t hold_time_ns, hold_bytes;
    uint64_t drain_time_ns, reply_grace_ns;
    enum config_sessions drain_sessions;

    struct config_app_target app_target;
    enum config_proxy app_proxy_protocol;
    enum config_reply_from app_reply_from;
    enum config_app_source app_source;
    enum config_client_address app_client_address;
    uint64_t app_idle_ns;
    uint32_t app_max_sessions;
    struct address app_notify; /* port 0: none */
    uint64_t app_fail_ns;      /* time of refusals after which the app counts as down */
    enum config_down app_down; /* what clients get when the apps of all pods are down */

    struct config_cidrs data_allow; /* sources that may send to the data port and groups */
    uint32_t data_rate;             /* datagrams a second a source; 0: no limit */
    uint32_t data_burst;            /* datagrams at once; 0: as many as data_rate */

    enum config_control control_accept;
    struct config_cidrs control_allow;

    char keys[CONFIG_TEXT_MAX]; /* a directory; "" none */
    enum config_keys keys_mode;

    uint32_t receivers, workers, batch, gso, ring;
    int gro;        /* 0: datagrams are received one by one */
    int seccomp;    /* 0: the process is not confined */
    int log_level;  /* enum log_level */
    int log_format; /* enum log_format */
};

/* With app.source session, all sessions with such an app have one socket, and each an address of its
 * own in 127.128.0.0/9. */
static inline bool config_app_is_at_ipv4_loopback(const struct config *config)
{
    return config->app_target.address.family == ADDRESS_V4 &&
           address_is_loopback(&config->app_target.address);
}

/* Are frames kept until they are confirmed? */
static inline bool config_keeps(const struct config *config)
{
    return config->relay_confirm != CONFIG_CONFIRM_NONE && config->relay_keep_bytes > 0 &&
           config->relay_format == CONFIG_RELAY_FRAMED;
}

/* Does this route send a copy of each request to all other live members? */
static inline bool config_makes_copies(const struct config *config)
{
    return config->route == CONFIG_ROUTE_ALL || config->route == CONFIG_ROUTE_ORDERED;
}

/* Can frames and peer messages be opened? config_seals: are they sealed? */
static inline bool config_has_keys(const struct config *config)
{
    return config->keys[0] != '\0';
}

/* The place of the API server. */
struct config_api {
    bool is_tls;
    struct address address;
};

/* Parse the text of platform.api, but auto. Returns 0; -EINVAL; -EDESTADDRREQ: its host is a name;
 * -EPERM: http to another host. */
int config_parse_api(const char *text, struct config_api *ret_api)
    __attribute__((warn_unused_result));

/* Does an option need the API server? */
static inline bool config_needs_platform(const struct config *config)
{
    return config->discovery_kubernetes[0] != '\0' || config->election == CONFIG_ELECTION_LEASE ||
           config->platform_role_label;
}

/* Are other pods looked up? */
static inline bool config_is_discovering(const struct config *config)
{
    return config->discovery_dns[0] != '\0' || config->discovery_kubernetes[0] != '\0';
}

/* Are unsealed frames and peer messages accepted? */
static inline bool config_takes_open(const struct config *config)
{
    return !config_has_keys(config) || config->keys_mode != CONFIG_KEYS_ENFORCE;
}

static inline bool config_seals(const struct config *config)
{
    return config_has_keys(config) && config->keys_mode != CONFIG_KEYS_NONE;
}

/* Is this address in one of the ranges? Its port does not count. */
static inline bool config_cidrs_contain(const struct config_cidrs *cidrs, const struct address *a)
{
    for (size_t i = 0; i < cidrs->count; i++) {
        if (cidr_contains(&cidrs->list[i], a))
            return true;
    }
    return false;
}

/*
 * The mode in force, never AUTO. It depends on the option keys of the start, since a reload does not
 * change that one, and not on the files in its directory.
 */
static inline enum config_control config_control(const struct config *config,
                                                 const struct config *started)
{
    if (config->control_accept != CONFIG_CONTROL_AUTO)
        return config->control_accept;
    return started->keys[0] ? CONFIG_CONTROL_SIGNED : CONFIG_CONTROL_OPEN;
}

/* The mode that the command line asks for. */
enum config_mode { CONFIG_RUN, CONFIG_CHECK, CONFIG_DUMP, CONFIG_VERSION, CONFIG_HELP };

/* Exit codes of headlessd. */
enum config_exit { CONFIG_EXIT_OK, CONFIG_EXIT_FAILED, CONFIG_EXIT_USAGE, CONFIG_EXIT_COUNT };

/* The source that set an option last; kept per option for --dump-config and error messages. */
enum config_source { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_FLAG };

struct config_set; /* values, their sources, and the arguments needed to load them again */

/*
 * Load file (-c), environment and flags. Wrong options: one line each to errors (at most 20) and
 * -EINVAL; a file that cannot be read is reported and returns its negative errno; -ENOMEM. Outputs
 * untouched then. An unknown HEADLESSD_ variable is a line "warning: ..." and no error.
 *
 * From CONFIG_VERSION on nothing else is read: these modes work whatever errors the rest has, and
 * *ret_set is NULL. argv stays referenced by the result (for reloads).
 */
int config_load(int argc, char *const argv[], FILE *errors, struct config_set **ret_set,
                enum config_mode *ret_mode);
void config_destroy(struct config_set *set);

/* Defaults and this YAML text alone, called name in errors; name stays referenced. For tests. */
int config_load_text(const char *text, size_t length, const char *name, FILE *errors,
                     struct config_set **ret_set);

/* The values; valid as long as the set. */
const struct config *config_values(const struct config_set *set);

/* The file given by -c, or NULL. */
const char *config_path(const struct config_set *set);

/* The digest of that file's content when it was read (config_digest in watch.h); 0: no file. */
uint64_t config_digest_of(const struct config_set *set);

/*
 * Read everything again with the same arguments. Errors as config_load; the old set stays.
 *
 * set: the one in force. A file is refused that sets no option any more, or does not end with a
 * newline any more, because it may be incomplete.
 *
 * *digest: that of the expected content of the file, 0: any. If the content is another one, nothing
 * is read or reported: -EAGAIN. On return it is that of the content; 0: no file, or unreadable.
 */
int config_reload(const struct config_set *set, uint64_t *digest, FILE *errors,
                  struct config_set **ret_set);

/*
 * Calls each(name used, name now, context) for every option that was set by its former name: keys,
 * variables, or flags without --, as they were written. Returns how many were.
 */
size_t config_list_renamed(const struct config_set *set,
                           void (*each)(const char *was, const char *is, void *context),
                           void *context);

/*
 * Compare two sets row by row. Calls each(option name, can it change at run time, context) for
 * every option that differs; returns how many did.
 */
size_t config_diff(const struct config_set *before, const struct config_set *after,
                   void (*each)(const char *option, bool reloadable, void *context), void *context);

/* An option that limits who may send, command or be trusted, and whose new value allows more. */
struct config_loosened {
    const char *option, *was, *is; /* lists with commas, valid during the call */
    bool is_default;               /* nothing sets it any more */
    bool reloadable;               /* false: from the next start on */
};
typedef void config_loosened_fn(const struct config_loosened *loosened, void *context);

/*
 * Calls each for every such option. started: in force for what a reload does not change. -ENOMEM:
 * some are missing.
 */
int config_list_loosened(const struct config_set *started, const struct config_set *before,
                         const struct config_set *after, config_loosened_fn *each, void *context)
    __attribute__((warn_unused_result));

/*
 * Calls each(option name, value as text, context) for every option in force whose value is not its
 * default: the value of started, or of newest where a reload may change it. -ENOMEM: some are
 * missing.
 */
int config_list_changed(const struct config_set *started, const struct config_set *newest,
                        void (*each)(const char *option, const char *value, void *context),
                        void *context) __attribute__((warn_unused_result));

/* --dump-config: YAML that loads to the same settings, each line with its source as a comment. */
void config_dump(const struct config_set *set, FILE *out);
void config_help(FILE *out);

#endif
