/*
 * sign: leader commands that carry a proof of who gave them.
 *
 *   {"leader":"b","if_term":7,"key":"NAME","time":1764085000,"nonce":"16 hex","mac":"64 hex"}
 *
 * mac is HMAC-SHA-256 (RFC 2104, FIPS 180-4), under the control subkey of the key of that name, of
 * the cluster's name, a NUL, and the raw bytes of the datagram in front of the comma before "mac".
 * So no JSON has to be spelled in one way only, and a key that two clusters share carries nothing
 * over. The mac is the last member: only white space can be added without the key.
 *
 * A command is obeyed when its time is within SIGN_WINDOW_S of the receiver's clock, and then once:
 * its nonce is kept for as long as the time may pass for right. No mark is forgotten early: where
 * there is no room for one more, the command is refused. What cannot be told from a repetition, for
 * it is older than this table or than a mark that went, is refused too: so nothing passes twice
 * when the clock is set back, or after a restart.
 *
 * Everything here is a function of its arguments: no clock, no allocation, no lock. A struct
 * sign_seen has one owner.
 */
#ifndef HEADLESS_SECURE_SIGN_H
#define HEADLESS_SECURE_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/secure/keyring.h"
#include "headless/wire/leader_command.h"

#define SIGN_WINDOW_S  5
#define SIGN_SEEN_MAX  640 /* more than are obeyed in the time a mark is kept */
#define SIGN_BYTES_MAX 256 /* more than a signature adds to a command */

_Static_assert(LEADER_COMMAND_KEY_MAX >= KEY_NAME_MAX, "a key's name must fit a command");
_Static_assert(LEADER_COMMAND_MAC_BYTES == KEY_BYTES, "HMAC-SHA-256");

/* What became of it: the first two go on, all others are refused. */
enum sign_verdict {
    SIGN_VALID, /* whoever signed it holds a key */
    SIGN_PLAIN, /* nobody asks for a signature: where it comes from decides */
    SIGN_UNSIGNED,
    SIGN_MALFORMED, /* a signature that is not whole */
    SIGN_UNKNOWN_KEY,
    SIGN_WRONG_TIME,
    SIGN_WRONG_MAC,
    SIGN_REPLAYED,
    SIGN_TOO_OLD, /* may have been seen and forgotten */
    SIGN_FULL,
    SIGN_VERDICT_COUNT
};

static inline bool sign_is_refused(enum sign_verdict verdict)
{
    return verdict > SIGN_PLAIN;
}

/* The counter of this refusal; and why, in words. */
size_t sign_counter(enum sign_verdict refusal);
const char *sign_reason(enum sign_verdict refusal);

/* What commands are signed with: the subkey of one key. */
struct sign_key {
    char name[KEY_NAME_MAX];
    uint8_t subkey[KEY_BYTES];
};

/* By what commands are judged; a plain value, part of the snapshot. */
struct sign_policy {
    bool is_required; /* else what is not signed is SIGN_PLAIN; and without keys, what is, too */
    uint32_t count;
    struct sign_key keys[KEYRING_MAX];
};

void sign_key_make(const struct key *key, struct sign_key *ret_key);
void sign_policy_make(const struct keyring *ring, bool is_required, struct sign_policy *ret_policy);

/* All but repetition: that is sign_seen_take's. The payload is the one the command was read from.
 * now_s: CLOCK_REALTIME. */
enum sign_verdict sign_judge(const struct sign_policy *policy, const char *cluster,
                             const uint8_t *payload, const struct leader_command *command,
                             uint64_t now_s);

/* By how much the signer's clock seems to be ahead; for people. */
int64_t sign_ahead_s(const struct leader_command_signature *signature, uint64_t now_s);

/* Marks of the commands that were taken. */
struct sign_seen {
    uint64_t floor_s; /* what was signed before is refused */
    uint32_t count;
    struct {
        uint64_t nonce, time_s;
    } marks[SIGN_SEEN_MAX];
};

/* An empty table; nothing that was signed before now_s is taken. */
void sign_seen_init(struct sign_seen *seen, uint64_t now_s);
/* Of a SIGN_VALID command, and only of these: SIGN_VALID again, once, or a refusal. */
enum sign_verdict sign_seen_take(struct sign_seen *seen,
                                 const struct leader_command_signature *signature, uint64_t now_s);

/* When and how often: what differs between two signatures of one command. */
struct sign_stamp {
    uint64_t time_s, nonce;
};

/*
 * Append a signature to a command in text[size], {"leader":"b"} with nothing behind its brace.
 * Returns the new length (NUL behind it), or 0, and text is as it was: it does not fit, or that is
 * no object.
 */
size_t sign_command(char *text, size_t size, const struct sign_key *key, const char *cluster,
                    const struct sign_stamp *stamp);

#endif
