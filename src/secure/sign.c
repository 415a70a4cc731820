#include "headless/secure/sign.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "headless/base/counters.h"

_Static_assert(crypto_auth_hmacsha256_BYTES == LEADER_COMMAND_MAC_BYTES, "as libsodium makes it");

/* ---- refusals ---- */

static const struct {
    size_t counter;
    const char *reason;
} refusals[SIGN_VERDICT_COUNT] = {
    [SIGN_UNSIGNED] = {COUNTER_AUTH_UNSIGNED,
                       "it is not signed (control.accept): headlessctl leader set --keys signs"},
    [SIGN_MALFORMED] =
        {COUNTER_AUTH_MALFORMED,
         "its signature is incomplete: it needs key, time, nonce (16 hex digits) and, "
         "as the last member, mac (64)"},
    [SIGN_UNKNOWN_KEY] = {COUNTER_AUTH_KEY, "this pod does not have its key"},
    [SIGN_WRONG_TIME] = {COUNTER_AUTH_TIME, "its time is more than 5 s off this pod's clock"},
    [SIGN_WRONG_MAC] = {COUNTER_AUTH_MAC,
                        "its mac is wrong: signed with another key of that name, for another "
                        "cluster, or changed on the way"},
    [SIGN_REPLAYED] = {COUNTER_AUTH_REPLAY, "it was received before"},
    [SIGN_TOO_OLD] = {COUNTER_AUTH_REPLAY,
                      "it may be a replay: it was signed before this pod started, or the clock of "
                      "this pod was set back"},
    [SIGN_FULL] = {COUNTER_AUTH_FULL, "too many signed commands within 5 s"},
};

size_t sign_counter(enum sign_verdict refusal)
{
    return refusals[refusal].counter;
}

const char *sign_reason(enum sign_verdict refusal)
{
    return refusals[refusal].reason;
}

/* ---- keys ---- */

void sign_key_make(const struct key *key, struct sign_key *ret_key)
{
    memcpy(ret_key->name, key->name, sizeof(ret_key->name));
    key_derive(key, KEY_FOR_COMMANDS, 0, 0, ret_key->subkey);
}

void sign_policy_make(const struct keyring *ring, bool is_required, struct sign_policy *ret_policy)
{
    *ret_policy = (struct sign_policy){.is_required = is_required, .count = ring->count};
    for (uint32_t i = 0; i < ring->count; i++)
        sign_key_make(&ring->keys[i], &ret_policy->keys[i]);
}

static const struct sign_key *find_key(const struct sign_policy *policy, const char *name)
{
    for (uint32_t i = 0; i < policy->count; i++) {
        if (strcmp(policy->keys[i].name, name) == 0)
            return &policy->keys[i];
    }
    return NULL;
}

/* ---- the mac ---- */

static void make_mac(const struct sign_key *key, const char *cluster, const uint8_t *payload,
                     size_t covered, uint8_t ret_mac[static LEADER_COMMAND_MAC_BYTES])
{
    crypto_auth_hmacsha256_state state;

    /* None of these can fail. */
    (void)crypto_auth_hmacsha256_init(&state, key->subkey, sizeof(key->subkey));
    (void)crypto_auth_hmacsha256_update(&state, (const uint8_t *)cluster, strlen(cluster) + 1);
    (void)crypto_auth_hmacsha256_update(&state, payload, covered);
    (void)crypto_auth_hmacsha256_final(&state, ret_mac);
    sodium_memzero(&state, sizeof(state));
}

/* ---- verification ---- */

int64_t sign_ahead_s(const struct leader_command_signature *signature, uint64_t now_s)
{
    return (int64_t)(signature->time_s - now_s);
}

static uint64_t sign_distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

/* Cheap checks first: any sender can cause them. */
static enum sign_verdict verify(const struct sign_policy *policy, const char *cluster,
                                const uint8_t *payload,
                                const struct leader_command_signature *signature, uint64_t now_s)
{
    const struct sign_key *key = find_key(policy, signature->key);
    uint8_t mac[LEADER_COMMAND_MAC_BYTES];

    if (!key)
        return SIGN_UNKNOWN_KEY;
    if (sign_distance(signature->time_s, now_s) > SIGN_WINDOW_S)
        return SIGN_WRONG_TIME;
    make_mac(key, cluster, payload, signature->covered, mac);
    return sodium_memcmp(mac, signature->mac, sizeof(mac)) == 0 ? SIGN_VALID : SIGN_WRONG_MAC;
}

enum sign_verdict sign_judge(const struct sign_policy *policy, const char *cluster,
                             const uint8_t *payload, const struct leader_command *command,
                             uint64_t now_s)
{
    /* During a roll-out a pod without keys cannot verify, and is not required to. */
    if (!policy->is_required && (policy->count == 0 || command->signing == LEADER_COMMAND_UNSIGNED))
        return SIGN_PLAIN;
    switch (command->signing) {
    case LEADER_COMMAND_UNSIGNED:
        return SIGN_UNSIGNED;
    case LEADER_COMMAND_MISSIGNED:
        return SIGN_MALFORMED;
    case LEADER_COMMAND_SIGNED:
        break;
    }
    return verify(policy, cluster, payload, &command->signature, now_s);
}

/* ---- replay ---- */

void sign_seen_init(struct sign_seen *seen, uint64_t now_s)
{
    *seen = (struct sign_seen){.floor_s = now_s};
}

/* Remove marks whose commands are refused by their time. */
static void sign_forget(struct sign_seen *seen, uint64_t now_s)
{
    for (uint32_t i = 0; i < seen->count;) {
        uint64_t time_s = seen->marks[i].time_s;

        if (now_s <= time_s || now_s - time_s <= SIGN_WINDOW_S) {
            i++;
            continue;
        }
        if (seen->floor_s <= time_s)
            seen->floor_s = time_s + 1;
        seen->marks[i] = seen->marks[--seen->count];
    }
}

enum sign_verdict sign_seen_take(struct sign_seen *seen,
                                 const struct leader_command_signature *signature, uint64_t now_s)
{
    sign_forget(seen, now_s);
    for (uint32_t i = 0; i < seen->count; i++) {
        if (seen->marks[i].nonce == signature->nonce)
            return SIGN_REPLAYED;
    }
    if (signature->time_s < seen->floor_s)
        return SIGN_TOO_OLD;
    if (seen->count == SIGN_SEEN_MAX)
        return SIGN_FULL;
    seen->marks[seen->count].nonce = signature->nonce;
    seen->marks[seen->count++].time_s = signature->time_s;
    return SIGN_VALID;
}

static void forget_oldest(struct sign_seen *seen)
{
    uint32_t oldest = 0;

    for (uint32_t i = 1; i < seen->count; i++) {
        if (seen->marks[i].time_s < seen->marks[oldest].time_s)
            oldest = i;
    }
    if (seen->floor_s <= seen->marks[oldest].time_s)
        seen->floor_s = seen->marks[oldest].time_s + 1;
    seen->marks[oldest] = seen->marks[--seen->count];
}

enum sign_verdict sign_seen_mark(struct sign_seen *seen, uint64_t nonce, uint64_t time_s)
{
    for (uint32_t i = 0; i < seen->count; i++) {
        if (seen->marks[i].nonce == nonce)
            return SIGN_REPLAYED;
    }
    if (seen->count == SIGN_SEEN_MAX && time_s >= seen->floor_s)
        forget_oldest(seen);
    if (time_s < seen->floor_s)
        return SIGN_TOO_OLD;
    seen->marks[seen->count].nonce = nonce;
    seen->marks[seen->count++].time_s = time_s;
    return SIGN_VALID;
}

/* ---- signing ---- */

size_t sign_command(char *text, size_t size, const struct sign_key *key, const char *cluster,
                    const struct sign_stamp *stamp)
{
    char stamped[SIGN_BYTES_MAX], hex[2 * LEADER_COMMAND_MAC_BYTES + 1];
    size_t length = strlen(text), covered, n;
    uint8_t mac[LEADER_COMMAND_MAC_BYTES];

    if (length < 2 || text[0] != '{' || text[length - 1] != '}')
        return 0;
    n = (size_t)snprintf(stamped, sizeof(stamped),
                         "%s\"key\":\"%s\",\"time\":%" PRIu64 ",\"nonce\":\"%016" PRIx64 "\"",
                         length > 2 ? "," : "", key->name, stamp->time_s, stamp->nonce);
    covered = length - 1 + n;
    if (covered + sizeof(",\"mac\":\"\"}") + sizeof(hex) - 1 > size)
        return 0;
    memcpy(text + length - 1, stamped, n);
    make_mac(key, cluster, (const uint8_t *)text, covered, mac);
    (void)sodium_bin2hex(hex, sizeof(hex), mac, sizeof(mac));
    return covered + (size_t)snprintf(text + covered, size - covered, ",\"mac\":\"%s\"}", hex);
}
