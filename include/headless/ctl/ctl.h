/*
 * ctl: what headlessctl is made of; src/headlessctl.c calls the command that was named.
 *
 * Reads go to a pod's admin port by HTTP, commands and probes to data ports by UDP, as any client
 * would send them. One thread; everything blocks, for at most the times named here. What is wrong
 * is said in one line on standard error, by the function that found it.
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
enum ctl_exit { CTL_OK, CTL_NO /* the pod says no, or nothing */, CTL_USAGE, CTL_EXIT_COUNT };

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

#define CTL_OPTIONS_MAX 32 /* rows */

struct ctl_options {
    const char *admin, *data, *service, *multicast, *interface; /* NULL: not given */
    const char *keys, *key, *cluster;
    bool json, force, print, help, version;
    uint64_t if_term, count, interval_ns, wait_ns, hops;
    unsigned given; /* bits of enum ctl_option */
    int word_count; /* the words that are no options: command and operands */
    char **words;
};

/* Reorders argv. Returns 0, or -EINVAL when something is wrong. */
int ctl_options_parse(int argc, char **argv, struct ctl_options *ret_options)
    __attribute__((warn_unused_result));
/* The name of the first option in bits, with its dashes. */
const char *ctl_option_name(unsigned bits);

/* One row an option. set returns NULL, or what is wrong with the text. */
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

/* ---- address.c: from what was typed to addresses ---- */

#define CTL_ADDRESSES_MAX CONFIG_PEERS_MAX

struct ctl_addresses {
    struct address list[CTL_ADDRESSES_MAX];
    size_t count;
};

/*
 * Add what HOST[:PORT] resolves to (numeric, or a name by getaddrinfo): all of it, or at most max
 * addresses; without doubles. A lone :PORT and the wildcards are this machine, 127.0.0.1. Returns
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

struct ctl_page {
    unsigned status; /* of HTTP */
    char *text;      /* malloc'd: the whole answer */
    const char *body;
};

/* What --admin says, else the environment, else the preset. */
const char *ctl_admin(const struct ctl_options *options);
/* Where that is. Returns 0, -EINVAL or -EHOSTUNREACH. */
int ctl_find_admin(const struct ctl_options *options, struct ctl_addresses *ret_addresses)
    __attribute__((warn_unused_result));

/* GET from the first address that answers, within limit_ns. Says nothing; returns 0 or a negative
 * errno. */
int ctl_get_from(const struct ctl_addresses *addresses, const char *path, uint64_t limit_ns,
                 struct ctl_page *ret_page) __attribute__((warn_unused_result));

/* GET from --admin, within 5 s. Returns 0 or a negative errno. */
int ctl_get(const struct ctl_options *options, const char *path, struct ctl_page *ret_page)
    __attribute__((warn_unused_result));

/* The JSON object at --admin's path. Returns an exit code; a page belongs to the caller. */
int ctl_get_json(const struct ctl_options *options, const char *path, struct json_object **ret_page)
    __attribute__((warn_unused_result));
/* As one line. */
void ctl_put_json(FILE *out, const struct json_object *page);

/* The same, but only as far as the question: the caller reads the answer, and closes. */
int ctl_get_open(const struct ctl_options *options, const char *path, int *ret_fd)
    __attribute__((warn_unused_result));

/* Split header from body. Returns 0, or -EPROTO when this is not an answer of HTTP/1. */
int ctl_page_parse(char *text, struct ctl_page *ret_page) __attribute__((warn_unused_result));

/* ---- follow.c ---- */

/*
 * Show the server-sent events of a path as they come, until the pod ends them; then says why.
 * Returns a negative errno when there was no connection.
 */
int ctl_follow(const struct ctl_options *options, const char *path)
    __attribute__((warn_unused_result));

/* ---- ask.c: a datagram to each of several pods, and their answers ---- */

#define CTL_ANSWER_MAX 1500

struct ctl_pod {
    struct address address;
    struct udp_socket socket;
    int error; /* errno of the last thing that went wrong with it, or 0 */
    bool answered;
    unsigned tries;
    uint64_t sent_ns, answered_ns; /* of the last try; clock_now_ns */
    char answer[CTL_ANSWER_MAX];   /* ends in NUL */
};

struct ctl_question {
    const char *text;
    size_t length;
    /* In place of text, for what must not be sent twice: written anew whenever it is sent, with
     * context. Returns its length. */
    size_t (*compose)(const struct ctl_question *question, char *out, size_t size);
    const void *context;
    unsigned tries;
    uint64_t wait_ns; /* for the answers to one try */
    /* Is it the answer to this question? NULL: whatever comes is. */
    bool (*is_reply)(const struct ctl_question *question, const char *answer);
    const char *nonce;
};

/* One connected socket a pod. Returns 0 or -ENOMEM; a socket that fails is its pod's error. */
int ctl_pods_open(const struct ctl_addresses *addresses, struct ctl_pod **ret_pods)
    __attribute__((warn_unused_result));
/* The same for those that --data or --service name; says what failed. Returns an exit code. */
int ctl_open_pods(const struct ctl_options *options, struct ctl_pod **ret_pods, size_t *ret_count)
    __attribute__((warn_unused_result));
void ctl_pods_close(struct ctl_pod *pods, size_t count);

/* Ask all at once; again those that did not answer. Returns how many answered. */
size_t ctl_ask(struct ctl_pod *pods, size_t count, const struct ctl_question *question);

/* ---- group.c: a datagram to a multicast group, and the answers of whoever has joined it ---- */

struct ctl_group {
    struct address address; /* with the interface as its scope, where that is IPv6 */
    struct udp_socket socket;
};

/* By --multicast, --interface and --hops. Returns 0 or a negative errno; -EINVAL: wrong usage. */
int ctl_group_open(const struct ctl_options *options, struct ctl_group *ret_group)
    __attribute__((warn_unused_result));
void ctl_group_close(struct ctl_group *group);

/* Ask once, wait as long as the question says, and write each answer as a line. Returns how many
 * there were: one is right, the leader's. */
size_t ctl_group_ask(FILE *out, const struct ctl_group *group, const struct ctl_question *question);

/* ---- message.c: what is asked, and what the answers mean ---- */

#define CTL_COMMAND_BYTES_MIN \
    64                      /* padded to it with spaces: no answer is longer than the command */
#define CTL_PROBE_BYTES 512 /* room for every answer */
#define CTL_COMMAND_MAX 512 /* the longest name, all options, a signature, NUL */

/* {"leader":who,"if_term":...,"force":true}. Returns its length, or 0 when who cannot be anybody.
 */
size_t ctl_put_command(char *out, size_t size, const char *who, const struct ctl_options *options);
/* {"probe":nonce,"pad":"..."} of CTL_PROBE_BYTES exactly. */
void ctl_put_probe(char out[static CTL_PROBE_BYTES + 1], const char *nonce);

/* Spaces behind a command in out[size], NUL behind them. Returns its length. */
size_t ctl_pad_command(char *out, size_t size, size_t length);

/* Random; need not be secret. */
uint64_t ctl_draw_number(void);
/* A new random nonce of 16 hex digits. */
void ctl_draw_nonce(char out[static 17]);
/* Is this JSON with that nonce? */
bool ctl_is_probe_answer(const struct ctl_question *question, const char *answer);

/* Text of a pod, which may be anybody: at most 80 characters, up to its end or a last newline, and
 * a question mark for what is not printable, since it might be meant for the terminal. */
void ctl_put_printable(FILE *out, const char *text);
/* The same, but up to max characters; the other stops at 80. */
void ctl_put_cut(FILE *out, const char *text, size_t max);

/* Write a pod's answer to a command as a line. True when it is ok. */
bool ctl_show_command_answer(FILE *out, const struct ctl_pod *pod, bool has_if_term);
/* Write what a pod answered to a message as a line. */
void ctl_show_answer(FILE *out, const struct ctl_pod *pod);
/* Write a pod's answer to a probe as a line. */
void ctl_show_probe_answer(FILE *out, const struct ctl_pod *pod);

/* ---- key.c: keys, and what commands are signed with ---- */

#define CTL_CLUSTER_DEFAULT "headless" /* as the option cluster has it */

/* A new one to a new file, or to standard output when path is NULL. Returns an exit code. */
int ctl_key_new(const struct ctl_options *options, const char *path);
/* Names and ids in a directory, by default HEADLESSD_KEYS; no secrets. Returns an exit code. */
int ctl_key_list(const struct ctl_options *options, const char *directory);

/* By --keys, else by HEADLESSD_KEYS. NULL: none. */
const char *ctl_keys_directory(const struct ctl_options *options);

struct ctl_signer {
    const char *cluster;
    bool has_key; /* false: nothing is signed */
    struct sign_key key;
};

/* By --keys, --key and --cluster, or by the pod's environment. Returns an exit code. */
int ctl_signer_open(const struct ctl_options *options, struct ctl_signer *ret_signer)
    __attribute__((warn_unused_result));
void ctl_signer_close(struct ctl_signer *signer);

/* ---- lead.c ---- */

/* Tell the pods who leads, or print what would. Returns an exit code. */
int ctl_leader_set(const struct ctl_options *options, const char *who);

/* ---- top.c ---- */

/*
 * Show the status of a pod again and again: on a terminal until q, elsewhere and with --count as
 * text. Returns an exit code; CTL_NO when the last frame was without an answer.
 */
int ctl_top(const struct ctl_options *options);

/* ---- sessions.c ---- */

/*
 * The sessions of a pod's app; with an address only those of this client, or of whom the app sees
 * so. Returns an exit code; CTL_NO when there is none of that address.
 */
int ctl_sessions(const struct ctl_options *options, const char *address);
/* Of GET /sessions. */
void ctl_show_sessions(FILE *out, const struct json_object *page);

/* ---- show.c: pages for people ---- */

/* Of GET /status, and of GET /leader. */
void ctl_show_status(FILE *out, const struct json_object *status);
/* Of GET /status: its members, as they come after each other. */
void ctl_show_succession(FILE *out, const struct json_object *status);
void ctl_show_leader(FILE *out, const struct json_object *leader);
/* Of an event of GET /events, as a line. */
void ctl_show_event(FILE *out, const struct json_object *leader, time_t now);

#endif
