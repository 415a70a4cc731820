#include "headless/base/utf8.h"

#include <string.h>

/* First bytes, how many follow, and the range of the second byte, as in table 3-7 of Unicode. */
static const struct utf8_row {
    unsigned char first, last, following, low, high;
} utf8_rows[] = {
    {0xc2, 0xdf, 1, 0x80, 0xbf},                              /* C0 and C1 would be overlong */
    {0xe0, 0xe0, 2, 0xa0, 0xbf},                              /* overlong below */
    {0xe1, 0xec, 2, 0x80, 0xbf}, {0xed, 0xed, 2, 0x80, 0x9f}, /* surrogates above */
    {0xee, 0xef, 2, 0x80, 0xbf}, {0xf0, 0xf0, 3, 0x90, 0xbf}, /* overlong below */
    {0xf1, 0xf3, 3, 0x80, 0xbf}, {0xf4, 0xf4, 3, 0x80, 0x8f}, /* above U+10FFFF */
};

static const struct utf8_row *utf8_find_row(unsigned char first)
{
    for (size_t i = 0; i < sizeof(utf8_rows) / sizeof(utf8_rows[0]); i++) {
        if (first >= utf8_rows[i].first && first <= utf8_rows[i].last)
            return &utf8_rows[i];
    }
    return NULL;
}

/* The NUL at the end of the text is no following byte, so nothing behind it is read. */
size_t utf8_decode(const char *text, uint32_t *ret_code)
{
    const unsigned char *byte = (const unsigned char *)text;
    const struct utf8_row *row = utf8_find_row(byte[0]);
    uint32_t code;

    if (byte[0] < 0x80) {
        *ret_code = byte[0];
        return 1;
    }
    if (!row || byte[1] < row->low || byte[1] > row->high)
        return 0;
    code = byte[0] & (0x3fU >> row->following);
    for (size_t i = 1; i <= row->following; i++) {
        if ((byte[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (byte[i] & 0x3fU);
    }
    *ret_code = code;
    return row->following + (size_t)1;
}

bool utf8_is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code < 0xa0) || code == 0x2028 || code == 0x2029;
}

size_t utf8_copy_printable(char *out, size_t room, const char *text)
{
    size_t n = 0;

    while (*text) {
        uint32_t code = 0;
        size_t length = utf8_decode(text, &code);
        bool is_printable = length && !utf8_is_control(code);
        size_t added = is_printable ? length : 1;

        if (added > room - n)
            break;
        memcpy(out + n, is_printable ? text : "?", added);
        n += added;
        text += length ? length : 1;
    }
    return n;
}

size_t utf8_trim(const char *text, size_t length)
{
    const unsigned char *byte = (const unsigned char *)text;

    for (size_t back = 1; back <= 3 && back <= length; back++) {
        const struct utf8_row *row = utf8_find_row(byte[length - back]);

        if (row)
            return row->following >= back ? length - back : length;
        if ((byte[length - back] & 0xc0) != 0x80)
            break;
    }
    return length;
}
