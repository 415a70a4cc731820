#include "headless/wire/leader_command.h"

#include <string.h>

#include "headless/base/bytes.h"

/* Payload bytes: those left to scan, or the inside of a string with its escapes. */
struct span {
    const uint8_t *next, *end;
};

enum member { LEADER, IF_TERM, FORCE, KEY, TIME, NONCE, MAC, MEMBER_COUNT };

enum kind { STRING, NUMBER, BOOL };

static const struct {
    const char *name;
    enum kind kind;
} members[MEMBER_COUNT] = {
    [LEADER] = {"leader", STRING}, [IF_TERM] = {"if_term", NUMBER}, [FORCE] = {"force", BOOL},
    [KEY] = {"key", STRING},       [TIME] = {"time", NUMBER},       [NONCE] = {"nonce", STRING},
    [MAC] = {"mac", STRING},
};

/* FOREIGN: an object with an unknown key. BROKEN: any other fault, found before an unknown key. */
enum scan_verdict { SCAN_OK, SCAN_BROKEN, SCAN_FOREIGN };

struct scan {
    bool seen[MEMBER_COUNT];
    enum member first, last;
    const uint8_t *comma;           /* in front of the last member; NULL: it is the only one */
    uint64_t number[MEMBER_COUNT];  /* BOOL: 1 or 0 */
    struct span text[MEMBER_COUNT]; /* STRING: with its escapes */
};

/* ---- tokens ---- */

static void span_skip_space(struct span *s)
{
    while (s->next < s->end &&
           (*s->next == ' ' || *s->next == '\t' || *s->next == '\n' || *s->next == '\r'))
        s->next++;
}

/* Step over c and the white space in front of it. False and unmoved when another byte follows. */
static bool span_take_char(struct span *s, char c)
{
    struct span ahead = *s;

    span_skip_space(&ahead);
    if (ahead.next == ahead.end || *ahead.next != (uint8_t)c)
        return false;
    s->next = ahead.next + 1;
    return true;
}

/* A string with its escapes, which are skipped, not checked. */
static bool span_take_string(struct span *s, struct span *ret_inside)
{
    struct span ahead = *s;

    if (!span_take_char(&ahead, '"'))
        return false;
    ret_inside->next = ahead.next;
    for (; ahead.next < ahead.end && *ahead.next >= 0x20; ahead.next++) {
        if (*ahead.next == '"') {
            ret_inside->end = ahead.next;
            s->next = ahead.next + 1;
            return true;
        }
        if (*ahead.next == '\\' && ++ahead.next == ahead.end)
            return false;
    }
    return false;
}

/* A whole number below 2^64, without leading zeros. The caller checks what follows the digits. */
static bool span_take_number(struct span *s, uint64_t *ret_number)
{
    const uint8_t *first;
    uint64_t number = 0;

    span_skip_space(s);
    first = s->next;
    for (; s->next < s->end && *s->next >= '0' && *s->next <= '9'; s->next++) {
        if (__builtin_mul_overflow(number, 10U, &number) ||
            __builtin_add_overflow(number, (uint64_t)(*s->next - '0'), &number))
            return false;
    }
    if (s->next == first || (*first == '0' && s->next > first + 1))
        return false;
    *ret_number = number;
    return true;
}

static bool span_take_word(struct span *s, const char *word)
{
    size_t length = strlen(word);

    span_skip_space(s);
    if ((size_t)(s->end - s->next) < length || memcmp(s->next, word, length) != 0)
        return false;
    s->next += length;
    return true;
}

static bool span_take_bool(struct span *s, uint64_t *ret_number)
{
    *ret_number = span_take_word(s, "true");
    return *ret_number || span_take_word(s, "false");
}

static bool span_equal(const struct span *s, const char *text)
{
    size_t length = (size_t)(s->end - s->next);

    return length == strlen(text) && memcmp(s->next, text, length) == 0;
}

/* ---- commands ---- */

static enum member find_member(const struct span *key)
{
    enum member m = LEADER;

    while (m < MEMBER_COUNT && !span_equal(key, members[m].name))
        m++;
    return m;
}

static bool scan_value(struct span *s, struct scan *scan, enum member m)
{
    switch (members[m].kind) {
    case NUMBER:
        return span_take_number(s, &scan->number[m]);
    case BOOL:
        return span_take_bool(s, &scan->number[m]);
    case STRING:
        break;
    }
    return span_take_string(s, &scan->text[m]);
}

static enum scan_verdict scan_member(struct span *s, struct scan *scan)
{
    struct span key;
    enum member m;

    if (!span_take_string(s, &key))
        return SCAN_BROKEN;
    m = find_member(&key);
    if (m == MEMBER_COUNT)
        return SCAN_FOREIGN;
    if (!scan->comma)
        scan->first = m;
    scan->last = m;
    if (scan->seen[m] || !span_take_char(s, ':'))
        return SCAN_BROKEN;
    scan->seen[m] = true;
    return scan_value(s, scan, m) ? SCAN_OK : SCAN_BROKEN;
}

/* The whole payload: one object, nothing behind it. */
static enum scan_verdict scan_object(struct span *s, struct scan *scan)
{
    enum scan_verdict verdict;

    if (!span_take_char(s, '{'))
        return SCAN_FOREIGN;
    verdict = scan_member(s, scan);
    while (verdict == SCAN_OK && span_take_char(s, ',')) {
        scan->comma = s->next - 1;
        verdict = scan_member(s, scan);
    }
    if (verdict != SCAN_OK)
        return verdict;
    if (!span_take_char(s, '}'))
        return SCAN_BROKEN;
    span_skip_space(s);
    return s->next == s->end ? SCAN_OK : SCAN_BROKEN;
}

/* Decode hex digits of exactly this number of bytes. */
static bool decode_hex(const struct span *text, uint8_t *out, size_t bytes)
{
    if ((size_t)(text->end - text->next) != 2 * bytes)
        return false;
    for (size_t i = 0; i < 2 * bytes; i++) {
        uint8_t c = text->next[i], low = c | 0x20; /* lower case of a letter */
        bool is_digit = c >= '0' && c <= '9';

        if (!is_digit && (low < 'a' || low > 'f'))
            return false;
        out[i / 2] = (uint8_t)(out[i / 2] << 4 | (is_digit ? c - '0' : low - 'a' + 10));
    }
    return true;
}

/* Escapes are not decoded: programs write signatures, so one encoding is enough. */
static enum leader_command_signing read_signature(const uint8_t *payload, const struct scan *scan,
                                                  struct leader_command_signature *ret_signature)
{
    const bool *seen = scan->seen;
    const struct span *key = &scan->text[KEY];
    struct leader_command_signature signature = {.time_s = scan->number[TIME]};
    uint8_t nonce[8] = {0};

    if (!seen[KEY] && !seen[TIME] && !seen[NONCE] && !seen[MAC])
        return LEADER_COMMAND_UNSIGNED;
    if (!seen[KEY] || !seen[TIME] || !seen[NONCE] || scan->last != MAC)
        return LEADER_COMMAND_MISSIGNED;
    if ((size_t)(key->end - key->next) >= sizeof(signature.key) ||
        !decode_hex(&scan->text[NONCE], nonce, sizeof(nonce)) ||
        !decode_hex(&scan->text[MAC], signature.mac, sizeof(signature.mac)))
        return LEADER_COMMAND_MISSIGNED;
    memcpy(signature.key, key->next, (size_t)(key->end - key->next));
    signature.nonce = get_be64(nonce);
    signature.covered = (size_t)(scan->comma - payload);
    *ret_signature = signature;
    return LEADER_COMMAND_SIGNED;
}

/* The next character inside a string, its escape decoded. False: it is not printable ASCII, or a
 * space, or JSON does not have the escape. */
static bool span_take_printable(struct span *s, char *ret_character)
{
    uint8_t code[2] = {0, *s->next++}; /* big-endian */

    if (code[1] == '\\') {
        struct span digits;

        code[1] = *s->next++; /* span_take_string has seen that a byte follows */
        digits = (struct span){s->next, s->next + 4};
        if (code[1] == 'u') {
            if (s->end - s->next < 4 || !decode_hex(&digits, code, sizeof(code)))
                return false;
            s->next = digits.end;
        } else if (!memchr("\"\\/", code[1], 3)) { /* the other escapes are control characters */
            return false;
        }
    }
    *ret_character = (char)code[1];
    return code[0] == 0 && code[1] > ' ' && code[1] <= '~';
}

/* At least one printable character, which need no more bytes than their escapes. */
static bool decode_string(struct span text, char ret_text[LEADER_COMMAND_BYTES_MAX])
{
    size_t length = 0;

    while (text.next < text.end) {
        if (!span_take_printable(&text, &ret_text[length++]))
            return false;
    }
    ret_text[length] = '\0';
    return length > 0;
}

/* Decode the strings of a scanned command. */
static bool parse_command(const uint8_t *payload, const struct scan *scan,
                          struct leader_command *ret_command)
{
    const bool *seen = scan->seen;
    char text[LEADER_COMMAND_BYTES_MAX];
    struct leader_command command = {
        .has_if_term = seen[IF_TERM],
        .if_term = scan->number[IF_TERM],
        .is_forced = scan->number[FORCE],
    };

    for (enum member m = LEADER; m < MEMBER_COUNT; m++) {
        if (!seen[m] || members[m].kind != STRING)
            continue;
        if (!decode_string(scan->text[m], text) ||
            (m == LEADER && strlen(text) >= MEMBER_NAME_FULL_MAX))
            return false;
        if (m == LEADER)
            (void)member_name_put(text, command.target);
    }
    command.signing = read_signature(payload, scan, &command.signature);
    *ret_command = command;
    return true;
}

static enum leader_command_class classify_command(const uint8_t *payload, size_t length,
                                                  struct leader_command *ret_command)
{
    struct span s = {payload, payload + length};
    struct scan scan = {.first = MEMBER_COUNT};
    enum scan_verdict verdict = scan_object(&s, &scan);

    if (verdict == SCAN_FOREIGN || (verdict == SCAN_OK && !scan.seen[LEADER]))
        return LEADER_COMMAND_CLASS_DATA;
    if (verdict == SCAN_OK && parse_command(payload, &scan, ret_command))
        return LEADER_COMMAND_CLASS_COMMAND;
    return scan.first == LEADER ? LEADER_COMMAND_CLASS_BAD : LEADER_COMMAND_CLASS_DATA;
}

/* ---- probes ---- */

/* A string that can be returned unchanged: no escapes, ASCII only. */
static bool span_take_plain_string(struct span *s, struct span *ret_inside)
{
    if (!span_take_string(s, ret_inside))
        return false;
    for (const uint8_t *c = ret_inside->next; c < ret_inside->end; c++) {
        if (*c == '\\' || *c > '~')
            return false;
    }
    return true;
}

static bool span_take_plain_member(struct span *s, const char *name, struct span *ret_value)
{
    struct span key;

    return span_take_string(s, &key) && span_equal(&key, name) && span_take_char(s, ':') &&
           span_take_plain_string(s, ret_value);
}

static enum leader_command_class classify_probe(const uint8_t *payload, size_t length,
                                                struct probe *ret_probe)
{
    struct span s = {payload, payload + length};
    struct span nonce, pad;
    size_t nonce_length;

    if (!span_take_char(&s, '{') || !span_take_plain_member(&s, "probe", &nonce))
        return LEADER_COMMAND_CLASS_DATA;
    if (span_take_char(&s, ',') && !span_take_plain_member(&s, "pad", &pad))
        return LEADER_COMMAND_CLASS_DATA;
    if (!span_take_char(&s, '}'))
        return LEADER_COMMAND_CLASS_DATA;
    span_skip_space(&s);
    nonce_length = (size_t)(nonce.end - nonce.next);
    if (s.next != s.end || nonce_length == 0 || nonce_length >= PROBE_NONCE_MAX)
        return LEADER_COMMAND_CLASS_DATA;
    *ret_probe = (struct probe){0};
    memcpy(ret_probe->nonce, nonce.next, nonce_length);
    return LEADER_COMMAND_CLASS_PROBE;
}

enum leader_command_class leader_command_classify(const uint8_t *payload, size_t length,
                                                  struct leader_command *ret_command,
                                                  struct probe *ret_probe)
{
    struct span s = {payload, payload + length};

    if (length > PROBE_BYTES_MAX || !span_take_char(&s, '{'))
        return LEADER_COMMAND_CLASS_DATA;
    span_skip_space(&s);
    if (s.end - s.next > 7 && memcmp(s.next, "\"probe\"", 7) == 0)
        return classify_probe(payload, length, ret_probe);
    if (length <= LEADER_COMMAND_BYTES_MAX &&
        memmem(s.next, (size_t)(s.end - s.next), "\"leader\"", 8))
        return classify_command(payload, length, ret_command);
    return LEADER_COMMAND_CLASS_DATA;
}
