/*
 * fnv: the hash FNV-1a of 64 bits, where nobody gains by a collision.
 *
 * Pure functions, any thread. Source: draft-eastlake-fnv, 64-bit parameters.
 */
#ifndef HEADLESS_BASE_FNV_H
#define HEADLESS_BASE_FNV_H

#include <stddef.h>
#include <stdint.h>

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

/* The hash of what was hashed before (FNV_BASIS: nothing) and of these bytes. */
static inline uint64_t fnv_more(uint64_t hash, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)bytes[i]) * FNV_PRIME;
    return hash;
}

#endif
