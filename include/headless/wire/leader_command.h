/*
 * leader_command: the two kinds of datagram on the data port that are not data.
 *
 *   {"leader":"10.0.0.12"}              a command; also if_term, force, key, time, nonce, mac
 *   {"probe":"NONCE","pad":"..."}       is returned with leader, via, term
 *
 * A command is a datagram of at most LEADER_COMMAND_BYTES_MAX whose whole payload, white space
 * aside, is one JSON object with the key "leader", no unknown key and no duplicate key. leader,
 * key, nonce and mac are strings of printable ASCII without spaces, not empty (escapes are decoded
 * first, so "\/" is fine and "\u0000" is not); if_term and time are whole numbers of 64 bits
 * without sign, fraction or exponent; force is true or false. A key is compared before escapes are
 * decoded: "\u006ceader" is an unknown key.
 *
 * It is signed when it holds all of key, time, nonce (16 hex digits) and mac (64), and mac is the
 * last member; the mac covers the bytes in front of the comma before it.
 *
 * A datagram that begins as a command ({ then the key "leader") but is broken (syntax, a key twice,
 * a nested, wrong-typed or impossible value, anything after the object) is
 * LEADER_COMMAND_CLASS_BAD: the reply is "bad json", and it is never delivered. Everything else is
 * data, also when it contains the word "leader" somewhere. Of several faults the first decides: an
 * unknown key makes it data, any other makes it bad.
 *
 * A probe is a datagram of at most PROBE_BYTES_MAX with the key "probe" first, then
 * optionally "pad", and nothing else; both are printable ASCII without " and \ , the nonce 1 to 63
 * bytes. Anything else is data: there are no bad probes.
 *
 * Never allocates: json-c would end the process when it gets no memory for a key. It also keeps the
 * last of duplicate keys and saturates big numbers. Any thread; never blocks.
 */
#ifndef HEADLESS_WIRE_LEADER_COMMAND_H
#define HEADLESS_WIRE_LEADER_COMMAND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/base/member_name.h"

#define LEADER_COMMAND_BYTES_MAX  1024
#define PROBE_BYTES_MAX           2048            /* room for a pad that fills any usual MTU */
#define LEADER_COMMAND_TARGET_MAX MEMBER_NAME_MAX /* bytes of an address or pod name, with NUL */
#define PROBE_NONCE_MAX           64              /* bytes of a probe's nonce, with NUL */
#define LEADER_COMMAND_KEY_MAX    64              /* bytes of a key's name, with NUL */
#define LEADER_COMMAND_MAC_BYTES  32

enum leader_command_class {
    LEADER_COMMAND_CLASS_DATA,
    LEADER_COMMAND_CLASS_COMMAND,
    LEADER_COMMAND_CLASS_PROBE,
    LEADER_COMMAND_CLASS_BAD
};

/* The members key, time, nonce and mac: none; all, and well formed; or anything else. */
enum leader_command_signing {
    LEADER_COMMAND_UNSIGNED,
    LEADER_COMMAND_SIGNED,
    LEADER_COMMAND_MISSIGNED
};

/* Parsed, not verified: secure/sign.h does that. */
struct leader_command_signature {
    char key[LEADER_COMMAND_KEY_MAX]; /* the key's name */
    uint64_t time_s;                  /* since 1970, by the signer's clock */
    uint64_t nonce;
    uint8_t mac[LEADER_COMMAND_MAC_BYTES];
    size_t covered; /* the mac covers this number of first bytes of the datagram */
};

struct leader_command {
    /* Address or pod name, not empty, printable ASCII; a name of up to 253 bytes is shortened. */
    char target[LEADER_COMMAND_TARGET_MAX];
    bool has_if_term;
    uint64_t if_term;
    bool is_forced; /* to be done without a majority, if there is none */
    enum leader_command_signing signing;
    struct leader_command_signature signature; /* zeros without LEADER_COMMAND_SIGNED */
};

struct probe {
    char nonce[PROBE_NONCE_MAX]; /* printable ASCII without " and \ , so it can be echoed raw */
};

/* A cheap test on the first byte: false for most data. */
static inline bool leader_command_is_possible(const uint8_t *payload, size_t length)
{
    return length > 0 && (payload[0] == '{' || payload[0] <= ' '); /* or white space */
}

/*
 * COMMAND fills ret_command, PROBE fills ret_probe; otherwise the outputs stay untouched. Payload
 * need not end in NUL.
 */
enum leader_command_class leader_command_classify(const uint8_t *payload, size_t length,
                                                  struct leader_command *ret_command,
                                                  struct probe *ret_probe);

/* The values of the reply to a probe. Names and addresses may be NULL: null in the reply. */
struct probe_reply {
    const char *nonce, *leader_name, *leader_address, *via_address;
    uint64_t term;
};

/*
 * Write {"probe":…,"leader":…,"address":…,"via":…,"term":…}\n into out[limit]; if that is longer
 * than limit, {"probe":…} alone without newline, which is never longer than the probe; if even that
 * is longer, nothing. Always JSON: " and \ are escaped, bytes that are not printable ASCII become
 * \u00XX. Returns the bytes written (no NUL), at most limit.
 */
size_t probe_reply_put(char *out, size_t limit, const struct probe_reply *reply);

#endif
