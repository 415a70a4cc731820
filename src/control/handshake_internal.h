/* handshake_internal: the table of peers, for who introduces. The supervisor's thread only.
 */
#ifndef CONTROL_HANDSHAKE_INTERNAL_H
#define CONTROL_HANDSHAKE_INTERNAL_H

#include "handshake.h"

/* A new one; who has not been used for longest makes room, rather one that is not introduced. */
struct handshake_peer *handshake_peer_add(struct handshake *i, uint64_t instance,
                                          const struct address *ip, uint64_t now_ns);
/* Whom we would ask at this address. */
struct handshake_peer *handshake_peer_at(struct handshake *i, const struct address *ip,
                                         uint64_t now_ns);
/* The peer of an instance, introduced or not; NULL: none. */
struct handshake_peer *handshake_peer_find_instance(struct handshake *i, uint64_t instance);
/* Who says this of itself. */
struct handshake_peer *handshake_peer_of(struct handshake *i,
                                         const struct handshake_message *theirs,
                                         const struct address *from, uint64_t now_ns);
/* Where an instance is now, none of before is any more. */
void handshake_peer_remove_predecessors(struct handshake *i, const struct handshake_peer *peer);

#endif
