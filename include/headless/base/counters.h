/*
 * counters: numbers of events, of which those of datagrams must add up (the ledger).
 *
 * Declared once, in the tables below: one row is one number of one metric. Each thread has a struct
 * counters of its own, single writer, cache-line aligned; readers sum them.
 *
 * The ledger, at rest to the datagram (docs/architecture.md):
 *
 *   requests   received{data} + received{multicast} + received{relay} + replayed =
 *                  delivered + relayed + control{*} + dropped{*} +
 *                  held (gauge) + queued (gauge) + waiting (gauge)
 *   replies    from{app} + from{relay} =
 *                  sent + relayed + fenced + suppressed + replies_dropped{*}
 *   copies     made =
 *                  sent + copies_dropped{*}
 *
 * waiting: numbered by route ordered, and not delivered yet. Copies are those of the routes all and
 * ordered for other members; the one for the pod's own app counts under requests. A relay frame
 * that is refused as a whole counts as one received and one dropped.
 */
#ifndef HEADLESS_BASE_COUNTERS_H
#define HEADLESS_BASE_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/base/distribution.h"

/* X(name, prose): why a datagram was dropped. Requests, replies and copies share the reasons. */
#define DROP_REASONS(X)                                                                          \
    X(loop, "sent from the data, relay or peer port of a member: it could loop")                 \
    X(ttl, "its TTL was 4 or less: it came back several times, or its sender set such a TTL")    \
    X(oversize, "larger than one UDP datagram once the frame or PROXY header is added")          \
    X(truncated, "longer than any legal UDP datagram")                                           \
    X(malformed, "a relay frame that does not parse, or a source port of 0")                     \
    X(incomplete, "a record over several frames, of which one was lost or came out of order")    \
    X(version, "a relay frame of an unknown protocol version")                                   \
    X(cluster, "a relay frame of another cluster")                                               \
    X(hops, "may not be relayed again, or is a copy that the ingress pod did not send")          \
    X(acl, "a frame whose sender or ingress pod is no member, or a client outside data.allow")   \
    X(auth, "a frame that is not authentic, or not sealed where keys.mode is enforce")           \
    X(key, "sealed with a key that this pod lacks, or no key to seal it with")                   \
    X(introduction, "a sealed frame of an instance without a completed handshake")               \
    X(misdirected, "for another instance, or not from its sender's address")                     \
    X(replay, "a frame that was received before, or is older than the replay window")            \
    X(route, "a frame of route all or ordered, which is not the route of this pod")              \
    X(order, "entries of another term, or from neither the leader nor the pod asked for them")   \
    X(ahead, "behind a missing kept frame or ordered entry, or beyond ordered.history")          \
    X(duplicate, "an ordered entry, or of a kept frame, that this pod has already")              \
    X(unready, "of a kept frame that cannot go on from here yet: its sender sends it again")     \
    X(diverged, "an ordered entry removed before delivery: it is not in the common log")         \
    X(order_full, "ordered.history is full of entries that no majority has")                     \
    X(rate, "above data.rate of its source, or a leader command above the rate of commands")     \
    X(tag, "relayed for a client of this pod, but without the tag of this pod")                  \
    X(no_leader, "no valid leader, and hold.time is 0")                                          \
    X(hold_overflow, "displaced by newer requests in the hold queue (hold.bytes), or too large") \
    X(hold_expired, "held for longer than hold.time")                                            \
    X(session_cap, "a new client for which no session with the app can be opened")               \
    X(source,                                                                                    \
      "app.source client cannot send from the client's address to the app (source_refused)")     \
    X(app_unreachable, "this pod has no way to the app: no route, or a firewall denies it")      \
    X(app_no_socket, "a new client, for which this pod can open no socket: descriptors, memory") \
    X(app_refuses_client, "the app serves other clients and refuses this one (app_connected)")   \
    X(session_gone, "a reply of the app to an address that no client has")                       \
    X(stranger, "a reply from elsewhere than app.target (app.reply_from)")                       \
    X(send_refused, "the destination's port is closed, or its host or network unreachable")      \
    X(send_full, "the socket's send buffer stayed full")                                         \
    X(send_denied, "a local firewall refused it")                                                \
    X(send_too_big, "larger than the path to its destination allows")                            \
    X(send_failed, "no socket or no route to the destination, or another error of the kernel")   \
    X(shutdown, "not delivered when the process ended")

#define DROP_ENUM(name, prose) DROP_##name,
enum drop_reason { DROP_REASONS(DROP_ENUM) DROP_REASON_COUNT };
#undef DROP_ENUM

/* Help of metrics that have several rows. */
#define HELP_DATAGRAMS_RECEIVED \
    "Datagrams of clients received, by socket; of a relay frame each request, or 1 if refused"
#define HELP_RECEIVED_BYTES   "UDP payload bytes received, by socket"
#define HELP_FRAMES           "Relay frames received, and handed to the kernel"
#define HELP_CONTROL_MESSAGES "Leader commands and probes, by result"
#define HELP_CONTROL_NO_AUTH  "Leader commands refused as no_auth, by reason"
#define HELP_REPLIES_RECEIVED "Replies received from the app, or relayed by another pod"
#define HELP_PEER_MESSAGES    "Peer messages received and sent"
#define HELP_EVIDENCE_HINTS \
    "Hints that the leader's process has ended, which this pod verified by probing it, by source"
#define HELP_PEER_CONNECTIONS_REFUSED                                                              \
    "Connections to peer.port/tcp that this pod closed: the address is no member's, too many, or " \
    "no valid message in time"
#define HELP_PEER_MESSAGES_DROPPED \
    "Datagrams dropped on the peer port, by reason; stranger: the source is not a known peer"
#define HELP_LEADER_CHANGES \
    "Leader changes that this pod followed, by cause; other: this pod did not learn the cause"
#define HELP_APP_NOTIFICATIONS "Datagrams to app.notify, by result"

/*
 * X(id, metric without "headlessd_", label, label value, help). A metric with an empty label has
 * one row. Rows of one metric stand together and share its help; no two metrics do.
 */
#define COUNTERS(X)                                                                                \
    X(RECEIVED_DATA, "datagrams_received_total", "socket", "data", HELP_DATAGRAMS_RECEIVED)        \
    X(RECEIVED_RELAY, "datagrams_received_total", "socket", "relay", HELP_DATAGRAMS_RECEIVED)      \
    X(RECEIVED_GROUP, "datagrams_received_total", "socket", "multicast", HELP_DATAGRAMS_RECEIVED)  \
    X(BYTES_DATA, "received_bytes_total", "socket", "data", HELP_RECEIVED_BYTES)                   \
    X(BYTES_RELAY, "received_bytes_total", "socket", "relay", HELP_RECEIVED_BYTES)                 \
    X(BYTES_GROUP, "received_bytes_total", "socket", "multicast", HELP_RECEIVED_BYTES)             \
    X(FRAMES_RECEIVED, "frames_total", "direction", "in", HELP_FRAMES)                             \
    X(FRAMES_SENT, "frames_total", "direction", "out", HELP_FRAMES)                                \
    X(DELIVERED, "datagrams_delivered_total", "", "", "Requests handed to the app of this pod")    \
    X(DELIVERED_FORMER, "datagrams_delivered_former_total", "", "",                                \
      "Those of datagrams_delivered_total that this pod's app got after the pod stepped down, "    \
      "for its sessions of before (drain.sessions)")                                               \
    X(RELAYED, "datagrams_relayed_total", "", "",                                                  \
      "Requests relayed to another pod: the kernel took them")                                     \
    X(REPLAYED, "relay_replayed_total", "", "",                                                    \
      "Requests that a lost leader had not confirmed, or not replied to, and that were relayed "   \
      "or delivered again (relay.confirm)")                                                        \
    X(RECEIVED_AGAIN, "relay_received_again_total", "", "",                                        \
      "Requests received that a lost leader's app may have been given before (relay.confirm)")     \
    X(SENT_AGAIN, "relay_resent_total", "", "",                                                    \
      "Requests and replies sent again to the same pod, which had not received or not confirmed "  \
      "them (relay.confirm)")                                                                      \
    X(REPLIES_LOST, "relay_replies_lost_total", "", "",                                            \
      "Kept replies that their ingress pod had not confirmed when they were forgotten")            \
    X(CONTROL_OK, "control_messages_total", "result", "ok", HELP_CONTROL_MESSAGES)                 \
    X(CONTROL_NO_MEMBER, "control_messages_total", "result", "no_member", HELP_CONTROL_MESSAGES)   \
    X(CONTROL_NOT_ALIVE, "control_messages_total", "result", "not_alive", HELP_CONTROL_MESSAGES)   \
    X(CONTROL_NOT_ELIGIBLE, "control_messages_total", "result", "not_eligible",                    \
      HELP_CONTROL_MESSAGES)                                                                       \
    X(CONTROL_NOT_UNIQUE, "control_messages_total", "result", "not_unique", HELP_CONTROL_MESSAGES) \
    X(CONTROL_NO_AUTH, "control_messages_total", "result", "no_auth", HELP_CONTROL_MESSAGES)       \
    X(CONTROL_BAD_JSON, "control_messages_total", "result", "bad_json", HELP_CONTROL_MESSAGES)     \
    X(CONTROL_NO_QUORUM, "control_messages_total", "result", "no_quorum", HELP_CONTROL_MESSAGES)   \
    X(CONTROL_BAD_TERM, "control_messages_total", "result", "bad_term", HELP_CONTROL_MESSAGES)     \
    X(CONTROL_PROBE, "control_messages_total", "result", "probe", HELP_CONTROL_MESSAGES)           \
    X(AUTH_UNSIGNED, "control_no_auth_total", "reason", "unsigned", HELP_CONTROL_NO_AUTH)          \
    X(AUTH_MALFORMED, "control_no_auth_total", "reason", "malformed", HELP_CONTROL_NO_AUTH)        \
    X(AUTH_KEY, "control_no_auth_total", "reason", "key", HELP_CONTROL_NO_AUTH)                    \
    X(AUTH_TIME, "control_no_auth_total", "reason", "time", HELP_CONTROL_NO_AUTH)                  \
    X(AUTH_MAC, "control_no_auth_total", "reason", "mac", HELP_CONTROL_NO_AUTH)                    \
    X(AUTH_REPLAY, "control_no_auth_total", "reason", "replay", HELP_CONTROL_NO_AUTH)              \
    X(AUTH_FULL, "control_no_auth_total", "reason", "full", HELP_CONTROL_NO_AUTH)                  \
    X(AUTH_ADDRESS, "control_no_auth_total", "reason", "address", HELP_CONTROL_NO_AUTH)            \
    X(WITHHELD, "replies_withheld_total", "", "",                                                  \
      "Replies that a built-in app did not send, because they could start a loop")                 \
    X(REPLIES_FROM_APP, "replies_received_total", "from", "app", HELP_REPLIES_RECEIVED)            \
    X(REPLIES_FROM_RELAY, "replies_received_total", "from", "relay", HELP_REPLIES_RECEIVED)        \
    X(REPLIES_SENT, "replies_sent_total", "", "", "Replies sent to clients")                       \
    X(REPLIES_RELAYED, "replies_relayed_total", "", "", "Replies relayed to their ingress pod")    \
    X(REPLIES_FENCED, "replies_fenced_total", "", "",                                              \
      "Replies not sent, because their leader's term or lease had ended")                          \
    X(REPLIES_SUPPRESSED, "replies_suppressed_total", "", "",                                      \
      "Replies and pushes not sent, because this pod does not lead, or did not lead when its app " \
      "was given the request")                                                                     \
    X(COPIES_MADE, "copies_total", "", "",                                                         \
      "Copies made for other members' apps (routes all and ordered)")                              \
    X(COPIES_SENT, "copies_sent_total", "", "",                                                    \
      "Copies sent to other members: the kernel took them")                                        \
    X(ORDER_NUMBERED, "ordered_numbered_total", "", "",                                            \
      "Ordered entries that this pod appended as leader")                                          \
    X(ORDER_ASKED, "ordered_asked_total", "", "",                                                  \
      "Requests of this pod for ordered entries that it lacks")                                    \
    X(ORDER_RESENT, "ordered_resent_total", "", "",                                                \
      "Ordered entries sent again from the history, to a member that requested them")              \
    X(ORDER_REFUSED, "ordered_refused_total", "", "",                                              \
      "Acknowledgements and requests for ordered entries refused: of an unknown sender, of "       \
      "another term, or before this pod agrees with the leader")                                   \
    X(ORDER_MISSED, "ordered_missing_total", "", "",                                               \
      "Ordered entries that this pod's app will never be given; app.notify reported them")         \
    X(ORDER_DIVERGED, "ordered_diverged_total", "", "",                                            \
      "Ordered entries that this pod's app was given and that are not in the common order; "       \
      "app.notify reported them")                                                                  \
    X(PEER_RECEIVED, "peer_messages_total", "direction", "in", HELP_PEER_MESSAGES)                 \
    X(PEER_SENT, "peer_messages_total", "direction", "out", HELP_PEER_MESSAGES)                    \
    X(PEER_UNSENT, "peer_messages_unsent_total", "", "",                                           \
      "Peer messages not sent: the kernel refused them, or the handshake with the receiver is "    \
      "not complete")                                                                              \
    X(HEARTBEATS_SENT, "heartbeats_sent_total", "", "",                                            \
      "Heartbeats sent to members while this pod led, one per member")                             \
    X(HEARTBEATS_LOST, "heartbeats_lost_total", "", "",                                            \
      "Heartbeats not acknowledged before eight more were sent to the same member")                \
    X(PEER_MALFORMED, "peer_messages_dropped_total", "reason", "malformed",                        \
      HELP_PEER_MESSAGES_DROPPED)                                                                  \
    X(PEER_VERSION, "peer_messages_dropped_total", "reason", "version",                            \
      HELP_PEER_MESSAGES_DROPPED)                                                                  \
    X(PEER_CLUSTER, "peer_messages_dropped_total", "reason", "cluster",                            \
      HELP_PEER_MESSAGES_DROPPED)                                                                  \
    X(PEER_STRANGER, "peer_messages_dropped_total", "reason", "stranger",                          \
      HELP_PEER_MESSAGES_DROPPED)                                                                  \
    X(PEER_AUTH, "peer_messages_dropped_total", "reason", "auth", HELP_PEER_MESSAGES_DROPPED)      \
    X(PEER_KEY, "peer_messages_dropped_total", "reason", "key", HELP_PEER_MESSAGES_DROPPED)        \
    X(PEER_INTRODUCTION, "peer_messages_dropped_total", "reason", "introduction",                  \
      HELP_PEER_MESSAGES_DROPPED)                                                                  \
    X(PEER_MISDIRECTED, "peer_messages_dropped_total", "reason", "misdirected",                    \
      HELP_PEER_MESSAGES_DROPPED)                                                                  \
    X(PEER_REPLAY, "peer_messages_dropped_total", "reason", "replay", HELP_PEER_MESSAGES_DROPPED)  \
    X(INTRODUCED, "handshakes_total", "", "",                                                      \
      "Handshakes completed: another instance proved that it holds a key")                         \
    X(REFUSALS_DISPROVED, "refusals_disproved_total", "", "",                                      \
      "ICMP port unreachable messages about the leader that a message of it disproved: forged, "   \
      "or of a firewall")                                                                          \
    X(PEER_REFUSED, "peer_refusals_total", "", "",                                                 \
      "ICMP port unreachable messages that quote a datagram of this pod to a member")              \
    X(REFUSALS_IGNORED, "relay_refusals_ignored_total", "", "",                                    \
      "ICMP errors on relay sockets that quote no frame sent lately")                              \
    X(EVIDENCE_TOLD, "evidence_told_total", "", "",                                                \
      "Messages to other members: this pod has evidence that the leader's process has ended")      \
    X(HINT_MEMBER, "evidence_hints_total", "source", "member", HELP_EVIDENCE_HINTS)                \
    X(HINT_CONNECTION, "evidence_hints_total", "source", "connection", HELP_EVIDENCE_HINTS)        \
    X(CONNECTION_STRANGER, "peer_connections_refused_total", "reason", "stranger",                 \
      HELP_PEER_CONNECTIONS_REFUSED)                                                               \
    X(CONNECTION_LIMIT, "peer_connections_refused_total", "reason", "limit",                       \
      HELP_PEER_CONNECTIONS_REFUSED)                                                               \
    X(CONNECTION_UNPROVED, "peer_connections_refused_total", "reason", "unproved",                 \
      HELP_PEER_CONNECTIONS_REFUSED)                                                               \
    X(CONNECTION_FAILED, "peer_connection_failures_total", "", "",                                 \
      "Connections to peer.port/tcp of the leader that failed or timed out, and failed accepts")   \
    X(LEADER_BOOTSTRAP, "leader_changes_total", "cause", "bootstrap", HELP_LEADER_CHANGES)         \
    X(LEADER_VERDICT, "leader_changes_total", "cause", "verdict", HELP_LEADER_CHANGES)             \
    X(LEADER_EVIDENCE, "leader_changes_total", "cause", "evidence", HELP_LEADER_CHANGES)           \
    X(LEADER_RESIGN, "leader_changes_total", "cause", "resign", HELP_LEADER_CHANGES)               \
    X(LEADER_COMMAND, "leader_changes_total", "cause", "command", HELP_LEADER_CHANGES)             \
    X(LEADER_FORCE, "leader_changes_total", "cause", "force", HELP_LEADER_CHANGES)                 \
    X(LEADER_OTHER, "leader_changes_total", "cause", "other", HELP_LEADER_CHANGES)                 \
    X(STORE_FAILED, "store_failures_total", "", "",                                                \
      "Terms that were not written to the state file, or not within 100 ms")                       \
    X(UNCONFIRMED, "relay_lost_total", "", "",                                                     \
      "Requests relayed to a leader that was lost before it confirmed them; with relay.confirm, "  \
      "those forgotten before they were confirmed (relay.keep, relay.keep_time)")                  \
    X(SEND_CALLS, "send_calls_total", "", "", "System calls of data threads to send datagrams")    \
    X(SEND_GSO_BATCHES, "send_gso_batches_total", "", "",                                          \
      "Messages handed to the kernel: GSO batches and single datagrams")                           \
    X(SEND_DATAGRAMS, "send_datagrams_total", "", "",                                              \
      "Datagrams handed to the kernel, each of a GSO batch counted")                               \
    X(RECEIVE_CALLS, "receive_calls_total", "", "",                                                \
      "System calls of data threads that received datagrams")                                      \
    X(RECEIVE_GRO_BATCHES, "receive_gro_batches_total", "", "",                                    \
      "Messages received from the kernel: GRO batches and single datagrams")                       \
    X(RECEIVE_DATAGRAMS, "receive_datagrams_total", "", "",                                        \
      "Datagrams received from the kernel, each of a GRO batch counted")                           \
    X(CONTROL_UNSENT, "control_replies_unsent_total", "", "",                                      \
      "Replies to leader commands that the kernel refused to send")                                \
    X(RECEIVE_FAILED, "receive_failures_total", "", "",                                            \
      "Reads of a socket that the kernel refused, except for ICMP errors of earlier datagrams")    \
    X(APP_REFUSED_CLIENT, "app_refused_clients_total", "", "",                                     \
      "ICMP port unreachable messages of the app's port for one client, while the app serves "     \
      "another")                                                                                   \
    X(APP_REFUSED, "app_refused_total", "", "",                                                    \
      "ICMP port unreachable messages of the app's port")                                          \
    X(APP_UNREACHABLE, "app_unreachable_total", "", "",                                            \
      "Errors on the way to the app: no route, a firewall, ICMP host or network unreachable")      \
    X(NOTIFIED, "app_notifications_total", "result", "sent", HELP_APP_NOTIFICATIONS)               \
    X(NOTIFY_FAILED, "app_notifications_total", "result", "failed", HELP_APP_NOTIFICATIONS)        \
    X(SESSIONS_OPENED, "sessions_opened_total", "", "",                                            \
      "Sessions opened for new clients of the app, each with a new address")                       \
    X(SESSIONS_RESUMED, "sessions_resumed_total", "", "",                                          \
      "Sessions used again after app.idle: the client kept its address")                           \
    X(SESSIONS_EVICTED, "sessions_evicted_total", "", "",                                          \
      "Open sessions closed before app.idle, to make room for new clients")                        \
    X(SESSIONS_EVICTED_IN_USE, "sessions_evicted_in_use_total", "", "",                            \
      "Of these, sessions of clients that had sent more than one datagram")                        \
    X(LIMIT_FORGOTTEN, "rate_sources_forgotten_total", "", "",                                     \
      "Sources removed from the rate limiter early, to make room; they may send data.burst "       \
      "again")

#define COUNTER_ENUM(id, metric, label, value, help) COUNTER_##id,
enum counter {
    COUNTERS(COUNTER_ENUM) COUNTER_DROPPED,                               /* + enum drop_reason */
    COUNTER_REPLIES_DROPPED = COUNTER_DROPPED + DROP_REASON_COUNT,        /* + enum drop_reason */
    COUNTER_COPIES_DROPPED = COUNTER_REPLIES_DROPPED + DROP_REASON_COUNT, /* + enum drop_reason */
    COUNTER_COUNT = COUNTER_COPIES_DROPPED + DROP_REASON_COUNT
};
#undef COUNTER_ENUM

struct counters {
    _Alignas(64) _Atomic uint64_t value[COUNTER_COUNT];
    struct distribution distributions[DISTRIBUTION_COUNT];
};

/* One number of one metric. */
struct counter_info {
    const char *metric, *label, *label_value, *help;
};

/* For index 0..COUNTER_COUNT-1. */
struct counter_info counter_describe(size_t index);

/* Owner thread only: a plain add, visible to readers. */
static inline void counters_add(struct counters *counters, size_t index, uint64_t n)
{
    _Atomic uint64_t *value = &counters->value[index];

    atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + n,
                          memory_order_relaxed);
}

/* Owner thread only: add one value to a distribution. */
static inline void counters_observe(struct counters *counters, enum distribution_id id,
                                    uint64_t value)
{
    distribution_add(&counters->distributions[id], distribution_bucket(id, value), 1, value);
}

static inline void counters_drop(struct counters *counters, enum drop_reason reason, uint64_t n)
{
    counters_add(counters, COUNTER_DROPPED + (size_t)reason, n);
}

static inline void counters_drop_reply(struct counters *counters, enum drop_reason reason,
                                       uint64_t n)
{
    counters_add(counters, COUNTER_REPLIES_DROPPED + (size_t)reason, n);
}

static inline void counters_drop_copies(struct counters *counters, enum drop_reason reason,
                                        uint64_t n)
{
    counters_add(counters, COUNTER_COPIES_DROPPED + (size_t)reason, n);
}

/* The reason in words: the prose of its row. */
const char *drop_reason_prose(enum drop_reason reason);

/* Any thread: add the values of one thread to sum[COUNTER_COUNT]. */
void counters_collect(const struct counters *counters, uint64_t sum[static COUNTER_COUNT]);

/* In minus out, of a sum; all are 0 at rest. inside: held, queued and waiting requests. */
struct ledger {
    int64_t requests, replies, copies;
};
struct ledger counters_ledger(const uint64_t sum[static COUNTER_COUNT], uint64_t inside);

#endif
