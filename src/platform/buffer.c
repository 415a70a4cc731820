#include "platform/buffer.h"

#include <stdlib.h>
#include <string.h>

#define BUFFER_FIRST ((size_t)4096)
#define BUFFER_USUAL ((size_t)65536) /* more is freed when the buffer is empty */

static bool buffer_grow(struct buffer *buffer, size_t needed, size_t max)
{
    size_t room = buffer->room ? buffer->room : BUFFER_FIRST;
    char *data;

    while (room < needed)
        room *= 2;
    if (room > max)
        room = max;
    data = realloc(buffer->data, room);
    if (!data)
        return false;
    buffer->data = data;
    buffer->room = room;
    return true;
}

bool buffer_append(struct buffer *buffer, const char *bytes, size_t length, size_t max)
{
    if (length > max || buffer->length > max - length)
        return false;
    if (buffer->length + length > buffer->room &&
        !buffer_grow(buffer, buffer->length + length, max))
        return false;
    if (length)
        memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    return true;
}

void buffer_drop(struct buffer *buffer, size_t length)
{
    buffer->length -= length;
    if (buffer->length == 0)
        buffer_clear(buffer);
    else
        memmove(buffer->data, buffer->data + length, buffer->length);
}

void buffer_clear(struct buffer *buffer)
{
    buffer->length = 0;
    if (buffer->room > BUFFER_USUAL)
        buffer_fini(buffer);
}

void buffer_fini(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}
