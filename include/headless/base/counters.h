/*
 * counters: what happened, in numbers that must add up (the ledger).
 *
 * Declared once, in the tables below: one row is one number of one metric. Each thread has a struct
 * counters of its own, single writer, cache-line aligned; readers sum them.
 *
 * The ledger, at rest to the datagram (docs/architecture.md):
 *   requests   received{data} + received{multicast} + received{relay} =
 *                  delivered + relayed + control{*} + dropped{*} + held (gauge) + queued (gauge) +
 *                  waiting (gauge; route ordered: numbered, and not delivered yet)
 *   replies    replies{app} + replies{relay} =
 *                  replies{sent} + replies{relayed} + replies{fenced} + replies{suppressed} +
 *                  replies_dropped{*}
 *   copies     made = sent + dropped{*}         (routes all and ordered; the pod's own app is under
 * requests) A relay frame that is refused as a whole counts as one received and one dropped.
 */
#ifndef HEADLESS_BASE_COUNTERS_H
#define HEADLESS_BASE_COUNTERS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/base/distribution.h"

/* X(name, prose): why a datagram went no further. Requests and replies share the reasons. */
#define DROP_REASONS(X)                                                                   \
    X(loop, "its source is a member's own port")                                          \
    X(oversize, "larger than one relay frame can carry")                                  \
    X(truncated, "larger than our receive buffer")                                        \
    X(malformed, "a frame that is not one, or a source port of 0")                        \
    X(version, "a frame of a version we do not speak")                                    \
    X(cluster, "a frame of another cluster")                                              \
    X(hops, "already relayed as often as allowed, or back to where it came from")         \
    X(acl, "its sender is not a member, or a client outside data.allow")                  \
    X(auth, "a frame that is not authentic, or an open one where keys.mode is enforce")   \
    X(key, "a frame sealed with a key that this pod has not")                             \
    X(introduction, "a frame of a member that has not been introduced yet")               \
    X(misdirected,                                                                        \
      "sealed for another pod or a predecessor here, or from elsewhere than its sender")  \
    X(replay, "a frame that came before, or too late to know")                            \
    X(route, "a copy for every app, but route is not all here, or not ordered")           \
    X(order, "a number of the order, but not from the leader, or from whom it was asked") \
    X(ahead, "a number of the order while one before it is missing: is asked for")        \
    X(duplicate, "a number of the order that was here already")                           \
    X(diverged, "numbered by a leader, and in no other's order: not delivered")           \
    X(order_full, "no majority has what fills ordered.history")                           \
    X(rate, "more of its source than data.rate, or more control messages than fit")       \
    X(tag, "it came back as a client's of ours, but without our tag")                     \
    X(no_leader, "no leader, and hold.time is 0")                                         \
    X(hold_overflow, "held, and pushed out by newer ones (hold.bytes)")                   \
    X(hold_expired, "held for longer than hold.time")                                     \
    X(session_cap, "no session free (app.max_sessions)")                                  \
    X(session_gone, "an answer of the app to a session that has ended")                   \
    X(stranger, "came to the app's socket, but not from the app")                         \
    X(send_refused, "the destination's port is closed")                                   \
    X(send_full, "the socket's send buffer stayed full")                                  \
    X(send_denied, "a local firewall refused it")                                         \
    X(send_too_big, "larger than the path to its destination takes")                      \
    X(send_failed, "the kernel refused it for another reason, such as no route")          \
    X(shutdown, "still held when the process ended")

#define DROP_ENUM(name, prose) DROP_##name,
enum drop_reason { DROP_REASONS(DROP_ENUM) DROP_REASON_COUNT };
#undef DROP_ENUM

/* X(id, metric without "headlessd_", label, label value, help). Label "" is a lone number. */
#define COUNTERS(X)                                                                               \
    X(RECEIVED_DATA, "datagrams_received_total", "socket", "data", "Datagrams received")          \
    X(RECEIVED_RELAY, "datagrams_received_total", "socket", "relay", "Datagrams received")        \
    X(RECEIVED_GROUP, "datagrams_received_total", "socket", "multicast", "Datagrams received")    \
    X(BYTES_DATA, "received_bytes_total", "socket", "data", "Payload bytes received")             \
    X(BYTES_RELAY, "received_bytes_total", "socket", "relay", "Payload bytes received")           \
    X(BYTES_GROUP, "received_bytes_total", "socket", "multicast", "Payload bytes received")       \
    X(FRAMES_RECEIVED, "frames_total", "direction", "in", "Relay frames")                         \
    X(FRAMES_SENT, "frames_total", "direction", "out", "Relay frames")                            \
    X(DELIVERED, "datagrams_delivered_total", "", "", "Datagrams handed to the app of this pod")  \
    X(RELAYED, "datagrams_relayed_total", "", "", "Datagrams carried to another pod")             \
    X(CONTROL_OK, "control_messages_total", "result", "ok", "Control messages")                   \
    X(CONTROL_NO_MEMBER, "control_messages_total", "result", "no_member", "Control messages")     \
    X(CONTROL_NO_AUTH, "control_messages_total", "result", "no_auth", "Control messages")         \
    X(CONTROL_BAD_JSON, "control_messages_total", "result", "bad_json", "Control messages")       \
    X(CONTROL_NO_QUORUM, "control_messages_total", "result", "no_quorum", "Control messages")     \
    X(CONTROL_BAD_TERM, "control_messages_total", "result", "bad_term", "Control messages")       \
    X(CONTROL_PROBE, "control_messages_total", "result", "probe", "Control messages")             \
    X(AUTH_UNSIGNED, "control_no_auth_total", "reason", "unsigned",                               \
      "Control messages refused as no_auth, by reason")                                           \
    X(AUTH_MALFORMED, "control_no_auth_total", "reason", "malformed",                             \
      "Control messages refused as no_auth, by reason")                                           \
    X(AUTH_KEY, "control_no_auth_total", "reason", "key",                                         \
      "Control messages refused as no_auth, by reason")                                           \
    X(AUTH_TIME, "control_no_auth_total", "reason", "time",                                       \
      "Control messages refused as no_auth, by reason")                                           \
    X(AUTH_MAC, "control_no_auth_total", "reason", "mac",                                         \
      "Control messages refused as no_auth, by reason")                                           \
    X(AUTH_REPLAY, "control_no_auth_total", "reason", "replay",                                   \
      "Control messages refused as no_auth, by reason")                                           \
    X(AUTH_FULL, "control_no_auth_total", "reason", "full",                                       \
      "Control messages refused as no_auth, by reason")                                           \
    X(AUTH_ADDRESS, "control_no_auth_total", "reason", "address",                                 \
      "Control messages refused as no_auth, by reason")                                           \
    X(WITHHELD, "replies_withheld_total", "", "",                                                 \
      "Built-in answers not given, because they could start a loop")                              \
    X(REPLIES_FROM_APP, "replies_received_total", "from", "app", "Answers to be sent to clients") \
    X(REPLIES_FROM_RELAY, "replies_received_total", "from", "relay",                              \
      "Answers to be sent to clients")                                                            \
    X(REPLIES_SENT, "replies_sent_total", "", "", "Answers sent to clients")                      \
    X(REPLIES_RELAYED, "replies_relayed_total", "", "", "Answers carried to their ingress pod")   \
    X(REPLIES_FENCED, "replies_fenced_total", "", "",                                             \
      "Answers of a leader whose term is over, not sent")                                         \
    X(REPLIES_SUPPRESSED, "replies_suppressed_total", "", "",                                     \
      "Answers to requests that this pod's app was given while it did not lead")                  \
    X(COPIES_MADE, "copies_total", "", "", "Copies for other members' apps")                      \
    X(COPIES_SENT, "copies_sent_total", "", "", "Copies carried to other members")                \
    X(ORDER_NUMBERED, "ordered_numbered_total", "", "", "Messages that this pod gave a number")   \
    X(ORDER_ASKED, "ordered_asked_total", "", "",                                                 \
      "Questions for numbers of the order that this pod misses")                                  \
    X(ORDER_RESENT, "ordered_resent_total", "", "",                                               \
      "Messages sent again out of the history, to a member that asked for them")                  \
    X(ORDER_REFUSED, "ordered_refused_total", "", "",                                             \
      "Questions not answered: of a stranger, of another term, or before this pod agrees")        \
    X(ORDER_MISSED, "ordered_missing_total", "", "",                                              \
      "Numbers of the order that this pod's app will never be given; it was told")                \
    X(ORDER_DIVERGED, "ordered_diverged_total", "", "",                                           \
      "Messages that this pod's app was given and that are not in the common order; it was told") \
    X(PEER_RECEIVED, "peer_messages_total", "direction", "in", "Messages between supervisors")    \
    X(PEER_SENT, "peer_messages_total", "direction", "out", "Messages between supervisors")       \
    X(PEER_UNSENT, "peer_messages_unsent_total", "", "",                                          \
      "Messages between supervisors that the kernel did not take")                                \
    X(HEARTBEATS_SENT, "heartbeats_sent_total", "", "",                                           \
      "Heartbeats to members, while this pod led")                                                \
    X(HEARTBEATS_LOST, "heartbeats_lost_total", "", "",                                           \
      "Of these, not answered before eight more were sent to the same member")                    \
    X(PEER_MALFORMED, "peer_messages_dropped_total", "reason", "malformed",                       \
      "Datagrams on the peer port that were not listened to")                                     \
    X(PEER_VERSION, "peer_messages_dropped_total", "reason", "version",                           \
      "Datagrams on the peer port that were not listened to")                                     \
    X(PEER_CLUSTER, "peer_messages_dropped_total", "reason", "cluster",                           \
      "Datagrams on the peer port that were not listened to")                                     \
    X(PEER_STRANGER, "peer_messages_dropped_total", "reason", "stranger",                         \
      "Datagrams on the peer port that were not listened to")                                     \
    X(PEER_AUTH, "peer_messages_dropped_total", "reason", "auth",                                 \
      "Datagrams on the peer port that were not listened to")                                     \
    X(PEER_KEY, "peer_messages_dropped_total", "reason", "key",                                   \
      "Datagrams on the peer port that were not listened to")                                     \
    X(PEER_INTRODUCTION, "peer_messages_dropped_total", "reason", "introduction",                 \
      "Datagrams on the peer port that were not listened to")                                     \
    X(PEER_MISDIRECTED, "peer_messages_dropped_total", "reason", "misdirected",                   \
      "Datagrams on the peer port that were not listened to")                                     \
    X(PEER_REPLAY, "peer_messages_dropped_total", "reason", "replay",                             \
      "Datagrams on the peer port that were not listened to")                                     \
    X(INTRODUCED, "handshakes_total", "", "",                                                     \
      "Members that proved to be there and to have a key of ours")                                \
    X(PEER_REFUSED, "peer_refusals_total", "", "",                                                \
      "Refusals by a member's host that quote what this pod sent")                                \
    X(REFUSALS_IGNORED, "relay_refusals_ignored_total", "", "",                                   \
      "ICMP errors of relay sockets that quote nothing that this pod sent lately")                \
    X(LEADER_BOOTSTRAP, "leader_changes_total", "cause", "bootstrap", "Leaders followed")         \
    X(LEADER_VERDICT, "leader_changes_total", "cause", "verdict", "Leaders followed")             \
    X(LEADER_EVIDENCE, "leader_changes_total", "cause", "evidence", "Leaders followed")           \
    X(LEADER_RESIGN, "leader_changes_total", "cause", "resign", "Leaders followed")               \
    X(LEADER_COMMAND, "leader_changes_total", "cause", "command", "Leaders followed")             \
    X(LEADER_FORCE, "leader_changes_total", "cause", "force", "Leaders followed")                 \
    X(LEADER_OTHER, "leader_changes_total", "cause", "other", "Leaders followed")                 \
    X(STORE_FAILED, "store_failures_total", "", "", "Terms that could not be stored")             \
    X(UNCONFIRMED, "relay_lost_total", "", "",                                                    \
      "Datagrams handed to a leader that was lost before it confirmed them")                      \
    X(SEND_CALLS, "send_calls_total", "", "", "System calls that sent datagrams")                 \
    X(SEND_GSO_BATCHES, "send_gso_batches_total", "", "",                                         \
      "What these gave to the kernel in one piece: trains of datagrams, or single ones")          \
    X(SEND_DATAGRAMS, "send_datagrams_total", "", "", "Datagrams in these")                       \
    X(RECEIVE_CALLS, "receive_calls_total", "", "", "System calls that received something")       \
    X(RECEIVE_GRO_BATCHES, "receive_gro_batches_total", "", "",                                   \
      "What these got in one piece: merged datagrams, or single ones")                            \
    X(RECEIVE_DATAGRAMS, "receive_datagrams_total", "", "", "Datagrams in these")                 \
    X(APP_REFUSED, "app_refused_total", "", "", "Refusals by the app's port")                     \
    X(NOTIFIED, "app_notifications_total", "result", "sent", "Datagrams to app.notify")           \
    X(NOTIFY_FAILED, "app_notifications_total", "result", "failed", "Datagrams to app.notify")    \
    X(SESSIONS_OPENED, "sessions_opened_total", "", "", "Sessions towards the app opened")        \
    X(SESSIONS_EVICTED, "sessions_evicted_total", "", "",                                         \
      "Sessions of one datagram ended early, to make room")                                       \
    X(LIMIT_FORGOTTEN, "rate_sources_forgotten_total", "", "",                                    \
      "Sources that got all of data.burst back early, to make room for others")

#define COUNTER_ENUM(id, metric, label, value, help) COUNTER_##id,
enum counter {
    COUNTERS(COUNTER_ENUM) COUNTER_DROPPED, /* + enum drop_reason: requests */
    COUNTER_REPLIES_DROPPED = COUNTER_DROPPED + DROP_REASON_COUNT,        /* + enum drop_reason */
    COUNTER_COPIES_DROPPED = COUNTER_REPLIES_DROPPED + DROP_REASON_COUNT, /* + enum drop_reason */
    COUNTER_COUNT = COUNTER_COPIES_DROPPED + DROP_REASON_COUNT
};
#undef COUNTER_ENUM

struct counters {
    _Alignas(64) _Atomic uint64_t value[COUNTER_COUNT];
    struct distribution distributions[DISTRIBUTION_COUNT];
};

/* One number as it is exposed. */
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

/* Owner thread only: one value of a distribution. */
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

/* Why, in words. */
const char *drop_reason_prose(enum drop_reason reason);

/* Any thread: add the values of one thread to sum[COUNTER_COUNT]. */
void counters_collect(const struct counters *counters, uint64_t sum[static COUNTER_COUNT]);

/* What the ledger says of a sum: in minus out; all are 0 at rest. */
struct ledger {
    int64_t requests, replies, copies;
};
struct ledger counters_ledger(const uint64_t sum[static COUNTER_COUNT], uint64_t inside);

#endif
