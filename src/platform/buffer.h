/*
 * buffer: bytes that arrive in pieces, up to a limit. Private to platform/. Zeroed memory is an empty buffer.
 */
#ifndef PLATFORM_BUFFER_H
#define PLATFORM_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *data; /* NULL: empty and without memory */
    size_t length, room;
};

/* False: more than max bytes, or no memory; nothing was appended. */
bool buffer_append(struct buffer *buffer, const char *bytes, size_t length, size_t max)
    __attribute__((warn_unused_result));

/* Remove the first bytes. */
void buffer_drop(struct buffer *buffer, size_t length);

/* Make it empty. Memory for more than usual is freed. */
void buffer_clear(struct buffer *buffer);
void buffer_fini(struct buffer *buffer);

#endif
