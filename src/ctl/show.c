/*
 * Documents as text. The JSON comes from a pod, perhaps of another version: a missing value is shown
 * as 0 or a dash. Numbers that matter only after an incident are left out if they are 0.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "ctl/parts.h"
#include "headless/ctl/ctl.h"

#define READINESS_MAX 1024 /* characters: a whole sentence */

/* ---- columns ---- */

void parts_put_column(FILE *out, const char *text, int width)
{
    char cut[81];
    int length =
        snprintf(cut, (size_t)width < sizeof(cut) ? (size_t)width + 1 : sizeof(cut), "%s", text);

    ctl_put_printable(out, cut);
    (void)fprintf(out, "%*s", (length < width ? width - length : 0) + 1, "");
}

int parts_width(const struct json_object *list, const char *key, int least, int most)
{
    size_t width = (size_t)least;

    for (size_t i = 0; i < field_count(list); i++) {
        size_t length = strlen(field_text(json_object_array_get_idx(list, i), key));

        width = length > width ? length : width;
    }
    return width < (size_t)most ? (int)width : most;
}

/* ---- one line each ---- */

void parts_put_text(FILE *out, const char *before, const struct json_object *object,
                    const char *key)
{
    (void)fputs(before, out);
    ctl_put_printable(out, field_text(object, key));
}

void parts_put_pod(FILE *out, const struct json_object *pod)
{
    const char *name = field_text(pod, "name"), *address = field_text(pod, "address");

    if (strcmp(name, "-") == 0 || strcmp(name, address) == 0) {
        ctl_put_printable(out, address);
        return;
    }
    ctl_put_printable(out, name);
    (void)fputs(" (", out);
    ctl_put_printable(out, address);
    (void)fputc(')', out);
}

static void show_pod(FILE *out, const char *label, const struct json_object *pod)
{
    (void)fprintf(out, PARTS_LABEL " ", label);
    parts_put_pod(out, pod);
    (void)fputc('\n', out);
}

/* "1d 02:03:04" */
static void show_duration(FILE *out, uint64_t seconds)
{
    (void)fprintf(out, "%" PRIu64 "d %02u:%02u:%02u", seconds / 86400,
                  (unsigned)(seconds / 3600 % 24), (unsigned)(seconds / 60 % 60),
                  (unsigned)(seconds % 60));
}

/* Sessions that stay with a former leader's app, and clients that are refused: mostly neither. */
static void show_exceptions(FILE *out, const struct json_object *document)
{
    const struct json_object *former = field_of(document, "former_leader");

    if (former) {
        (void)fprintf(out, PARTS_LABEL " ", "former");
        parts_put_pod(out, former);
        (void)fprintf(out, ": its app serves its sessions, for at most %" PRIu64 " s\n",
                      field_number(former, "remaining_ms") / 1000);
    }
    if (field_number(field_of(document, "gauges"), "refusing_clients"))
        (void)fprintf(out, PARTS_LABEL " clients, because no pod's app is up (app.down)\n",
                      "refusing");
}

void parts_put_leadership(FILE *out, const struct json_object *document)
{
    const struct json_object *leader = field_of(document, "leader");

    if (leader)
        show_pod(out, "leader", leader);
    else
        (void)fprintf(out, PARTS_LABEL " none: requests are held\n", "leader");
    (void)fprintf(out, PARTS_LABEL " %" PRIu64, "term", field_number(document, "term"));
    parts_put_text(out, ", by ", document, "cause");
    if (field_of(document, "leader_age_ms")) {
        (void)fputs(", for ", out);
        show_duration(out, field_number(document, "leader_age_ms") / 1000);
    }
    (void)fputc('\n', out);
    show_exceptions(out, document);
}

void parts_put_uptime(FILE *out, const struct json_object *status)
{
    struct json_object *ready = NULL;

    (void)json_object_object_get_ex(status, "ready", &ready);
    (void)fprintf(out, PARTS_LABEL " ", "uptime");
    show_duration(out, field_number(status, "uptime_seconds"));
    (void)fputs(json_object_get_boolean(ready) ? ", ready\n" : ", not ready\n", out);
    if (field_of(status, "readiness") && strcmp(field_text(status, "readiness"), "ready") != 0) {
        (void)fprintf(out, PARTS_LABEL, "readiness");
        (void)fputc(' ', out);
        ctl_put_cut(out, field_text(status, "readiness"), READINESS_MAX);
        (void)fputc('\n', out);
    }
}

/* The number of members whose death is known before heartbeats are missing, and how; nothing from a
 * pod that does not say so. */
static void show_evidence(FILE *out, const struct json_object *status)
{
    const struct json_object *members = field_of(status, "members");
    size_t connections = 0, refusals = 0, none = 0;

    for (size_t i = 0; i < field_count(members); i++) {
        const char *how = field_text(json_object_array_get_idx(members, i), "evidence");

        connections += strcmp(how, "connection") == 0;
        refusals += strcmp(how, "refusal") == 0;
        none += strcmp(how, "none") == 0;
    }
    if (connections + refusals > 0)
        (void)fprintf(out, PARTS_LABEL " %zu by connection (peer.port/tcp), %zu by refusal only\n",
                      "evidence", connections, refusals);
    else if (none > 0)
        (void)fprintf(out, PARTS_LABEL " none (failover.on_refused)\n", "evidence");
}

/* " 3 rate, 1 loop", without zeros. Returns the number of values. */
static size_t show_by_label(FILE *out, const struct json_object *values)
{
    size_t shown = 0;

    if (!json_object_is_type(values, json_type_object))
        return 0;
    struct json_object_iterator i = json_object_iter_begin((struct json_object *)(uintptr_t)values);
    struct json_object_iterator end = json_object_iter_end(values);

    for (; !json_object_iter_equal(&i, &end); json_object_iter_next(&i)) {
        uint64_t value = json_object_get_uint64(json_object_iter_peek_value(&i));

        if (!value)
            continue;
        (void)fprintf(out, "%s%" PRIu64 " ", shown++ ? ", " : " ", value);
        ctl_put_printable(out, json_object_iter_peek_name(&i));
    }
    return shown;
}

static void show_labelled(FILE *out, const char *label, const struct json_object *values)
{
    (void)fprintf(out, PARTS_LABEL, label);
    (void)fputs(show_by_label(out, values) ? "\n" : " 0\n", out);
}

static void show_requests(FILE *out, const struct json_object *status)
{
    const struct json_object *counters = field_of(status, "counters");
    const struct json_object *gauges = field_of(status, "gauges");

    show_labelled(out, "received", field_of(counters, "datagrams_received_total"));
    (void)fprintf(out, PARTS_LABEL " %" PRIu64 " to this pod's app, %" PRIu64 " sessions\n",
                  "delivered", field_number(counters, "datagrams_delivered_total"),
                  field_number(gauges, "sessions"));
    (void)fprintf(out, PARTS_LABEL " %" PRIu64 " to another pod\n", "relayed",
                  field_number(counters, "datagrams_relayed_total"));
    (void)fprintf(out, PARTS_LABEL " %" PRIu64 " now, %" PRIu64 " queued\n", "held",
                  field_number(gauges, "datagrams_held"), field_number(gauges, "datagrams_queued"));
    show_labelled(out, "control", field_of(counters, "control_messages_total"));
    show_labelled(out, "dropped", field_of(counters, "datagrams_dropped_total"));
}

/* Routes all and ordered. */
static void show_copies(FILE *out, const struct json_object *status)
{
    const struct json_object *counters = field_of(status, "counters");
    uint64_t made = field_number(counters, "copies_total");

    if (!made)
        return;
    (void)fprintf(out,
                  PARTS_LABEL " %" PRIu64 " made for other members, %" PRIu64 " carried to them\n",
                  "copies", made, field_number(counters, "copies_sent_total"));
    show_labelled(out, "  dropped", field_of(counters, "copies_dropped_total"));
}

static void show_replies(FILE *out, const struct json_object *status)
{
    const struct json_object *counters = field_of(status, "counters");
    uint64_t fenced = field_number(counters, "replies_fenced_total");

    (void)fprintf(out,
                  PARTS_LABEL " %" PRIu64 " sent to clients, %" PRIu64 " carried to another pod",
                  "replies", field_number(counters, "replies_sent_total"),
                  field_number(counters, "replies_relayed_total"));
    if (fenced)
        (void)fprintf(out, ", %" PRIu64 " fenced", fenced);
    (void)putc('\n', out);
    show_labelled(out, "  dropped", field_of(counters, "replies_dropped_total"));
}

/* data and relay always, the others if they have drops or a buffer. Sessions with their own sockets
 * have no common buffer. */
static void show_sockets(FILE *out, const struct json_object *status)
{
    static const char *const sockets[] = {"data", "relay", "multicast", "app", "peer"};
    const struct json_object *drops = field_find(status, "counters", "socket_drops_total");
    const struct json_object *rcvbuf = field_find(status, "gauges", "socket_rcvbuf_bytes");
    uint64_t groups = field_number(field_of(status, "gauges"), "multicast_groups");

    for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++) {
        uint64_t dropped = field_number(drops, sockets[i]);
        uint64_t bytes = field_number(rcvbuf, sockets[i]);

        if (i > 1 && !dropped && !bytes)
            continue;
        (void)fprintf(out, PARTS_LABEL " %-9s %" PRIu64 " dropped by the kernel",
                      i == 0 ? "sockets" : "", sockets[i], dropped);
        if (bytes)
            (void)fprintf(out, ", buffer %" PRIu64 " KiB", bytes / 1024);
        if (groups && strcmp(sockets[i], "multicast") == 0)
            (void)fprintf(out, ", groups %" PRIu64, groups);
        (void)fputc('\n', out);
    }
}

void parts_put_ledger(FILE *out, const struct json_object *status)
{
    const struct json_object *ledger = field_of(status, "ledger");
    int64_t requests = field_signed(ledger, "requests");
    int64_t replies = field_signed(ledger, "replies");
    int64_t copies = field_signed(ledger, "copies");

    (void)fprintf(out, PARTS_LABEL, "ledger");
    if (requests == 0 && replies == 0 && copies == 0) {
        (void)fputs(" ok\n", out);
        return;
    }
    (void)fprintf(out, " %" PRId64 " requests, %" PRId64 " replies", requests, replies);
    if (copies)
        (void)fprintf(out, ", %" PRId64 " copies", copies);
    (void)fputs(" not accounted for (in transit, if it returns to 0)\n", out);
}

/* ---- documents ---- */

void ctl_put_json(FILE *out, const struct json_object *document)
{
    (void)fprintf(
        out, "%s\n",
        json_object_to_json_string_ext((struct json_object *)(uintptr_t)document,
                                       JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

void ctl_show_leader(FILE *out, const struct json_object *leader)
{
    parts_put_leadership(out, leader);
}

void ctl_show_event(FILE *out, const struct json_object *leader, time_t now)
{
    const struct json_object *pod = field_of(leader, "leader");
    char when[32] = "";
    struct tm tm;

    if (gmtime_r(&now, &tm))
        (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    (void)fprintf(out, "%s  term %" PRIu64, when, field_number(leader, "term"));
    parts_put_text(out, ", by ", leader, "cause");
    (void)fputs(": ", out);
    if (pod)
        parts_put_pod(out, pod);
    else
        (void)fputs("no leader, requests are held", out);
    (void)fputc('\n', out);
}

/* With election lease. */
static void show_lease(FILE *out, const struct json_object *status)
{
    const struct json_object *lease = field_of(status, "lease");

    if (!lease)
        return;
    (void)fprintf(out, PARTS_LABEL, "lease");
    parts_put_text(out, " ", lease, "name");
    parts_put_text(out, ", holder ", lease, "holder");
    (void)fprintf(out, ", term %" PRIu64, field_number(lease, "term"));
    parts_put_text(out, ", fence ", lease, "fence");
    (void)fprintf(out, ", changed %" PRIu64 " ms ago", field_number(lease, "age_ms"));
    if (field_of(lease, "left_ms"))
        (void)fprintf(out, ", this pod's for %" PRIu64 " ms more", field_number(lease, "left_ms"));
    (void)fputs(json_object_get_boolean(field_of(lease, "failing"))
                    ? ", cannot be read or written now\n"
                    : "\n",
                out);
}

void ctl_show_status(FILE *out, const struct json_object *status)
{
    const struct json_object *me = field_of(status, "me");

    show_pod(out, "pod", me);
    (void)fprintf(out, PARTS_LABEL, "role");
    parts_put_text(out, " ", me, "role");
    parts_put_text(out, ", instance ", me, "instance");
    (void)fputc('\n', out);
    parts_put_leadership(out, status);
    (void)fprintf(out, PARTS_LABEL, "cluster");
    parts_put_text(out, " ", status, "cluster");
    parts_put_text(out, ", this pod is ", status, "state");
    (void)fputc('\n', out);
    show_lease(out, status);
    parts_put_uptime(out, status);
    show_evidence(out, status);
    show_requests(out, status);
    show_replies(out, status);
    show_copies(out, status);
    show_sockets(out, status);
    parts_put_ledger(out, status);
    (void)fputc('\n', out);
    parts_put_members(out, status, SIZE_MAX, false);
}

void ctl_show_succession(FILE *out, const struct json_object *status)
{
    parts_put_members(out, status, SIZE_MAX, false);
}
