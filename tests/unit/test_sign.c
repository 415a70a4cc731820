/* sign: signatures equal those of another implementation; refusals; each command once. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "headless/base/counters.h"
#include "headless/secure/sign.h"

/* The bytes 0 to 31. */
#define COUNTING "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define CLUSTER  "headless"
#define TIME_S   UINT64_C(1764085000)
#define NONCE    UINT64_C(0x00112233aabbccdd)

/* Python: sub = hashlib.blake2b(b"headlessd\x03" + bytes(10), digest_size=32,
 * key=bytes(range(32))).digest(); hmac.new(sub, b"headless\0" + text, hashlib.sha256). */
#define KNOWN                                                                                    \
    "{\"leader\":\"b\",\"if_term\":7,\"key\":\"k1\",\"time\":1764085000,\"nonce\":"              \
    "\"00112233aabbccdd\",\"mac\":\"77c76d827bb9152af00ae9be86fbd7942b05b65dd56e753c94500dd9db4" \
    "c4943\"}"
#define KNOWN_SPACED                                                                           \
    " { \"nonce\" : \"00112233AABBCCDD\",\n\"time\":1764085000 ,\"key\":\"k1\",\"leader\":"    \
    "\"po\\u0064-1\" , \"mac\" : \"f132d4487428d46b72fbe9682ec67f2cf999d7e30da898147b3706c73f" \
    "92b2f6\" }\r\n"
/* The same as KNOWN, of a cluster without a name. */
#define KNOWN_OTHER                                                                              \
    "{\"leader\":\"b\",\"if_term\":7,\"key\":\"k1\",\"time\":1764085000,\"nonce\":"              \
    "\"00112233aabbccdd\",\"mac\":\"f0063db324f3e8b487acbcac400c009c27b631ed5633775005bacd622e9" \
    "fbdc4\"}"

static struct keyring ring;
static struct sign_policy policy;
static struct sign_seen seen;

static void add_key(const char *name, const char *text)
{
    struct key *key = &ring.keys[ring.count++];

    cr_assert(key_parse(text, key));
    (void)snprintf(key->name, sizeof(key->name), "%s", name);
}

static void setup(void)
{
    cr_assert_geq(sodium_init(), 0);
    ring.count = 0;
    add_key("k1", COUNTING);
    sign_policy_make(&ring, true, &policy);
    sign_seen_init(&seen, TIME_S - 100);
}

TestSuite(sign, .init = setup, .timeout = 60);

/* A copy of exactly this length, so that the sanitizer sees a read behind it. False: no command. */
static bool judge_bytes(const char *text, size_t length, uint64_t now_s, const char *cluster,
                        enum sign_verdict *ret_verdict)
{
    struct leader_command command;
    struct probe probe;
    uint8_t *exact = malloc(length);
    bool is_command;

    cr_assert_not_null(exact);
    memcpy(exact, text, length);
    is_command =
        leader_command_classify(exact, length, &command, &probe) == LEADER_COMMAND_CLASS_COMMAND;
    if (is_command)
        *ret_verdict = sign_judge(&policy, cluster, exact, &command, now_s);
    free(exact);
    return is_command;
}

static enum sign_verdict judge_at(const char *text, uint64_t now_s, const char *cluster)
{
    enum sign_verdict verdict = SIGN_VERDICT_COUNT;

    cr_assert(judge_bytes(text, strlen(text), now_s, cluster, &verdict), "%s", text);
    return verdict;
}

static enum sign_verdict judge(const char *text)
{
    return judge_at(text, TIME_S, CLUSTER);
}

static const char *sign(const char *command, const char *cluster, struct sign_stamp stamp)
{
    static char text[LEADER_COMMAND_BYTES_MAX];
    struct sign_key key;

    sign_key_make(&ring.keys[0], &key);
    (void)snprintf(text, sizeof(text), "%s", command);
    cr_assert_gt(sign_command(text, sizeof(text), &key, cluster, &stamp), 0);
    return text;
}

static const struct sign_stamp stamp = {TIME_S, NONCE};

/* ---- another implementation ---- */

Test(sign, signatures_of_another_implementation_are_valid)
{
    cr_assert_eq(judge(KNOWN), SIGN_VALID);
    cr_assert_eq(judge(KNOWN_SPACED), SIGN_VALID, "its own bytes are signed, spelled as they are");
    cr_assert_eq(judge_at(KNOWN_OTHER, TIME_S, ""), SIGN_VALID);
}

Test(sign, signatures_equal_those_of_another_implementation)
{
    cr_assert_str_eq(sign("{\"leader\":\"b\",\"if_term\":7}", CLUSTER, stamp), KNOWN);
    cr_assert_str_eq(sign("{\"leader\":\"b\",\"if_term\":7}", "", stamp), KNOWN_OTHER);
}

Test(sign, white_space_behind_the_mac_is_ignored)
{
    cr_assert_eq(judge(KNOWN "\n"), SIGN_VALID, "as nc sends it");
    cr_assert_eq(judge(KNOWN "    "), SIGN_VALID);
    cr_assert_eq(judge(" " KNOWN), SIGN_WRONG_MAC, "in front of it is signed");
}

/* ---- refusals ---- */

/* Every bit in front of the mac is covered; the hex digits of the mac may change case. */
Test(sign, any_flipped_bit_is_detected)
{
    size_t length = sizeof(KNOWN) - 1, refused = 0, commands = 0;

    for (size_t bit = 0; bit < 8 * length; bit++) {
        char text[sizeof(KNOWN)] = KNOWN;
        enum sign_verdict verdict;

        text[bit / 8] = (char)(text[bit / 8] ^ 1 << bit % 8);
        if (!judge_bytes(text, length, TIME_S, CLUSTER, &verdict))
            continue; /* no command any more */
        commands++;
        if (verdict != SIGN_VALID)
            refused++;
        else
            cr_assert(bit / 8 > length - 67 && bit % 8 == 5, "bit %zu of byte %zu", bit % 8,
                      bit / 8);
    }
    cr_assert_gt(refused, 500);
    cr_assert_leq(commands - refused, 64);
}

Test(sign, any_inserted_or_removed_byte_is_detected)
{
    static const char known[] = KNOWN;
    size_t length = sizeof(known) - 1, mac_at = (size_t)(strstr(known, ",\"mac\"") - known);
    char text[sizeof(KNOWN) + 1];
    enum sign_verdict verdict;
    size_t passed = 0;

    for (size_t at = 0; at <= length; at++) {
        memcpy(text, known, at);
        text[at] = ' ';
        memcpy(text + at + 1, known + at, length - at);
        if (judge_bytes(text, length + 1, TIME_S, CLUSTER, &verdict) && verdict == SIGN_VALID) {
            cr_assert_gt(at, mac_at, "a space in front of byte %zu", at);
            passed++;
        }
        memmove(text + at, known + at + (at < length), length - at);
        if (at < length && judge_bytes(text, length - 1, TIME_S, CLUSTER, &verdict))
            cr_assert_neq(verdict, SIGN_VALID, "without byte %zu", at);
    }
    cr_assert_eq(passed, 5, "white space between the last tokens");
}

Test(sign, commands_of_another_cluster_are_refused)
{
    cr_assert_eq(judge(KNOWN_OTHER), SIGN_WRONG_MAC);
    cr_assert_eq(judge_at(KNOWN, TIME_S, "headles"), SIGN_WRONG_MAC);
    cr_assert_eq(judge_at(KNOWN, TIME_S, "headless2"), SIGN_WRONG_MAC);
}

Test(sign, keys_are_found_by_their_name)
{
    char other[KEY_TEXT_BYTES], text[LEADER_COMMAND_BYTES_MAX];

    key_draw(other);
    (void)snprintf(text, sizeof(text), "%s", sign("{\"leader\":\"b\"}", CLUSTER, stamp));
    ring.count = 0;
    add_key("k2", COUNTING);
    sign_policy_make(&ring, true, &policy);
    cr_assert_eq(judge(text), SIGN_UNKNOWN_KEY, "the bytes are there, but not the name");
    add_key("k1", other);
    sign_policy_make(&ring, true, &policy);
    cr_assert_eq(judge(text), SIGN_WRONG_MAC, "the name is there, but not the bytes");
    ring.count = 0;
    add_key("k2", other);
    add_key("k1", COUNTING);
    sign_policy_make(&ring, true, &policy);
    cr_assert_eq(judge(text), SIGN_VALID, "not only the newest");
}

Test(sign, clock_may_differ_by_five_seconds)
{
    cr_assert_eq(judge_at(KNOWN, TIME_S + 5, CLUSTER), SIGN_VALID);
    cr_assert_eq(judge_at(KNOWN, TIME_S + 6, CLUSTER), SIGN_WRONG_TIME);
    cr_assert_eq(judge_at(KNOWN, TIME_S - 5, CLUSTER), SIGN_VALID);
    cr_assert_eq(judge_at(KNOWN, TIME_S - 6, CLUSTER), SIGN_WRONG_TIME);
    cr_assert_eq(judge_at(KNOWN, 0, CLUSTER), SIGN_WRONG_TIME);
    cr_assert_eq(judge_at(KNOWN, UINT64_MAX, CLUSTER), SIGN_WRONG_TIME);
}

Test(sign, the_largest_times_do_not_wrap)
{
    const char *text = sign("{\"leader\":\"b\"}", CLUSTER, (struct sign_stamp){UINT64_MAX, NONCE});

    cr_assert_eq(judge_at(text, 2, CLUSTER), SIGN_WRONG_TIME);
    cr_assert_eq(judge_at(text, UINT64_MAX - 5, CLUSTER), SIGN_VALID);
}

Test(sign, unsigned_and_incomplete_signatures_are_refused)
{
    static const char half[] = "{\"leader\":\"b\",\"key\":\"k1\"}";

    cr_assert_eq(judge("{\"leader\":\"b\"}"), SIGN_UNSIGNED);
    cr_assert_eq(judge(half), SIGN_MALFORMED);
    policy.is_required = false; /* control.accept: open */
    cr_assert_eq(judge("{\"leader\":\"b\"}"), SIGN_PLAIN);
    cr_assert_eq(judge(half), SIGN_MALFORMED, "refused although none is required");
    cr_assert_eq(judge(KNOWN), SIGN_VALID);
    cr_assert_eq(judge(KNOWN_OTHER), SIGN_WRONG_MAC);
}

Test(sign, without_keys_the_policy_decides)
{
    ring.count = 0;
    sign_policy_make(&ring, true, &policy);
    cr_assert_eq(judge("{\"leader\":\"b\"}"), SIGN_UNSIGNED);
    cr_assert_eq(judge(KNOWN), SIGN_UNKNOWN_KEY);
    policy.is_required = false;
    cr_assert_eq(judge("{\"leader\":\"b\"}"), SIGN_PLAIN);
    cr_assert_eq(judge(KNOWN), SIGN_PLAIN, "without keys it cannot be verified");
}

Test(sign, every_refusal_has_a_counter_and_a_text)
{
    for (enum sign_verdict verdict = SIGN_PLAIN + 1; verdict < SIGN_VERDICT_COUNT; verdict++) {
        cr_assert(sign_is_refused(verdict));
        cr_assert_str_eq(counter_describe(sign_counter(verdict)).metric, "control_no_auth_total");
        cr_assert_gt(strlen(sign_reason(verdict)), 10);
    }
    cr_assert(!sign_is_refused(SIGN_VALID) && !sign_is_refused(SIGN_PLAIN));
}

/* ---- replay ---- */

static enum sign_verdict take(uint64_t nonce, uint64_t time_s, uint64_t now_s)
{
    const struct leader_command_signature signature = {.nonce = nonce, .time_s = time_s};

    return sign_seen_take(&seen, &signature, now_s);
}

Test(sign, nonce_is_accepted_once)
{
    cr_assert_eq(take(1, TIME_S, TIME_S), SIGN_VALID);
    cr_assert_eq(take(1, TIME_S, TIME_S), SIGN_REPLAYED);
    cr_assert_eq(take(2, TIME_S, TIME_S), SIGN_VALID);
    cr_assert_eq(take(1, TIME_S + 1, TIME_S + 1), SIGN_REPLAYED, "whatever its time");
}

/* A mark is kept as long as the time of its command is acceptable. */
Test(sign, marks_are_kept_for_the_window)
{
    cr_assert_eq(take(1, TIME_S + 5, TIME_S), SIGN_VALID, "a clock that is ahead");
    for (uint64_t now_s = TIME_S; now_s <= TIME_S + 10; now_s++)
        cr_assert_eq(take(1, TIME_S + 5, now_s), SIGN_REPLAYED, "%lu", (unsigned long)now_s);
    cr_assert_eq(seen.count, 1);
    cr_assert_eq(take(2, TIME_S + 11, TIME_S + 11), SIGN_VALID);
    cr_assert_eq(seen.count, 1, "the first has gone");
}

Test(sign, clock_set_back_allows_no_replay)
{
    cr_assert_eq(take(1, TIME_S, TIME_S), SIGN_VALID);
    cr_assert_eq(take(2, TIME_S + 60, TIME_S + 60), SIGN_VALID);
    cr_assert_eq(take(1, TIME_S, TIME_S), SIGN_TOO_OLD, "its mark has gone, but not in vain");
    cr_assert_eq(take(2, TIME_S + 60, TIME_S), SIGN_REPLAYED, "its mark has not");
    cr_assert_eq(take(3, TIME_S + 1, TIME_S + 1), SIGN_VALID, "after all that was forgotten");
}

Test(sign, commands_older_than_the_table_are_refused)
{
    sign_seen_init(&seen, TIME_S);
    cr_assert_eq(take(1, TIME_S - 1, TIME_S), SIGN_TOO_OLD);
    cr_assert_eq(take(2, TIME_S, TIME_S), SIGN_VALID);
}

Test(sign, full_table_refuses_and_keeps_its_marks)
{
    for (uint64_t nonce = 0; nonce < SIGN_SEEN_MAX; nonce++)
        cr_assert_eq(take(nonce, TIME_S + nonce % 5, TIME_S), SIGN_VALID);
    cr_assert_eq(take(SIGN_SEEN_MAX, TIME_S, TIME_S), SIGN_FULL);
    for (uint64_t nonce = 0; nonce < SIGN_SEEN_MAX; nonce++)
        cr_assert_eq(take(nonce, TIME_S + nonce % 5, TIME_S), SIGN_REPLAYED);
    cr_assert_eq(take(SIGN_SEEN_MAX, TIME_S + 6, TIME_S + 6), SIGN_VALID, "a fifth has gone");
    cr_assert_eq(seen.count, SIGN_SEEN_MAX - SIGN_SEEN_MAX / 5 + 1);
}

/* Of commands that other pods have accepted: their clocks are not this pod's. */
Test(sign, marks_without_a_clock_are_kept_until_the_table_is_full)
{
    sign_seen_init(&seen, TIME_S);
    cr_assert_eq(sign_seen_mark(&seen, 0, TIME_S - 1), SIGN_TOO_OLD, "before the start");
    for (uint64_t nonce = 1; nonce <= SIGN_SEEN_MAX; nonce++)
        cr_assert_eq(sign_seen_mark(&seen, nonce, TIME_S + nonce * 1000), SIGN_VALID);
    cr_assert_eq(sign_seen_mark(&seen, 1, TIME_S + 1000), SIGN_REPLAYED, "however old it is");
    cr_assert_eq(sign_seen_mark(&seen, 1 + SIGN_SEEN_MAX, TIME_S + 5000), SIGN_VALID);
    cr_assert_eq(sign_seen_mark(&seen, 1, TIME_S + 1000), SIGN_TOO_OLD, "its mark was removed");
    cr_assert_eq(sign_seen_mark(&seen, 2, TIME_S + 2000), SIGN_REPLAYED);
    cr_assert_eq(sign_seen_mark(&seen, 2 + SIGN_SEEN_MAX, TIME_S + 1000), SIGN_TOO_OLD);
    cr_assert_eq(seen.count, SIGN_SEEN_MAX);
}

/* Against a model that keeps all nonces: each is accepted at most once, whatever the clock does. */
Test(sign, no_nonce_is_accepted_twice_under_a_moving_clock)
{
    static bool taken[2000];
    uint64_t now_s = TIME_S, random = 1, passed = 0;

    sign_seen_init(&seen, now_s);
    for (int step = 0; step < 200000; step++) {
        uint64_t nonce, time_s;
        enum sign_verdict verdict;

        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        nonce = (random >> 33) % 2000;
        time_s = TIME_S + nonce / 4; /* signed once, sent again and again */
        if (step % 64 == 0)
            now_s += (random >> 58) < 60 ? 1 : UINT64_C(0) - (random >> 40) % 20;
        if (time_s > now_s + SIGN_WINDOW_S || time_s + SIGN_WINDOW_S < now_s)
            continue; /* sign_judge has refused it */
        verdict = take(nonce, time_s, now_s);
        cr_assert(verdict != SIGN_VALID || !taken[nonce], "nonce %lu in step %d",
                  (unsigned long)nonce, step);
        taken[nonce] |= verdict == SIGN_VALID;
        passed += verdict == SIGN_VALID;
    }
    cr_assert_gt(passed, 500);
}

/* ---- signing ---- */

Test(sign, longest_signed_command_is_parsed)
{
    char command[LEADER_COMMAND_BYTES_MAX], name[64];
    struct leader_command read;
    struct probe probe;
    struct sign_key key;
    size_t length, plain;

    memset(name, 'n', 63);
    name[63] = '\0';
    (void)snprintf(ring.keys[0].name, sizeof(ring.keys[0].name), "%s", name);
    sign_key_make(&ring.keys[0], &key);
    plain = (size_t)snprintf(command, sizeof(command),
                             "{\"if_term\":18446744073709551615,\"leader\":\"%s\"}", name);
    length = sign_command(command, sizeof(command), &key, name,
                          &(struct sign_stamp){UINT64_MAX, UINT64_MAX});
    cr_assert_eq(length, strlen(command));
    cr_assert_lt(length - plain, SIGN_BYTES_MAX);
    cr_assert_eq(leader_command_classify((uint8_t *)command, length, &read, &probe),
                 LEADER_COMMAND_CLASS_COMMAND);
    cr_assert_eq(read.signing, LEADER_COMMAND_SIGNED);
}

Test(sign, command_that_does_not_fit_is_not_signed)
{
    char text[LEADER_COMMAND_BYTES_MAX];
    struct sign_key key;

    sign_key_make(&ring.keys[0], &key);
    for (size_t size = 16; size <= sizeof(KNOWN); size++) {
        memset(text, 'x', sizeof(text));
        (void)snprintf(text, sizeof(text), "{\"leader\":\"b\",\"if_term\":7}");
        cr_assert_eq(sign_command(text, size, &key, CLUSTER, &stamp),
                     size < sizeof(KNOWN) ? 0 : size - 1);
        if (size < sizeof(KNOWN))
            cr_assert_str_eq(text, "{\"leader\":\"b\",\"if_term\":7}", "untouched");
        cr_assert_eq(text[sizeof(KNOWN)], 'x');
    }
}

Test(sign, only_objects_are_signed)
{
    static const char *const others[] = {"", "{", "}", "{\"leader\":\"b\"} ", "x{}", "[]"};
    char text[LEADER_COMMAND_BYTES_MAX];
    struct sign_key key;

    sign_key_make(&ring.keys[0], &key);
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        (void)snprintf(text, sizeof(text), "%s", others[i]);
        cr_assert_eq(sign_command(text, sizeof(text), &key, CLUSTER, &stamp), 0, "%s", text);
    }
}
