/*
 * log_text: text with any bytes inside a line of JSON. Private to base/.
 */
#ifndef BASE_LOG_TEXT_H
#define BASE_LOG_TEXT_H

#include <stddef.h>

/* Write the inside of a JSON string: at most room bytes, whole characters, no NUL; returns how many.
 * Characters pass; control characters and bytes that are not UTF-8 are \u00XX, the two other ends of a
 * line (U+2028, U+2029) are escaped as well. */
size_t log_text_json(char *out, size_t room, const char *text);

#endif
