/*
 * Keys: the main thread takes those that were read, and the supervisor's thread takes them over. It chooses the key that
 * all members can open, requests handshakes, and reports addresses that cannot be verified.
 */
#include <stdio.h>

#include "supervisor_internal.h"

#define CHECK_NS (50 * NS_PER_MS)

/* ---- the main thread ---- */

static void log_keys(const struct keyring *ring, enum config_keys mode)
{
    static const char *const words[] = {
        [CONFIG_KEYS_NONE] =
            "sends unsealed messages, accepts unsealed and sealed ones (keys.mode none)",
        [CONFIG_KEYS_PERMISSIVE] =
            "sends sealed messages, accepts unsealed and sealed ones (keys.mode permissive)",
        [CONFIG_KEYS_ENFORCE] = "sends and accepts only sealed messages",
    };

    log_info("keys_read", "%u keys, the newest is %s (%08x); this pod %s", ring->count,
             ring->keys[0].name, ring->keys[0].id, words[mode]);
}

/* Only changes: reading is tried every second. */
static void log_keys_failure(struct supervisor *supervisor, const char *why)
{
    if (strcmp(supervisor->keys_failure, why) == 0)
        return;
    (void)snprintf(supervisor->keys_failure, sizeof(supervisor->keys_failure), "%s", why);
    log_error("keys_failed", "%s (keys)%s", why,
              supervisor->keys.count
                  ? "; keeping the previous keys"
                  : "; without a key this pod accepts no message of other pods, and does not lead");
}

void supervisor_load_keys(const struct config *config, struct supervisor_keys *ret_keys)
{
    ret_keys->rc =
        config_has_keys(config) ? keyring_load(config->keys, &ret_keys->ring, ret_keys->why) : 0;
}

bool supervisor_take_keys(struct supervisor *supervisor, struct supervisor_keys *keys)
{
    const struct config *config = supervisor->config;
    bool has_changed;

    if (!config_has_keys(config))
        return false;
    if (keys->rc) {
        log_keys_failure(supervisor, keys->why);
        return false;
    }
    supervisor->keys_failure[0] = '\0';
    has_changed = !keyring_equal(&keys->ring, &supervisor->keys);
    if (has_changed) {
        log_keys(&keys->ring, config->keys_mode);
        supervisor->keys = keys->ring;
    }
    keyring_wipe(&keys->ring);
    return has_changed;
}

void supervisor_warn_unsealed(const struct config *config)
{
    if (config->peers.count == 0 && !config_is_discovering(config))
        return; /* no other pod is configured */
    if (!config_has_keys(config))
        log_warn(
            "no_keys",
            "pods trust every message from a member's address: make a key (headlessctl key new), "
            "give it to all pods, and set keys to its directory");
    else if (config->keys_mode != CONFIG_KEYS_ENFORCE)
        log_warn("keys_not_enforced",
                 "unsealed messages are still accepted: when all pods have the keys, set keys.mode "
                 "to %s",
                 config->keys_mode == CONFIG_KEYS_NONE ? "permissive, then to enforce" : "enforce");
}

/* ---- the supervisor's thread ---- */

static bool is_other(const struct supervisor *supervisor, uint16_t index)
{
    return supervisor->election.list.members[index].instance !=
           data_plane_identity(supervisor->data_plane)->instance;
}

/* Member index, if our sealed messages are for it: another, live, authenticated member; or NULL. */
static const struct handshake_peer *find_recipient(struct supervisor *supervisor, uint16_t index)
{
    const struct election *e = &supervisor->election;

    return is_other(supervisor, index) && election_may_be_alive(e, index)
               ? handshake_find(&supervisor->transport.handshake, e->list.members[index].instance)
               : NULL;
}

static bool all_have_key(struct supervisor *supervisor, uint32_t id)
{
    for (uint16_t i = 0; i < supervisor->election.list.count; i++) {
        const struct handshake_peer *handshake_peer = find_recipient(supervisor, i);

        if (handshake_peer && !handshake_peer_has_key(handshake_peer, id))
            return false;
    }
    return true;
}

static bool all_have_aes(struct supervisor *supervisor)
{
    uint8_t suites = seal_suites();

    for (uint16_t i = 0; i < supervisor->election.list.count; i++) {
        const struct handshake_peer *handshake_peer = find_recipient(supervisor, i);

        if (handshake_peer)
            suites &= handshake_peer->theirs.suites;
    }
    return suites >> SEAL_AES256_GCM & 1;
}

void supervisor_choose_key(struct supervisor *supervisor, struct supervisor_facts *facts)
{
    const struct keyring *ring = &supervisor->settings.keyring;

    facts->handshake = supervisor->transport.handshake.changes;
    if (ring->count == 0)
        return;
    facts->seal_key = ring->keys[0].id; /* used when no key is common to all */
    for (uint32_t k = 0; k < ring->count; k++) {
        if (all_have_key(supervisor, ring->keys[k].id)) {
            facts->seal_key = ring->keys[k].id;
            break;
        }
    }
    facts->seal_suite = all_have_aes(supervisor) ? SEAL_AES256_GCM : SEAL_CHACHA20_POLY1305;
}

bool supervisor_reset_windows(struct supervisor *supervisor, uint64_t instance)
{
    struct handshake_peer *handshake_peer =
        handshake_find(&supervisor->transport.handshake, instance);
    struct peer *peer = peers_find(&supervisor->peers, instance);

    if (!handshake_peer || !peer || !data_plane_has_windows(supervisor->data_plane))
        return false;
    if (peer->has_replay_windows)
        return true;
    if (handshake_peer
            ->is_primed) { /* at another index, long ago: a new handshake brings present counters */
        handshake_restart(&supervisor->transport.handshake, handshake_peer);
        return false;
    }
    data_plane_reset_windows(supervisor->data_plane, peers_index(&supervisor->peers, instance),
                             handshake_peer->theirs.counters);
    peer->has_replay_windows = handshake_peer->is_primed = true;
    return true;
}

/* ---- failed verifications ---- */

static void log_unverifiable(struct supervisor *supervisor, uint64_t now_ns)
{
    struct address address;
    char text[ADDRESS_TEXT_MAX];

    while (peers_auth_take_unverifiable(&supervisor->peers, now_ns, &address)) {
        const char *why =
            "it has other keys than this pod, or none; compare headlessctl key list on both (keys)";

        if (!config_has_keys(supervisor->config))
            why = "it seals messages, and this pod has no keys; give it the same (keys)";
        else if (handshake_shares_key(&supervisor->transport.handshake, &address))
            why = "the pod there had a key of this pod, so they are forged, or it was replaced by "
                  "one with other keys; compare headlessctl key list on both (keys)";
        log_error("key_mismatch", "no message from %s can be verified: %s",
                  address_format_ip(&address, text), why);
    }
}

/*
 * A pod whose key is wrong must not lead, while others live. Where the pod at an address has a key of
 * this one, the key of neither is wrong: then messages that cannot be verified are forged, or of a
 * new process there, which has authenticated nobody and does not lead by this rule. If it had one, it
 * says with that key that it has others now, as long as it lives: only that counts then.
 */
static bool has_wrong_key(struct supervisor *supervisor, uint64_t now_ns)
{
    struct handshake *handshake = &supervisor->transport.handshake;

    for (size_t i = 0; i < PEERS_AUTH_MAX; i++) {
        const struct address *ip = peers_auth_failing(&supervisor->peers, i, now_ns);
        uint64_t said_ns = ip ? handshake_other_keys_ns(handshake, ip) : 0;

        if (said_ns ? now_ns < said_ns + PEERS_AUTH_MEMORY_NS
                    : ip && peers_auth_is_unverifiable(&supervisor->peers, i, now_ns) &&
                          !handshake_shares_key(handshake, ip))
            return true;
    }
    return false;
}

/*
 * Followers exchange no messages of their own: without a handshake, forged messages could be all
 * that comes from a live member's address. The request also shows a pod with another key that its
 * key differs.
 */
static void request_handshakes_of_failing(struct supervisor *supervisor, uint64_t now_ns)
{
    for (size_t i = 0; i < PEERS_AUTH_MAX; i++) {
        const struct address *ip = peers_auth_failing(&supervisor->peers, i, now_ns);

        if (!ip)
            continue;
        handshake_suspect(&supervisor->transport.handshake, ip);
        peer_transport_start_handshake(&supervisor->transport, ip);
    }
}

static void request_handshakes_of_members(struct supervisor *supervisor)
{
    const struct election_list *list = &supervisor->election.list;

    for (uint16_t i = 0; i < list->count; i++) {
        if (is_other(supervisor, i))
            peer_transport_start_handshake(&supervisor->transport, &list->members[i].address);
    }
}

void supervisor_check_keys(struct supervisor *supervisor, uint64_t now_ns)
{
    bool is_keyless = supervisor->transport.is_sealing && supervisor->settings.keyring.count == 0;

    if (now_ns < supervisor->keys_checked_ns + CHECK_NS)
        return;
    supervisor->keys_checked_ns = now_ns;
    if (!supervisor->is_unpublished) /* data threads must have the keys before others use them */
        handshake_set_keys(&supervisor->transport.handshake, &supervisor->settings.keyring);
    log_unverifiable(supervisor, now_ns);
    if (is_keyless || has_wrong_key(supervisor, now_ns))
        supervisor_feed(supervisor, &(struct election_event){.type = ELECTION_AUTH_FAILED});
    request_handshakes_of_members(supervisor);
    if (supervisor->transport.is_sealing)
        request_handshakes_of_failing(supervisor, now_ns);
    if (supervisor->transport.handshake.changes != supervisor->facts.handshake)
        supervisor_publish(supervisor);
}
