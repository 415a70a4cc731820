/*
 * data_plane: sockets, receivers and workers, and the leader snapshot that they share.
 *
 *   data_plane_open   binds every socket and takes all memory; nothing is read yet
 *   data_plane_start  starts the threads
 *   data_plane_stop   refuses new datagrams of clients, reads received ones to the end, waits a
 *                     while for replies, then ends the other threads
 *   data_plane_close  gives everything back
 *
 * With workers: 0 there are no rings: each receiver's thread reads, routes and sends.
 *
 * Threads: open, start, stop, close, rejoin and poll by the main thread. Wake, take, send and refuse
 * functions and data_plane_reset_windows by the supervisor. data_plane_list_sessions by the admin thread. Read
 * functions and the accessors by any thread. Only stop and list_sessions wait.
 */
#ifndef HEADLESS_DATA_DATA_PLANE_H
#define HEADLESS_DATA_DATA_PLANE_H

#include "headless/base/agent.h"
#include "headless/base/counters.h"
#include "headless/base/waker.h"
#include "headless/data/command_queue.h"
#include "headless/data/identity.h"
#include "headless/data/leader_snapshot.h"
#include "headless/data/session_entry.h"
#include "headless/wire/handshake_message.h"

#define RECEIVERS_MAX        16
#define WORKERS_MAX          16
#define DATA_PLANE_REJOIN_NS (3 * NS_PER_SEC) /* between two calls of data_plane_rejoin_groups */

struct data_plane;

/* ---- life ---- */

/* supervisor_waker is woken for each command. Logs what failed; returns a negative errno. */
int data_plane_open(const struct config *config, struct waker *supervisor_waker,
                    struct data_plane **ret_data_plane) __attribute__((warn_unused_result));
int data_plane_start(struct data_plane *data_plane) __attribute__((warn_unused_result));

/* The time since which no datagram has come or gone, or been held or queued. Zeroed at first. */
struct data_plane_quiet {
    uint64_t since_ns;
    uint64_t activity; /* datagrams that had come by the last look */
};
void data_plane_watch(struct data_plane_quiet *quiet, const struct data_plane *data_plane,
                      uint64_t now_ns);

/* Waits until it has been quiet for quiet_ns, but at most twice as long. */
void data_plane_stop(struct data_plane *data_plane, struct data_plane_quiet *quiet,
                     uint64_t quiet_ns);
/* NULL: nothing to do. */
void data_plane_close(struct data_plane *data_plane);

/* Joins multicast groups that are not joined, and those whose interface has gone. Asks the kernel. */
void data_plane_rejoin_groups(struct data_plane *data_plane);

/* Once a second: read what the kernel dropped at the app's own socket. Asks the kernel. */
void data_plane_poll_app_drops(struct data_plane *data_plane, uint64_t now_ns);

/* ---- the supervisor's ---- */

/* After snapshot_publish: end every sleep that the snapshot may change. */
void data_plane_wake(struct data_plane *data_plane);

/* The next command that this worker received, worker: 0 .. data_plane_worker_count - 1; false: none. */
bool data_plane_take_command(struct data_plane *data_plane, size_t worker,
                             struct queued_command *ret_command);
/* Has any worker a command? */
bool data_plane_has_command(const struct data_plane *data_plane);

/* Send a line to a client from the address to which it sent; not for the data path. Returns 0 or a negative errno. */
int data_plane_send_reply(struct data_plane *data_plane, const struct address *client,
                          const struct address *local, const char *text, size_t length);

/*
 * From now on the kernel refuses new datagrams at the data port (their senders get an ICMP port
 * unreachable; it counts them as UdpNoPorts), or the port receives them again. Received ones are
 * handled and replies leave either way; the relay and peer ports and multicast groups go on.
 * Returns 0 or a negative errno: -ESHUTDOWN once data_plane_stop refuses them for good; -ENOTSUP with
 * more than one receiver (udp_accept_new).
 */
int data_plane_refuse_clients(struct data_plane *data_plane, bool is_refusing)
    __attribute__((warn_unused_result));

/* A leader whose host has refused our frames; false: none. has: only look. */
bool data_plane_take_refusal(struct data_plane *data_plane, uint64_t *ret_instance);
bool data_plane_has_refusal(const struct data_plane *data_plane);

/*
 * Before a snapshot says that a member is authenticated: the counter of each of its nonce spaces so
 * far.
 */
void data_plane_reset_windows(struct data_plane *data_plane, uint16_t member_index,
                              const uint64_t counters[static HANDSHAKE_NONCE_SPACES_MAX]);
/* Are there replay windows? Only with keys. */
bool data_plane_has_windows(const struct data_plane *data_plane);

/* The nonce space of each worker; returns how many. They stay where they are until close. */
size_t data_plane_nonce_spaces(const struct data_plane *data_plane,
                               const struct nonce_space *ret_spaces[static WORKERS_MAX]);

/* ---- accessors ---- */

/* Constant after data_plane_open. */
const struct identity *data_plane_identity(const struct data_plane *data_plane);
const struct address *data_plane_local(const struct data_plane *data_plane); /* data.port */
size_t data_plane_worker_count(const struct data_plane *data_plane);
uint64_t data_plane_data_rcvbuf_bytes(const struct data_plane *data_plane); /* as granted, of one */
uint64_t data_plane_relay_rcvbuf_bytes(const struct data_plane *data_plane);

/* The supervisor publishes there; readers register before the threads start. */
struct snapshot_publisher *data_plane_publisher(struct data_plane *data_plane);

/* While no data thread runs: data_plane_wake wakes this one too; NULL: none. */
void data_plane_set_watcher(struct data_plane *data_plane, struct waker *watcher);

/* The data threads, to watch their progress: NULL after the last. */
const struct agent *data_plane_agent(const struct data_plane *data_plane, size_t index);

/* ---- numbers ---- */

/* Counters since the start, and the present contents; at rest their ledger closes. */
struct data_plane_numbers {
    uint64_t counters[COUNTER_COUNT];
    struct distribution_sum distributions[DISTRIBUTION_COUNT];
    uint64_t kept; /* requests that were relayed and not confirmed, or not replied to */
    uint64_t held, queued, sessions, groups; /* groups: multicast groups joined */
    uint64_t waiting;                        /* route ordered: appended, and not delivered yet */
    uint64_t sequencer_last, sequencer_is_leading;
    bool is_app_up;
    uint64_t data_kernel_drops, relay_kernel_drops, group_kernel_drops, app_kernel_drops;
    uint64_t app_socket_drops;                     /* at the app's own socket, not at ours to it */
    uint64_t group_rcvbuf_bytes, app_rcvbuf_bytes; /* as granted, of one; 0: there is none */
};
void data_plane_read_numbers(const struct data_plane *data_plane,
                             struct data_plane_numbers *ret_numbers);

/* Requests that are neither done nor dropped. */
static inline uint64_t data_plane_inside(const struct data_plane_numbers *numbers)
{
    return numbers->held + numbers->queued + numbers->waiting;
}

/* Requests relayed to this member and received from it, so far. */
void data_plane_read_traffic(const struct data_plane *data_plane, uint16_t member_index,
                             uint64_t *ret_relayed, uint64_t *ret_received);

/* False: the app refuses what it is given. Built-in apps never do. */
bool data_plane_app_is_up(const struct data_plane *data_plane);
/* Supervisor: what the heartbeats say of the apps of all pods (app_check.h). */
void data_plane_note_no_app(struct data_plane *data_plane, bool is_no_app);
/* The app is not up, and only a request that it is given can find out whether it is again. */
bool data_plane_needs_request(const struct data_plane *data_plane);
/* Has the app open sessions? Built-in apps have none. */
bool data_plane_has_sessions(const struct data_plane *data_plane);

/*
 * One thread at a time (admin): the sessions with the last datagrams, of all workers, at most
 * SESSION_ENTRIES_MAX; ret_entries has room for them. Waits until the workers have reported them, at
 * most 50 ms, and asks them only once in SESSION_ENTRIES_EVERY_NS: until then they are those of the
 * last time. Returns false when some workers have not reported: then some sessions are missing.
 */
bool data_plane_list_sessions(struct data_plane *data_plane, struct session_entry *ret_entries,
                              size_t *ret_count);

#endif
