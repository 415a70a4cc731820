/*
 * Whatever a client sends to the data port. Commands and probes hold what their header promises, so
 * that the answer to them can be built without a second look; data and bad leave the outputs alone;
 * white space behind changes nothing; an answer never exceeds its limit, and a probe has one.
 */
#include <json-c/json.h>
#include <string.h>

#include "fuzz.h"
#include "headless/wire/control.h"

#define OUT_BYTES 512
#define UNTOUCHED 0xee

static void check_text(const char *text, size_t room, char first)
{
    size_t length = strnlen(text, room);

    FUZZ_CHECK(length > 0 && length < room);
    for (size_t i = 0; i < length; i++)
        FUZZ_CHECK(text[i] >= first && text[i] <= '~');
}

/* The target, spelled by json-c as a command of its own, means the same. */
static void check_command(const struct control_command *command)
{
    struct json_object *object = json_object_new_object();
    struct control_command again;
    struct control_probe probe;
    const char *text;

    check_text(command->target, sizeof(command->target), '!');
    FUZZ_CHECK(command->has_if_term || command->if_term == 0);
    json_object_object_add(object, "leader", json_object_new_string(command->target));
    json_object_object_add(object, "if_term", json_object_new_uint64(command->if_term));
    text = json_object_to_json_string(object);
    FUZZ_CHECK(control_classify((const uint8_t *)text, strlen(text), &again, &probe) ==
               CONTROL_COMMAND);
    FUZZ_CHECK(strcmp(again.target, command->target) == 0);
    FUZZ_CHECK(again.has_if_term && again.if_term == command->if_term && !again.is_signed);
    json_object_put(object);
}

static void check_answer(const struct control_probe_answer *answer, size_t limit, bool must_fit)
{
    char out[OUT_BYTES + 1];
    struct json_object *object;
    size_t length;

    if (limit > OUT_BYTES)
        limit = OUT_BYTES;
    memset(out, 0x55, sizeof(out));
    length = control_put_probe_answer(out, limit, answer);
    FUZZ_CHECK(length <= limit && out[limit] == 0x55);
    FUZZ_CHECK(length > 0 || !must_fit);
    out[length] = '\0';
    object = length ? json_tokener_parse(out) : NULL;
    FUZZ_CHECK(object || length == 0);
    json_object_put(object);
}

static void check_probe(const struct control_probe *probe, size_t size)
{
    struct control_probe_answer answer = {.nonce = probe->nonce, .leader_name = "pod-0"};

    check_text(probe->nonce, sizeof(probe->nonce), ' ');
    FUZZ_CHECK(!strpbrk(probe->nonce, "\"\\"));
    check_answer(&answer, size, true);
}

/* The input as a name that found its way into an answer. */
static void check_odd_name(const uint8_t *data, size_t size)
{
    char name[128] = {0};
    struct control_probe_answer answer = {.nonce = "n", .leader_name = name, .via_address = name};

    memcpy(name, data, size < sizeof(name) ? size : sizeof(name) - 1);
    check_answer(&answer, size, false);
    answer.nonce = name;
    check_answer(&answer, OUT_BYTES, false);
}

static void check_space_behind(const uint8_t *data, size_t size, enum control_class class)
{
    uint8_t longer[CONTROL_PROBE_BYTES_MAX];
    struct control_command command;
    struct control_probe probe;

    if (size >= (class == CONTROL_PROBE ? CONTROL_PROBE_BYTES_MAX : CONTROL_BYTES_MAX))
        return;
    memcpy(longer, data, size);
    longer[size] = '\n';
    FUZZ_CHECK(control_classify(longer, size + 1, &command, &probe) == class);
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
    struct control_command command;
    struct control_probe probe;
    enum control_class class;

    memset(&command, UNTOUCHED, sizeof(command));
    memset(&probe, UNTOUCHED, sizeof(probe));
    class = control_classify(data, size, &command, &probe);
    if (class == CONTROL_COMMAND || class == CONTROL_BAD)
        FUZZ_CHECK(size <= CONTROL_BYTES_MAX);
    if (class == CONTROL_COMMAND)
        check_command(&command);
    else
        FUZZ_CHECK(is_untouched(&command, sizeof(command)));
    if (class == CONTROL_PROBE)
        check_probe(&probe, size);
    else
        FUZZ_CHECK(is_untouched(&probe, sizeof(probe)));
    check_space_behind(data, size, class);
    check_odd_name(data, size);
    return 0;
}
