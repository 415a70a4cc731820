/* The commands of headlessctl; what they are made of is in the other files of ctl/. */
#include <errno.h>
#include <inttypes.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "headless/base/clock.h"
#include "headless/ctl/ctl.h"

#define WAIT_NS NS_PER_SEC

/* ---- reading: a page of the admin port ---- */

/* As a table, or as JSON: the page, or a part of it. */
static int show_page(const struct ctl_options *options, const char *path, const char *part,
                     void (*put)(FILE *out, const struct json_object *page))
{
    struct json_object *page;
    int rc = ctl_get_json(options, path, &page);

    if (rc)
        return rc;
    if (options->json)
        ctl_put_json(stdout, part ? json_object_object_get(page, part) : page);
    else
        put(stdout, page);
    (void)json_object_put(page);
    return CTL_OK;
}

static int run_status(const struct ctl_options *options, const char *operand)
{
    (void)operand;
    return show_page(options, "/status", NULL, ctl_show_status);
}

static int run_leader_get(const struct ctl_options *options, const char *operand)
{
    (void)operand;
    return show_page(options, "/leader", NULL, ctl_show_leader);
}

static int run_leader_list(const struct ctl_options *options, const char *operand)
{
    (void)operand;
    return show_page(options, "/status", "members", ctl_show_succession);
}

static int run_top(const struct ctl_options *options, const char *operand)
{
    (void)operand;
    return ctl_top(options);
}

/* It ends when the pod does not answer any more. */
static int run_events(const struct ctl_options *options, const char *operand)
{
    (void)operand;
    return ctl_follow(options, "/events") == -EINVAL ? CTL_USAGE : CTL_NO;
}

/* ---- telling: datagrams to data ports ---- */

/* To whom something is published: pods one by one, or whoever has joined a group. */
struct audience {
    struct ctl_pod *pods; /* count */
    size_t count;
    struct ctl_group *group; /* NULL: to the pods */
    uint64_t wait_ns;
};

static bool publish_to_pods(const struct audience *audience, const struct ctl_question *question)
{
    size_t answered = ctl_ask(audience->pods, audience->count, question);

    for (size_t i = 0; i < audience->count; i++)
        ctl_show_answer(stdout, &audience->pods[i]);
    (void)printf("%zu of %zu answered\n", answered, audience->count);
    return answered > 0;
}

/* One try: with another an app might be given it twice. True when it was answered as it should. */
static bool publish_one(const struct audience *audience, const char *text, size_t length)
{
    const struct ctl_question question = {
        .text = text, .length = length, .tries = 1, .wait_ns = audience->wait_ns};
    bool is_answered = audience->group ? ctl_group_ask(stdout, audience->group, &question) == 1
                                       : publish_to_pods(audience, &question);

    (void)fflush(stdout);
    return is_answered;
}

static bool publish_lines(const struct audience *audience)
{
    bool all_answered = true;
    char *line = NULL;
    size_t room = 0;
    ssize_t length;

    while ((length = getline(&line, &room, stdin)) >= 0) {
        length -= length > 0 && line[length - 1] == '\n';
        all_answered &= publish_one(audience, line, (size_t)length);
    }
    free(line);
    return all_answered;
}

static int publish(const struct audience *audience, const char *message)
{
    bool answered = strcmp(message, "-") == 0 ? publish_lines(audience)
                                              : publish_one(audience, message, strlen(message));

    return answered ? CTL_OK : CTL_NO;
}

static int publish_to_group(const struct ctl_options *options, const char *message)
{
    struct ctl_group group;
    const struct audience audience = {.group = &group, .wait_ns = options->wait_ns};
    int rc = ctl_group_open(options, &group);

    if (rc)
        return rc == -EINVAL ? CTL_USAGE : CTL_NO;
    rc = publish(&audience, message);
    ctl_group_close(&group);
    return rc;
}

static int run_publish(const struct ctl_options *options, const char *message)
{
    struct audience audience = {.wait_ns = options->wait_ns};
    int rc;

    if (options->multicast)
        return publish_to_group(options, message);
    if (options->given & (CTL_OPTION_INTERFACE | CTL_OPTION_HOPS)) {
        (void)fputs("headlessctl: --interface and --hops mean nothing without --multicast\n",
                    stderr);
        return CTL_USAGE;
    }
    rc = ctl_open_pods(options, &audience.pods, &audience.count);
    if (rc)
        return rc;
    rc = publish(&audience, message);
    ctl_pods_close(audience.pods, audience.count);
    return rc;
}

/* One try: a loss is what a probe is to show. Returns how many answered. */
static size_t probe_once(struct ctl_pod *pods, size_t count)
{
    char text[CTL_PROBE_BYTES + 1], nonce[17];
    const struct ctl_question question = {.text = text,
                                          .length = CTL_PROBE_BYTES,
                                          .tries = 1,
                                          .wait_ns = WAIT_NS,
                                          .is_reply = ctl_is_probe_answer,
                                          .nonce = nonce};
    size_t answered;

    ctl_draw_nonce(nonce);
    ctl_put_probe(text, nonce);
    answered = ctl_ask(pods, count, &question);
    for (size_t i = 0; i < count; i++)
        ctl_show_probe_answer(stdout, &pods[i]);
    (void)fflush(stdout);
    return answered;
}

static int run_probe(const struct ctl_options *options, const char *operand)
{
    const struct timespec interval = clock_to_timespec(options->interval_ns);
    struct ctl_pod *pods;
    size_t count, answered = 0;
    int rc = ctl_open_pods(options, &pods, &count);

    (void)operand;
    if (rc)
        return rc;
    for (uint64_t i = 0; i < options->count; i++) {
        if (i > 0)
            (void)nanosleep(&interval, NULL);
        answered += probe_once(pods, count);
    }
    if (options->count > 1)
        (void)printf("%" PRIu64 " sent, %zu answered\n", options->count * count, answered);
    ctl_pods_close(pods, count);
    return answered == options->count * count ? CTL_OK : CTL_NO;
}

/* ---- the commands ---- */

const struct ctl_command ctl_commands[] = {
    {{"status", NULL},
     NULL,
     CTL_OPTION_ADMIN | CTL_OPTION_JSON,
     run_status,
     "what the pod is, whom it follows, and what became of its datagrams"},
    {{"top", NULL},
     NULL,
     CTL_OPTION_ADMIN | CTL_OPTION_INTERVAL | CTL_OPTION_COUNT,
     run_top,
     "the same, live, with rates, until q; as text with --count or without a terminal"},
    {{"leader", "get"},
     NULL,
     CTL_OPTION_ADMIN | CTL_OPTION_JSON,
     run_leader_get,
     "who leads, as this pod knows it"},
    {{"leader", "list"},
     NULL,
     CTL_OPTION_ADMIN | CTL_OPTION_JSON,
     run_leader_list,
     "the members in the order of succession, and how they seem to this pod"},
    {{"events", NULL},
     NULL,
     CTL_OPTION_ADMIN | CTL_OPTION_JSON,
     run_events,
     "who leads, now and at each change, until the pod ends"},
    {{"leader", "set"},
     "WHO",
     CTL_OPTION_DATA | CTL_OPTION_SERVICE | CTL_OPTION_IF_TERM | CTL_OPTION_FORCE |
         CTL_OPTION_KEYS | CTL_OPTION_KEY | CTL_OPTION_CLUSTER | CTL_OPTION_PRINT,
     ctl_leader_set,
     "tell the pods who leads: a member's address or name"},
    {{"sessions", NULL},
     "[ADDRESS]",
     CTL_OPTION_ADMIN | CTL_OPTION_JSON,
     ctl_sessions,
     "clients as the pod's app sees them; of a client, or of whom the app sees as ADDRESS"},
    {{"publish", NULL},
     "MESSAGE",
     CTL_OPTION_DATA | CTL_OPTION_SERVICE | CTL_OPTION_WAIT | CTL_OPTION_MULTICAST |
         CTL_OPTION_INTERFACE | CTL_OPTION_HOPS,
     run_publish,
     "a message to all pods, or to a group, and who answers; - reads lines"},
    {{"probe", NULL},
     NULL,
     CTL_OPTION_DATA | CTL_OPTION_SERVICE | CTL_OPTION_COUNT | CTL_OPTION_INTERVAL,
     run_probe,
     "go a client's way: which leader answers, through which pod, how fast"},
    {{"key", "new"}, "[FILE]", 0, ctl_key_new, "a new secret key, to a new file or to the screen"},
    {{"key", "list"},
     "[DIRECTORY]",
     CTL_OPTION_KEYS,
     ctl_key_list,
     "the names and ids of keys, and which is the newest; no secrets"},
};
const size_t ctl_command_count = sizeof(ctl_commands) / sizeof(ctl_commands[0]);
_Static_assert(sizeof(ctl_commands) / sizeof(ctl_commands[0]) <= CTL_COMMANDS_MAX,
               "raise CTL_COMMANDS_MAX");
