/*
 * frame_auth: authentication of relay frames.
 *
 * Without keys every frame from the address of a member is accepted. With keys a frame must be
 * sealed (unless keys.mode accepts plain ones), by a member that has completed the handshake
 * (wire/handshake_message.h), for this pod, with a known key, and must not be a replay. Cheap
 * checks come first.
 *
 * The replay windows are shared by all workers: a frame replayed from another port may reach
 * another worker than the first. There is one per member index and nonce space; the supervisor
 * resets those of a member before it publishes a snapshot in which the member is authenticated.
 *
 * Owner: its worker's thread; the windows are shared. Only init allocates. No lock, never blocks.
 */
#ifndef HEADLESS_DATA_FRAME_AUTH_H
#define HEADLESS_DATA_FRAME_AUTH_H

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
    struct replay_window *windows; /* by member index and nonce space; NULL: no keys */
    struct seal_cache *cache;      /* NULL: no keys */
};

/* The windows of a process: MEMBERS_MAX x FRAME_AUTH_NONCE_SPACES. NULL: out of memory. */
struct replay_window *frame_auth_create_windows(void);
/* Supervisor: reset the windows of a member; counters: the last used of its nonce spaces. */
void frame_auth_reset_windows(struct replay_window *windows, uint16_t slot,
                              const uint64_t counters[static FRAME_AUTH_NONCE_SPACES]);

/* windows: of the process, or NULL without keys. Returns 0 or -ENOMEM. */
int frame_auth_init(struct frame_auth *frame_auth, const struct config *config,
                    const struct identity *identity, struct replay_window *windows)
    __attribute__((warn_unused_result));
void frame_auth_fini(struct frame_auth *frame_auth);

/*
 * Check a datagram of the relay port. Returns the reason to drop it, or DROP_REASON_COUNT. A sealed
 * frame is opened in place, and *datagram becomes the plain frame. A datagram that is no frame of
 * this cluster passes: frame_open refuses it with its own verdict.
 */
enum drop_reason frame_auth_check(struct frame_auth *frame_auth,
                                  const struct leader_snapshot *snapshot,
                                  struct datagram *datagram);

#endif
