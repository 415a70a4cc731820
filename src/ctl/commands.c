/* The commands of headlessctl; their parts are in the other files of ctl/. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "headless/base/clock.h"
#include "headless/ctl/ctl.h"

#define WAIT_NS NS_PER_SEC

/* ---- reading: a document of the admin port ---- */

/* As text, or as JSON: the document, or a part of it. */
static int show_document(const struct ctl_options *options, const char *path, const char *part,
                         void (*put)(FILE *out, const struct json_object *document))
{
    struct json_object *document;
    int rc = ctl_get_json(options, path, &document);

    if (rc)
        return rc;
    if (options->json)
        ctl_put_json(stdout, part ? json_object_object_get(document, part) : document);
    else
        put(stdout, document);
    (void)json_object_put(document);
    return CTL_OK;
}

static int run_status(const struct ctl_options *options, const char *operand)
{
    (void)operand;
    return show_document(options, "/status", NULL, ctl_show_status);
}

static int run_leader_get(const struct ctl_options *options, const char *operand)
{
    (void)operand;
    return show_document(options, "/leader", NULL, ctl_show_leader);
}

static int run_leader_list(const struct ctl_options *options, const char *operand)
{
    (void)operand;
    return show_document(options, "/status", "members", ctl_show_succession);
}

static int run_top(const struct ctl_options *options, const char *operand)
{
    (void)operand;
    return ctl_top(options);
}

/* Ends when the pod ends the stream. */
static int run_events(const struct ctl_options *options, const char *operand)
{
    (void)operand;
    return ctl_follow(options, "/events") == -EINVAL ? CTL_USAGE : CTL_NO;
}

/* ---- sending: datagrams to data ports ---- */

/* The destinations of a message: pods one by one, or a multicast group. */
struct destination {
    struct ctl_pod *pods; /* count */
    size_t count;
    struct ctl_group *group; /* NULL: to the pods */
    uint64_t wait_ns;
};

static bool publish_to_pods(const struct destination *destination,
                            const struct ctl_request *request)
{
    size_t replied = ctl_ask(destination->pods, destination->count, request);

    for (size_t i = 0; i < destination->count; i++)
        ctl_show_reply(stdout, &destination->pods[i]);
    (void)printf("%zu of %zu replied\n", replied, destination->count);
    return replied > 0;
}

/* One try, because with a second one an app could receive it twice. True: replied as expected. */
static bool publish_one(const struct destination *destination, const char *text, size_t length)
{
    const struct ctl_request request = {
        .text = text, .length = length, .tries = 1, .wait_ns = destination->wait_ns};
    bool has_replied = destination->group ? ctl_group_ask(stdout, destination->group, &request) == 1
                                          : publish_to_pods(destination, &request);

    (void)fflush(stdout);
    return has_replied;
}

static bool publish_lines(const struct destination *destination)
{
    bool all_replied = true;
    char *line = NULL;
    size_t room = 0;
    ssize_t length;

    while ((length = getline(&line, &room, stdin)) >= 0) {
        length -= length > 0 && line[length - 1] == '\n';
        all_replied &= publish_one(destination, line, (size_t)length);
    }
    free(line);
    return all_replied;
}

static int publish_message(const struct destination *destination, const char *message)
{
    bool replied = strcmp(message, "-") == 0 ? publish_lines(destination)
                                             : publish_one(destination, message, strlen(message));

    return replied ? CTL_OK : CTL_NO;
}

static int publish_to_group(const struct ctl_options *options, const char *message)
{
    struct ctl_group group;
    const struct destination destination = {.group = &group, .wait_ns = options->wait_ns};
    int rc = ctl_group_open(options, &group);

    if (rc)
        return rc == -EINVAL ? CTL_USAGE : CTL_NO;
    rc = publish_message(&destination, message);
    ctl_group_close(&group);
    return rc;
}

static int run_publish(const struct ctl_options *options, const char *message)
{
    struct destination destination = {.wait_ns = options->wait_ns};
    int rc;

    if (options->multicast)
        return publish_to_group(options, message);
    if (options->given & (CTL_OPTION_INTERFACE | CTL_OPTION_HOPS)) {
        (void)fputs("headlessctl: --interface and --hops mean nothing without --multicast\n",
                    stderr);
        return CTL_USAGE;
    }
    rc = ctl_open_pods(options, &destination.pods, &destination.count);
    if (rc)
        return rc;
    rc = publish_message(&destination, message);
    ctl_pods_close(destination.pods, destination.count);
    return rc;
}

/* One try, because a probe shows losses. Returns the number of replies. */
static size_t probe_once(struct ctl_pod *pods, size_t count)
{
    char text[CTL_PROBE_BYTES + 1], nonce[17];
    const struct ctl_request request = {.text = text,
                                        .length = CTL_PROBE_BYTES,
                                        .tries = 1,
                                        .wait_ns = WAIT_NS,
                                        .is_reply = ctl_is_probe_reply,
                                        .nonce = nonce};
    size_t replied;

    ctl_draw_nonce(nonce);
    ctl_put_probe(text, nonce);
    replied = ctl_ask(pods, count, &request);
    for (size_t i = 0; i < count; i++)
        ctl_show_probe_reply(stdout, &pods[i]);
    (void)fflush(stdout);
    return replied;
}

static int run_probe(const struct ctl_options *options, const char *operand)
{
    const struct timespec interval = clock_to_timespec(options->interval_ns);
    struct ctl_pod *pods;
    size_t count, replied = 0;
    int rc = ctl_open_pods(options, &pods, &count);

    (void)operand;
    if (rc)
        return rc;
    for (uint64_t i = 0; i < options->count; i++) {
        if (i > 0)
            (void)nanosleep(&interval, NULL);
        replied += probe_once(pods, count);
    }
    if (options->count > 1)
        (void)printf("%" PRIu64 " sent, %zu replied\n", options->count * count, replied);
    ctl_pods_close(pods, count);
    return replied == options->count * count ? CTL_OK : CTL_NO;
}

/* ---- the commands ---- */

const struct ctl_command ctl_commands[] = {
    {{"status", NULL},
     NULL,
     CTL_OPTION_ADMIN | CTL_OPTION_JSON,
     run_status,
     "the pod's role, its leader, and its counters"},
    {{"top", NULL},
     NULL,
     CTL_OPTION_ADMIN | CTL_OPTION_INTERVAL | CTL_OPTION_COUNT,
     run_top,
     "the same, live, with rates, until q; as text with --count or without a terminal"},
    {{"leader", "get"},
     NULL,
     CTL_OPTION_ADMIN | CTL_OPTION_JSON,
     run_leader_get,
     "the leader, as this pod sees it"},
    {{"leader", "list"},
     NULL,
     CTL_OPTION_ADMIN | CTL_OPTION_JSON,
     run_leader_list,
     "the members in the order of succession, with their states as this pod sees them"},
    {{"events", NULL},
     NULL,
     CTL_OPTION_ADMIN | CTL_OPTION_JSON,
     run_events,
     "the leader, now and at each change, until the pod ends the stream"},
    {{"leader", "set"},
     "WHO",
     CTL_OPTION_DATA | CTL_OPTION_SERVICE | CTL_OPTION_IF_TERM | CTL_OPTION_FORCE |
         CTL_OPTION_KEYS | CTL_OPTION_KEY | CTL_OPTION_CLUSTER | CTL_OPTION_PRINT,
     ctl_leader_set,
     "make a member the leader, by its address or name"},
    {{"sessions", NULL},
     "[ADDRESS]",
     CTL_OPTION_ADMIN | CTL_OPTION_JSON,
     ctl_sessions,
     "clients as the pod's app sees them; all, or the one that is or is seen as ADDRESS"},
    {{"publish", NULL},
     "MESSAGE",
     CTL_OPTION_DATA | CTL_OPTION_SERVICE | CTL_OPTION_WAIT | CTL_OPTION_MULTICAST |
         CTL_OPTION_INTERFACE | CTL_OPTION_HOPS,
     run_publish,
     "send a message to all pods, or to a group, and print the replies; - reads lines"},
    {{"probe", NULL},
     NULL,
     CTL_OPTION_DATA | CTL_OPTION_SERVICE | CTL_OPTION_COUNT | CTL_OPTION_INTERVAL,
     run_probe,
     "send as a client does, and print leader, pod and round-trip time of each reply"},
    {{"key", "new"}, "[FILE]", 0, ctl_key_new, "a new secret key, to a new file or to the screen"},
    {{"key", "list"},
     "[DIRECTORY]",
     CTL_OPTION_KEYS,
     ctl_key_list,
     "the names and ids of keys, newest first; no secrets"},
};
const size_t ctl_command_count = sizeof(ctl_commands) / sizeof(ctl_commands[0]);
_Static_assert(sizeof(ctl_commands) / sizeof(ctl_commands[0]) <= CTL_COMMANDS_MAX,
               "raise CTL_COMMANDS_MAX");
