/*
 * Signed commands take effect once in the cluster, although each pod keeps its own nonces.
 *
 * Without if_term, a signed command that was captured could be given to another pod while its time is
 * acceptable, and would undo a later one. But a command names its target: so the target decides. The
 * pod that accepts a command tells the target (NOMINATE: nonce and time), also if the target leads
 * already, and moves nothing itself. The target marks each nonce once, for good: it has no clock to
 * forget by, since its clock and that of the pod that accepted the command may differ. Only for a
 * first one it asks the leader to step down. The same command at two pods at once, as in a multicast
 * group, is a repetition, whose result is that of the first.
 *
 * NOMINATE is repeated until the target replies: a mark that is lost would let a replay pass.
 * Pods of the version before, and those that accept unsealed messages, do not read it; to them a
 * command is passed on as without this.
 *
 * With if_term a repetition has no effect, and force is accepted only in the pod itself.
 */
#include "supervisor_internal.h"

#define TELL_FOR_NS (3 * NS_PER_SEC) /* then the command has its result */

static bool reads_nominate(struct supervisor *supervisor, uint64_t target)
{
    const struct handshake_peer *peer = handshake_find(&supervisor->transport.handshake, target);

    return peer && peer->theirs.suites & HANDSHAKE_READS_NOMINATE;
}

static void post_nominate(struct supervisor *supervisor, const struct address *to,
                          struct election_message *message)
{
    message->type = ELECTION_NOMINATE;
    message->from = data_plane_identity(supervisor->data_plane)->instance;
    message->term = message->seen = supervisor->election.term;
    peer_transport_send(&supervisor->transport, to, message, NULL);
}

static void send_nomination(struct supervisor *supervisor, struct nomination *nomination,
                            uint64_t now_ns)
{
    const struct peer *target = peers_find(&supervisor->peers, nomination->target);
    struct election_message message = {.to = nomination->target,
                                       .command_nonce = nomination->nonce,
                                       .command_time_s = nomination->time_s};

    nomination->sent_ns = now_ns;
    if (target)
        post_nominate(supervisor, &target->address, &message);
    else
        nomination->target = 0; /* it is no member any more */
}

enum nomination_kind supervisor_judge_nomination(struct supervisor *supervisor,
                                                 const struct queued_command *queued,
                                                 uint64_t target)
{
    const struct leader_command *command = &queued->command;

    if (queued->verdict != SIGN_VALID || command->has_if_term || command->is_forced)
        return NOMINATION_NONE;
    if (target != data_plane_identity(supervisor->data_plane)->instance)
        return reads_nominate(supervisor, target) ? NOMINATION_DUE : NOMINATION_NONE;
    switch (
        sign_seen_mark(&supervisor->named, command->signature.nonce, command->signature.time_s)) {
    case SIGN_VALID:
        return NOMINATION_FIRST;
    case SIGN_REPLAYED:
        return NOMINATION_REPEATED;
    default:
        return NOMINATION_TOO_OLD;
    }
}

void supervisor_nominate(struct supervisor *supervisor, const struct queued_command *queued,
                         uint64_t target)
{
    const struct leader_command_signature *signature = &queued->command.signature;
    struct nomination *place = &supervisor->nominations[0];
    uint64_t now_ns = clock_now_ns();

    for (size_t i = 0; i < ELECTION_COMMANDS_MAX && place->target; i++) {
        struct nomination *other = &supervisor->nominations[i];

        if (!other->target || other->until_ns < place->until_ns)
            place = other;
    }
    *place = (struct nomination){.target = target,
                                 .nonce = signature->nonce,
                                 .time_s = signature->time_s,
                                 .until_ns = now_ns + TELL_FOR_NS};
    send_nomination(supervisor, place, now_ns);
}

static void take_nomination(struct supervisor *supervisor, const struct election_message *message)
{
    const struct election_event event = {.type = ELECTION_COMMAND,
                                         .instance =
                                             data_plane_identity(supervisor->data_plane)->instance};

    switch (sign_seen_mark(&supervisor->named, message->command_nonce, message->command_time_s)) {
    case SIGN_VALID:
        supervisor_feed(supervisor, &event);
        break;
    case SIGN_REPLAYED: /* or NOMINATE was repeated, or several pods got the command */
        break;
    default:
        log_warn("command_refused",
                 "a signed command for this pod, which another pod has accepted: %s",
                 sign_reason(SIGN_TOO_OLD));
        break;
    }
}

void supervisor_hear_nomination(struct supervisor *supervisor,
                                const struct election_message *message, const struct address *from)
{
    struct election_message reply = {.to = message->from,
                                     .flags = ELECTION_FLAG_GRANTED,
                                     .command_nonce = message->command_nonce,
                                     .command_time_s = message->command_time_s};

    if (supervisor->transport.takes_open) /* a forged one could mark a nonce, or fill the table */
        return;
    if (!(message->flags & ELECTION_FLAG_GRANTED)) {
        take_nomination(supervisor, message);
        post_nominate(supervisor, from, &reply);
        return;
    }
    for (size_t i = 0; i < ELECTION_COMMANDS_MAX; i++) {
        struct nomination *nomination = &supervisor->nominations[i];

        if (nomination->target == message->from && nomination->nonce == message->command_nonce)
            nomination->target = 0;
    }
}

void supervisor_repeat_nominations(struct supervisor *supervisor, uint64_t now_ns)
{
    for (size_t i = 0; i < ELECTION_COMMANDS_MAX; i++) {
        struct nomination *nomination = &supervisor->nominations[i];

        if (!nomination->target || now_ns < nomination->sent_ns + supervisor->election.interval_ns)
            continue;
        if (now_ns >= nomination->until_ns)
            nomination->target = 0;
        else
            send_nomination(supervisor, nomination, now_ns);
    }
}
