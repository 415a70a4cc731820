/* {"leader": ...}: who may, whom it names, what came of it. */
#include <stdio.h>

#include "supervisor_internal.h"

#define COMMAND_TAKEN_MAX COMMAND_QUEUE_LENGTH /* a slice: letters come back while we read */
#define UNSAID_TEXT       32

/* All pods have been sent a multicast one: more than one reply would be an amplifier. */
static bool may_reply(const struct supervisor *supervisor, const struct queued_command *queued)
{
    return !queued->is_multicast || supervisor_is_self(supervisor->config, queued->command.target);
}

static void reply(struct supervisor *supervisor, const struct queued_command *queued,
                  const char *text)
{
    size_t length = strlen(text);

    if (length <= queued->length && may_reply(supervisor, queued))
        data_plane_send_reply(supervisor->data_plane, &queued->client, &queued->local, text,
                              length);
}

/* " (3 more)": since the last line; nothing when there were none. */
static const char *tell_unsaid(uint64_t *unsaid, char text[static UNSAID_TEXT])
{
    text[0] = '\0';
    if (*unsaid)
        (void)snprintf(text, UNSAID_TEXT, " (%llu more)", (unsigned long long)*unsaid);
    *unsaid = 0;
    return text;
}

static void refuse(struct supervisor *supervisor, const struct queued_command *queued,
                   size_t counter, const char *text)
{
    char client[ADDRESS_TEXT_MAX], unsaid[UNSAID_TEXT];

    counters_add(&supervisor->counters, counter, 1);
    if (!budget_take(&supervisor->refusals, clock_now_ns())) {
        supervisor->refusals_unsaid++;
        log_note_suppressed(LOG_LEVEL_WARN);
        return;
    }
    log_warn("command_refused", "leader \"%s\" asked for by %s: %.*s%s", queued->command.target,
             address_format(&queued->client, client), (int)strcspn(text, "\n"), text,
             tell_unsaid(&supervisor->refusals_unsaid, unsaid));
    reply(supervisor, queued, text);
}

/* Who may not command is told so, and no more: the log says why. */
static void refuse_unknown(struct supervisor *supervisor, const struct queued_command *queued,
                           size_t counter, const char *why)
{
    char client[ADDRESS_TEXT_MAX], unsaid[UNSAID_TEXT];

    counters_add(&supervisor->counters, COUNTER_CONTROL_NO_AUTH, 1);
    counters_add(&supervisor->counters, counter, 1);
    if (!budget_take(&supervisor->strangers, clock_now_ns())) {
        supervisor->strangers_unsaid++;
        log_note_suppressed(LOG_LEVEL_WARN);
        return;
    }
    log_warn("command_refused", "leader \"%s\" asked for by %s: no auth: %s%s",
             queued->command.target, address_format(&queued->client, client), why,
             tell_unsaid(&supervisor->strangers_unsaid, unsaid));
    reply(supervisor, queued, "no auth\n");
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
    refuse_unknown(supervisor, queued, sign_counter(verdict), why);
}

static void confirm(struct supervisor *supervisor, const struct queued_command *queued,
                    uint64_t term)
{
    char text[32];

    counters_add(&supervisor->counters, COUNTER_CONTROL_OK, 1);
    (void)snprintf(text, sizeof(text), "ok %llu\n", (unsigned long long)term);
    reply(supervisor, queued, text);
}

/* 0 as a condition can never be met: there is no term 0. */
static uint64_t condition_of(const struct leader_command *command)
{
    if (!command->has_if_term)
        return 0;
    return command->if_term ? command->if_term : UINT64_MAX;
}

static void pass_on(struct supervisor *supervisor, const struct queued_command *queued,
                    uint64_t instance)
{
    struct election_event event = {
        .type = ELECTION_COMMAND, .instance = instance, .if_term = condition_of(&queued->command)};
    size_t place = 0;

    while (place < ELECTION_COMMANDS_MAX && supervisor->is_waiting[place])
        place++;
    /* Only what may be done uses up the budget: who may not command must not silence who may. */
    if (place == ELECTION_COMMANDS_MAX || !budget_take(&supervisor->commands, clock_now_ns())) {
        counters_drop(&supervisor->counters, DROP_rate, 1);
        return;
    }
    supervisor->waiting[place] = *queued;
    supervisor->is_waiting[place] = true;
    event.token = place + 1;
    supervisor_feed(supervisor, &event);
}

bool supervisor_is_self(const struct config *config, const char *text)
{
    struct address ip;

    if (address_parse_ip(text, &ip) == 0)
        return address_equal_ip(&ip, &config->self);
    return strcmp(text, config->name) == 0;
}

/*
 * Whoever reaches a data port may not override a majority: that takes a shell in the very pod,
 * which is then the one to lead. Where there is a majority, it is a command like others.
 */
static void force(struct supervisor *supervisor, const struct queued_command *queued)
{
    const uint64_t us = data_plane_identity(supervisor->data_plane)->instance;

    /* IPv4 hosts take nothing from outside that bears their own address; IPv6 hosts do. */
    bool is_ours = address_is_loopback(&queued->client) ||
                   (queued->client.family == ADDRESS_V4 &&
                    address_equal_ip(&queued->client, &supervisor->config->self));

    if (!is_ours || !supervisor_is_self(supervisor->config, queued->command.target)) {
        refuse_unknown(supervisor, queued, COUNTER_AUTH_ADDRESS,
                       "force is for whoever is in the very pod that is to lead");
        return;
    }
    supervisor_feed(supervisor, &(struct election_event){.type = ELECTION_FORCE});
    if (supervisor->election.claim_cause == ELECTION_BY_FORCE &&
        supervisor->election.state == ELECTION_LEADER)
        log_warn("leader_forced", "this pod leads without a majority, because it was told to");
    pass_on(supervisor, queued, us);
}

static void take(struct supervisor *supervisor, const struct queued_command *queued)
{
    enum sign_verdict verdict = queued->verdict;
    const struct config_cidrs *allow =
        verdict == SIGN_VALID ? NULL : &supervisor->settings.control_allow;
    uint64_t instance;

    if (verdict == SIGN_VALID) /* another worker may have had it, too */
        verdict = sign_seen_take(&supervisor->seen, &queued->command.signature, clock_real_s());
    if (sign_is_refused(verdict)) {
        refuse_signature(supervisor, queued, verdict);
        return;
    }
    if (queued->command.is_forced) { /* also where there is no list: all have been restarted */
        force(supervisor, queued);
        return;
    }
    switch (command_check(&queued->command, &queued->client, allow, &supervisor->election.list,
                          &instance)) {
    case COMMAND_LEGAL:
        pass_on(supervisor, queued, instance);
        break;
    case COMMAND_NO_MEMBER:
        refuse(supervisor, queued, COUNTER_CONTROL_NO_MEMBER, "no member\n");
        break;
    case COMMAND_NO_AUTH:
        refuse_unknown(supervisor, queued, COUNTER_AUTH_ADDRESS,
                       "its address is not in control.allow");
        break;
    }
}

void supervisor_reply(struct supervisor *supervisor, const struct election_action *action)
{
    const struct queued_command *queued;

    if (action->token == 0) /* of the configuration: the log tells */
        return;
    queued = &supervisor->waiting[action->token - 1];
    supervisor->is_waiting[action->token - 1] = false;
    switch (action->reply) {
    case ELECTION_OK:
        confirm(supervisor, queued, action->term);
        break;
    case ELECTION_NO_MEMBER:
        refuse(supervisor, queued, COUNTER_CONTROL_NO_MEMBER, "no member\n");
        break;
    case ELECTION_NO_QUORUM:
        refuse(supervisor, queued, COUNTER_CONTROL_NO_QUORUM, "no quorum\n");
        break;
    case ELECTION_BAD_TERM:
        refuse(supervisor, queued, COUNTER_CONTROL_BAD_TERM, "bad term\n");
        break;
    }
}

/* While a snapshot waits to be published none is taken: its reply would come before its effect. */
size_t supervisor_take_commands(struct supervisor *supervisor)
{
    struct queued_command queued;
    size_t taken = 0;

    for (size_t i = 0; i < data_plane_worker_count(supervisor->data_plane); i++) {
        for (size_t n = 0; n < COMMAND_TAKEN_MAX && !supervisor->is_unpublished &&
                           data_plane_take_command(supervisor->data_plane, i, &queued);
             n++, taken++)
            take(supervisor, &queued);
    }
    return taken;
}

void supervisor_obey_settings(struct supervisor *supervisor)
{
    const char *wanted = supervisor->settings.leader;
    const struct election_member *member = command_find_target(&supervisor->election.list, wanted);

    if (!wanted[0])
        return;
    if (!member) {
        supervisor->told.is_leader_unknown = true;
        log_warn("leader_unknown", "leader: \"%s\" is not a member: nothing was changed", wanted);
        return;
    }
    supervisor_feed(supervisor,
                    &(struct election_event){.type = ELECTION_COMMAND,
                                             .instance = member->instance,
                                             .generation = supervisor->settings.leader_generation});
}

void supervisor_warn_of_open_commands(const struct supervisor *supervisor)
{
    if (supervisor->settings.control_accept == CONFIG_CONTROL_OPEN &&
        supervisor->settings.keyring.count > 0)
        log_warn("commands_open",
                 "there are keys, but control.accept is open: whoever can send from control.allow "
                 "moves the lead without one");
}

void supervisor_give_up_commands(struct supervisor *supervisor)
{
    for (size_t i = 0; i < ELECTION_COMMANDS_MAX; i++) {
        if (supervisor->is_waiting[i])
            refuse(supervisor, &supervisor->waiting[i], COUNTER_CONTROL_NO_QUORUM, "no quorum\n");
        supervisor->is_waiting[i] = false;
    }
}
