/*
 * Any datagram on the data port. Commands and probes keep the guarantees of leader_command.h, so
 * that a reply can be built without further checks; data and bad leave the outputs untouched;
 * trailing white space changes nothing; a reply never exceeds its limit. The bytes that a
 * signature covers end at the last comma, and signing a command makes it a signed one. json-c reads
 * the same commands.
 */
#include <json-c/json.h>
#include <string.h>

#include "command_reference.h"
#include "fuzz.h"
#include "headless/secure/sign.h"

#define OUT_BYTES 512
#define UNTOUCHED 0xee

static void check_text(const char *text, size_t room, char first)
{
    size_t length = strnlen(text, room);

    FUZZ_CHECK(length > 0 && length < room);
    for (size_t i = 0; i < length; i++)
        FUZZ_CHECK(text[i] >= first && text[i] <= '~');
}

/* Key "k1" of the bytes 0 to 31, as in the corpus. */
static const struct sign_policy *fuzz_policy(void)
{
    static struct sign_policy policy;
    struct keyring ring = {.count = 1, .keys = {{.name = "k1"}}};

    if (policy.count == 0) {
        for (uint8_t i = 0; i < KEY_BYTES; i++)
            ring.keys[0].secret[i] = i;
        sign_policy_make(&ring, true, &policy);
    }
    return &policy;
}

static enum sign_verdict judge(const uint8_t *data, const struct leader_command *command)
{
    return sign_judge(fuzz_policy(), "headless", data, command, command->signature.time_s);
}

static void check_signature(const uint8_t *data, size_t size, const struct leader_command *command)
{
    const struct leader_command_signature *signature = &command->signature;
    const struct leader_command_signature none = {0};
    enum sign_verdict verdict = judge(data, command);

    if (command->signing != LEADER_COMMAND_SIGNED) {
        FUZZ_CHECK(memcmp(signature, &none, sizeof(none)) == 0);
        FUZZ_CHECK(verdict ==
                   (command->signing == LEADER_COMMAND_UNSIGNED ? SIGN_UNSIGNED : SIGN_MALFORMED));
        return;
    }
    check_text(signature->key, sizeof(signature->key), '!');
    FUZZ_CHECK(memrchr(data, ',', size) == data + signature->covered);
    FUZZ_CHECK(verdict == SIGN_VALID || verdict == SIGN_WRONG_MAC || verdict == SIGN_UNKNOWN_KEY);
    FUZZ_CHECK((verdict == SIGN_UNKNOWN_KEY) == (strcmp(signature->key, "k1") != 0));
}

/* A signed command is valid, unless a byte of it is changed. */
static void check_signing(const struct leader_command *command, const char *plain)
{
    const struct sign_stamp stamp = {command->if_term, command->signature.nonce};
    struct leader_command again;
    struct probe probe;
    char text[LEADER_COMMAND_BYTES_MAX];
    size_t length;

    (void)snprintf(text, sizeof(text), "%s", plain);
    length = sign_command(text, sizeof(text), &fuzz_policy()->keys[0], "headless", &stamp);
    FUZZ_CHECK(length == strlen(text) && length > strlen(plain));
    FUZZ_CHECK(leader_command_classify((const uint8_t *)text, length, &again, &probe) ==
               LEADER_COMMAND_CLASS_COMMAND);
    FUZZ_CHECK(again.signing == LEADER_COMMAND_SIGNED && again.signature.time_s == stamp.time_s &&
               again.signature.nonce == stamp.nonce);
    FUZZ_CHECK(judge((const uint8_t *)text, &again) == SIGN_VALID);
    text[stamp.nonce % again.signature.covered] ^= 1;
    FUZZ_CHECK(judge((const uint8_t *)text, &again) == SIGN_WRONG_MAC);
}

/* The target, written by json-c as a new command, is parsed to the same target. */
static void check_command(const struct leader_command *command)
{
    struct json_object *object = json_object_new_object();
    struct leader_command again;
    struct probe probe;
    const char *text;

    check_text(command->target, sizeof(command->target), '!');
    FUZZ_CHECK(command->has_if_term || command->if_term == 0);
    json_object_object_add(object, "leader", json_object_new_string(command->target));
    json_object_object_add(object, "if_term", json_object_new_uint64(command->if_term));
    text = json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
    FUZZ_CHECK(leader_command_classify((const uint8_t *)text, strlen(text), &again, &probe) ==
               LEADER_COMMAND_CLASS_COMMAND);
    FUZZ_CHECK(strcmp(again.target, command->target) == 0);
    FUZZ_CHECK(again.has_if_term && again.if_term == command->if_term &&
               again.signing == LEADER_COMMAND_UNSIGNED);
    check_signing(command, text);
    json_object_put(object);
}

static void check_reply(const struct probe_reply *reply, size_t limit, bool must_fit)
{
    char out[OUT_BYTES + 1];
    struct json_object *object;
    size_t length;

    if (limit > OUT_BYTES)
        limit = OUT_BYTES;
    memset(out, 0x55, sizeof(out));
    length = probe_reply_put(out, limit, reply);
    FUZZ_CHECK(length <= limit && out[limit] == 0x55);
    FUZZ_CHECK(length > 0 || !must_fit);
    out[length] = '\0';
    object = length ? json_tokener_parse(out) : NULL;
    FUZZ_CHECK(object || length == 0);
    json_object_put(object);
}

static void check_probe(const struct probe *probe, size_t size)
{
    struct probe_reply reply = {.nonce = probe->nonce, .leader_name = "pod-0"};

    check_text(probe->nonce, sizeof(probe->nonce), ' ');
    FUZZ_CHECK(!strpbrk(probe->nonce, "\"\\"));
    check_reply(&reply, size, true);
}

/* The input as a name in a reply. */
static void check_odd_name(const uint8_t *data, size_t size)
{
    char name[128] = {0};
    struct probe_reply reply = {.nonce = "n", .leader_name = name, .via_address = name};

    memcpy(name, data, size < sizeof(name) ? size : sizeof(name) - 1);
    check_reply(&reply, size, false);
    reply.nonce = name;
    check_reply(&reply, OUT_BYTES, false);
}

static void check_space_behind(const uint8_t *data, size_t size, enum leader_command_class class)
{
    uint8_t longer[PROBE_BYTES_MAX];
    struct leader_command command;
    struct probe probe;

    if (size >= (class == LEADER_COMMAND_CLASS_PROBE ? PROBE_BYTES_MAX : LEADER_COMMAND_BYTES_MAX))
        return;
    memcpy(longer, data, size);
    longer[size] = '\n';
    FUZZ_CHECK(leader_command_classify(longer, size + 1, &command, &probe) == class);
}

static bool is_untouched(const void *output, size_t size)
{
    const uint8_t *bytes = output;

    while (size > 0 && bytes[size - 1] == UNTOUCHED)
        size--;
    return size == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct leader_command command;
    struct probe probe;
    enum leader_command_class class;

    memset(&command, UNTOUCHED, sizeof(command));
    memset(&probe, UNTOUCHED, sizeof(probe));
    class = leader_command_classify(data, size, &command, &probe);
    if (class == LEADER_COMMAND_CLASS_COMMAND || class == LEADER_COMMAND_CLASS_BAD)
        FUZZ_CHECK(size <= LEADER_COMMAND_BYTES_MAX);
    if (class == LEADER_COMMAND_CLASS_COMMAND) {
        check_command(&command);
        check_signature(data, size, &command);
    } else {
        FUZZ_CHECK(is_untouched(&command, sizeof(command)));
    }
    FUZZ_CHECK(reference_agrees(data, size, class == LEADER_COMMAND_CLASS_COMMAND, &command));
    if (class == LEADER_COMMAND_CLASS_PROBE)
        check_probe(&probe, size);
    else
        FUZZ_CHECK(is_untouched(&probe, sizeof(probe)));
    check_space_behind(data, size, class);
    check_odd_name(data, size);
    return 0;
}
