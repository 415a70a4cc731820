/* Opening, the thread, stopping. */
#include "headless/platform/api.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "platform/platform_internal.h"

#define PLATFORM_STOP_NS (200 * NS_PER_MS)
#define PLATFORM_LOOK_NS (10 * NS_PER_SEC) /* the longest sleep */
#define CONNECTIONS_MAX  (PLATFORM_WATCHES + REQUEST_LANES)

/* ---- small parts ---- */

bool platform_enter(struct platform *platform)
{
    (void)pthread_mutex_lock(&platform->lock);
    if (!atomic_load_explicit(&platform->is_stopping, memory_order_relaxed))
        return true;
    (void)pthread_mutex_unlock(&platform->lock);
    return false;
}

void platform_leave(struct platform *platform)
{
    (void)pthread_mutex_unlock(&platform->lock);
}

uint32_t platform_random(struct platform *platform)
{
    platform->random ^= platform->random << 13;
    platform->random ^= platform->random >> 7;
    platform->random ^= platform->random << 17;
    return (uint32_t)(platform->random >> 32);
}

const char *platform_namespace(const struct platform *platform)
{
    return platform && atomic_load_explicit(&platform->is_space_known, memory_order_acquire)
               ? platform->space
               : "";
}

struct trouble_names platform_names(const struct platform *platform)
{
    return (struct trouble_names){.api = platform->api,
                                  .token = platform->token_path,
                                  .ca = platform->ca,
                                  .space = platform_namespace(platform),
                                  .describe = platform->curl.easy_strerror};
}

/* The file beside the token. */
static int read_space(const struct platform *platform, char space[static CONFIG_TEXT_MAX])
{
    const char *slash = strrchr(platform->token_path, '/');
    char path[CONFIG_TEXT_MAX + 16];

    if (!slash)
        return -ENOENT;
    (void)snprintf(path, sizeof(path), "%.*snamespace", (int)(slash - platform->token_path) + 1,
                   platform->token_path);
    return token_read_file(path, space, CONFIG_TEXT_MAX, NULL);
}

int platform_find_space(struct platform *platform)
{
    char space[CONFIG_TEXT_MAX];
    int rc;

    if (atomic_load_explicit(&platform->is_space_known, memory_order_relaxed))
        return 0;
    rc = read_space(platform, space);
    if (rc && platform->pod_namespace[0]) {
        (void)snprintf(space, sizeof(space), "%s", platform->pod_namespace);
        rc = 0;
    }
    if (rc)
        return rc;
    memcpy(platform->space, space, sizeof(space));
    atomic_store_explicit(&platform->is_space_known, true, memory_order_release);
    return 0;
}

/* ---- the thread ---- */

static void end_transfers(struct platform *platform)
{
    CURLMsg *message;
    int left;

    while ((message = platform->curl.multi_info_read(platform->multi, &left))) {
        struct transfer *transfer = NULL;
        CURLcode code = message->data.result; /* message is gone after multi_remove_handle */

        if (message->msg != CURLMSG_DONE)
            continue;
        (void)platform->curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        transfer_abort(transfer);
        transfer->on_end(transfer, code);
    }
}

static bool platform_ends(const struct platform *platform)
{
    return atomic_load_explicit(&platform->is_stopping, memory_order_seq_cst);
}

static int sleep_ms(uint64_t now_ns, uint64_t due_ns)
{
    return due_ns <= now_ns ? 0 : (int)((due_ns - now_ns + NS_PER_MS - 1) / NS_PER_MS);
}

static void platform_slice(struct platform *platform)
{
    uint64_t now_ns, due_ns;
    int running;

    (void)platform->curl.multi_perform(platform->multi, &running);
    end_transfers(platform);
    requests_start(platform);
    now_ns = clock_now_ns();
    due_ns = now_ns + PLATFORM_LOOK_NS;
    requests_hedge(platform, now_ns, &due_ns);
    watches_run(platform, now_ns, &due_ns);
    /* Returns at once after a wake-up since the last call, and when libcurl has something to do. */
    (void)platform->curl.multi_poll(platform->multi, NULL, 0, sleep_ms(clock_now_ns(), due_ns),
                                    NULL);
}

static void platform_release(struct platform *platform)
{
    if (atomic_fetch_sub_explicit(&platform->users, 1, memory_order_acq_rel) > 1)
        return;
    for (size_t i = 0; i < REQUEST_LANES; i++) {
        transfer_close(&platform->lanes[i].transfer);
        free(platform->lanes[i].body);
    }
    for (size_t i = 0; i < PLATFORM_WATCHES; i++)
        transfer_close(&platform->watches[i].transfer);
    if (platform->multi)
        (void)platform->curl.multi_cleanup(platform->multi);
    if (platform->curl.global_cleanup)
        platform->curl.global_cleanup();
    token_wipe(&platform->token);
    (void)pthread_mutex_destroy(&platform->lock);
    free(platform);
}

static void *platform_run(void *argument)
{
    struct platform *platform = argument;

    (void)pthread_setname_np(pthread_self(), "platform"); /* here, since the thread is detached */
    while (!platform_ends(platform))
        platform_slice(platform);
    completion_report(&platform->end, 1, true);
    platform_release(platform);
    return NULL;
}

/* ---- opening ---- */

/* From the variables that each pod has. */
static int find_in_cluster(struct config_api *ret_api)
{
    const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
    char text[CONFIG_TEXT_MAX];
    int length;

    if (!host || !*host || !port || !*port) {
        log_error("api_unknown",
                  "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is no pod "
                  "of a cluster; set platform.api");
        return -EDESTADDRREQ;
    }
    length = snprintf(text, sizeof(text), strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s",
                      host, port);
    if (length > 0 && (size_t)length < sizeof(text) && config_parse_api(text, ret_api) == 0)
        return 0;
    log_error("api_unknown",
              "KUBERNETES_SERVICE_HOST \"%.256s\" and KUBERNETES_SERVICE_PORT \"%.16s\" are not an "
              "IP address and a port; set platform.api",
              host, port);
    return -EDESTADDRREQ;
}

static int find_api(struct platform *platform, const struct config *config)
{
    char address[ADDRESS_TEXT_MAX];
    struct config_api api;
    int rc = strcmp(config->platform_api, "auto") == 0
                 ? find_in_cluster(&api)
                 : config_parse_api(config->platform_api, &api);

    if (rc)
        return rc;
    platform->is_tls = api.is_tls;
    (void)snprintf(platform->api, sizeof(platform->api), "%s://%s", api.is_tls ? "https" : "http",
                   address_format(&api.address, address));
    return 0;
}

static void copy_config(struct platform *platform, const struct config *config)
{
    const char *pod_namespace = getenv("POD_NAMESPACE");
    bool is_known = strcmp(config->platform_namespace, "auto") != 0;

    (void)snprintf(platform->ca, sizeof(platform->ca), "%s", config->platform_ca);
    (void)snprintf(platform->token_path, sizeof(platform->token_path), "%s",
                   config->platform_token);
    (void)snprintf(platform->pod_namespace, sizeof(platform->pod_namespace), "%s",
                   pod_namespace ? pod_namespace : "");
    if (is_known)
        (void)snprintf(platform->space, sizeof(platform->space), "%s", config->platform_namespace);
    atomic_init(&platform->is_space_known, is_known);
    platform->token.path = platform->token_path;
}

static bool open_lanes(struct platform *platform)
{
    for (size_t i = 0; i < REQUEST_LANES; i++) {
        struct request_lane *lane = &platform->lanes[i];

        lane->body = malloc(PLATFORM_BODY_MAX);
        lane->transfer.context = lane;
        lane->transfer.on_end = requests_on_end;
        if (!lane->body || !transfer_open(platform, &lane->transfer))
            return false;
    }
    return true;
}

/* One handle for all, since each makes a pair of sockets, which the seccomp filter forbids. */
static int open_curl(struct platform *platform)
{
    const struct curl_calls *curl = &platform->curl;

    platform->multi = curl->multi_init();
    if (!platform->multi)
        return -ENOMEM;
    (void)curl->multi_setopt(platform->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS_MAX);
    (void)curl->multi_setopt(platform->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS,
                             (long)CONNECTIONS_MAX + 1);
    return open_lanes(platform) ? 0 : -ENOMEM;
}

static int open_parts(struct platform *platform, const struct config *config)
{
    int rc = find_api(platform, config);

    copy_config(platform, config);
    if (getrandom(&platform->random, sizeof(platform->random), 0) < 0 || !platform->random)
        platform->random = clock_now_ns() | 1;
    if (!rc)
        rc = curl_load(&platform->curl);
    return rc ? rc : open_curl(platform);
}

int platform_open(const struct config *config, struct platform **ret_platform)
{
    struct platform *platform;
    int rc;

    *ret_platform = NULL;
    if (!config_needs_platform(config))
        return 0;
    platform = calloc(1, sizeof(*platform));
    if (!platform)
        return -ENOMEM;
    atomic_init(&platform->users, 1);
    (void)pthread_mutex_init(&platform->lock, NULL);
    rc = open_parts(platform, config);
    if (rc)
        platform_release(platform);
    else
        *ret_platform = platform;
    return rc;
}

int platform_add_watch(struct platform *platform, const struct platform_watch *watch)
{
    struct watch_state *w;

    if (!platform)
        return 0;
    if (platform->watch_count == PLATFORM_WATCHES)
        return -ENOSPC;
    w = &platform->watches[platform->watch_count];
    w->watch = *watch;
    w->transfer.context = w;
    w->transfer.on_end = watches_on_end;
    w->transfer.on_open = watches_on_open;
    w->transfer.on_bytes = watches_on_bytes;
    if (!transfer_open(platform, &w->transfer))
        return -ENOMEM;
    platform->watch_count++;
    return 0;
}

/* ---- start and stop ---- */

int platform_start(struct platform *platform)
{
    pthread_t thread;
    sigset_t all, before;
    int rc;

    if (!platform)
        return 0;
    atomic_store_explicit(&platform->users, 2, memory_order_relaxed);
    atomic_store_explicit(&platform->is_started, true, memory_order_release);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, NULL, platform_run, platform);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc) {
        atomic_store_explicit(&platform->is_started, false, memory_order_relaxed);
        atomic_store_explicit(&platform->users, 1, memory_order_relaxed);
        return -rc;
    }
    (void)pthread_detach(thread); /* reading a file may outlast platform_stop */
    return 0;
}

void platform_stop(struct platform *platform)
{
    if (!platform || !atomic_load_explicit(&platform->is_started, memory_order_relaxed))
        return;
    (void)pthread_mutex_lock(&platform->lock);
    atomic_store_explicit(&platform->is_stopping, true, memory_order_seq_cst);
    (void)pthread_mutex_unlock(&platform->lock);
    (void)platform->curl.multi_wakeup(platform->multi);
    (void)completion_wait(&platform->end, 1, PLATFORM_STOP_NS);
}

void platform_close(struct platform *platform)
{
    if (platform)
        platform_release(platform);
}
