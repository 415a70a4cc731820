#include "base/log_text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "headless/base/utf8.h"

#define ESCAPE_MAX 8 /* \uXXXX with its NUL, or the longest character */

/* Write the character at text, escaped if need be. Returns the length of the result. */
static size_t escape_json(char *out, const char *text, size_t length, uint32_t code)
{
    if (length == 0)
        return (size_t)snprintf(out, ESCAPE_MAX, "\\u%04x", (unsigned)(unsigned char)*text);
    if (utf8_is_control(code))
        return (size_t)snprintf(out, ESCAPE_MAX, "\\u%04x", (unsigned)code);
    if (code == '"' || code == '\\')
        return (size_t)snprintf(out, ESCAPE_MAX, "\\%c", (char)code);
    memcpy(out, text, length);
    return length;
}

size_t log_text_json(char *out, size_t room, const char *text)
{
    char piece[ESCAPE_MAX];
    size_t n = 0;

    while (*text) {
        uint32_t code = 0;
        size_t length = utf8_decode(text, &code);
        size_t added = escape_json(piece, text, length, code);

        if (added > room - n)
            break;
        memcpy(out + n, piece, added);
        n += added;
        text += length ? length : 1;
    }
    return n;
}
