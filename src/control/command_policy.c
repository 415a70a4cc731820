#include "command_policy.h"

#include <string.h>

const struct election_member *command_find_target(const struct election_list *list,
                                                  const char *text)
{
    struct address ip;
    bool is_ip = address_parse_pod(text, &ip) == 0;

    for (uint16_t i = 0; i < list->count; i++) {
        const struct election_member *member = &list->members[i];

        if (is_ip ? address_equal_ip(&member->address, &ip) : strcmp(member->name.text, text) == 0)
            return member;
    }
    return NULL;
}

enum command_verdict command_check(const struct leader_command *command,
                                   const struct address *client, const struct config_cidrs *allow,
                                   const struct election_list *list, uint64_t *ret_instance)
{
    const struct election_member *target;

    if (allow && !config_cidrs_contain(allow, client))
        return COMMAND_NO_AUTH;
    target = command_find_target(list, command->target);
    /* A loopback address means another pod's own host, unless all pods run on one machine. */
    if (!target || (address_is_loopback(&target->address) && !address_is_loopback(client)))
        return COMMAND_NO_MEMBER;
    *ret_instance = target->instance;
    return COMMAND_LEGAL;
}
