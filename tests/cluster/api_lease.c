/*
 * api_lease NAME COUNT [OPTION...]: creates a Lease, updates it COUNT times, each time guarded by its uid and
 * resourceVersion, then tries an update with an old version. The options are headlessd's (platform.api and so on).
 * Prints the outcomes, and the times of the updates in microseconds, from the send to the response.
 */
#include <json-c/json.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/platform/api.h"

#define UPDATES_MAX 100000U

static struct platform_object lease = {
    .group = "coordination.k8s.io", .version = "v1", .resource = "leases"};
static struct json_object *document; /* the platform thread's while a request is under way */
static _Atomic bool is_done;
static enum platform_outcome outcome;
static uint64_t took_ns;
static unsigned written;

static size_t put(const char *text, char *body, size_t room)
{
    size_t length = strlen(text);

    if (length > room)
        return 0;
    memcpy(body, text, length);
    return length;
}

static size_t write_new(void *context, char *body, size_t room)
{
    (void)context;
    return (size_t)snprintf(body, room,
                            "{\"kind\":\"Lease\",\"apiVersion\":\"coordination.k8s.io/v1\","
                            "\"metadata\":{\"name\":\"%s\"}}",
                            lease.name);
}

/* An identical update would change nothing. */
static size_t write_next(void *context, char *body, size_t room)
{
    struct json_object *spec = json_object_new_object();
    char holder[32];

    (void)context;
    (void)snprintf(holder, sizeof(holder), "holder-%u", ++written);
    (void)json_object_object_add(spec, "holderIdentity", json_object_new_string(holder));
    (void)json_object_object_add(document, "spec", spec);
    return put(json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN), body, room);
}

static void on_done(void *context, const struct platform_result *result)
{
    if (context && result->document) {
        (void)json_object_put(document);
        document = json_object_get(result->document);
    }
    outcome = result->outcome;
    took_ns = result->received_ns - result->sent_ns;
    if (outcome != PLATFORM_OK)
        (void)fprintf(stderr, "%s\n", result->why);
    atomic_store(&is_done, true);
}

/* keeps: the response becomes the document. */
static enum platform_outcome request(struct platform *platform, enum platform_verb verb,
                                     size_t (*write_body)(void *, char *, size_t), bool keeps)
{
    static int kept;
    const struct platform_request wanted = {.verb = verb,
                                            .object = &lease,
                                            .timeout_ns = 10 * NS_PER_SEC,
                                            .write_body = write_body,
                                            .done = on_done,
                                            .context = keeps ? &kept : NULL};

    atomic_store(&is_done, false);
    if (platform_request(platform, &wanted))
        exit(2);
    while (!atomic_load(&is_done))
        (void)usleep(100);
    return outcome;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

static void update(struct platform *platform, unsigned count)
{
    uint64_t *times = calloc(count + 1, sizeof(*times));
    unsigned good = 0;

    for (unsigned i = 0; times && i < count; i++) {
        good += request(platform, PLATFORM_UPDATE, write_next, true) == PLATFORM_OK;
        times[i] = took_ns / NS_PER_US;
    }
    if (!times)
        return;
    qsort(times, count, sizeof(*times), compare);
    (void)printf("updates %u of %u, us: min %llu, p50 %llu, p99 %llu, max %llu\n", good, count,
                 (unsigned long long)times[0], (unsigned long long)times[count / 2],
                 (unsigned long long)times[count * 99 / 100],
                 (unsigned long long)times[count ? count - 1 : 0]);
    free(times);
}

int main(int argc, char *argv[])
{
    struct config_set *options;
    struct platform *platform;
    enum config_mode mode;
    unsigned count = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : 0;

    if (argc < 3 || count > UPDATES_MAX || config_load(argc - 2, argv + 2, stderr, &options, &mode))
        return 2;
    lease.name = argv[1];
    log_init(LOG_LEVEL_WARN, LOG_FORMAT_TEXT);
    if (platform_open(config_values(options), &platform) || !platform || platform_start(platform))
        return 2;
    (void)printf("create %d\n", (int)request(platform, PLATFORM_CREATE, write_new, false));
    (void)printf("again %d\n", (int)request(platform, PLATFORM_CREATE, write_new, false));
    (void)printf("get %d\n", (int)request(platform, PLATFORM_GET, NULL, true));
    update(platform, count);
    (void)printf("update %d\n", (int)request(platform, PLATFORM_UPDATE, write_next, false));
    (void)printf("old %d\n", (int)request(platform, PLATFORM_UPDATE, write_next, false));
    platform_stop(platform);
    platform_close(platform);
    (void)json_object_put(document);
    config_destroy(options);
    return 0;
}
