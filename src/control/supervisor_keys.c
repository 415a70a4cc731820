/*
 * Keys: read by the main thread when they change, taken over by the supervisor's. Who has to be
 * asked for an handshake_message; what everybody can open; who cannot be verified.
 */
#include <stdio.h>

#include "supervisor_internal.h"

#define LOOK_NS            (50 * NS_PER_MS)
/* How long nothing can be verified before there is an alarm: the detection time within these. A
 * suspect has been asked twice by then. */
#define PERSISTENCE_MIN_NS (3 * HANDSHAKE_RETRY_NS)
#define PERSISTENCE_MAX_NS NS_PER_SEC

/* ---- the main thread ---- */

static void tell_keys(const struct keyring *ring, enum config_keys mode)
{
    static const char *const words[] = {
        [CONFIG_KEYS_NONE] = "sends open, takes open and sealed (keys.mode none)",
        [CONFIG_KEYS_PERMISSIVE] = "sends sealed, takes open and sealed (keys.mode permissive)",
        [CONFIG_KEYS_ENFORCE] = "sends and takes only sealed",
    };

    log_info("keys_read", "%u keys, the newest is %s (%08x); this pod %s", ring->count,
             ring->keys[0].name, ring->keys[0].id, words[mode]);
}

/* Only news: it is tried every second. */
static void tell_failure(struct supervisor *supervisor, const char *why)
{
    if (strcmp(supervisor->keys_why, why) == 0)
        return;
    (void)snprintf(supervisor->keys_why, sizeof(supervisor->keys_why), "%s", why);
    log_error("keys_failed", "%s (keys)%s", why,
              supervisor->keys.count ? "; the keys of before stay"
                                     : "; until there is a key this pod hears no other, and leads "
                                       "none");
}

bool supervisor_read_keys(struct supervisor *supervisor)
{
    const struct config *config = supervisor->config;
    char why[KEYRING_WHY];
    struct keyring ring;
    bool is_news;

    if (!config_has_keys(config))
        return false;
    if (keyring_load(config->keys, &ring, why)) {
        tell_failure(supervisor, why);
        return false;
    }
    supervisor->keys_why[0] = '\0';
    is_news = !keyring_equal(&ring, &supervisor->keys);
    if (is_news) {
        tell_keys(&ring, config->keys_mode);
        supervisor->keys = ring;
    }
    keyring_wipe(&ring);
    return is_news;
}

void supervisor_warn_open(const struct config *config)
{
    if (config->peers.count == 0 && !config->discovery_dns[0])
        return; /* alone */
    if (!config_has_keys(config))
        log_warn("no_keys",
                 "pods believe whoever sends from a member's address: make a key (headlessctl key "
                 "new), give it to all pods, and name its directory with keys");
    else if (config->keys_mode != CONFIG_KEYS_ENFORCE)
        log_warn("keys_not_enforced",
                 "open messages are still believed: when all pods have the keys, set keys.mode to "
                 "%s",
                 config->keys_mode == CONFIG_KEYS_NONE ? "permissive, then to enforce" : "enforce");
}

/* ---- the supervisor's thread ---- */

static bool is_other(const struct supervisor *supervisor, uint16_t index)
{
    return supervisor->election.list.members[index].instance !=
           data_plane_identity(supervisor->data_plane)->instance;
}

/* The n-th member, if what we seal is for it: another one, live, and introduced; else NULL. */
static const struct handshake_peer *hearer(struct supervisor *supervisor, uint16_t index)
{
    const struct election *e = &supervisor->election;

    return is_other(supervisor, index) && election_may_be_alive(e, index)
               ? handshake_find(&supervisor->transport.handshake, e->list.members[index].instance)
               : NULL;
}

static bool all_have(struct supervisor *supervisor, uint32_t id)
{
    for (uint16_t i = 0; i < supervisor->election.list.count; i++) {
        const struct handshake_peer *handshake_peer = hearer(supervisor, i);

        if (handshake_peer && !handshake_peer_has_key(handshake_peer, id))
            return false;
    }
    return true;
}

static bool all_have_aes(struct supervisor *supervisor)
{
    uint8_t suites = seal_suites();

    for (uint16_t i = 0; i < supervisor->election.list.count; i++) {
        const struct handshake_peer *handshake_peer = hearer(supervisor, i);

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
    facts->seal_key = ring->keys[0].id; /* if there is none that all have */
    for (uint32_t k = 0; k < ring->count; k++) {
        if (all_have(supervisor, ring->keys[k].id)) {
            facts->seal_key = ring->keys[k].id;
            break;
        }
    }
    facts->seal_suite = all_have_aes(supervisor) ? SEAL_AES256_GCM : SEAL_CHACHA20_POLY1305;
}

bool supervisor_reset_windows(struct supervisor *supervisor, uint64_t instance, uint16_t slot)
{
    struct handshake_peer *handshake_peer =
        handshake_find(&supervisor->transport.handshake, instance);
    bool *is_primed = roster_primed(&supervisor->roster, slot);

    if (!handshake_peer || !is_primed || !data_plane_has_windows(supervisor->data_plane))
        return false;
    if (*is_primed)
        return true;
    if (handshake_peer
            ->is_primed) { /* in another seat, long ago: a fresh reply tells how far it is */
        handshake_restart(&supervisor->transport.handshake, handshake_peer);
        return false;
    }
    data_plane_reset_windows(supervisor->data_plane, slot, handshake_peer->theirs.counters);
    *is_primed = handshake_peer->is_primed = true;
    return true;
}

/* ---- who cannot be verified ---- */

void supervisor_doubt(struct supervisor *supervisor, const struct address *from)
{
    key_watch_fail(&supervisor->key_watch, from, clock_now_ns());
}

void supervisor_init_key_watch(struct supervisor *supervisor)
{
    const struct config *config = supervisor->config;
    uint64_t detection_ns = config->heartbeat_interval_ns * config->heartbeat_misses;

    if (detection_ns > PERSISTENCE_MAX_NS)
        detection_ns = PERSISTENCE_MAX_NS;
    key_watch_init(&supervisor->key_watch,
                   detection_ns < PERSISTENCE_MIN_NS ? PERSISTENCE_MIN_NS : detection_ns);
}

static void tell_mismatches(struct supervisor *supervisor, uint64_t now_ns)
{
    struct address address;
    char text[ADDRESS_TEXT_MAX];

    while (key_watch_take(&supervisor->key_watch, now_ns, &address))
        log_error("key_mismatch", "nothing that comes from %s can be verified: %s",
                  address_format_ip(&address, text),
                  config_has_keys(supervisor->config)
                      ? "it has other keys than this pod, or none; compare headlessctl key list on "
                        "both (keys)"
                      : "it seals, and this pod has no keys; give it the same (keys)");
}

/*
 * A follower may have nothing to say to another: what is forged in its name is all that comes from
 * there, until it is asked. And who has another key learns of it by our questions.
 */
static void meet_suspects(struct supervisor *supervisor, uint64_t now_ns)
{
    for (size_t i = 0; i < ELECTION_MEMBERS_MAX; i++) {
        const struct address *ip = key_watch_suspect(&supervisor->key_watch, i, now_ns);

        if (!ip)
            continue;
        handshake_suspect(&supervisor->transport.handshake, ip);
        peer_transport_start_handshake(&supervisor->transport, ip);
    }
}

static void meet_members(struct supervisor *supervisor)
{
    const struct election_list *list = &supervisor->election.list;

    for (uint16_t i = 0; i < list->count; i++) {
        if (is_other(supervisor, i))
            peer_transport_start_handshake(&supervisor->transport, &list->members[i].address);
    }
}

void supervisor_watch_keys(struct supervisor *supervisor, uint64_t now_ns)
{
    bool is_keyless = supervisor->transport.is_sealing && supervisor->settings.keyring.count == 0;

    if (now_ns < supervisor->keys_looked_ns + LOOK_NS)
        return;
    supervisor->keys_looked_ns = now_ns;
    if (!supervisor->is_unpublished) /* first the threads can open it, then others hear of it */
        handshake_set_keys(&supervisor->transport.handshake, &supervisor->settings.keyring);
    tell_mismatches(supervisor, now_ns);
    if (is_keyless || key_watch_count(&supervisor->key_watch, now_ns) > 0)
        supervisor_feed(supervisor, &(struct election_event){.type = ELECTION_AUTH_FAILED});
    meet_members(supervisor);
    if (supervisor->transport.is_sealing)
        meet_suspects(supervisor, now_ns);
    if (supervisor->transport.handshake.changes != supervisor->facts.handshake)
        supervisor_publish(supervisor);
}
