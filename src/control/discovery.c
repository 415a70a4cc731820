/* A thread that resolves discovery.dns, and the result that it shares with the supervisor. */
#include "discovery.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "headless/base/clock.h"
#include "headless/base/log.h"

#define DISCOVERY_STOP_NS (200 * NS_PER_MS)
#define FAST_INTERVAL_NS  NS_PER_SEC
#define WARN_INTERVAL_NS  (60 * NS_PER_SEC)

/* Reasons of our own; the codes of getaddrinfo are below 0. */
#define FOUND_NOTHING     1
#define NO_RESPONSE_YET   2

struct discovery_shared {
    pthread_mutex_t lock; /* guards all that follows up to the constants */
    pthread_cond_t wake;  /* wakes the thread; at the end, its owner */
    int users;            /* the thread and its owner */
    bool is_stopping, is_fast, is_requested;
    bool is_known, has_news;
    int failure;                /* of the last lookup: getaddrinfo's, one of the two above, or 0 */
    struct waker *reader_waker; /* the owner's; not used once is_stopping is set */
    struct address list[DISCOVERY_MAX];
    size_t count;

    /* Constant. */
    char name[CONFIG_TEXT_MAX];
    int family;
    uint64_t interval_ns;

    /* The thread's own. */
    uint64_t warned_ns; /* 0: not since the last success */
    unsigned jitter;
};

/* ---- one lookup ---- */

static int discovery_compare(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct address));
}

static size_t remove_duplicates(struct address *list, size_t count)
{
    size_t kept = 0;

    if (count == 0)
        return 0;
    qsort(list, count, sizeof(*list), discovery_compare);
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || !address_equal(&list[kept - 1], &list[i]))
            list[kept++] = list[i];
    }
    return kept;
}

/* Of more addresses than there is room for, the first in sorted order are kept, the same in all pods. */
static size_t discovery_collect(const struct addrinfo *found,
                                struct address list[static DISCOVERY_MAX])
{
    struct address all[2 * DISCOVERY_MAX];
    size_t count = 0;

    for (const struct addrinfo *i = found; i; i = i->ai_next) {
        if (count == 2 * (size_t)DISCOVERY_MAX) {
            count = remove_duplicates(all, count);
            count = count < DISCOVERY_MAX ? count : DISCOVERY_MAX;
        }
        address_from_sockaddr(i->ai_addr, &all[count]);
        all[count] = address_with_port(all[count], 0);
        count += address_is_set(&all[count]) && !address_is_any(&all[count]);
    }
    count = remove_duplicates(all, count);
    count = count < DISCOVERY_MAX ? count : DISCOVERY_MAX;
    memcpy(list, all, count * sizeof(*list));
    return count;
}

static void discovery_warn(struct discovery_shared *shared, const char *why)
{
    uint64_t now_ns = clock_now_ns();

    if (shared->warned_ns && now_ns < shared->warned_ns + WARN_INTERVAL_NS)
        return;
    shared->warned_ns = now_ns;
    log_warn(
        "discovery_failed",
        "discovery.dns: no address for \"%s\": %s; check the name (a final dot disables search "
        "domains) and /etc/resolv.conf; retrying",
        shared->name, why);
}

/* Returns the number of addresses; 0: none, and *ret_failure says why. Blocks. */
static size_t discovery_look_up(struct discovery_shared *shared,
                                struct address list[static DISCOVERY_MAX], int *ret_failure)
{
    const struct addrinfo hints = {.ai_family = shared->family, .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found = NULL;
    int rc = getaddrinfo(shared->name, NULL, &hints, &found);
    size_t count = rc ? 0 : discovery_collect(found, list);

    if (rc == 0)
        freeaddrinfo(found);
    *ret_failure = count ? 0 : rc ? rc : FOUND_NOTHING;
    if (count == 0)
        discovery_warn(shared, discovery_reason(*ret_failure));
    else
        shared->warned_ns = 0;
    return count;
}

/* ---- the thread ---- */

/* The lock is held. */
static void discovery_keep(struct discovery_shared *shared, const struct address *list,
                           size_t count)
{
    if (shared->is_known && count == shared->count &&
        memcmp(list, shared->list, count * sizeof(*list)) == 0)
        return;
    memcpy(shared->list, list, count * sizeof(*list));
    shared->count = count;
    shared->is_known = shared->has_news = true;
    log_info("discovery_changed", "discovery.dns: %s has %zu addresses", shared->name, count);
    waker_wake(shared->reader_waker);
}

/* Within ten percent, so that pods do not query DNS in step. */
static uint64_t next_interval(struct discovery_shared *shared)
{
    shared->jitter = shared->jitter * 1103515245U + 12345U;
    return shared->interval_ns * (90 + (shared->jitter >> 16) % 21) / 100;
}

static struct timespec time_after(struct timespec from, uint64_t ns)
{
    ns += (uint64_t)from.tv_nsec;
    from.tv_sec += (time_t)(ns / NS_PER_SEC);
    from.tv_nsec = (long)(ns % NS_PER_SEC);
    return from;
}

/* The lock is held. Returns when the next lookup is due, or at a stop. */
static void wait_for_turn(struct discovery_shared *shared)
{
    uint64_t looked_ns = clock_now_ns();
    uint64_t interval_ns = next_interval(shared);
    struct timespec until;

    while (!shared->is_stopping) {
        bool is_soon = shared->is_fast || shared->is_requested;
        uint64_t pause_ns =
            is_soon && interval_ns > FAST_INTERVAL_NS ? FAST_INTERVAL_NS : interval_ns;
        uint64_t now_ns = clock_now_ns();

        if (now_ns >= looked_ns + pause_ns)
            break;
        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until = time_after(until, looked_ns + pause_ns - now_ns);
        (void)pthread_cond_timedwait(&shared->wake, &shared->lock, &until);
    }
    shared->is_requested = false;
}

static void discovery_release(struct discovery_shared *shared)
{
    bool is_last;

    (void)pthread_mutex_lock(&shared->lock);
    is_last = --shared->users == 0;
    (void)pthread_cond_signal(&shared->wake);
    (void)pthread_mutex_unlock(&shared->lock);
    if (!is_last)
        return;
    (void)pthread_cond_destroy(&shared->wake);
    (void)pthread_mutex_destroy(&shared->lock);
    free(shared);
}

static void *discovery_run(void *argument)
{
    struct discovery_shared *shared = argument;
    struct address list[DISCOVERY_MAX];
    size_t count;
    int failure;

    (void)pthread_setname_np(pthread_self(), "resolver"); /* here, since the thread is detached */
    (void)pthread_mutex_lock(&shared->lock);
    while (!shared->is_stopping) {
        (void)pthread_mutex_unlock(&shared->lock);
        count = discovery_look_up(shared, list, &failure);
        (void)pthread_mutex_lock(&shared->lock);
        shared->failure = failure;
        if (count && !shared->is_stopping)
            discovery_keep(shared, list, count);
        wait_for_turn(shared);
    }
    (void)pthread_mutex_unlock(&shared->lock);
    discovery_release(shared);
    return NULL;
}

/* ---- start and stop ---- */

static struct discovery_shared *make_shared(const struct config *config, struct waker *reader_waker)
{
    struct discovery_shared *shared = calloc(1, sizeof(*shared));
    pthread_condattr_t attributes;

    if (!shared)
        return NULL;
    shared->users = 2;
    shared->failure = NO_RESPONSE_YET;
    shared->reader_waker = reader_waker;
    (void)snprintf(shared->name, sizeof(shared->name), "%s", config->discovery_dns);
    shared->family = config->self.family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    shared->interval_ns = config->discovery_interval_ns;
    shared->jitter = (unsigned)clock_now_ns();
    (void)pthread_mutex_init(&shared->lock, NULL);
    (void)pthread_condattr_init(&attributes);
    (void)pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&shared->wake, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return shared;
}

int discovery_start(struct discovery *discovery, const struct config *config,
                    struct waker *reader_waker)
{
    struct discovery_shared *shared;
    pthread_t thread;
    sigset_t all, before;
    int rc;

    discovery->shared = NULL;
    if (!config->discovery_dns[0])
        return 0;
    shared = make_shared(config, reader_waker);
    if (!shared)
        return -ENOMEM;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&thread, NULL, discovery_run, shared);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc) {
        shared->users = 1;
        discovery_release(shared);
        return -rc;
    }
    (void)pthread_detach(thread); /* a lookup may outlast discovery_stop */
    discovery->shared = shared;
    return 0;
}

void discovery_stop(struct discovery *discovery)
{
    struct discovery_shared *shared = discovery->shared;
    struct timespec until;

    if (!shared)
        return;
    (void)pthread_mutex_lock(&shared->lock);
    shared->is_stopping = true;
    (void)pthread_cond_signal(&shared->wake);
    (void)clock_gettime(CLOCK_MONOTONIC, &until);
    until = time_after(until, DISCOVERY_STOP_NS);
    /* After the limit, the thread ends by itself when its lookup returns. */
    while (shared->users > 1 &&
           pthread_cond_timedwait(&shared->wake, &shared->lock, &until) != ETIMEDOUT)
        ;
    (void)pthread_mutex_unlock(&shared->lock);
    discovery_release(shared);
    discovery->shared = NULL;
}

/* ---- the supervisor's side ---- */

static void discovery_set(struct discovery *discovery, bool *flag, bool value)
{
    struct discovery_shared *shared = discovery->shared;

    (void)pthread_mutex_lock(&shared->lock);
    if (*flag != value) {
        *flag = value;
        (void)pthread_cond_signal(&shared->wake);
    }
    (void)pthread_mutex_unlock(&shared->lock);
}

void discovery_set_fast(struct discovery *discovery, bool is_fast)
{
    if (discovery->shared)
        discovery_set(discovery, &discovery->shared->is_fast, is_fast);
}

void discovery_request(struct discovery *discovery)
{
    if (discovery->shared)
        discovery_set(discovery, &discovery->shared->is_requested, true);
}

static bool discovery_get(const struct discovery *discovery, const bool *flag)
{
    bool value;

    (void)pthread_mutex_lock(&discovery->shared->lock);
    value = *flag;
    (void)pthread_mutex_unlock(&discovery->shared->lock);
    return value;
}

bool discovery_has_news(const struct discovery *discovery)
{
    return discovery->shared && discovery_get(discovery, &discovery->shared->has_news);
}

bool discovery_is_known(const struct discovery *discovery)
{
    return discovery->shared && discovery_get(discovery, &discovery->shared->is_known);
}

int discovery_failure(const struct discovery *discovery)
{
    struct discovery_shared *shared = discovery->shared;
    int failure;

    if (!shared)
        return 0;
    (void)pthread_mutex_lock(&shared->lock);
    failure = shared->failure;
    (void)pthread_mutex_unlock(&shared->lock);
    return failure;
}

const char *discovery_reason(int failure)
{
    if (failure == NO_RESPONSE_YET)
        return "no response yet";
    return failure == FOUND_NOTHING ? "the response is empty" : gai_strerror(failure);
}

size_t discovery_take(struct discovery *discovery, struct address ret_list[static DISCOVERY_MAX])
{
    struct discovery_shared *shared = discovery->shared;
    size_t count;

    if (!shared)
        return 0;
    (void)pthread_mutex_lock(&shared->lock);
    count = shared->count;
    memcpy(ret_list, shared->list, count * sizeof(*ret_list));
    shared->has_news = false;
    (void)pthread_mutex_unlock(&shared->lock);
    return count;
}
