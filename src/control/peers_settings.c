/*
 * Members whose settings for the ordered route (route: ordered, ordered.commit, ordered.history)
 * differ from ours.
 *
 * With route ordered at one pod and another route at the next, an app gets nothing, or messages
 * without an order. With another ordered.commit, an app gets entries that no majority has while
 * the other pods wait for one: nothing fails at once, but the guarantee does not hold. No pod can
 * know which setting is intended, so a mismatch is logged and counted, and changes nothing else.
 * Heartbeats and ACKs carry them as flags: the leader knows the settings of all members, and each
 * member those of the leader.
 *
 * Of ordered.history there is a digest of five bits, in flags that have no meaning in these types.
 * Version N-1 neither sets nor reads them: 0 says nothing.
 */
#include <string.h>

#include "headless/base/fnv.h"
#include "peers.h"

#define PEERS_SETTINGS (ELECTION_FLAG_ORDERED | ELECTION_FLAG_COMMIT)

#define HISTORY_BITS   5
#define HISTORY_POWERS 13 /* 1 MiB to 4 GiB */
#define HISTORY_OTHERS 18 /* codes that are left for all other sizes */

static const uint16_t history_flags[HISTORY_BITS] = {
    ELECTION_FLAG_OLD_LIST, ELECTION_FLAG_NOT_LISTED, ELECTION_FLAG_EVIDENCE,
    ELECTION_FLAG_BOOTSTRAP, ELECTION_FLAG_TERM_SKIPPED};

/* The powers of two, which are usual, have codes of their own. */
static uint16_t history_code(uint64_t bytes)
{
    char text[sizeof(bytes)];

    for (uint16_t i = 0; i < HISTORY_POWERS; i++) {
        if (bytes == UINT64_C(1) << (20 + i))
            return (uint16_t)(1 + i);
    }
    memcpy(text, &bytes, sizeof(text));
    return bytes ? (uint16_t)(1 + HISTORY_POWERS +
                              fnv_more(FNV_BASIS, text, sizeof(text)) % HISTORY_OTHERS)
                 : 0;
}

static uint16_t history_of(uint16_t flags)
{
    uint16_t code = 0;

    for (unsigned i = 0; i < HISTORY_BITS; i++)
        code |= (uint16_t)((flags & history_flags[i] ? 1U : 0U) << i);
    return code;
}

uint16_t peers_settings_of(const struct config *config)
{
    uint16_t flags = ELECTION_FLAG_ORDERED, code = history_code(config->ordered_history_bytes);

    if (config->route != CONFIG_ROUTE_ORDERED)
        return 0;
    if (config->ordered_commit == CONFIG_COMMIT_MAJORITY)
        flags |= ELECTION_FLAG_COMMIT;
    for (unsigned i = 0; i < HISTORY_BITS; i++)
        flags |= code >> i & 1 ? history_flags[i] : 0;
    return flags;
}

static bool has_other_history(uint16_t ours, uint16_t theirs)
{
    return history_of(ours) && history_of(theirs) && history_of(ours) != history_of(theirs);
}

bool peers_differ_in_history_only(const struct peers *peers, uint16_t flags)
{
    return ((flags ^ peers->flags) & PEERS_SETTINGS) == 0 && has_other_history(peers->flags, flags);
}

bool peers_check_settings(struct peers *peers, const struct election_message *message)
{
    struct peer *peer = peers_find(peers, message->from);

    if (!peer || (message->type != ELECTION_HEARTBEAT && message->type != ELECTION_ACK))
        return false;
    peer->is_mismatched = ((message->flags ^ peers->flags) & PEERS_SETTINGS) != 0 ||
                          peers_differ_in_history_only(peers, message->flags);
    return peer->is_mismatched;
}

const char *peers_describe_settings(uint16_t flags)
{
    if (!(flags & ELECTION_FLAG_ORDERED))
        return "another route than ordered";
    return flags & ELECTION_FLAG_COMMIT ? "route ordered with ordered.commit majority"
                                        : "route ordered with ordered.commit none";
}
