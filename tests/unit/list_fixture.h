/* list_fixture: the longest list that there can be: members, their names and their addresses. */
#ifndef LIST_FIXTURE_H
#define LIST_FIXTURE_H

#include <string.h>

#include "headless/data/leader_snapshot.h"

static inline void fill_list(struct leader_snapshot *snapshot)
{
    snapshot->member_count = MEMBERS_MAX;
    for (size_t i = 0; i < MEMBERS_MAX; i++) {
        struct member *member = &snapshot->members[i];

        *member = (struct member){.instance = UINT64_MAX - i, .member_index = MEMBER_INDEX_NONE};
        memset(member->name, 'n', sizeof(member->name) - 1);
        member->address.family = ADDRESS_V6;
        memset(member->address.ip, 0xfd, sizeof(member->address.ip));
        member->address.ip[15] = (uint8_t)i;
    }
}

#endif
