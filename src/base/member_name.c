#include "headless/base/member_name.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define HEAD_CHARACTERS 23
#define TAIL_CHARACTERS 22
_Static_assert(HEAD_CHARACTERS + 1 + 16 + 1 + TAIL_CHARACTERS == MEMBER_NAME_MAX - 1,
               "a shortened name has the greatest length");

/* FNV-1a: nobody gains by two names that collide, and the layer has no other hash. */
static uint64_t hash_of(const char *text)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
    return hash;
}

bool member_name_put(const char *text, char name[static MEMBER_NAME_MAX])
{
    size_t length = strlen(text);

    memset(name, 0, MEMBER_NAME_MAX);
    if (length < MEMBER_NAME_MAX) {
        memcpy(name, text, length + 1);
        return false;
    }
    (void)snprintf(name, MEMBER_NAME_MAX, "%.*s-%016" PRIx64 "-%s", HEAD_CHARACTERS, text,
                   hash_of(text), text + length - TAIL_CHARACTERS);
    return true;
}
