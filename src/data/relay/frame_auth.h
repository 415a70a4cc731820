/*
 * frame_auth: which frames come in.
 *
 * Without keys each frame of a member's address does. With them a frame must be sealed (unless
 * keys.mode lets open ones pass), by a member that has been introduced (wire/handshake_message.h), for
 * this pod, with a key that we have, and must not have come before. The cheap questions come first.
 *
 * The replay windows are shared by all workers: a frame played again from another port may reach
 * another worker than the first. One per slot of a member and nonce_space of it; the supervisor sets those
 * of a slot before a snapshot says that the member is introduced.
 *
 * Owner: its worker's thread; the windows are shared. No allocation but at init, no lock.
 */
#ifndef DATA_RELAY_FRAME_AUTH_H
#define DATA_RELAY_FRAME_AUTH_H

#include "data/ingress/slab.h"
#include "headless/base/counters.h"
#include "headless/data/identity.h"
#include "headless/data/leader_snapshot.h"
#include "headless/secure/replay.h"
#include "headless/wire/handshake_message.h"

#define FRAME_AUTH_NONCE_SPACES HANDSHAKE_NONCE_SPACES_MAX /* threads of a sender */

struct frame_auth {
    const struct identity *identity;
    bool has_keys, takes_open;
    struct replay_window *windows; /* all slots' and nonce_spaces'; NULL: no keys */
    struct seal_cache *cache;      /* NULL: no keys */
};

/* The windows of a process: MEMBERS_MAX x FRAME_AUTH_NONCE_SPACES. NULL: out of memory. */
struct replay_window *frame_auth_create_windows(void);
/* Supervisor: a member with this slot has been introduced; its nonce_spaces have counted so far. */
void frame_auth_reset_windows(struct replay_window *windows, uint16_t slot,
                              const uint64_t counters[static FRAME_AUTH_NONCE_SPACES]);

/* windows: of the process, or NULL without keys. Returns 0 or -ENOMEM. */
int frame_auth_init(struct frame_auth *frame_auth, const struct config *config,
                    const struct identity *identity, struct replay_window *windows)
    __attribute__((warn_unused_result));
void frame_auth_fini(struct frame_auth *frame_auth);

/*
 * Let a datagram of the relay port in, or tell why not (DROP_REASON_COUNT: it is in). What is
 * sealed is opened in place, and *datagram becomes the plain frame. What is not a frame at all
 * passes: the frame's reader has the words for it.
 */
enum drop_reason frame_auth_check(struct frame_auth *frame_auth,
                                  const struct leader_snapshot *snapshot,
                                  struct datagram *datagram);

#endif
