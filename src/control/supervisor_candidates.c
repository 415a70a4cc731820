/*
 * Candidates of the election: pods of peers, of EndpointSlices (discovery.kubernetes) and of DNS (discovery.dns).
 *
 * Slices know more than DNS and earlier, so DNS is not used while they are current. When the API server
 * is away or refuses, both count: the slices as they were, and DNS as it is.
 */
#include "supervisor_internal.h"

#define CANDIDATES_MAX (CONFIG_PEERS_MAX + 2 * DISCOVERY_MAX)

struct candidates {
    struct address list[CANDIDATES_MAX];
    struct election_pod pods[CANDIDATES_MAX];
    struct election_event event;
};

/* A list that lacks this pod does not describe this cluster, or not yet. */
static void candidates_add_slices(struct supervisor *supervisor, struct candidates *c,
                                  const struct slice_list *slices)
{
    bool has_self = false;

    for (size_t i = 0; i < slices->count; i++) {
        const struct slices_member *member = &slices->members[i];
        size_t at = c->event.candidate_count++;

        c->list[at] = member->address;
        c->pods[at] = (struct election_pod){member->pod, member->is_terminating};
        has_self |= address_equal_ip(&member->address, &supervisor->config->self);
    }
    c->event.is_complete = slices->is_current && slices->is_complete && has_self;
}

static bool is_candidate(const struct candidates *c, size_t count, const struct address *address)
{
    for (size_t i = 0; i < count; i++) {
        if (address_equal_ip(&c->list[i], address))
            return true;
    }
    return false;
}

/* DNS counts while the slices are not current: it may name pods that these lack, and the reverse. */
static void candidates_add_names(struct supervisor *supervisor, struct candidates *c,
                                 bool is_current)
{
    struct address found[DISCOVERY_MAX];
    size_t count = discovery_take(&supervisor->discovery, found), before = c->event.candidate_count;

    if (is_current)
        count = 0;
    supervisor->discovered = count == 1 ? found[0] : (struct address){0};
    for (size_t i = 0; i < count; i++) {
        if (!is_candidate(c, before, &found[i]))
            c->list[c->event.candidate_count++] = found[i];
    }
}

void supervisor_feed_candidates(struct supervisor *supervisor)
{
    const struct slice_list *slices = slice_watch_take(&supervisor->slices);
    const struct config *config = supervisor->config;
    struct candidates c = {.event = {.type = ELECTION_CANDIDATES}};

    c.event.candidates = c.list;
    if (config->discovery_kubernetes[0])
        c.event.pods = c.pods;
    candidates_add_slices(supervisor, &c, slices);
    for (size_t i = 0; i < config->peers.count; i++) {
        struct address peer = address_with_port(config->peers.list[i].address, 0);

        if (!is_candidate(&c, c.event.candidate_count, &peer))
            c.list[c.event.candidate_count++] = peer;
    }
    candidates_add_names(supervisor, &c, slices->is_current);
    for (size_t i = 0; i < c.event.candidate_count; i++)
        address_adopt_zone(&c.list[i], &config->self); /* DNS and slices have no zones */
    c.event.is_blind = config_is_discovering(config) &&
                       !discovery_is_known(&supervisor->discovery) && slices->count == 0;
    supervisor_feed(supervisor, &c.event);
}
