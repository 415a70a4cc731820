/* The report for the admin server, and the supervisor's other accessors. */
#include "supervisor_internal.h"

/* ---- accessors ---- */

struct waker *supervisor_waker(struct supervisor *supervisor)
{
    return &supervisor->waker;
}

const char *supervisor_keys_failure(const struct supervisor *supervisor)
{
    return supervisor->keys_failure;
}

enum election_state supervisor_state(const struct supervisor *supervisor)
{
    return (enum election_state)atomic_load_explicit(&supervisor->report.state,
                                                     memory_order_relaxed);
}

const struct supervisor_report *supervisor_report(const struct supervisor *supervisor)
{
    return &supervisor->report;
}

const struct counters *supervisor_counters(const struct supervisor *supervisor)
{
    return &supervisor->counters;
}

/* readers_lock is held. */
static const struct supervisor_past *newest_past(struct supervisor_report *report)
{
    (void)triple_buffer_take(&report->past);
    return &report->versions[report->past.reader_index];
}

void supervisor_read_history(struct supervisor *supervisor, struct leader_history *ret_history)
{
    struct supervisor_report *report = &supervisor->report;

    (void)pthread_mutex_lock(&report->readers_lock);
    *ret_history = newest_past(report)->history;
    (void)pthread_mutex_unlock(&report->readers_lock);
}

bool supervisor_read_namesake(struct supervisor *supervisor, struct address *ret_address)
{
    struct supervisor_report *report = &supervisor->report;

    (void)pthread_mutex_lock(&report->readers_lock);
    *ret_address = newest_past(report)->namesake;
    (void)pthread_mutex_unlock(&report->readers_lock);
    return address_is_set(ret_address);
}

bool supervisor_is_leader_outside(const struct supervisor *supervisor)
{
    return address_is_set(&supervisor->outside);
}

uint64_t supervisor_peer_rcvbuf_bytes(const struct supervisor *supervisor)
{
    return supervisor->transport.socket.rcvbuf_bytes;
}

uint64_t supervisor_peer_kernel_drops(const struct supervisor *supervisor)
{
    return udp_kernel_drops(supervisor->transport.socket.fd);
}

enum supervisor_slices supervisor_slices(const struct supervisor *supervisor)
{
    return slice_watch_state(&supervisor->slices);
}

const char *supervisor_lookup_reason(int lookup)
{
    return discovery_reason(lookup);
}

/* ---- the report ---- */

void supervisor_report_past(struct supervisor *supervisor)
{
    struct supervisor_report *report = &supervisor->report;

    report->versions[report->past.writer_index] =
        (struct supervisor_past){.history = supervisor->history, .namesake = supervisor->namesake};
    triple_buffer_publish(&report->past);
}

static void report_put(_Atomic uint32_t *field, uint32_t value)
{
    atomic_store_explicit(field, value, memory_order_relaxed);
}

static void report_put_long(_Atomic uint64_t *field, uint64_t value)
{
    atomic_store_explicit(field, value, memory_order_relaxed);
}

/* A leader, or an isolated former one, hears all members regularly; a follower only its leader. */
static void report_peer(struct supervisor *supervisor, const struct peer *peer)
{
    const struct election *e = &supervisor->election;
    struct supervisor_peer_report *report =
        &supervisor->report.peers[peers_index(&supervisor->peers, peer->instance)];
    bool is_asked = e->state == ELECTION_LEADER && peer->heartbeats_sent > 0;
    bool is_heard = is_asked || e->state == ELECTION_ISOLATED || peer->instance == e->leader;

    atomic_store_explicit(&report->state, (uint8_t)peer->state, memory_order_relaxed);
    report_put_long(&report->heard_ns, is_heard ? peer->heard_ns : 0);
    report_put_long(&report->rtt_ns, is_asked ? peer->rtt_ns : 0);
    report_put_long(&report->lost, peer->heartbeats_lost);
    atomic_store_explicit(&report->is_asked, is_asked, memory_order_relaxed);
}

static void report_connections(struct supervisor *supervisor)
{
    const struct election *e = &supervisor->election;
    uint32_t count = 0;

    if (supervisor->liveness.changes == supervisor->reported_changes &&
        election_list_id_compare(e->list.id, supervisor->reported_list) == 0)
        return;
    supervisor->reported_changes = supervisor->liveness.changes;
    supervisor->reported_list = e->list.id;
    for (uint16_t i = 0; i < e->list.count; i++) {
        uint16_t index = peers_index(&supervisor->peers, e->list.members[i].instance);
        bool is_connected = liveness_has(&supervisor->liveness, e->list.members[i].instance);

        count += is_connected;
        if (index == MEMBER_INDEX_NONE)
            supervisor->reported_changes = UINT64_MAX; /* not published yet: again */
        else
            atomic_store_explicit(&supervisor->report.peers[index].is_connected, is_connected,
                                  memory_order_relaxed);
    }
    report_put(&supervisor->report.connections, count);
}

static void report_peers(struct supervisor *supervisor)
{
    const struct election *e = &supervisor->election;
    uint32_t alive = 0, differing = 0;

    for (uint16_t i = 0; i < e->list.count; i++) {
        struct peer *peer = peers_find(&supervisor->peers, e->list.members[i].instance);
        enum election_member_state state = election_describe(e, i);

        alive += state != ELECTION_MEMBER_DEAD;
        if (!peer)
            continue;
        differing += peer->is_mismatched;
        peer->state = state;
        report_peer(supervisor, peer);
    }
    report_put(&supervisor->report.alive, alive);
    report_put(&supervisor->report.differing, differing);
}

void supervisor_update_report(struct supervisor *supervisor)
{
    const struct election *e = &supervisor->election;
    const struct handshake *handshake = &supervisor->transport.handshake;
    struct supervisor_report *report = &supervisor->report;

    report_peers(supervisor);
    report_connections(supervisor);
    report_put(&report->state, (uint32_t)e->state);
    report_put(&report->keys, handshake->ring.count); /* the handshake takes new keys last */
    report_put(&report->authenticated, handshake_count(handshake));
    report_put(&report->key_mismatches,
               (uint32_t)peers_auth_count_unverifiable(&supervisor->peers, clock_now_ns()));
    /* Without heartbeats the others do not relay either, or they have another leader. */
    report_put(&report->is_asked_first,
               e->is_asked_first && clock_now_ns() < e->heard_ns + e->detection_ns);
    report_put(&report->is_volatile, e->is_volatile);
    report_put(&report->is_refusing, supervisor->is_refusing);
    report_put(&report->known, e->known_peer_count);
    report_put(&report->is_kept_out, election_is_kept_out(e));
    report_put(&report->answered, supervisor_count_replied(e));
    atomic_store_explicit(&report->lookup, discovery_failure(&supervisor->discovery),
                          memory_order_relaxed);
    report_put(&report->is_virtual, supervisor_finds_virtual(supervisor));
    report_put(&report->votes, (uint32_t)election_needed(e));
    report_put_long(&report->unconfirmed,
                    peers_unconfirmed(&supervisor->peers, supervisor->facts.leader));
    report_put_long(&report->hold_down_ns, e->hold_down_ns);
    report_put_long(&report->leaps_refused, e->counts.leaps_refused);
    report_put_long(&report->actions_lost, e->counts.actions_lost);
    report_put_long(&report->forbidden_transitions, e->counts.forbidden_transitions);
}
