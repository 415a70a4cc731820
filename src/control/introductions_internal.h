/* introductions_internal: the table of contacts, for who introduces. The supervisor's thread only.
 */
#ifndef HEADLESS_CONTROL_INTRODUCTIONS_INTERNAL_H
#define HEADLESS_CONTROL_INTRODUCTIONS_INTERNAL_H

#include "headless/control/introductions.h"

/* A new one; who has not been used for longest makes room, rather one that is not introduced. */
struct contact *contact_meet(struct introductions *i, uint64_t instance, const struct address *ip,
                             uint64_t now_ns);
/* Whom we would ask at this address. */
struct contact *contact_at(struct introductions *i, const struct address *ip, uint64_t now_ns);
/* The contact of an instance, introduced or not; NULL: none. */
struct contact *contact_find_instance(struct introductions *i, uint64_t instance);
/* Who says this of itself. */
struct contact *contact_of(struct introductions *i, const struct introduction *theirs,
                           const struct address *from, uint64_t now_ns);
/* Where an instance is now, none of before is any more. */
void contact_forget_predecessors(struct introductions *i, const struct contact *contact);

#endif
