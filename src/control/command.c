#include "headless/control/command.h"

#include <stdio.h>

const struct member *command_find_target(const struct view *view, const char *text,
                                         size_t *ret_rank)
{
    struct address ip;
    bool is_ip = address_parse_ip(text, &ip) == 0;

    for (size_t i = 0; i < view->member_count; i++) {
        const struct member *member = &view->members[i];

        if (is_ip ? address_equal_ip(&member->address, &ip) : strcmp(member->name, text) == 0) {
            *ret_rank = i;
            return member;
        }
    }
    return NULL;
}

static bool is_allowed(const struct address *client, const struct config_cidrs *allow)
{
    for (size_t i = 0; i < allow->count; i++) {
        if (cidr_contains(&allow->list[i], client))
            return true;
    }
    return false;
}

enum command_verdict command_decide(const struct control_command *command,
                                    const struct address *client, const struct config_cidrs *allow,
                                    const struct claim *present, const struct view *view,
                                    uint64_t issuer, struct claim *ret_claim)
{
    const struct member *target;
    struct claim claim = {.term = present->term + 1, .cause = CLAIM_COMMAND, .issuer = issuer};

    if (!is_allowed(client, allow))
        return COMMAND_NO_AUTH;
    target = command_find_target(view, command->target, &claim.rank);
    /* A loopback member is another pod's word for itself, unless we are all on one machine. */
    if (!target || (address_is_loopback(&target->address) && !address_is_loopback(client)))
        return COMMAND_NO_MEMBER;
    if (!present->outside && address_equal_ip(&present->leader, &target->address))
        return COMMAND_DONE; /* also when if_term has passed: a repeated command finds it done */
    if (command->has_if_term && command->if_term != present->term)
        return COMMAND_BAD_TERM;
    claim.leader = target->address;
    (void)snprintf(claim.name, sizeof(claim.name), "%s", target->name);
    *ret_claim = claim;
    return COMMAND_CLAIM;
}
