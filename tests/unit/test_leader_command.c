/* leader_command: the classes command, probe, bad and data. */
#include <criterion/criterion.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "headless/wire/leader_command.h"

/* Classify a copy of exactly this length, so that the sanitizer sees a read behind it. */
static enum leader_command_class classify(const char *payload, size_t length,
                                          struct leader_command *ret_command,
                                          struct probe *ret_probe)
{
    uint8_t *exact = malloc(length + 1);
    enum leader_command_class class;

    cr_assert_not_null(exact);
    memcpy(exact + 1, payload, length);
    class = leader_command_classify(exact + 1, length, ret_command, ret_probe);
    free(exact);
    return class;
}

static enum leader_command_class class_of(const char *payload, size_t length)
{
    struct leader_command command;
    struct probe probe;

    return classify(payload, length, &command, &probe);
}

/* A literal with its length, so that it may hold NUL. */
#define LITERAL(text) (text), sizeof(text) - 1

static const struct {
    const char *what, *payload;
    size_t length;
    enum leader_command_class class;
} cases[] = {
    {"the command", LITERAL("{\"leader\":\"10.0.0.1\"}"), LEADER_COMMAND_CLASS_COMMAND},
    {"as echo sends it", LITERAL("{\"leader\":\"10.0.0.1\"}\n"), LEADER_COMMAND_CLASS_COMMAND},
    {"white space everywhere", LITERAL(" \t\r\n{ \"leader\" :\n\"a\" } \r\n"),
     LEADER_COMMAND_CLASS_COMMAND},
    {"all members",
     LITERAL("{\"leader\":\"a\",\"if_term\":7,\"key\":\"k\",\"time\":1,\"nonce\":\"n\","
             "\"mac\":\"m\"}"),
     LEADER_COMMAND_CLASS_COMMAND},
    {"forced", LITERAL("{\"leader\":\"a\",\"force\": true}"), LEADER_COMMAND_CLASS_COMMAND},
    {"not forced", LITERAL("{\"force\":false,\"leader\":\"a\"}"), LEADER_COMMAND_CLASS_COMMAND},
    {"another order", LITERAL("{\"if_term\":7,\"leader\":\"a\"}"), LEADER_COMMAND_CLASS_COMMAND},
    {"an escaped slash", LITERAL("{\"leader\":\"a\",\"mac\":\"x\\/y\"}"),
     LEADER_COMMAND_CLASS_COMMAND},
    {"an escaped letter", LITERAL("{\"leader\":\"\\u0061\"}"), LEADER_COMMAND_CLASS_COMMAND},

    {"nothing", LITERAL(""), LEADER_COMMAND_CLASS_DATA},
    {"a brace", LITERAL("{"), LEADER_COMMAND_CLASS_DATA},
    {"an empty object", LITERAL("{}"), LEADER_COMMAND_CLASS_DATA},
    {"prose about a leader", LITERAL("the \"leader\": 10.0.0.1"), LEADER_COMMAND_CLASS_DATA},
    {"inside an array", LITERAL("[{\"leader\":\"a\"}]"), LEADER_COMMAND_CLASS_DATA},
    {"behind a byte order mark", LITERAL("\xef\xbb\xbf{\"leader\":\"a\"}"),
     LEADER_COMMAND_CLASS_DATA},
    {"behind NUL", LITERAL("\0{\"leader\":\"a\"}"), LEADER_COMMAND_CLASS_DATA},
    {"leader as a value", LITERAL("{\"key\":\"leader\"}"), LEADER_COMMAND_CLASS_DATA},
    {"leader deeper", LITERAL("{\"key\":{\"leader\":\"a\"}}"), LEADER_COMMAND_CLASS_DATA},
    {"another spelling", LITERAL("{\"Leader\":\"a\"}"), LEADER_COMMAND_CLASS_DATA},
    {"an escape in the key", LITERAL("{\"\\u006ceader\":\"a\"}"), LEADER_COMMAND_CLASS_DATA},
    {"key cut short", LITERAL("{\"leader"), LEADER_COMMAND_CLASS_DATA},
    {"key goes on", LITERAL("{\"leaders\":\"a\"}"), LEADER_COMMAND_CLASS_DATA},
    {"key with NUL", LITERAL("{\"leader\0\":\"a\"}"), LEADER_COMMAND_CLASS_DATA},
    {"unknown key behind", LITERAL("{\"leader\":\"a\",\"name\":\"b\"}"), LEADER_COMMAND_CLASS_DATA},
    {"unknown key before", LITERAL("{\"name\":\"b\",\"leader\":\"a\"}"), LEADER_COMMAND_CLASS_DATA},
    {"unknown key, nested", LITERAL("{\"leader\":\"a\",\"x\":{\"leader\":[1]}}"),
     LEADER_COMMAND_CLASS_DATA},
    {"unknown key, broken", LITERAL("{\"leader\":\"a\",\"x\":"), LEADER_COMMAND_CLASS_DATA},
    {"unknown key in UTF-8", LITERAL("{\"leader\":\"a\",\"\xc3\xa9\":1}"),
     LEADER_COMMAND_CLASS_DATA},
    {"unknown escape in key", LITERAL("{\"leader\":\"a\",\"le\\ader\":1}"),
     LEADER_COMMAND_CLASS_DATA},
    {"broken, but leader is not first", LITERAL("{\"key\":\"k\",\"leader\":7}"),
     LEADER_COMMAND_CLASS_DATA},
    {"twice, but not first", LITERAL("{\"key\":\"k\",\"leader\":\"a\",\"leader\":\"b\"}"),
     LEADER_COMMAND_CLASS_DATA},

    {"key without value", LITERAL("{\"leader\""), LEADER_COMMAND_CLASS_BAD},
    {"no colon", LITERAL("{\"leader\" \"a\"}"), LEADER_COMMAND_CLASS_BAD},
    {"value missing", LITERAL("{\"leader\":}"), LEADER_COMMAND_CLASS_BAD},
    {"value cut", LITERAL("{\"leader\":\"10.0"), LEADER_COMMAND_CLASS_BAD},
    {"cut behind a backslash", LITERAL("{\"leader\":\"a\\"), LEADER_COMMAND_CLASS_BAD},
    {"brace missing", LITERAL("{\"leader\":\"a\""), LEADER_COMMAND_CLASS_BAD},
    {"bracket instead", LITERAL("{\"leader\":\"a\"]"), LEADER_COMMAND_CLASS_BAD},
    {"comma at the end", LITERAL("{\"leader\":\"a\",}"), LEADER_COMMAND_CLASS_BAD},
    {"two commas", LITERAL("{\"leader\":\"a\",,\"key\":\"k\"}"), LEADER_COMMAND_CLASS_BAD},
    {"no comma", LITERAL("{\"leader\":\"a\" \"key\":\"k\"}"), LEADER_COMMAND_CLASS_BAD},
    {"garbage behind", LITERAL("{\"leader\":\"a\"}x"), LEADER_COMMAND_CLASS_BAD},
    {"a second object", LITERAL("{\"leader\":\"a\"}{\"leader\":\"b\"}"), LEADER_COMMAND_CLASS_BAD},
    {"NUL behind", LITERAL("{\"leader\":\"a\"}\0"), LEADER_COMMAND_CLASS_BAD},
    {"a comment behind", LITERAL("{\"leader\":\"a\"}/**/"), LEADER_COMMAND_CLASS_BAD},
    {"a comment inside", LITERAL("{\"leader\":/**/\"a\"}"), LEADER_COMMAND_CLASS_BAD},
    {"single quotes", LITERAL("{\"leader\":'a'}"), LEADER_COMMAND_CLASS_BAD},
    {"key without quotes", LITERAL("{\"leader\":\"a\",key:\"k\"}"), LEADER_COMMAND_CLASS_BAD},
    {"leader twice", LITERAL("{\"leader\":\"a\",\"leader\":\"a\"}"), LEADER_COMMAND_CLASS_BAD},
    {"force twice", LITERAL("{\"leader\":\"a\",\"force\":true,\"force\":true}"),
     LEADER_COMMAND_CLASS_BAD},
    {"force a number", LITERAL("{\"leader\":\"a\",\"force\":1}"), LEADER_COMMAND_CLASS_BAD},
    {"force a string", LITERAL("{\"leader\":\"a\",\"force\":\"true\"}"), LEADER_COMMAND_CLASS_BAD},
    {"force cut short", LITERAL("{\"leader\":\"a\",\"force\":tru"), LEADER_COMMAND_CLASS_BAD},
    {"force with a tail", LITERAL("{\"leader\":\"a\",\"force\":truely}"), LEADER_COMMAND_CLASS_BAD},
    {"if_term twice", LITERAL("{\"leader\":\"a\",\"if_term\":1,\"if_term\":1}"),
     LEADER_COMMAND_CLASS_BAD},
    {"leader empty", LITERAL("{\"leader\":\"\"}"), LEADER_COMMAND_CLASS_BAD},
    {"key empty", LITERAL("{\"leader\":\"a\",\"key\":\"\"}"), LEADER_COMMAND_CLASS_BAD},
    {"leader a number", LITERAL("{\"leader\":1}"), LEADER_COMMAND_CLASS_BAD},
    {"leader null", LITERAL("{\"leader\":null}"), LEADER_COMMAND_CLASS_BAD},
    {"leader an object", LITERAL("{\"leader\":{\"address\":\"a\"}}"), LEADER_COMMAND_CLASS_BAD},
    {"leader an array", LITERAL("{\"leader\":[\"a\"]}"), LEADER_COMMAND_CLASS_BAD},
    {"a space in leader", LITERAL("{\"leader\":\"10.0.0.1 \"}"), LEADER_COMMAND_CLASS_BAD},
    {"a newline in leader", LITERAL("{\"leader\":\"a\n\"}"), LEADER_COMMAND_CLASS_BAD},
    {"an escaped newline", LITERAL("{\"leader\":\"a\\n\"}"), LEADER_COMMAND_CLASS_BAD},
    {"NUL in leader", LITERAL("{\"leader\":\"a\0b\"}"), LEADER_COMMAND_CLASS_BAD},
    {"an escaped NUL", LITERAL("{\"leader\":\"a\\u0000b\"}"), LEADER_COMMAND_CLASS_BAD},
    {"an escaped NUL in mac", LITERAL("{\"leader\":\"a\",\"mac\":\"\\u0000\"}"),
     LEADER_COMMAND_CLASS_BAD},
    {"UTF-8 in leader", LITERAL("{\"leader\":\"\xc3\xa9\"}"), LEADER_COMMAND_CLASS_BAD},
    {"broken UTF-8", LITERAL("{\"leader\":\"\xff\xfe\"}"), LEADER_COMMAND_CLASS_BAD},
    {"escaped non-ASCII", LITERAL("{\"leader\":\"\\u00e9\"}"), LEADER_COMMAND_CLASS_BAD},
    {"half a surrogate", LITERAL("{\"leader\":\"\\ud800\"}"), LEADER_COMMAND_CLASS_BAD},
    {"no such escape", LITERAL("{\"leader\":\"\\q\"}"), LEADER_COMMAND_CLASS_BAD},
    {"escape of NUL byte", LITERAL("{\"leader\":\"\\\0\"}"), LEADER_COMMAND_CLASS_BAD},
    {"if_term a string", LITERAL("{\"leader\":\"a\",\"if_term\":\"1\"}"), LEADER_COMMAND_CLASS_BAD},
    {"if_term negative", LITERAL("{\"leader\":\"a\",\"if_term\":-1}"), LEADER_COMMAND_CLASS_BAD},
    {"if_term minus zero", LITERAL("{\"leader\":\"a\",\"if_term\":-0}"), LEADER_COMMAND_CLASS_BAD},
    {"if_term with plus", LITERAL("{\"leader\":\"a\",\"if_term\":+1}"), LEADER_COMMAND_CLASS_BAD},
    {"if_term fractional", LITERAL("{\"leader\":\"a\",\"if_term\":1.0}"), LEADER_COMMAND_CLASS_BAD},
    {"if_term exponent", LITERAL("{\"leader\":\"a\",\"if_term\":1e3}"), LEADER_COMMAND_CLASS_BAD},
    {"if_term octal", LITERAL("{\"leader\":\"a\",\"if_term\":07}"), LEADER_COMMAND_CLASS_BAD},
    {"if_term hexadecimal", LITERAL("{\"leader\":\"a\",\"if_term\":0x7}"),
     LEADER_COMMAND_CLASS_BAD},
    {"if_term 2^64", LITERAL("{\"leader\":\"a\",\"if_term\":18446744073709551616}"),
     LEADER_COMMAND_CLASS_BAD},
    {"if_term ten times that", LITERAL("{\"leader\":\"a\",\"if_term\":184467440737095516150}"),
     LEADER_COMMAND_CLASS_BAD},
    {"if_term NaN", LITERAL("{\"leader\":\"a\",\"if_term\":NaN}"), LEADER_COMMAND_CLASS_BAD},
    {"if_term true", LITERAL("{\"leader\":\"a\",\"if_term\":true}"), LEADER_COMMAND_CLASS_BAD},
    {"if_term missing", LITERAL("{\"leader\":\"a\",\"if_term\":}"), LEADER_COMMAND_CLASS_BAD},
    {"time a string", LITERAL("{\"leader\":\"a\",\"time\":\"1\"}"), LEADER_COMMAND_CLASS_BAD},

    {"a probe", LITERAL("{\"probe\":\"n\"}"), LEADER_COMMAND_CLASS_PROBE},
    {"a padded probe", LITERAL(" {\"probe\" : \"n\", \"pad\": \"\" }\n"),
     LEADER_COMMAND_CLASS_PROBE},
    {"leader as a nonce", LITERAL("{\"probe\":\"leader\"}"), LEADER_COMMAND_CLASS_PROBE},
    {"a nonce with a space", LITERAL("{\"probe\":\"a b\"}"), LEADER_COMMAND_CLASS_PROBE},
    {"an empty nonce", LITERAL("{\"probe\":\"\"}"), LEADER_COMMAND_CLASS_DATA},
    {"an escape in the nonce", LITERAL("{\"probe\":\"\\u0061\"}"), LEADER_COMMAND_CLASS_DATA},
    {"a quote in the nonce", LITERAL("{\"probe\":\"\\\"\"}"), LEADER_COMMAND_CLASS_DATA},
    {"UTF-8 in the nonce", LITERAL("{\"probe\":\"\xc3\xa9\"}"), LEADER_COMMAND_CLASS_DATA},
    {"DEL in the nonce", LITERAL("{\"probe\":\"\x7f\"}"), LEADER_COMMAND_CLASS_DATA},
    {"NUL in the nonce", LITERAL("{\"probe\":\"\0\"}"), LEADER_COMMAND_CLASS_DATA},
    {"a number", LITERAL("{\"probe\":1}"), LEADER_COMMAND_CLASS_DATA},
    {"probe twice", LITERAL("{\"probe\":\"n\",\"probe\":\"n\"}"), LEADER_COMMAND_CLASS_DATA},
    {"pad twice", LITERAL("{\"probe\":\"n\",\"pad\":\"\",\"pad\":\"\"}"),
     LEADER_COMMAND_CLASS_DATA},
    {"pad first", LITERAL("{\"pad\":\"\",\"probe\":\"n\"}"), LEADER_COMMAND_CLASS_DATA},
    {"pad a number", LITERAL("{\"probe\":\"n\",\"pad\":1}"), LEADER_COMMAND_CLASS_DATA},
    {"garbage behind a probe", LITERAL("{\"probe\":\"n\"}x"), LEADER_COMMAND_CLASS_DATA},
    {"comma behind a probe", LITERAL("{\"probe\":\"n\",}"), LEADER_COMMAND_CLASS_DATA},
    {"probe and leader", LITERAL("{\"probe\":\"n\",\"leader\":\"a\"}"), LEADER_COMMAND_CLASS_DATA},
    {"leader and probe", LITERAL("{\"leader\":\"a\",\"probe\":\"n\"}"), LEADER_COMMAND_CLASS_DATA},
    {"probe key goes on", LITERAL("{\"probes\":\"n\"}"), LEADER_COMMAND_CLASS_DATA},
    {"probe cut", LITERAL("{\"probe\""), LEADER_COMMAND_CLASS_DATA},
};

Test(leader_command, each_payload_has_its_class)
{
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        cr_expect_eq(class_of(cases[i].payload, cases[i].length), cases[i].class, "%s: %s",
                     cases[i].what, cases[i].payload);
}

/* A prefix is never a command: it is data until the key is complete, and then bad. */
Test(leader_command, command_truncated_at_every_byte_is_no_command)
{
    static const char text[] = "{\"leader\":\"10.0.0.1\",\"if_term\":12,\"key\":\"k\"}";
    size_t whole = sizeof(text) - 1;

    for (size_t length = 0; length < whole; length++)
        cr_expect_eq(class_of(text, length),
                     length < 9 ? LEADER_COMMAND_CLASS_DATA : LEADER_COMMAND_CLASS_BAD, "%zu",
                     length);
    cr_expect_eq(class_of(text, whole), LEADER_COMMAND_CLASS_COMMAND);
}

Test(leader_command, probe_truncated_at_every_byte_is_data)
{
    static const char text[] = "{\"probe\":\"abc\",\"pad\":\"xxx\"}";

    for (size_t length = 0; length < sizeof(text) - 1; length++)
        cr_expect_eq(class_of(text, length), LEADER_COMMAND_CLASS_DATA, "%zu", length);
}

static struct leader_command command_of(const char *payload)
{
    struct leader_command command;
    struct probe probe;

    cr_assert_eq(classify(payload, strlen(payload), &command, &probe), LEADER_COMMAND_CLASS_COMMAND,
                 "%s", payload);
    return command;
}

Test(leader_command, command_values_are_read)
{
    struct leader_command plain = command_of("{\"leader\":\"10.0.0.12\"}");
    struct leader_command full = command_of("{\"mac\":\"m\",\"nonce\":\"n\",\"time\":3,\"key\":"
                                            "\"k\",\"if_term\":0,\"leader\":\"po\\u0064-0\"}");

    cr_assert_str_eq(plain.target, "10.0.0.12");
    cr_assert(!plain.has_if_term && plain.if_term == 0 && plain.signing == LEADER_COMMAND_UNSIGNED);
    cr_assert_str_eq(full.target, "pod-0", "escapes are decoded");
    cr_assert(full.has_if_term && full.if_term == 0 && full.signing == LEADER_COMMAND_MISSIGNED);
}

Test(leader_command, if_term_takes_64_bits_and_no_more)
{
    struct leader_command largest =
        command_of("{\"leader\":\"a\",\"if_term\":18446744073709551615}");

    cr_assert_eq(largest.if_term, UINT64_MAX);
}

Test(leader_command, a_target_is_shortened_like_the_name_of_a_pod)
{
    char text[512], name[LEADER_COMMAND_TARGET_MAX];
    int length;

    (void)snprintf(text, sizeof(text), "{\"leader\":\"%063d\"}", 0);
    cr_assert_eq(strlen(command_of(text).target), 63);
    (void)snprintf(text, sizeof(text), "%0253d", 0);
    cr_assert(member_name_put(text, name));
    length = snprintf(text, sizeof(text), "{\"leader\":\"%0253d\"}", 0);
    cr_assert_eq(class_of(text, (size_t)length), LEADER_COMMAND_CLASS_COMMAND);
    cr_assert_str_eq(command_of(text).target, name);
    length = snprintf(text, sizeof(text), "{\"leader\":\"%0254d\"}", 0);
    cr_assert_eq(class_of(text, (size_t)length), LEADER_COMMAND_CLASS_BAD);
}

/* A payload of this many bytes: front, then fill, then back. */
static size_t fill(char *out, size_t length, const char *front, char filler, const char *back)
{
    memset(out, filler, length);
    memcpy(out, front, strlen(front));
    memcpy(out + length - strlen(back), back, strlen(back));
    return length;
}

Test(leader_command, sizes_beyond_the_bounds_are_data)
{
    static char text[4096];
    static const char front[] = "{\"leader\":\"a\"", probe[] = "{\"probe\":\"n\",\"pad\":\"";

    cr_assert_eq(class_of(text, fill(text, 1024, front, ' ', "}")), LEADER_COMMAND_CLASS_COMMAND);
    cr_assert_eq(class_of(text, fill(text, 1025, front, ' ', "}")), LEADER_COMMAND_CLASS_DATA);
    cr_assert_eq(class_of(text, fill(text, 1025, front, ' ', "]")), LEADER_COMMAND_CLASS_DATA);
    cr_assert_eq(class_of(text, fill(text, 2048, probe, 'x', "\"}")), LEADER_COMMAND_CLASS_PROBE);
    cr_assert_eq(class_of(text, fill(text, 2049, probe, 'x', "\"}")), LEADER_COMMAND_CLASS_DATA);
}

Test(leader_command, nonce_of_63_bytes_fits_and_64_do_not)
{
    struct leader_command command;
    struct probe probe;
    char text[128];
    int length = snprintf(text, sizeof(text), "{\"probe\":\"%063d\"}", 1);

    cr_assert_eq(classify(text, (size_t)length, &command, &probe), LEADER_COMMAND_CLASS_PROBE);
    cr_assert_eq(strlen(probe.nonce), 63);
    length = snprintf(text, sizeof(text), "{\"probe\":\"%064d\"}", 1);
    cr_assert_eq(class_of(text, (size_t)length), LEADER_COMMAND_CLASS_DATA);
}

Test(leader_command, outputs_of_other_classes_stay_untouched)
{
    struct leader_command command, command_before;
    struct probe probe, probe_before;

    memset(&command, 0xee, sizeof(command));
    memset(&probe, 0xee, sizeof(probe));
    command_before = command;
    probe_before = probe;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        if (cases[i].class != LEADER_COMMAND_CLASS_DATA &&
            cases[i].class != LEADER_COMMAND_CLASS_BAD)
            continue;
        (void)classify(cases[i].payload, cases[i].length, &command, &probe);
        cr_assert_arr_eq(&command, &command_before, sizeof(command), "%s", cases[i].what);
        cr_assert_arr_eq(&probe, &probe_before, sizeof(probe), "%s", cases[i].what);
    }
}

static const struct probe_reply content = {.nonce = "n1",
                                           .leader_name = "pod-0",
                                           .leader_address = "10.0.0.1:12000",
                                           .via_address = "10.0.0.2:12000",
                                           .term = 7};

Test(leader_command, probe_reply_is_exactly_this_line)
{
    static const char want[] = "{\"probe\":\"n1\",\"leader\":\"pod-0\",\"address\":"
                               "\"10.0.0.1:12000\",\"via\":\"10.0.0.2:12000\",\"term\":7}\n";
    char out[256];

    cr_assert_eq(probe_reply_put(out, sizeof(out), &content), sizeof(want) - 1);
    cr_assert_arr_eq(out, want, sizeof(want) - 1);
}

Test(leader_command, probe_reply_never_exceeds_its_limit)
{
    char out[256];

    for (size_t limit = 0; limit <= 128; limit++) {
        size_t written, want = limit >= 91 ? 91 : limit >= 14 ? 14 : 0;

        memset(out, 0x55, sizeof(out));
        written = probe_reply_put(out, limit, &content);
        cr_assert_eq(written, want, "%zu within %zu", written, limit);
        cr_assert_eq(out[limit], 0x55, "nothing is written behind the limit");
        cr_assert(written != 14 || memcmp(out, "{\"probe\":\"n1\"}", 14) == 0);
    }
}

Test(leader_command, probe_reply_with_odd_names_is_json)
{
    const struct probe_reply odd = {.nonce = "n",
                                    .leader_name = "a\"b\\c\n\xc3\xa9",
                                    .leader_address = NULL,
                                    .via_address = "",
                                    .term = UINT64_MAX};
    char out[256];
    size_t length = probe_reply_put(out, sizeof(out) - 1, &odd);
    struct json_object *object, *member;

    out[length] = '\0';
    object = json_tokener_parse(out);
    cr_assert_not_null(object, "%s", out);
    cr_assert(json_object_object_get_ex(object, "leader", &member));
    cr_assert_str_eq(json_object_get_string(member), "a\"b\\c\n\xc3\x83\xc2\xa9", "byte by byte");
    cr_assert(json_object_object_get_ex(object, "address", &member));
    cr_assert_null(member);
    cr_assert(json_object_object_get_ex(object, "term", &member));
    cr_assert_eq(json_object_get_uint64(member), UINT64_MAX);
    json_object_put(object);
}
