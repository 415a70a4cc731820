/*
 * ctl: the parts of headlessctl; src/headlessctl.c runs the command on its command line.
 *
 * Reads go to a pod's admin port by HTTP, commands and probes to data ports by UDP, as from any
 * client. One thread; functions block for at most the times named here. The function that finds an
 * error writes one line to standard error.
 */
#ifndef HEADLESS_CTL_CTL_H
#define HEADLESS_CTL_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "headless/config/config.h"
#include "headless/net/udp.h"
#include "headless/secure/sign.h"

struct json_object;

/* Exit codes. */
enum ctl_exit {
    CTL_OK,
    CTL_NO /* the pod refuses, or does not reply */,
    CTL_USAGE,
    CTL_EXIT_COUNT
};

/* ---- options.c: the command line ---- */

/* Bits: which options a command takes, and which were given. */
enum ctl_option {
    CTL_OPTION_ADMIN = 1 << 0,
    CTL_OPTION_DATA = 1 << 1,
    CTL_OPTION_SERVICE = 1 << 2,
    CTL_OPTION_JSON = 1 << 3,
    CTL_OPTION_IF_TERM = 1 << 4,
    CTL_OPTION_FORCE = 1 << 5,
    CTL_OPTION_COUNT = 1 << 6,
    CTL_OPTION_INTERVAL = 1 << 7,
    CTL_OPTION_WAIT = 1 << 8,
    CTL_OPTION_MULTICAST = 1 << 9,
    CTL_OPTION_INTERFACE = 1 << 10,
    CTL_OPTION_HOPS = 1 << 11,
    CTL_OPTION_KEYS = 1 << 12,
    CTL_OPTION_KEY = 1 << 13,
    CTL_OPTION_CLUSTER = 1 << 14,
    CTL_OPTION_PRINT = 1 << 15
};

#define CTL_OPTIONS_MAX 32 /* rows of the table */

struct ctl_options {
    const char *admin, *data, *service, *multicast, *interface; /* NULL: not given */
    const char *keys, *key, *cluster;
    bool json, force, print, help, version;
    uint64_t if_term, count, interval_ns, wait_ns, hops;
    unsigned given; /* bits of enum ctl_option */
    int word_count; /* words that are no options: command and operands */
    char **words;
};

/* Reorders argv. Returns 0 or -EINVAL. */
int ctl_options_parse(int argc, char **argv, struct ctl_options *ret_options)
    __attribute__((warn_unused_result));
/* The name of the first option in bits, with its dashes. */
const char *ctl_option_name(unsigned bits);

/* One row for each option. set returns NULL, or the error in the text. */
struct ctl_option_row {
    const char *name, *value; /* value NULL: takes none */
    unsigned bit;             /* 0: every command takes it */
    const char *(*set)(struct ctl_options *options, const char *text);
    const char *help;
};
extern const struct ctl_option_row ctl_option_rows[];
extern const size_t ctl_option_row_count;

/* ---- commands.c: one row a command ---- */

#define CTL_COMMANDS_MAX 16 /* rows */

struct ctl_command {
    const char *words[2]; /* the second may be NULL */
    const char *operand;  /* NULL: takes none; "[...]": need not be there */
    unsigned options;     /* bits of enum ctl_option that it takes */
    int (*run)(const struct ctl_options *options, const char *operand);
    const char *help;
};
extern const struct ctl_command ctl_commands[];
extern const size_t ctl_command_count;

/* ---- help.c: --help, and texts that the manual has too ---- */

struct ctl_exit_text {
    enum ctl_exit code;
    const char *meaning;
};
extern const char ctl_examples[];
extern const struct ctl_exit_text ctl_exits[CTL_EXIT_COUNT];

void ctl_help(FILE *out);

/* ---- address.c: addresses from arguments ---- */

#define CTL_ADDRESSES_MAX CONFIG_PEERS_MAX

struct ctl_addresses {
    struct address list[CTL_ADDRESSES_MAX];
    size_t count;
};

/*
 * Add the addresses of HOST[:PORT] (numeric, or a name by getaddrinfo), at most max, without
 * duplicates. :PORT alone and the wildcards mean this machine, 127.0.0.1. Returns
 * 0, -EINVAL, or -EHOSTUNREACH for a name that does not resolve.
 */
int ctl_resolve(const char *text, uint16_t default_port, size_t max,
                struct ctl_addresses *addresses) __attribute__((warn_unused_result));

/* The data ports that --data or --service name. */
int ctl_find_pods(const struct ctl_options *options, struct ctl_addresses *ret_addresses)
    __attribute__((warn_unused_result));

/* The group that --multicast names. Returns 0, -EINVAL or -EHOSTUNREACH. */
int ctl_find_group(const struct ctl_options *options, struct address *ret_group)
    __attribute__((warn_unused_result));

/* ---- http.c ---- */

struct ctl_response {
    unsigned status; /* of HTTP */
    char *text;      /* malloc'd: header and body */
    const char *body;
};

/* --admin, otherwise the environment, otherwise the default. */
const char *ctl_admin(const struct ctl_options *options);
/* Its addresses. Returns 0, -EINVAL or -EHOSTUNREACH. */
int ctl_find_admin(const struct ctl_options *options, struct ctl_addresses *ret_addresses)
    __attribute__((warn_unused_result));

/* GET from the first address that responds within limit_ns. Writes no error; returns 0 or a negative
 * errno. */
int ctl_get_from(const struct ctl_addresses *addresses, const char *path, uint64_t limit_ns,
                 struct ctl_response *ret_response) __attribute__((warn_unused_result));

/* GET from --admin, within 5 s. Returns 0 or a negative errno. */
int ctl_get(const struct ctl_options *options, const char *path, struct ctl_response *ret_response)
    __attribute__((warn_unused_result));

/* GET a JSON object from --admin. Returns an exit code; the caller owns the document. */
int ctl_get_json(const struct ctl_options *options, const char *path,
                 struct json_object **ret_document) __attribute__((warn_unused_result));
/* In one line. */
void ctl_put_json(FILE *out, const struct json_object *document);

/* Send a GET only: the caller reads the response and closes. */
int ctl_get_open(const struct ctl_options *options, const char *path, int *ret_fd)
    __attribute__((warn_unused_result));

/* Split header from body. Returns 0, or -EPROTO if the text is no HTTP/1 response. */
int ctl_response_parse(char *text, struct ctl_response *ret_response)
    __attribute__((warn_unused_result));

/* ---- follow.c ---- */

/*
 * Print the server-sent events of a path until the stream ends, then the reason. Returns a negative
 * errno if there was no connection.
 */
int ctl_follow(const struct ctl_options *options, const char *path)
    __attribute__((warn_unused_result));

/* ---- ask.c: send a datagram to each of several pods, and receive their replies ---- */

#define CTL_REPLY_MAX 1500

struct ctl_pod {
    struct address address;
    struct udp_socket socket;
    int error; /* errno of the last failure, or 0 */
    bool replied;
    unsigned tries;
    uint64_t sent_ns, replied_ns; /* of the last try; clock_now_ns */
    char reply[CTL_REPLY_MAX];    /* ends in NUL */
};

struct ctl_request {
    const char *text;
    size_t length;
    /* Instead of text, for a datagram that must not be sent twice: composes one for each send, with
     * context. Returns its length. */
    size_t (*compose)(const struct ctl_request *request, char *out, size_t size);
    const void *context;
    unsigned tries;
    uint64_t wait_ns; /* for the replies to one try */
    /* Is this the reply to the request? NULL: every datagram is. */
    bool (*is_reply)(const struct ctl_request *request, const char *reply);
    const char *nonce;
};

/* One connected socket a pod. Returns 0 or -ENOMEM; a socket that fails is its pod's error. */
int ctl_pods_open(const struct ctl_addresses *addresses, struct ctl_pod **ret_pods)
    __attribute__((warn_unused_result));
/* The same for the pods that --data or --service name; writes errors. Returns an exit code. */
int ctl_open_pods(const struct ctl_options *options, struct ctl_pod **ret_pods, size_t *ret_count)
    __attribute__((warn_unused_result));
void ctl_pods_close(struct ctl_pod *pods, size_t count);

/* Send to all pods, then again to those without a reply. Returns the number of replies. */
size_t ctl_ask(struct ctl_pod *pods, size_t count, const struct ctl_request *request);

/* ---- group.c: send a datagram to a multicast group, and receive its members' replies ---- */

struct ctl_group {
    struct address address; /* IPv6: its scope is the interface */
    struct udp_socket socket;
};

/* By --multicast, --interface and --hops. Returns 0 or a negative errno; -EINVAL: wrong usage. */
int ctl_group_open(const struct ctl_options *options, struct ctl_group *ret_group)
    __attribute__((warn_unused_result));
void ctl_group_close(struct ctl_group *group);

/* Send once, wait for request->wait_ns, and print each reply as a line. Returns their number; 1, the
 * leader's, is right. */
size_t ctl_group_ask(FILE *out, const struct ctl_group *group, const struct ctl_request *request);

/* ---- message.c: texts of requests and replies ---- */

#define CTL_COMMAND_BYTES_MIN \
    64 /* padded to it with spaces, so that no reply is longer than the command */
#define CTL_PROBE_BYTES 512 /* as long as the longest reply */
#define CTL_COMMAND_MAX 512 /* the longest name, all options, a signature, NUL */

/* {"leader":who,"if_term":...,"force":true}. Returns its length, or 0 if who cannot be a name or
 * address. */
size_t ctl_put_command(char *out, size_t size, const char *who, const struct ctl_options *options);
/* {"probe":nonce,"pad":"..."} of CTL_PROBE_BYTES exactly. */
void ctl_put_probe(char out[static CTL_PROBE_BYTES + 1], const char *nonce);

/* Append spaces and NUL to a command in out[size]. Returns its length. */
size_t ctl_pad_command(char *out, size_t size, size_t length);

/* Random; need not be secret. */
uint64_t ctl_draw_number(void);
/* A new random nonce of 16 hex digits. */
void ctl_draw_nonce(char out[static 17]);
/* Is this JSON with that nonce? */
bool ctl_is_probe_reply(const struct ctl_request *request, const char *reply);

/* Print a text from the network: at most 80 characters, up to its end or a last newline, and a
 * question mark for each unprintable character, which could be a terminal's escape sequence. */
void ctl_put_printable(FILE *out, const char *text);
/* The same, up to max characters. */
void ctl_put_cut(FILE *out, const char *text, size_t max);

/* Print a pod's reply to a command as a line. True: it is ok. */
bool ctl_show_command_reply(FILE *out, const struct ctl_pod *pod, bool has_if_term);
/* Print a pod's reply to a message as a line. */
void ctl_show_reply(FILE *out, const struct ctl_pod *pod);
/* Print a pod's reply to a probe as a line. */
void ctl_show_probe_reply(FILE *out, const struct ctl_pod *pod);

/* ---- key.c: keys, and what commands are signed with ---- */

#define CTL_CLUSTER_DEFAULT "headless" /* as the option cluster has it */

/* A new one to a new file, or to standard output when path is NULL. Returns an exit code. */
int ctl_key_new(const struct ctl_options *options, const char *path);
/* Names and ids in a directory, by default HEADLESSD_KEYS; no secrets. Returns an exit code. */
int ctl_key_list(const struct ctl_options *options, const char *directory);

/* --keys, otherwise HEADLESSD_KEYS. NULL: none. */
const char *ctl_keys_directory(const struct ctl_options *options);

struct ctl_signer {
    const char *cluster;
    bool has_key; /* false: nothing is signed */
    struct sign_key key;
};

/* From --keys, --key and --cluster, or the pod's environment. Returns an exit code. */
int ctl_signer_open(const struct ctl_options *options, struct ctl_signer *ret_signer)
    __attribute__((warn_unused_result));
void ctl_signer_close(struct ctl_signer *signer);

/* ---- lead.c ---- */

/* Send a leader command to the pods, or print it. Returns an exit code. */
int ctl_leader_set(const struct ctl_options *options, const char *who);

/* ---- top.c ---- */

/*
 * Show the status of a pod repeatedly: on a terminal until q; elsewhere, and with --count, as text.
 * Returns an exit code; CTL_NO if the last frame had no response.
 */
int ctl_top(const struct ctl_options *options);

/* ---- sessions.c ---- */

/*
 * The sessions of a pod's app; with an address, only those of this client, or of the client that the
 * app sees under this address. Returns an exit code; CTL_NO if there is none.
 */
int ctl_sessions(const struct ctl_options *options, const char *address);
/* Print the document of GET /sessions. */
void ctl_show_sessions(FILE *out, const struct json_object *document);

/* ---- show.c: documents as text ---- */

/* Print the document of GET /status. */
void ctl_show_status(FILE *out, const struct json_object *status);
/* Print its members, in the order of succession. */
void ctl_show_succession(FILE *out, const struct json_object *status);
void ctl_show_leader(FILE *out, const struct json_object *leader);
/* Print an event of GET /events as a line. */
void ctl_show_event(FILE *out, const struct json_object *leader, time_t now);

#endif
