/*
 * control: what a client may say to the data port besides data.
 *
 *   {"leader":"10.0.0.12"}                    a command, optionally with if_term, key, time, nonce,
 * mac
 *   {"probe":"NONCE","pad":"..."}             comes back with leader, via, term
 *
 * A command is a datagram of at most CONTROL_BYTES_MAX whose whole payload, white space aside, is
 * one JSON object with the key "leader", no unknown key, no duplicate key, scalar values. What
 * begins as a command ({ then the key "leader") but is broken (syntax, a key twice, a nested or
 * wrong-typed value) is CONTROL_BAD: answered "bad json", never delivered. Everything else is data,
 * also when it contains the word "leader" somewhere: an object with an unknown key is data.
 *
 * control_classify looks at the bytes without allocating for everything that is not a command; only
 * then json-c parses the values. json-c keeps the last of duplicate keys and saturates big numbers:
 * both are checked here. Any thread; never blocks.
 */
#ifndef HEADLESS_WIRE_CONTROL_H
#define HEADLESS_WIRE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CONTROL_BYTES_MAX  1024
#define CONTROL_TARGET_MAX 64 /* bytes of an address or pod name, with NUL */
#define CONTROL_NONCE_MAX  64 /* bytes of a probe's nonce, with NUL */

enum control_class { CONTROL_DATA, CONTROL_COMMAND, CONTROL_PROBE, CONTROL_BAD };

struct control_command {
    char target[CONTROL_TARGET_MAX]; /* address or pod name, not empty, printable ASCII */
    bool has_if_term;
    uint64_t if_term;
    bool is_signed; /* key, time, nonce and mac were all there (checked by the secure layer) */
};

struct control_probe {
    char nonce[CONTROL_NONCE_MAX]; /* printable ASCII without " and \ , so it can be echoed raw */
};

/* Exactly one of the outputs is filled, according to the class. Payload need not end in NUL. */
enum control_class control_classify(const uint8_t *payload, size_t length,
                                    struct control_command *ret_command,
                                    struct control_probe *ret_probe);

/* What a probe's answer says. */
struct control_probe_answer {
    const char *nonce, *leader_name, *leader_address, *via_address;
    uint64_t term;
};

/*
 * Write {"probe":…,"leader":…,"address":…,"via":…,"term":…}\n into out[limit]; when that is longer
 * than limit, {"probe":…} alone; when even that is, nothing. Returns the bytes written (no NUL).
 */
size_t control_put_probe_answer(char *out, size_t limit, const struct control_probe_answer *answer);

#endif
