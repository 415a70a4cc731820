/*
 * log_text: text inside a line of the log, with any bytes. Private to base/.
 *
 * Both write at most room bytes, without NUL, whole characters only, and return how many.
 */
#ifndef BASE_LOG_TEXT_H
#define BASE_LOG_TEXT_H

#include <stddef.h>

/* The inside of a JSON string. Characters pass; control characters and bytes that are not UTF-8 are
 * \u00XX, the two other ends of a line (U+2028, U+2029) are escaped as well. */
size_t log_text_json(char *out, size_t room, const char *text);

/* For a terminal: '?' replaces control characters and bytes that are not UTF-8. */
size_t log_text_plain(char *out, size_t room, const char *text);

#endif
