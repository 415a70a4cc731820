#include "command_policy.h"

#include <string.h>

static bool is_named(const struct election_member *member, const char *text)
{
    struct address ip;

    return address_parse_pod(text, &ip) == 0 ? address_equal_ip(&member->address, &ip)
                                             : strcmp(member->name.text, text) == 0;
}

/* A dead member counts only if no living one has the name: it may be the predecessor of one. */
const struct election_member *command_find_target(const struct election *e, const char *text,
                                                  size_t *ret_count)
{
    const struct election_member *found = NULL;
    size_t living = 0, all = 0;

    for (uint16_t i = 0; i < e->list.count; i++) {
        const struct election_member *member = &e->list.members[i];

        if (!is_named(member, text))
            continue;
        all++;
        if (election_may_be_alive(e, i) && living++ == 0)
            found = member;
        else if (!found)
            found = member;
    }
    *ret_count = living ? living : all;
    return found;
}

bool command_is_target(const struct election *e, uint64_t instance, const char *text)
{
    for (uint16_t i = 0; i < e->list.count; i++) {
        if (e->list.members[i].instance == instance)
            return is_named(&e->list.members[i], text);
    }
    return false;
}

enum command_verdict command_check(const struct leader_command *command,
                                   const struct address *client, const struct config_cidrs *allow,
                                   const struct election *e, uint64_t *ret_instance)
{
    const struct election_member *target;
    size_t count;

    if (allow && !config_cidrs_contain(allow, client))
        return COMMAND_NO_AUTH;
    target = command_find_target(e, command->target, &count);
    /* A loopback address means another pod's own host, unless all pods run on one machine. */
    if (!target || (address_is_loopback(&target->address) && !address_is_loopback(client)))
        return COMMAND_NO_MEMBER;
    if (count > 1)
        return COMMAND_NOT_UNIQUE;
    *ret_instance = target->instance;
    return COMMAND_LEGAL;
}
