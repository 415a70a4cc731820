/* leader_command: the same commands as json-c accepts, in JSON made from a grammar. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../fuzz/command_reference.h"

#define TRIES 60000

static struct {
    uint64_t random;
    char bytes[4096];
    size_t length;
} made;

static uint32_t draw(uint32_t below)
{
    made.random ^= made.random << 13;
    made.random ^= made.random >> 7;
    made.random ^= made.random << 17;
    return (uint32_t)(made.random >> 11) % below;
}

static void put_byte(uint32_t byte)
{
    if (made.length < sizeof(made.bytes))
        made.bytes[made.length++] = (char)byte;
}

static void put_text(const char *text)
{
    while (*text)
        put_byte((uint8_t)*text++);
}

static void put_space(void)
{
    while (draw(8) == 0)
        put_byte((uint8_t) " \t\r\n\f"[draw(20) ? draw(4) : 4]);
}

/* Mostly printable. */
static void put_unicode_escape(void)
{
    static const uint16_t odd[] = {0,     0x20,   0x21,   0x22,   0x5c,   0x7e,   0x7f,
                                   0x100, 0x4141, 0xd800, 0xdc00, 0xdbff, 0xdfff, 0xffff};
    char text[8];

    (void)snprintf(text, sizeof(text), draw(2) ? "\\u%04x" : "\\u%04X",
                   draw(8) ? '!' + draw(94) : odd[draw(sizeof(odd) / sizeof(odd[0]))]);
    if (draw(30) == 0)
        text[2 + draw(4)] = "gG/ :@`x"[draw(8)];
    if (draw(40) == 0)
        text[1 + draw(5)] = '\0';
    put_text(text);
}

static void put_character(void)
{
    static const char *const escapes[] = {"\\\"", "\\\\", "\\/", "\\b", "\\f", "\\n",
                                          "\\r",  "\\t",  "\\a", "\\'", "\\u", "\\U0041"};

    switch (draw(60)) {
    case 0:
        put_byte(draw(256));
        break;
    case 1:
        put_byte('\\');
        put_byte(draw(256));
        break;
    case 2:
    case 3:
        put_text(escapes[draw(sizeof(escapes) / sizeof(escapes[0]))]);
        break;
    case 4:
    case 5:
    case 6:
        put_text(escapes[draw(3)]);
        break;
    case 7:
    case 8:
    case 9:
        put_unicode_escape();
        break;
    default:
        put_byte('a' + draw(26));
    }
}

static void put_string(void)
{
    uint32_t characters = draw(40) ? draw(10) : draw(300);

    put_byte('"');
    while (characters-- > 0)
        put_character();
    if (draw(60))
        put_byte('"');
}

static void put_number(void)
{
    static const char *const odd[] = {
        "18446744073709551615", "18446744073709551616", "-0", "01", "1e2", "1.0", "-1", "NaN", "0"};
    char text[24];

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)(made.random >> draw(64)));
    put_text(draw(6) ? text : odd[draw(sizeof(odd) / sizeof(odd[0]))]);
}

static void put_value(uint32_t kind)
{
    static const char *const words[] = {"true", "false", "true", "false", "null", "True"};

    switch (kind) {
    case 0:
        put_string();
        break;
    case 1:
        put_number();
        break;
    case 2:
        put_text(words[draw(sizeof(words) / sizeof(words[0]))]);
        break;
    default:
        put_text("{\"leader\":[1]}");
    }
}

static void put_member(uint32_t i)
{
    static const struct {
        const char *key;
        uint32_t kind;
    } rows[] = {{"leader", 0}, {"if_term", 1}, {"force", 2}, {"key", 0},         {"time", 1},
                {"nonce", 0},  {"mac", 0},     {"x", 0},     {"l\\u0065ader", 0}};

    if (draw(60) == 0)
        i = draw(sizeof(rows) / sizeof(rows[0]));
    put_byte('"');
    put_text(rows[i].key);
    put_byte('"');
    put_space();
    put_byte(draw(80) ? ':' : ',');
    put_space();
    put_value(draw(40) ? rows[i].kind : draw(4));
    put_space();
}

static void put_command(void)
{
    uint32_t first = draw(3) ? 0 : draw(7), members = 1 + draw(7);

    made.length = 0;
    put_space();
    put_byte('{');
    for (uint32_t i = 0; i < members; i++) {
        if (i > 0 && draw(80))
            put_byte(',');
        put_space();
        put_member((first + i) % 7);
    }
    if (draw(60))
        put_byte('}');
    put_space();
    if (draw(60) == 0)
        put_byte(draw(256));
    if (draw(12) == 0)
        made.bytes[draw((uint32_t)made.length)] = (char)draw(256);
    if (draw(20) == 0)
        made.length = draw((uint32_t)made.length);
}

Test(leader_command_json, commands_are_those_of_json_c, .timeout = 120)
{
    uint32_t commands = 0;

    made.random = 88172645463325252;
    for (uint32_t i = 0; i < TRIES; i++) {
        struct leader_command command = {0};
        struct probe probe;
        enum leader_command_class class;
        uint8_t *exact;

        put_command();
        exact = malloc(made.length + 1); /* the sanitizer sees a read behind it */
        cr_assert_not_null(exact);
        memcpy(exact + 1, made.bytes, made.length);
        class = leader_command_classify(exact + 1, made.length, &command, &probe);
        commands += class == LEADER_COMMAND_CLASS_COMMAND;
        cr_assert(reference_agrees(exact + 1, made.length, class == LEADER_COMMAND_CLASS_COMMAND,
                                   &command),
                  "class %d: %.*s", class, (int)made.length, made.bytes);
        free(exact);
    }
    cr_assert(commands > TRIES / 20 && commands < TRIES / 2, "%u commands", commands);
}
