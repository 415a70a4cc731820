/* Whom we have met: a table that does not grow. */
#include <string.h>

#include "headless/base/clock.h"
#include "introductions_internal.h"

#define CONTACT_MEMORY_NS (600 * NS_PER_SEC) /* unused for so long: a friend no more */

static bool is_used(const struct contact *contact)
{
    return contact->instance || address_is_set(&contact->address);
}

struct contact *contact_find_instance(struct introductions *i, uint64_t instance)
{
    for (size_t k = 0; instance && k < CONTACTS_MAX; k++) {
        if (i->contacts[k].instance == instance)
            return &i->contacts[k];
    }
    return NULL;
}

struct contact *introductions_find(struct introductions *i, uint64_t instance)
{
    struct contact *contact = contact_find_instance(i, instance);

    return contact && contact->is_introduced ? contact : NULL;
}

uint32_t introductions_count(const struct introductions *i)
{
    uint32_t count = 0;

    for (size_t k = 0; k < CONTACTS_MAX; k++)
        count += i->contacts[k].is_introduced;
    return count;
}

static struct contact *find_any(struct introductions *i, const struct address *ip, bool introduced)
{
    for (size_t k = 0; k < CONTACTS_MAX; k++) {
        struct contact *contact = &i->contacts[k];

        if (is_used(contact) && contact->is_introduced == introduced &&
            address_equal_ip(&contact->address, ip))
            return contact;
    }
    return NULL;
}

/* Who was introduced at this address, else whom we have asked there. */
static struct contact *find_at(struct introductions *i, const struct address *ip)
{
    struct contact *contact = find_any(i, ip, true);

    return contact ? contact : find_any(i, ip, false);
}

struct contact *introductions_find_address(struct introductions *i, const struct address *ip)
{
    return find_any(i, ip, true);
}

static bool is_friend(const struct contact *contact, uint64_t now_ns)
{
    return contact->is_introduced && now_ns < contact->used_ns + CONTACT_MEMORY_NS;
}

/* The least recently used place, of those that are no friends if there are any. */
static struct contact *make_room(struct introductions *i, uint64_t now_ns)
{
    struct contact *worst = &i->contacts[0];

    for (size_t k = 0; k < CONTACTS_MAX; k++) {
        struct contact *contact = &i->contacts[k];

        if (!is_used(contact))
            return contact;
        if (is_friend(contact, now_ns) != is_friend(worst, now_ns)
                ? is_friend(worst, now_ns)
                : contact->used_ns < worst->used_ns)
            worst = contact;
    }
    return worst;
}

struct contact *contact_meet(struct introductions *i, uint64_t instance, const struct address *ip,
                             uint64_t now_ns)
{
    struct contact *contact = make_room(i, now_ns);

    memset(contact, 0, sizeof(*contact));
    contact->instance = instance;
    contact->address = address_with_port(*ip, 0);
    contact->used_ns = now_ns;
    return contact;
}

struct contact *contact_at(struct introductions *i, const struct address *ip, uint64_t now_ns)
{
    struct contact *contact = find_at(i, ip);

    return contact ? contact : contact_meet(i, 0, ip, now_ns);
}

bool contact_has_key(const struct contact *contact, uint32_t id)
{
    for (uint8_t k = 0; k < contact->theirs.key_count; k++) {
        if (contact->theirs.keys[k] == id)
            return true;
    }
    return false;
}

struct contact *contact_of(struct introductions *i, const struct introduction *theirs,
                           const struct address *from, uint64_t now_ns)
{
    struct contact *contact = contact_find_instance(i, theirs->from);

    return contact ? contact : contact_meet(i, theirs->from, from, now_ns);
}

void introductions_begin_anew(struct introductions *i, struct contact *contact)
{
    contact->is_introduced = contact->is_primed = false;
    contact->nonce = 0;
    contact->asked = 0;
    contact->asked_ns = 0;
    i->changes++;
}

/* As if it knew nothing of us. */
void introductions_doubt(struct introductions *i, const struct address *ip)
{
    struct contact *contact = find_at(i, ip);

    if (!contact)
        return;
    contact->theirs.known = 0;
    if (contact->asked > 1)
        contact->asked = 1;
}

void contact_forget_predecessors(struct introductions *i, const struct contact *contact)
{
    for (size_t k = 0; k < CONTACTS_MAX; k++) {
        struct contact *other = &i->contacts[k];

        if (other != contact && address_equal_ip(&other->address, &contact->address))
            memset(other, 0, sizeof(*other));
    }
}
