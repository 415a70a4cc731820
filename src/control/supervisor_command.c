/* {"leader": ...}: permission, target, result. */
#include <stdio.h>

#include "supervisor_internal.h"

#define COMMAND_TAKEN_MAX COMMAND_QUEUE_LENGTH /* per slice: workers refill it while we read */
#define UNLOGGED_TEXT     32

/* All pods receive a multicast command; more than one reply would amplify it. Of several members with
 * the name, the first one replies. */
static bool may_reply_to(const struct supervisor *supervisor, const struct queued_command *queued)
{
    size_t count;
    const struct election_member *first =
        command_find_target(&supervisor->election, queued->command.target, &count);

    if (!queued->is_multicast)
        return true;
    if (first && count > 1)
        return first->instance == data_plane_identity(supervisor->data_plane)->instance;
    return supervisor_is_self(supervisor->config, queued->command.target);
}

static void reply_to_client(struct supervisor *supervisor, const struct queued_command *queued,
                            const char *text)
{
    size_t length = strlen(text);

    if (length <= queued->length && may_reply_to(supervisor, queued) &&
        data_plane_send_reply(supervisor->data_plane, &queued->client, &queued->local, text,
                              length) != 0)
        counters_add(&supervisor->counters, COUNTER_CONTROL_UNSENT, 1);
}

/* " (3 more)" since the last line; "" when there were none. */
static const char *format_unlogged(uint64_t *unlogged, char text[static UNLOGGED_TEXT])
{
    text[0] = '\0';
    if (*unlogged)
        (void)snprintf(text, UNLOGGED_TEXT, " (%llu more)", (unsigned long long)*unlogged);
    *unlogged = 0;
    return text;
}

static void refuse_command(struct supervisor *supervisor, const struct queued_command *queued,
                           size_t counter, const char *text)
{
    char client[ADDRESS_TEXT_MAX], unlogged[UNLOGGED_TEXT];

    counters_add(&supervisor->counters, counter, 1);
    if (!budget_take(&supervisor->refusals, clock_now_ns())) {
        supervisor->refusals_unlogged++;
        log_note_suppressed(LOG_LEVEL_WARN);
        return;
    }
    log_warn("command_refused", "leader \"%s\" requested by %s: %.*s%s", queued->command.target,
             address_format(&queued->client, client), (int)strcspn(text, "\n"), text,
             format_unlogged(&supervisor->refusals_unlogged, unlogged));
    reply_to_client(supervisor, queued, text);
}

/* The reply is "no auth" without a reason; the log has the reason. */
static void refuse_unauthorized(struct supervisor *supervisor, const struct queued_command *queued,
                                size_t counter, const char *why)
{
    char client[ADDRESS_TEXT_MAX], unlogged[UNLOGGED_TEXT];

    counters_add(&supervisor->counters, COUNTER_CONTROL_NO_AUTH, 1);
    counters_add(&supervisor->counters, counter, 1);
    if (!budget_take(&supervisor->unauthorized, clock_now_ns())) {
        supervisor->unauthorized_unlogged++;
        log_note_suppressed(LOG_LEVEL_WARN);
        return;
    }
    log_warn("command_refused", "leader \"%s\" requested by %s: no auth: %s%s",
             queued->command.target, address_format(&queued->client, client), why,
             format_unlogged(&supervisor->unauthorized_unlogged, unlogged));
    reply_to_client(supervisor, queued, "no auth\n");
}

static void refuse_signature(struct supervisor *supervisor, const struct queued_command *queued,
                             enum sign_verdict verdict)
{
    const struct leader_command_signature *signature = &queued->command.signature;
    char why[256];

    (void)snprintf(why, sizeof(why), "%s", sign_reason(verdict));
    if (verdict == SIGN_UNKNOWN_KEY || verdict == SIGN_WRONG_MAC)
        (void)snprintf(why, sizeof(why), "key \"%s\": %s", signature->key, sign_reason(verdict));
    else if (verdict == SIGN_WRONG_TIME)
        (void)snprintf(why, sizeof(why), "%+lld s: %s",
                       (long long)sign_ahead_s(signature, clock_real_s()), sign_reason(verdict));
    refuse_unauthorized(supervisor, queued, sign_counter(verdict), why);
}

static void confirm_command(struct supervisor *supervisor, const struct queued_command *queued,
                            uint64_t term)
{
    char text[32];

    counters_add(&supervisor->counters, COUNTER_CONTROL_OK, 1);
    (void)snprintf(text, sizeof(text), "ok %llu\n", (unsigned long long)term);
    reply_to_client(supervisor, queued, text);
}

/* No term is 0, so if_term 0 must never match; to the election 0 means no condition. */
static uint64_t condition_of(const struct leader_command *command)
{
    if (!command->has_if_term)
        return 0;
    return command->if_term ? command->if_term : UINT64_MAX;
}

static void feed_command(struct supervisor *supervisor, const struct queued_command *queued,
                         uint64_t instance)
{
    struct election_event event = {
        .type = ELECTION_COMMAND, .instance = instance, .if_term = condition_of(&queued->command)};
    size_t place = 0;
    enum nomination_kind kind;

    while (place < ELECTION_COMMANDS_MAX && supervisor->is_waiting[place])
        place++;
    /* Only permitted commands use this budget: refused clients must not block permitted ones. */
    if (place == ELECTION_COMMANDS_MAX || !budget_take(&supervisor->commands, clock_now_ns())) {
        counters_drop(&supervisor->counters, DROP_rate, 1);
        return;
    }
    kind = supervisor_judge_nomination(supervisor, queued, instance);
    if (kind == NOMINATION_TOO_OLD) {
        refuse_signature(supervisor, queued, SIGN_TOO_OLD);
        return;
    }
    event.is_nominated = kind == NOMINATION_DUE || kind == NOMINATION_REPEATED;
    supervisor->waiting[place] = *queued;
    supervisor->is_waiting[place] = true;
    event.token = place + 1;
    supervisor_feed(supervisor, &event);
    /* Not if it was refused; but also if the target leads already. */
    if (kind == NOMINATION_DUE &&
        (supervisor->is_waiting[place] || supervisor->election.leader == instance))
        supervisor_nominate(supervisor, queued, instance);
}

bool supervisor_is_self(const struct config *config, const char *text)
{
    struct address ip;

    if (address_parse_pod(text, &ip) == 0)
        return address_equal_ip(&ip, &config->self);
    return strcmp(text, config->name) == 0;
}

/*
 * Overriding a majority takes a shell in the pod that is to lead: access to a data port is not
 * enough. Where there is a majority, a forced command is treated as any other.
 */
static void force_leader(struct supervisor *supervisor, const struct queued_command *queued)
{
    const uint64_t us = data_plane_identity(supervisor->data_plane)->instance;

    /* IPv4 hosts drop datagrams from outside that carry their own address; IPv6 hosts do not. */
    bool is_ours = address_is_loopback(&queued->client) ||
                   (queued->client.family == ADDRESS_V4 &&
                    address_equal_ip(&queued->client, &supervisor->config->self));

    if (!is_ours || !supervisor_is_self(supervisor->config, queued->command.target)) {
        refuse_unauthorized(supervisor, queued, COUNTER_AUTH_ADDRESS,
                            "force is accepted only from inside the pod that is to lead");
        return;
    }
    supervisor_feed(supervisor, &(struct election_event){.type = ELECTION_FORCE});
    if (supervisor->election.claim_cause == ELECTION_BY_FORCE &&
        supervisor->election.state == ELECTION_LEADER)
        log_warn("leader_forced", "this pod leads without a majority, by a forced command");
    feed_command(supervisor, queued, us);
}

static void handle_command(struct supervisor *supervisor, const struct queued_command *queued)
{
    enum sign_verdict verdict = queued->verdict;
    const struct config_cidrs *allow =
        verdict == SIGN_VALID ? NULL : &supervisor->settings.control_allow;
    uint64_t instance;

    if (verdict == SIGN_VALID) /* another worker may have received it as well */
        verdict = sign_seen_take(&supervisor->seen, &queued->command.signature, clock_real_s());
    if (sign_is_refused(verdict)) {
        refuse_signature(supervisor, queued, verdict);
        return;
    }
    if (queued->command.is_forced) { /* also without a list: all pods may have restarted */
        force_leader(supervisor, queued);
        return;
    }
    switch (
        command_check(&queued->command, &queued->client, allow, &supervisor->election, &instance)) {
    case COMMAND_LEGAL:
        feed_command(supervisor, queued, instance);
        break;
    case COMMAND_NO_MEMBER:
        refuse_command(supervisor, queued, COUNTER_CONTROL_NO_MEMBER, "no member\n");
        break;
    case COMMAND_NOT_UNIQUE:
        refuse_command(supervisor, queued, COUNTER_CONTROL_NOT_UNIQUE, "not unique\n");
        break;
    case COMMAND_NO_AUTH:
        refuse_unauthorized(supervisor, queued, COUNTER_AUTH_ADDRESS,
                            "its address is not in control.allow");
        break;
    }
}

void supervisor_reply(struct supervisor *supervisor, const struct election_action *action)
{
    const struct queued_command *queued;

    if (action->token == 0) /* of the configuration: nobody waits for a reply */
        return;
    if (supervisor_take_wanted_reply(supervisor, action))
        return;
    queued = &supervisor->waiting[action->token - 1];
    supervisor->is_waiting[action->token - 1] = false;
    switch (action->reply) {
    case ELECTION_OK:
        confirm_command(supervisor, queued, action->term);
        break;
    case ELECTION_NO_MEMBER:
        refuse_command(supervisor, queued, COUNTER_CONTROL_NO_MEMBER, "no member\n");
        break;
    case ELECTION_NOT_ALIVE:
        refuse_command(supervisor, queued, COUNTER_CONTROL_NOT_ALIVE, "not alive\n");
        break;
    case ELECTION_NOT_ELIGIBLE:
        refuse_command(supervisor, queued, COUNTER_CONTROL_NOT_ELIGIBLE, "not eligible\n");
        break;
    case ELECTION_NO_QUORUM:
        refuse_command(supervisor, queued, COUNTER_CONTROL_NO_QUORUM, "no quorum\n");
        break;
    case ELECTION_BAD_TERM:
        refuse_command(supervisor, queued, COUNTER_CONTROL_BAD_TERM, "bad term\n");
        break;
    }
}

/* None is taken while a snapshot is unpublished: its reply would precede its effect. */
size_t supervisor_take_commands(struct supervisor *supervisor)
{
    struct queued_command queued;
    size_t taken = 0;

    for (size_t i = 0; i < data_plane_worker_count(supervisor->data_plane); i++) {
        for (size_t n = 0; n < COMMAND_TAKEN_MAX && !supervisor->is_unpublished &&
                           data_plane_take_command(supervisor->data_plane, i, &queued);
             n++, taken++)
            handle_command(supervisor, &queued);
    }
    return taken;
}

void supervisor_apply_wanted_leader(struct supervisor *supervisor)
{
    const char *wanted = supervisor->settings.leader;
    size_t count;
    const struct election_member *member =
        command_find_target(&supervisor->election, wanted, &count);

    if (!wanted[0])
        return;
    if (!member || count > 1) {
        supervisor->logged.is_leader_unknown = true;
        if (member)
            log_warn("leader_unknown",
                     "leader: \"%s\" is the name of %zu members: nothing was changed", wanted,
                     count);
        else
            log_warn("leader_unknown", "leader: \"%s\" is not a member: nothing was changed",
                     wanted);
        return;
    }
    supervisor_feed(supervisor,
                    &(struct election_event){.type = ELECTION_COMMAND,
                                             .instance = member->instance,
                                             .generation = supervisor->settings.leader_generation});
}

void supervisor_warn_open_commands(const struct supervisor *supervisor)
{
    if (supervisor->settings.control_accept == CONFIG_CONTROL_OPEN &&
        supervisor->settings.keyring.count > 0)
        log_warn("commands_open",
                 "control.accept is open although there are keys: a client in control.allow can "
                 "change the leader without a key");
}

void supervisor_refuse_waiting(struct supervisor *supervisor)
{
    for (size_t i = 0; i < ELECTION_COMMANDS_MAX; i++) {
        if (supervisor->is_waiting[i])
            refuse_command(supervisor, &supervisor->waiting[i], COUNTER_CONTROL_NO_QUORUM,
                           "no quorum\n");
        supervisor->is_waiting[i] = false;
    }
}
