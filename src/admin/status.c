/*
 * The JSON documents. When memory runs out, keys are missing or null, but the text is valid; a
 * document that cannot be made at all is NULL.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "admin/status_parts.h"
#include "headless/base/clock.h"

static struct json_object *describe_pod(const char *address, const char *name, uint64_t instance)
{
    struct json_object *pod = json_object_new_object();
    char digits[17] = "";

    if (instance)
        (void)snprintf(digits, sizeof(digits), "%016" PRIx64, instance);
    status_add_text(pod, "address", address);
    status_add_text(pod, "name", name);
    status_add_text(pod, "instance", digits);
    return pod;
}

/* NULL, which json-c prints as null: there is no leader. */
static struct json_object *status_describe_leader(const struct admin_snapshot *snapshot)
{
    const struct leadership *leadership = snapshot->leadership;
    const struct member *member = leadership_find_member(leadership, &leadership->address);
    char text[ADDRESS_TEXT_MAX];

    if (!admin_snapshot_has_leader(snapshot))
        return NULL;
    if (leadership->kind == LEADER_OUTSIDE)
        return describe_pod(address_format(&leadership->address, text), leadership->name, 0);
    return describe_pod(address_format_ip(&leadership->address, text), leadership->name,
                        leadership->kind == LEADER_SELF ? snapshot->identity->instance
                        : member                        ? member->instance
                                                        : 0);
}

/* Unknown values are left out: this pod's own, and those that only a leader has. */
static void add_peer(struct json_object *pod, const struct admin_snapshot *snapshot,
                     const struct member *member)
{
    const struct supervisor_peer_report *peer;
    uint64_t heard_ns, rtt_ns;

    if (member->member_index >= MEMBERS_MAX || member->instance == snapshot->identity->instance)
        return;
    peer = &snapshot->report->peers[member->member_index];
    heard_ns = atomic_load_explicit(&peer->heard_ns, memory_order_relaxed);
    rtt_ns = atomic_load_explicit(&peer->rtt_ns, memory_order_relaxed);
    if (heard_ns) /* may be after the start of this snapshot */
        status_add_number(pod, "heartbeat_age_ms",
                          snapshot->now_ns > heard_ns ? (snapshot->now_ns - heard_ns) / NS_PER_MS
                                                      : 0);
    if (rtt_ns)
        status_add_number(pod, "rtt_us", rtt_ns / NS_PER_US);
    if (heard_ns)
        status_add_text(pod, "evidence", admin_snapshot_evidence(snapshot, peer));
    if (atomic_load_explicit(&peer->is_asked, memory_order_relaxed))
        status_add_number(pod, "lost", atomic_load_explicit(&peer->lost, memory_order_relaxed));
}

/* The state of this member as this pod sees it. */
static void add_condition(struct json_object *pod, const struct admin_snapshot *snapshot, size_t i)
{
    const struct member *member = &snapshot->leadership->members[i];

    status_add_text(pod, "state",
                    election_member_state_name(admin_snapshot_member_state(snapshot, member)));
    status_add_number(pod, "relayed", snapshot->traffic[i].relayed);
    status_add_number(pod, "received", snapshot->traffic[i].received);
    add_peer(pod, snapshot, member);
}

static struct json_object *describe_members(const struct admin_snapshot *snapshot, bool with_state)
{
    const struct leadership *leadership = snapshot->leadership;
    struct json_object *list = json_object_new_array();
    char text[ADDRESS_TEXT_MAX];

    for (size_t i = 0; i < leadership->member_count; i++) {
        const struct member *member = &leadership->members[i];
        struct json_object *pod =
            describe_pod(address_format_ip(&member->address, text), member->name, member->instance);

        if (with_state)
            add_condition(pod, snapshot, i);
        if (!list || json_object_array_add(list, pod) < 0)
            (void)json_object_put(pod);
    }
    return list;
}

static struct json_object *describe_me(const struct admin_snapshot *snapshot)
{
    const struct identity *identity = snapshot->identity;
    char text[ADDRESS_TEXT_MAX];
    struct json_object *me =
        describe_pod(address_format_ip(&identity->self, text), identity->name, identity->instance);

    status_add_text(me, "role", admin_snapshot_is_leader(snapshot) ? "leader" : "follower");
    return me;
}

static void status_add_leadership(struct json_object *document,
                                  const struct admin_snapshot *snapshot)
{
    status_add(document, "leader", status_describe_leader(snapshot));
    status_add_number(document, "term", snapshot->leadership->term);
    status_add_text(document, "cause", snapshot->leadership->cause);
    status_add(document, "leader_list", describe_members(snapshot, false));
    status_add(document, "me", describe_me(snapshot));
}

/* Takes ownership of the document. */
static char *status_print(struct json_object *document, size_t *ret_length)
{
    const char *json = json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN |
                                                                    JSON_C_TO_STRING_NOSLASHESCAPE);
    char *text = NULL;
    int length = json ? asprintf(&text, "%s\n", json) : -1;

    (void)json_object_put(document);
    if (length < 0)
        return NULL;
    *ret_length = (size_t)length;
    return text;
}

char *admin_document_leader(const struct admin_snapshot *snapshot, size_t *ret_length)
{
    struct json_object *document = json_object_new_object();

    if (!document)
        return NULL;
    status_add_leadership(document, snapshot);
    return status_print(document, ret_length);
}

/* Absent while no sessions stay with a former leader. */
static void add_former_leader(struct json_object *document, const struct admin_snapshot *snapshot)
{
    const struct former_leader *former = &snapshot->leadership->former;
    const struct member *member = leadership_find_instance(snapshot->leadership, former->instance);
    struct json_object *pod;
    char text[ADDRESS_TEXT_MAX];

    if (!leadership_has_former(snapshot->leadership, snapshot->now_ns))
        return;
    pod = describe_pod(address_format_ip(&former->address, text), member ? member->name : "",
                       former->instance);
    status_add_number(pod, "term", former->term);
    status_add_number(pod, "remaining_ms", (former->until_ns - snapshot->now_ns) / NS_PER_MS);
    status_add(document, "former_leader", pod);
}

static void add_configured_leader(struct json_object *document, const struct leadership *leadership)
{
    struct json_object *wanted;

    if (!leadership->wanted_leader[0])
        return;
    wanted = json_object_new_object();
    status_add_text(wanted, "name", leadership->wanted_leader);
    status_add(wanted, "leads", json_object_new_boolean(leadership->has_wanted_leader));
    if (!leadership->has_wanted_leader)
        status_add_text(
            wanted, "to_make_it_lead",
            "headlessctl leader set NAME, or a higher leader_generation in the configuration");
    status_add(document, "configured_leader", wanted);
}

/* Never the keys themselves: their names, and the ids that frames carry. */
static struct json_object *describe_keys(const struct admin_snapshot *snapshot)
{
    static const char *const modes[] = {[CONFIG_KEYS_NONE] = "none",
                                        [CONFIG_KEYS_PERMISSIVE] = "permissive",
                                        [CONFIG_KEYS_ENFORCE] = "enforce"};
    const struct data_keys *keys = snapshot->keys;
    struct json_object *object = json_object_new_object();
    struct json_object *list = json_object_new_array();
    bool is_sealing = config_seals(snapshot->config);
    char id[16];

    for (uint32_t i = 0; i < keys->keyring.count; i++) {
        const struct key *key = &keys->keyring.keys[i];
        struct json_object *entry = json_object_new_object();

        (void)snprintf(id, sizeof(id), "%08x", key->id);
        status_add_text(entry, "name", key->name);
        status_add_text(entry, "id", id);
        status_add(entry, "seals",
                   json_object_new_boolean(is_sealing && key->id == keys->seal_key));
        if (!list || json_object_array_add(list, entry) < 0)
            (void)json_object_put(entry);
    }
    status_add_text(object, "mode",
                    config_has_keys(snapshot->config) ? modes[snapshot->config->keys_mode]
                                                      : "no keys");
    status_add_text(object, "cipher", is_sealing ? seal_suite_name(keys->seal_suite) : "none");
    status_add(object, "keys", list);
    return object;
}

/* A leader snapshot may be a moment younger than the admin snapshot. */
static uint64_t age(const struct admin_snapshot *snapshot, uint64_t at_ns)
{
    return snapshot->now_ns > at_ns ? snapshot->now_ns - at_ns : 0;
}

/* The time of day (UTC) age_ns before the snapshot. */
static void add_time(struct json_object *object, const struct admin_snapshot *snapshot,
                     uint64_t age_ns)
{
    uint64_t wall_ns = snapshot->wall_ns - age_ns;
    time_t seconds = (time_t)(wall_ns / NS_PER_SEC);
    char second[24] = "", text[40];
    struct tm tm;

    if (gmtime_r(&seconds, &tm))
        (void)strftime(second, sizeof(second), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text, sizeof(text), "%s.%03uZ", second,
                   (unsigned)(wall_ns % NS_PER_SEC / NS_PER_MS));
    status_add_text(object, "time", text);
}

static struct json_object *describe_change(const struct admin_snapshot *snapshot,
                                           const struct leader_change *change)
{
    struct json_object *object = json_object_new_object();
    char text[ADDRESS_TEXT_MAX];

    add_time(object, snapshot, age(snapshot, change->since_ns));
    status_add_number(object, "age_ms", age(snapshot, change->since_ns) / NS_PER_MS);
    status_add_text(object, "address",
                    change->leader.port ? address_format(&change->leader, text)
                                        : address_format_ip(&change->leader, text));
    status_add_text(object, "name", change->leader_name);
    status_add_number(object, "term", change->term);
    status_add_text(object, "cause", change->cause);
    status_add_number(object, "gap_ms", change->gap_ns / NS_PER_MS);
    return object;
}

/* The leaders that this pod followed, newest first. */
static void add_changes(struct json_object *document, const struct admin_snapshot *snapshot)
{
    const struct leader_history *history = &snapshot->history;
    struct json_object *list = json_object_new_array();

    if (admin_snapshot_has_leader(snapshot) && history->count &&
        history->changes[0].term == snapshot->leadership->term)
        status_add_number(document, "leader_age_ms",
                          age(snapshot, history->changes[0].since_ns) / NS_PER_MS);
    for (size_t i = 0; i < history->count; i++) {
        struct json_object *change = describe_change(snapshot, &history->changes[i]);

        if (!list || json_object_array_add(list, change) < 0)
            (void)json_object_put(change);
    }
    status_add(document, "changes", list);
}

/* Absent without an option that needs the API server. */
static void status_add_platform(struct json_object *document, const struct admin_snapshot *snapshot)
{
    struct json_object *object;
    char why[PLATFORM_WHY_MAX] = "";

    if (!snapshot->platform_client)
        return;
    (void)platform_problem(snapshot->platform_client, why);
    object = json_object_new_object();
    status_add_text(object, "url", platform_url(snapshot->platform_client));
    status_add_text(object, "namespace", platform_namespace(snapshot->platform_client));
    status_add(object, "up", json_object_new_boolean(snapshot->platform.is_up));
    status_add_text(object, "problem", why);
    if (snapshot->kubernetes.label.is_on)
        status_add(object, "role_label",
                   json_object_new_boolean(snapshot->kubernetes.label.is_set));
    status_add(document, "api", object);
}

/* left_ms: this pod, the holder, leads for that without another renewal. expires_ms: another pod may take the
 * Lease without votes after that. */
static void status_add_lease_times(struct json_object *object,
                                   const struct admin_snapshot *snapshot)
{
    const struct supervisor_lease_report *lease = &snapshot->lease;
    uint64_t now_ns = snapshot->now_ns, expiry_ns = lease->changed_ns + lease->duration_ns;

    if (lease->is_held)
        status_add_number(object, "left_ms",
                          lease->until_ns > now_ns ? (lease->until_ns - now_ns) / NS_PER_MS : 0);
    if (lease->exists && lease->holder[0])
        status_add_number(object, "expires_ms",
                          expiry_ns > now_ns ? (expiry_ns - now_ns) / NS_PER_MS : 0);
}

/* Absent with election peers. */
static void status_add_lease(struct json_object *document, const struct admin_snapshot *snapshot)
{
    const struct supervisor_lease_report *lease = &snapshot->lease;
    struct json_object *object;

    if (!snapshot->has_lease)
        return;
    object = json_object_new_object();
    status_add_text(object, "name", snapshot->config->lease_name);
    status_add(object, "exists", json_object_new_boolean(lease->exists));
    status_add_text(object, "holder", lease->holder);
    status_add(object, "held", json_object_new_boolean(lease->is_held));
    status_add_number(object, "term", lease->term);
    status_add_number(object, "transitions", lease->transitions);
    status_add_text(object, "fence", lease->fence == LEASE_FENCE_PEERS ? "peers" : "lease");
    status_add_number(object, "duration_seconds", lease->duration_ns / NS_PER_SEC);
    status_add_number(object, "age_ms",
                      lease->exists ? age(snapshot, lease->changed_ns) / NS_PER_MS : 0);
    status_add_lease_times(object, snapshot);
    status_add(object, "failing", json_object_new_boolean(lease->is_failing));
    status_add(document, "lease", object);
}

struct json_object *status_describe(const struct admin_snapshot *snapshot)
{
    struct json_object *document = json_object_new_object();

    if (!document)
        return NULL;
    status_add_text(document, "version", HEADLESS_VERSION);
    add_time(document, snapshot, 0);
    status_add_text(document, "cluster", snapshot->config->cluster);
    status_add_leadership(document, snapshot);
    add_changes(document, snapshot);
    status_add_text(document, "state",
                    election_state_name((enum election_state)atomic_load_explicit(
                        &snapshot->report->state, memory_order_relaxed)));
    add_former_leader(document, snapshot);
    add_configured_leader(document, snapshot->leadership);
    status_add(document, "members", describe_members(snapshot, true));
    status_add(document, "keys", describe_keys(snapshot));
    status_add_number(document, "uptime_seconds", snapshot->uptime_ns / NS_PER_SEC);
    status_add(document, "ready", json_object_new_boolean(snapshot->is_ready));
    status_add_text(document, "readiness", snapshot->readiness);
    status_add_platform(document, snapshot);
    status_add_lease(document, snapshot);
    status_add(document, "confined", json_object_new_boolean(snapshot->confined));
    status_add(document, "ledger", status_describe_ledger(&snapshot->numbers));
    status_add(document, "options", json_object_get(snapshot->options));
    status_add_samples(document, snapshot);
    status_add_histograms(document, &snapshot->numbers);
    return document;
}

char *admin_document_status(const struct admin_snapshot *snapshot, size_t *ret_length)
{
    struct json_object *document = status_describe(snapshot);

    return document ? status_print(document, ret_length) : NULL;
}
