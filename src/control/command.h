/*
 * command: may this client give this {"leader": ...} command, and whom does it name? What a
 * signature is worth is asked before (secure/sign.h).
 *
 * The target must be a member, given by address or name; nothing else can lead, so unknown
 * addresses, multicast, 0.0.0.0 and loopback from outside all end as no member. What becomes of it
 * is the election's to decide.
 *
 * Pure function of its arguments; any thread.
 */
#ifndef CONTROL_COMMAND_H
#define CONTROL_COMMAND_H

#include "headless/config/config.h"
#include "headless/wire/election_message.h"
#include "headless/wire/leader_command.h"

enum command_verdict {
    COMMAND_LEGAL, /* *ret_instance is to lead */
    COMMAND_NO_MEMBER,
    COMMAND_NO_AUTH
};

/* allow: who may command; NULL: has shown by a signature that it may. */
enum command_verdict command_check(const struct leader_command *command,
                                   const struct address *client, const struct config_cidrs *allow,
                                   const struct election_list *list, uint64_t *ret_instance);

/* The member that this text names, an IP or a name; NULL: nobody. */
const struct election_member *command_find_target(const struct election_list *list,
                                                  const char *text);

#endif
