/*
 * Makes messages, and adds them and command results to the actions of the step. A step that wants
 * more actions than there is room for loses messages, as a network does, but no results.
 */
#include "election_internal.h"

static struct election_action *add_action(struct election *e, enum election_action_type type)
{
    struct election_actions *out = e->out;
    struct election_action *action;
    size_t limit = ELECTION_ACTIONS_MAX;

    if (type != ELECTION_RESULT)
        limit -= ELECTION_COMMANDS_MAX; /* a result is sent once, and its client waits for it */
    if (out->count >= limit) {
        e->counts.actions_lost++; /* as a message that the network lost */
        return NULL;
    }
    action = &out->list[out->count++];
    action->type = type;
    action->members = NULL;
    return action;
}

struct election_message election_make(const struct election *e, enum election_message_type type)
{
    return (struct election_message){.type = (uint8_t)type,
                                     .from = election_self(e),
                                     .term = e->term,
                                     .seen = election_max(e->seen_term, e->voted_term),
                                     .generation = e->generation,
                                     .list = e->list.id};
}

void election_send(struct election *e, const struct address *to, uint64_t instance,
                   const struct election_message *message)
{
    struct election_action *action;

    if (!address_is_set(to))
        return;
    action = add_action(e, ELECTION_SEND);
    if (!action)
        return;
    action->to = *to;
    action->message = *message;
    action->message.to = instance;
}

void election_send_with_self(struct election *e, const struct address *to, uint64_t instance,
                             struct election_message message)
{
    size_t before = e->out->count;

    message.member_count = 1;
    election_send(e, to, instance, &message);
    if (e->out->count > before)
        e->out->list[before].members = &e->config.self;
}

void election_send_all(struct election *e, const struct election_message *message)
{
    struct election_action *action;

    if (e->list.count < 2)
        return;
    action = add_action(e, ELECTION_SEND_ALL);
    if (action)
        action->message = *message;
}

void election_send_page(struct election *e, const struct address *to, uint64_t instance,
                        uint16_t first)
{
    struct election_message message = election_make(e, ELECTION_LIST_PAGE);
    size_t before = e->out->count;
    unsigned rest = (unsigned)(e->list.count - first);

    message.count = e->list.count;
    message.floor = e->list.floor;
    message.flags = (uint16_t)((e->list.wants_majority ? ELECTION_FLAG_MAJORITY : 0) |
                               (e->list.is_forced ? ELECTION_FLAG_FORCED : 0));
    message.first = first;
    message.member_count = (uint8_t)(rest < ELECTION_PAGE ? rest : ELECTION_PAGE);
    if (to)
        election_send(e, to, instance, &message);
    else
        election_send_all(e, &message);
    if (e->out->count > before)
        e->out->list[before].members = &e->list.members[first];
}

void election_push_list(struct election *e)
{
    for (uint16_t first = 0; first < e->list.count; first = (uint16_t)(first + ELECTION_PAGE))
        election_send_page(e, NULL, 0, first);
}

void election_result(struct election *e, uint64_t token, enum election_result reply)
{
    struct election_action *action = add_action(e, ELECTION_RESULT);

    if (!action)
        return;
    action->token = token;
    action->reply = reply;
    action->term = e->term;
}
