/*
 * sign: signatures of leader commands.
 *
 *   {"leader":"b","if_term":7,"key":"NAME","time":1764085000,"nonce":"16 hex","mac":"64 hex"}
 *
 * mac is HMAC-SHA-256 (RFC 2104, FIPS 180-4), under the command subkey of the key of that name, of
 * the cluster's name, a NUL, and the raw bytes of the datagram in front of the comma before "mac".
 * So JSON needs no canonical form, and a key that two clusters share signs for one of them only.
 * The mac is the last member: without the key only white space can be added.
 *
 * A command is accepted once, when its time is within SIGN_WINDOW_S of the receiver's clock: its
 * nonce is marked for as long as its time is acceptable. Marks are not removed early: when the
 * table is full, the command is refused. A command that may be a replay, because it is older than
 * the table or than a removed mark, is refused too: so none is accepted twice when the clock is set
 * back, or after a restart.
 *
 * Pure functions of their arguments: no clock, no allocation, no lock. A struct sign_seen has one
 * owner.
 */
#ifndef HEADLESS_SECURE_SIGN_H
#define HEADLESS_SECURE_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/secure/keyring.h"
#include "headless/wire/leader_command.h"

#define SIGN_WINDOW_S  5
#define SIGN_SEEN_MAX  640 /* more than are accepted while a mark is kept */
#define SIGN_BYTES_MAX 256 /* more than a signature adds to a command */

_Static_assert(LEADER_COMMAND_KEY_MAX >= KEY_NAME_MAX, "a key's name must fit a command");
_Static_assert(LEADER_COMMAND_MAC_BYTES == KEY_BYTES, "HMAC-SHA-256");

/* The first two are accepted, all others refused. */
enum sign_verdict {
    SIGN_VALID, /* signed with a key of the cluster */
    SIGN_PLAIN, /* no signature needed: the source address decides */
    SIGN_UNSIGNED,
    SIGN_MALFORMED, /* the signature is incomplete */
    SIGN_UNKNOWN_KEY,
    SIGN_WRONG_TIME,
    SIGN_WRONG_MAC,
    SIGN_REPLAYED,
    SIGN_TOO_OLD, /* may have been accepted before its mark was removed */
    SIGN_FULL,
    SIGN_VERDICT_COUNT
};

static inline bool sign_is_refused(enum sign_verdict verdict)
{
    return verdict > SIGN_PLAIN;
}

/* The counter of this refusal, and its reason as text. */
size_t sign_counter(enum sign_verdict refusal);
const char *sign_reason(enum sign_verdict refusal);

/* The subkey of one key, which signs commands. */
struct sign_key {
    char name[KEY_NAME_MAX];
    uint8_t subkey[KEY_BYTES];
};

/* The rules and keys by which commands are verified; a plain value, part of the snapshot. */
struct sign_policy {
    bool is_required; /* otherwise unsigned commands are SIGN_PLAIN; without keys, all are */
    uint32_t count;
    struct sign_key keys[KEYRING_MAX];
};

void sign_key_make(const struct key *key, struct sign_key *ret_key);
void sign_policy_make(const struct keyring *ring, bool is_required, struct sign_policy *ret_policy);

/* Verify all but replay (sign_seen_take). payload: the datagram from which command was parsed.
 * now_s: CLOCK_REALTIME. */
enum sign_verdict sign_judge(const struct sign_policy *policy, const char *cluster,
                             const uint8_t *payload, const struct leader_command *command,
                             uint64_t now_s);

/* Seconds by which the signer's clock is ahead, for log messages. */
int64_t sign_ahead_s(const struct leader_command_signature *signature, uint64_t now_s);

/* Marks of accepted commands. */
struct sign_seen {
    uint64_t floor_s; /* commands signed before are refused */
    uint32_t count;
    struct {
        uint64_t nonce, time_s;
    } marks[SIGN_SEEN_MAX];
};

/* An empty table; commands signed before now_s are refused. */
void sign_seen_init(struct sign_seen *seen, uint64_t now_s);
/* Call it for SIGN_VALID commands only. Returns SIGN_VALID once for each, otherwise a refusal. */
enum sign_verdict sign_seen_take(struct sign_seen *seen,
                                 const struct leader_command_signature *signature, uint64_t now_s);

/*
 * The same for commands that reach this pod from others, whose clocks may differ: no clock. A full
 * table removes the oldest mark, and refuses what is as old.
 */
enum sign_verdict sign_seen_mark(struct sign_seen *seen, uint64_t nonce, uint64_t time_s);

/* The values in which two signatures of one command differ. */
struct sign_stamp {
    uint64_t time_s, nonce;
};

/*
 * Append a signature to a command in text[size], such as {"leader":"b"} with nothing behind its
 * brace. Returns the new length without NUL; or 0 with text unchanged: it does not fit, or text is
 * no object.
 */
size_t sign_command(char *text, size_t size, const struct sign_key *key, const char *cluster,
                    const struct sign_stamp *stamp);

#endif
