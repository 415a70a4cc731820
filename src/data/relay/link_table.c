/* The links of a relay: by destination, and by member. */
#include <stdlib.h>

#include "data/relay/link.h"
#include "headless/base/clock.h"
#include "headless/base/log.h"

#define REOPEN_NS NS_PER_SEC

static struct relay_link *link_find(const struct relay *relay, const struct address *to)
{
    for (size_t i = 0; i < relay->link_count; i++) {
        if (address_equal(&relay->links[i]->to, to))
            return relay->links[i];
    }
    return NULL;
}

/* A new link in the table, or the least recently used one, flushed and closed. */
static struct relay_link *link_place(struct relay *relay, const struct address *to)
{
    struct relay_link *link = relay->links[0];
    uint8_t slot;

    if (relay->link_count < RELAY_LINKS_MAX) {
        link = calloc(1, sizeof(*link));
        if (!link)
            return NULL;
        link->slot = (uint8_t)relay->link_count;
        relay->links[relay->link_count++] = link;
    } else {
        for (size_t i = 1; i < relay->link_count; i++) {
            if (relay->links[i]->used_ns < link->used_ns)
                link = relay->links[i];
        }
        relay_link_flush(relay, link);
        relay_link_close(link);
        kept_lose(&relay->kept, link->slot, link->slot == relay->kept.leader_slot);
    }
    slot = link->slot;
    *link = (struct relay_link){
        .to = *to, .socket.fd = -1, .member_index = MEMBER_INDEX_NONE, .slot = slot};
    return link;
}

struct relay_link *relay_link_to(struct relay *relay, const struct address *to)
{
    struct relay_link *link = link_find(relay, to);
    char text[ADDRESS_TEXT_MAX];
    int rc;

    if (!link)
        link = link_place(relay, to);
    if (!link)
        return NULL;
    link->used_ns = relay->now_ns;
    if (link->socket.fd >= 0)
        return link;
    if (relay->now_ns < link->retry_ns)
        return NULL;
    rc = relay_link_open(relay, link);
    if (!rc)
        return link;
    link->retry_ns = relay->now_ns + REOPEN_NS;
    log_warn("relay_unreachable", "cannot open a relay socket to %s: %s; next try in a second",
             address_format(to, text), strerror(-rc));
    return NULL;
}

/* Another process has this address. */
static void set_instance(struct relay *relay, struct relay_link *link, uint64_t instance)
{
    relay_link_flush(relay, link);
    kept_lose(&relay->kept, link->slot, link->slot == relay->kept.leader_slot);
    link->instance = instance;
    link->instance_from = nonce_space_last(&relay->nonce_space) + 1;
    link->number = 0;
}

struct relay_link *relay_link_to_target(struct relay *relay, const struct relay_target *target)
{
    struct relay_link *link = relay_link_to(relay, &target->to);

    if (link && link->instance != target->instance)
        set_instance(relay, link, target->instance);
    if (link)
        link->member_index = target->member_index;
    return link;
}

struct relay_link *relay_link_to_member(struct relay *relay, const struct member *member)
{
    const struct relay_target target = {.to = address_with_port(member->address, relay->relay_port),
                                        .instance = member->instance,
                                        .member_index = member->member_index};

    return relay_link_to_target(relay, &target);
}

bool relay_link_is_to_member(struct relay *relay, struct relay_link *link)
{
    const struct member *member;

    if (link->leadership == relay->leadership_number)
        return link->instance != 0;
    member = leadership_find_member(relay->leadership, &link->to);
    link->leadership = relay->leadership_number;
    if (member && member->instance != link->instance)
        set_instance(relay, link, member->instance);
    if (member)
        link->member_index = member->member_index;
    return link->instance != 0;
}
