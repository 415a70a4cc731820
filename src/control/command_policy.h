/*
 * command: permission and target of a {"leader": ...} command. Its signature was verified before
 * (secure/sign.h).
 *
 * The target must be a member, given by address or name. Nothing else can lead, so unknown
 * addresses, multicast, 0.0.0.0 and loopback from outside are all refused as "no member"; a name
 * that several living members have is refused as "not unique". The
 * election decides what a legal command does.
 *
 * Pure functions of their arguments; any thread.
 */
#ifndef CONTROL_COMMAND_H
#define CONTROL_COMMAND_H

#include "headless/config/config.h"
#include "headless/control/election.h"
#include "headless/wire/leader_command.h"

enum command_verdict {
    COMMAND_LEGAL, /* *ret_instance is the target */
    COMMAND_NO_MEMBER,
    COMMAND_NOT_UNIQUE, /* several living members have the name */
    COMMAND_NO_AUTH
};

/* allow: addresses that may command; NULL: the command has a valid signature. */
enum command_verdict command_check(const struct leader_command *command,
                                   const struct address *client, const struct config_cidrs *allow,
                                   const struct election *e, uint64_t *ret_instance);

/* The first living member with this address or name, without one the first dead one; NULL: none.
 * *ret_count: how many there are. */
const struct election_member *command_find_target(const struct election *e, const char *text,
                                                  size_t *ret_count);
/* True if this instance is a member with this address or name. */
bool command_is_target(const struct election *e, uint64_t instance, const char *text);

#endif
