/* leader_command: parsing of signatures. test_sign.c verifies them. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "headless/wire/leader_command.h"

static enum leader_command_class class_of(const char *text, struct leader_command *ret_command)
{
    struct probe probe;

    return leader_command_classify((const uint8_t *)text, strlen(text), ret_command, &probe);
}

static struct leader_command command_of(const char *text)
{
    struct leader_command command;

    cr_assert_eq(class_of(text, &command), LEADER_COMMAND_CLASS_COMMAND, "%s", text);
    return command;
}

#define NONCE "\"nonce\":\"0123456789abcdEF\""
#define MAC   "\"mac\":\"00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF\""

Test(leader_command_signature, signatures_are_read)
{
    static const char text[] =
        " {\"leader\":\"a\" , \"key\":\"k-1\",\"time\":1764085000," NONCE " \t, " MAC " } \n";
    static const uint8_t mac[LEADER_COMMAND_MAC_BYTES] = {
        0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa,
        0xbb, 0xcc, 0xdd, 0xee, 0xff, 0x00, 0x11, 0x22, 0x33, 0x44, 0x55,
        0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
    struct leader_command command = command_of(text);

    cr_assert_eq(command.signing, LEADER_COMMAND_SIGNED);
    cr_assert_str_eq(command.signature.key, "k-1");
    cr_assert_eq(command.signature.time_s, 1764085000);
    cr_assert_eq(command.signature.nonce, 0x0123456789abcdef);
    cr_assert_arr_eq(command.signature.mac, mac, sizeof(mac));
    cr_assert_eq(command.signature.covered, (size_t)(strstr(text, ", \"mac\"") - text),
                 "up to the comma, white space included");
}

Test(leader_command_signature, mac_is_last_and_other_members_have_any_order)
{
    static const char *const parts[] = {"\"key\":\"k\"", "\"time\":1", NONCE};
    char text[256];

    for (size_t first = 0; first < 3; first++) {
        for (size_t step = 1; step <= 2; step++) {
            (void)snprintf(text, sizeof(text), "{%s,%s,\"leader\":\"a\",%s," MAC "}", parts[first],
                           parts[(first + step) % 3], parts[(first + 2 * step) % 3]);
            cr_assert_eq(command_of(text).signing, LEADER_COMMAND_SIGNED, "%s", text);
        }
        (void)snprintf(text, sizeof(text), "{\"leader\":\"a\",%s,%s," MAC ",%s}",
                       parts[(first + 1) % 3], parts[(first + 2) % 3], parts[first]);
        cr_assert_eq(command_of(text).signing, LEADER_COMMAND_MISSIGNED, "%s", text);
    }
}

Test(leader_command_signature, incomplete_signature_is_missigned)
{
    static const char *const parts[] = {"\"key\":\"k\"", "\"time\":1", NONCE, MAC};
    char text[256];

    for (size_t missing = 0; missing < 4; missing++) {
        (void)snprintf(text, sizeof(text), "{\"leader\":\"a\",%s,%s,%s}", parts[(missing + 1) % 4],
                       parts[(missing + 2) % 4], parts[(missing + 3) % 4]);
        cr_assert_eq(command_of(text).signing, LEADER_COMMAND_MISSIGNED, "%s", text);
        (void)snprintf(text, sizeof(text), "{\"leader\":\"a\",%s}", parts[missing]);
        cr_assert_eq(command_of(text).signing, LEADER_COMMAND_MISSIGNED, "%s", text);
    }
}

Test(leader_command_signature, invalid_hex_and_long_keys_are_missigned)
{
    static const char *const others[] = {
        "\"key\":\"k\",\"time\":1,\"nonce\":\"0123456789abcde\"," MAC,
        "\"key\":\"k\",\"time\":1,\"nonce\":\"0123456789abcdef0\"," MAC,
        "\"key\":\"k\",\"time\":1,\"nonce\":\"0123456789abcdeg\"," MAC,
        "\"key\":\"k\",\"time\":1,\"nonce\":\"0123456789abcde@\"," MAC,
        "\"key\":\"k\",\"time\":1,\"nonce\":\"0123456789abcd\\u0065f\"," MAC,
        "\"key\":\"k\",\"time\":1," NONCE ",\"mac\":\"00\"",
        "\"key\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\",\"time\":"
        "1," NONCE "," MAC,
    };
    char text[256];

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        (void)snprintf(text, sizeof(text), "{\"leader\":\"a\",%s}", others[i]);
        cr_assert_eq(command_of(text).signing, LEADER_COMMAND_MISSIGNED, "%s", text);
    }
}

Test(leader_command_signature, duplicate_members_of_a_signature_are_refused)
{
    static const char *const parts[] = {"\"key\":\"k\"", "\"time\":1", NONCE, MAC};
    struct leader_command command;
    char text[512];

    for (size_t twice = 0; twice < 4; twice++) {
        (void)snprintf(text, sizeof(text), "{\"leader\":\"a\",%s,%s,%s,%s,%s}", parts[0], parts[1],
                       parts[2], parts[twice], parts[3]);
        cr_assert_eq(class_of(text, &command), LEADER_COMMAND_CLASS_BAD, "%s", text);
    }
}
