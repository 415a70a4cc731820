#include "headless/control/agreement.h"

#define OUR_FLAGS (ELECTION_FLAG_ORDERED | ELECTION_FLAG_COMMIT)

void agreement_init(struct agreement *agreement, const struct config *config)
{
    *agreement = (struct agreement){0};
    if (config->route != CONFIG_ROUTE_ORDERED)
        return;
    agreement->ours = ELECTION_FLAG_ORDERED;
    if (config->ordered_commit == CONFIG_COMMIT_MAJORITY)
        agreement->ours |= ELECTION_FLAG_COMMIT;
}

bool agreement_hear(struct agreement *agreement, uint16_t slot,
                    const struct election_message *message)
{
    bool differs = (message->flags & OUR_FLAGS) != agreement->ours;

    if (slot >= MEMBERS_MAX ||
        (message->type != ELECTION_HEARTBEAT && message->type != ELECTION_ACK))
        return false;
    agreement->differing[slot] = differs ? message->from : 0;
    return differs;
}

bool agreement_differs(const struct agreement *agreement, uint16_t slot, uint64_t instance)
{
    return slot < MEMBERS_MAX && instance && agreement->differing[slot] == instance;
}

const char *agreement_describe(uint16_t flags)
{
    if (!(flags & ELECTION_FLAG_ORDERED))
        return "another route than ordered";
    return flags & ELECTION_FLAG_COMMIT ? "route ordered with ordered.commit majority"
                                        : "route ordered with ordered.commit none";
}
