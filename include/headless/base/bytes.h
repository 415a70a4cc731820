/*
 * bytes: reads and writes big-endian integers at any alignment, the byte order of the wire.
 *
 * Any thread. The caller checks that the bytes are there.
 */
#ifndef HEADLESS_BASE_BYTES_H
#define HEADLESS_BASE_BYTES_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t get_be16(const uint8_t *in)
{
    uint16_t value;

    memcpy(&value, in, sizeof(value));
    return be16toh(value);
}

static inline uint32_t get_be32(const uint8_t *in)
{
    uint32_t value;

    memcpy(&value, in, sizeof(value));
    return be32toh(value);
}

static inline uint64_t get_be64(const uint8_t *in)
{
    uint64_t value;

    memcpy(&value, in, sizeof(value));
    return be64toh(value);
}

/* The writers return the first byte after what they wrote. */
static inline uint8_t *put_be16(uint8_t *out, uint16_t value)
{
    value = htobe16(value);
    memcpy(out, &value, sizeof(value));
    return out + sizeof(value);
}

static inline uint8_t *put_be32(uint8_t *out, uint32_t value)
{
    value = htobe32(value);
    memcpy(out, &value, sizeof(value));
    return out + sizeof(value);
}

static inline uint8_t *put_be64(uint8_t *out, uint64_t value)
{
    value = htobe64(value);
    memcpy(out, &value, sizeof(value));
    return out + sizeof(value);
}

#endif
