/*
 * utf8: which bytes are characters (RFC 3629): no overlong forms, no surrogates, none above U+10FFFF.
 *
 * Texts end with a NUL. Any thread; never allocates.
 */
#ifndef HEADLESS_BASE_UTF8_H
#define HEADLESS_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character at text, which is not empty, and its code point; 0: none begins there. */
size_t utf8_decode(const char *text, uint32_t *ret_code);

/* A control character, or one that some programs take for the end of a line: U+2028 and U+2029. */
bool utf8_is_control(uint32_t code);

/* Copy text with '?' for control characters and bytes that are not UTF-8, for terminals and messages.
 * At most room bytes, whole characters, no NUL. Returns how many bytes. */
size_t utf8_copy_printable(char *out, size_t room, const char *text);

/* The length of text without a character at its end that was cut: its first bytes are there. */
size_t utf8_trim(const char *text, size_t length);

#endif
