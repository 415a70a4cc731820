/*
 * Pages for people. The JSON comes from a pod, perhaps of another version: whatever is missing is
 * shown as 0 or a dash, and numbers that only matter when something happened are left out at 0.
 */
#include <inttypes.h>
#include <json-c/json.h>
#include <string.h>

#include "headless/ctl/ctl.h"

#define LABEL_WIDTH "%-10s"

static const struct json_object *member(const struct json_object *object, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(object, key, &value) ? value : NULL;
}

/* A member of a member: find(status, "counters", "datagrams_relayed_total"). */
static const struct json_object *find(const struct json_object *object, const char *group,
                                      const char *key)
{
    return member(member(object, group), key);
}

static const char *text(const struct json_object *object, const char *key)
{
    struct json_object *value;

    if (!json_object_object_get_ex(object, key, &value) ||
        !json_object_is_type(value, json_type_string) || json_object_get_string_len(value) == 0)
        return "-";
    return json_object_get_string(value);
}

static uint64_t number(const struct json_object *object, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(object, key, &value) ? json_object_get_uint64(value) : 0;
}

static int64_t signed_number(const struct json_object *object, const char *key)
{
    struct json_object *value;

    return json_object_object_get_ex(object, key, &value) ? json_object_get_int64(value) : 0;
}

static void put_text(FILE *out, const char *before, const struct json_object *object,
                     const char *key)
{
    (void)fputs(before, out);
    ctl_put_printable(out, text(object, key));
}

/* ---- one line each ---- */

static void put_pod(FILE *out, const struct json_object *pod)
{
    const char *name = text(pod, "name"), *address = text(pod, "address");

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
    (void)fprintf(out, LABEL_WIDTH " ", label);
    put_pod(out, pod);
    (void)fputc('\n', out);
}

static void show_leadership(FILE *out, const struct json_object *page)
{
    const struct json_object *leader = member(page, "leader");

    if (leader)
        show_pod(out, "leader", leader);
    else
        (void)fprintf(out, LABEL_WIDTH " none: requests are held\n", "leader");
    (void)fprintf(out, LABEL_WIDTH " %" PRIu64, "term", number(page, "term"));
    put_text(out, ", by ", page, "cause");
    (void)fputc('\n', out);
}

static void show_uptime(FILE *out, const struct json_object *status)
{
    struct json_object *ready = NULL;
    uint64_t seconds = number(status, "uptime_seconds");

    (void)json_object_object_get_ex(status, "ready", &ready);
    (void)fprintf(out, LABEL_WIDTH " %" PRIu64 "d %02u:%02u:%02u, %s\n", "uptime", seconds / 86400,
                  (unsigned)(seconds / 3600 % 24), (unsigned)(seconds / 60 % 60),
                  (unsigned)(seconds % 60), json_object_get_boolean(ready) ? "ready" : "not ready");
}

/* " 3 rate, 1 loop"; without what is 0. Returns how many there were. */
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
    (void)fprintf(out, LABEL_WIDTH, label);
    (void)fputs(show_by_label(out, values) ? "\n" : " 0\n", out);
}

static void show_requests(FILE *out, const struct json_object *status)
{
    const struct json_object *counters = member(status, "counters");
    const struct json_object *gauges = member(status, "gauges");

    show_labelled(out, "received", member(counters, "datagrams_received_total"));
    (void)fprintf(out, LABEL_WIDTH " %" PRIu64 " to this pod's app, %" PRIu64 " sessions\n",
                  "delivered", number(counters, "datagrams_delivered_total"),
                  number(gauges, "sessions"));
    (void)fprintf(out, LABEL_WIDTH " %" PRIu64 " to another pod\n", "relayed",
                  number(counters, "datagrams_relayed_total"));
    (void)fprintf(out, LABEL_WIDTH " %" PRIu64 " now, %" PRIu64 " queued\n", "held",
                  number(gauges, "datagrams_held"), number(gauges, "datagrams_queued"));
    show_labelled(out, "control", member(counters, "control_messages_total"));
    show_labelled(out, "dropped", member(counters, "datagrams_dropped_total"));
}

static void show_replies(FILE *out, const struct json_object *status)
{
    const struct json_object *counters = member(status, "counters");
    uint64_t fenced = number(counters, "replies_fenced_total");

    (void)fprintf(out,
                  LABEL_WIDTH " %" PRIu64 " sent to clients, %" PRIu64 " carried to another pod",
                  "replies", number(counters, "replies_sent_total"),
                  number(counters, "replies_relayed_total"));
    if (fenced)
        (void)fprintf(out, ", %" PRIu64 " fenced", fenced);
    (void)putc('\n', out);
    show_labelled(out, "  dropped", member(counters, "replies_dropped_total"));
}

static void show_sockets(FILE *out, const struct json_object *status)
{
    const struct json_object *drops = find(status, "counters", "socket_drops_total");
    const struct json_object *rcvbuf = find(status, "gauges", "socket_rcvbuf_bytes");
    uint64_t groups = number(member(status, "gauges"), "multicast_groups");

    for (int i = 0; i < 2; i++) {
        const char *socket = i == 0 ? "data" : "relay";

        (void)fprintf(
            out, LABEL_WIDTH " %-5s %" PRIu64 " dropped by the kernel, buffer %" PRIu64 " KiB\n",
            i == 0 ? "sockets" : "", socket, number(drops, socket), number(rcvbuf, socket) / 1024);
    }
    if (groups)
        (void)fprintf(
            out, LABEL_WIDTH " multicast %" PRIu64 " dropped by the kernel, groups %" PRIu64 "\n",
            "", number(drops, "multicast"), groups);
}

static void show_ledger(FILE *out, const struct json_object *status)
{
    const struct json_object *ledger = member(status, "ledger");
    int64_t requests = signed_number(ledger, "requests");
    int64_t answers = signed_number(ledger, "answers");

    (void)fprintf(out, LABEL_WIDTH, "ledger");
    if (requests == 0 && answers == 0)
        (void)fputs(" ok\n", out);
    else
        (void)fprintf(out,
                      " %" PRId64 " requests, %" PRId64
                      " answers not accounted for (under way, if this goes away)\n",
                      requests, answers);
}

/* One line a member: "members  a 10.0.0.1 leader". */
static void show_members(FILE *out, const struct json_object *status)
{
    const struct json_object *members = member(status, "members");
    size_t count =
        json_object_is_type(members, json_type_array) ? json_object_array_length(members) : 0;

    for (size_t i = 0; i < count; i++) {
        const struct json_object *pod = json_object_array_get_idx(members, i);

        (void)fprintf(out, LABEL_WIDTH, i == 0 ? "members" : "");
        put_text(out, " ", pod, "name");
        put_text(out, " ", pod, "address");
        put_text(out, " ", pod, "state");
        (void)fputc('\n', out);
    }
}

/* ---- pages ---- */

void ctl_show_leader(FILE *out, const struct json_object *leader)
{
    show_leadership(out, leader);
}

void ctl_show_event(FILE *out, const struct json_object *leader, time_t now)
{
    const struct json_object *pod = member(leader, "leader");
    char when[32] = "";
    struct tm tm;

    if (gmtime_r(&now, &tm))
        (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    (void)fprintf(out, "%s  term %" PRIu64, when, number(leader, "term"));
    put_text(out, ", by ", leader, "cause");
    (void)fputs(": ", out);
    if (pod)
        put_pod(out, pod);
    else
        (void)fputs("no leader, requests are held", out);
    (void)fputc('\n', out);
}

void ctl_show_status(FILE *out, const struct json_object *status)
{
    const struct json_object *me = member(status, "me");

    show_pod(out, "pod", me);
    (void)fprintf(out, LABEL_WIDTH, "role");
    put_text(out, " ", me, "role");
    put_text(out, ", instance ", me, "instance");
    (void)fputc('\n', out);
    show_leadership(out, status);
    (void)fprintf(out, LABEL_WIDTH, "cluster");
    put_text(out, " ", status, "cluster");
    put_text(out, ", this pod is ", status, "state");
    (void)fputc('\n', out);
    show_members(out, status);
    show_uptime(out, status);
    show_requests(out, status);
    show_replies(out, status);
    show_sockets(out, status);
    show_ledger(out, status);
}
