/* handshake_internal: the handshake's table of peers. The supervisor's thread only. */
#ifndef CONTROL_HANDSHAKE_INTERNAL_H
#define CONTROL_HANDSHAKE_INTERNAL_H

#include "handshake.h"

/* Add a peer. A full table evicts the least recently used one, unauthenticated ones first. */
struct handshake_peer *handshake_peer_add(struct handshake *handshake, uint64_t instance,
                                          const struct address *ip, uint64_t now_ns);
/* The peer at this address that a request would go to; added if there is none. */
struct handshake_peer *handshake_peer_at(struct handshake *handshake, const struct address *ip,
                                         uint64_t now_ns);
/* The peer with this instance, authenticated or not; NULL: none. */
struct handshake_peer *handshake_peer_find_instance(struct handshake *handshake, uint64_t instance);
/* The peer that this message describes; added if there is none. */
struct handshake_peer *handshake_peer_of(struct handshake *handshake,
                                         const struct handshake_message *theirs,
                                         const struct address *from, uint64_t now_ns);
/* Remove other instances at the address of this peer: a pod that restarted there. */
void handshake_peer_remove_predecessors(struct handshake *handshake,
                                        const struct handshake_peer *peer);

#endif
