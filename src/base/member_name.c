#include "headless/base/member_name.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "headless/base/fnv.h"

#define HEAD_CHARACTERS 23
#define TAIL_CHARACTERS 22
_Static_assert(HEAD_CHARACTERS + 1 + 16 + 1 + TAIL_CHARACTERS == MEMBER_NAME_MAX - 1,
               "a shortened name has the greatest length");

bool member_name_put(const char *text, char name[static MEMBER_NAME_MAX])
{
    size_t length = strlen(text);

    memset(name, 0, MEMBER_NAME_MAX);
    if (length < MEMBER_NAME_MAX) {
        memcpy(name, text, length + 1);
        return false;
    }
    (void)snprintf(name, MEMBER_NAME_MAX, "%.*s-%016" PRIx64 "-%s", HEAD_CHARACTERS, text,
                   fnv_more(FNV_BASIS, text, length), text + length - TAIL_CHARACTERS);
    return true;
}
