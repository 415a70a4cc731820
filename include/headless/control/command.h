/*
 * command: what a {"leader": ...} message does, decided without doing it.
 *
 * The target must be a member, given by address or name; nothing else can lead, so dead and unknown
 * addresses, multicast, 0.0.0.0 and loopback from outside all end as no member. Naming the present
 * leader changes nothing and is ok. if_term makes it conditional.
 *
 * Pure function of its arguments; any thread.
 */
#ifndef HEADLESS_CONTROL_COMMAND_H
#define HEADLESS_CONTROL_COMMAND_H

#include "headless/control/claim.h"
#include "headless/data/view.h"
#include "headless/wire/control.h"

enum command_verdict {
    COMMAND_DONE,  /* the target leads already */
    COMMAND_CLAIM, /* *ret_claim is to be followed */
    COMMAND_NO_MEMBER,
    COMMAND_NO_AUTH,
    COMMAND_BAD_TERM /* if_term is not the present term */
};

/* allow: who may command. issuer: our instance. */
enum command_verdict command_decide(const struct control_command *command,
                                    const struct address *client, const struct config_cidrs *allow,
                                    const struct claim *present, const struct view *view,
                                    uint64_t issuer, struct claim *ret_claim);

/* The member that this text names: an IP or a name, and its place in the list; NULL: nobody. */
const struct member *command_find_target(const struct view *view, const char *text,
                                         size_t *ret_rank);

#endif
