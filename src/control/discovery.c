/* A thread that resolves discovery.dns, and the result that it shares with the supervisor. */
#include "discovery.h"

#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "headless/base/clock.h"
#include "headless/base/completion.h"
#include "headless/base/log.h"
#include "headless/base/triple_buffer.h"

#define DISCOVERY_STOP_NS (200 * NS_PER_MS)
#define FAST_INTERVAL_NS  NS_PER_SEC
#define WARN_INTERVAL_NS  (60 * NS_PER_SEC)

/* Reasons of our own; the codes of getaddrinfo are below 0. */
#define FOUND_NOTHING     1
#define NO_RESPONSE_YET   2

struct discovery_list {
    struct address addresses[DISCOVERY_MAX];
    size_t count;
};

struct discovery_shared {
    struct waker waker;                 /* the thread's */
    _Atomic int users;                  /* the thread and its owner */
    _Atomic bool is_fast, is_requested; /* the supervisor's, for the thread */
    _Atomic bool is_known;              /* the thread's, for the supervisor */
    _Atomic int failure;       /* of the last lookup: getaddrinfo's, one of the two above, or 0 */
    struct triple_buffer news; /* the thread writes, the supervisor reads */
    struct discovery_list lists[TRIPLE_BUFFER_VERSIONS];
    struct completion end; /* the thread's only job: to end */

    /* The lock keeps reader_waker's owner, who sets is_stopping, from removing it in use. The
     * supervisor never takes it: the thread may be preempted while it has it. */
    pthread_mutex_t lock;
    _Atomic bool is_stopping;
    struct waker *reader_waker;

    /* Constant. */
    char name[CONFIG_TEXT_MAX];
    int family;
    uint64_t interval_ns;

    /* The thread's own. */
    struct discovery_list last;
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

static void wake_reader(struct discovery_shared *shared)
{
    (void)pthread_mutex_lock(&shared->lock);
    if (!atomic_load_explicit(&shared->is_stopping, memory_order_relaxed))
        waker_wake(shared->reader_waker);
    (void)pthread_mutex_unlock(&shared->lock);
}

/* shared->last was found. */
static void discovery_keep(struct discovery_shared *shared)
{
    shared->lists[shared->news.writer_index] = shared->last;
    triple_buffer_publish(&shared->news);
    atomic_store_explicit(&shared->is_known, true, memory_order_release);
    log_info("discovery_changed", "discovery.dns: %s has %zu addresses", shared->name,
             shared->last.count);
    wake_reader(shared);
}

/* True if the addresses are others than before; they are shared->last then. */
static bool discovery_is_changed(struct discovery_shared *shared, const struct address *list,
                                 size_t count)
{
    if (count == shared->last.count &&
        memcmp(list, shared->last.addresses, count * sizeof(*list)) == 0)
        return false;
    memcpy(shared->last.addresses, list, count * sizeof(*list));
    shared->last.count = count;
    return true;
}

/* Within ten percent, so that pods do not query DNS in step. */
static uint64_t next_interval(struct discovery_shared *shared)
{
    shared->jitter = shared->jitter * 1103515245U + 12345U;
    return shared->interval_ns * (90 + (shared->jitter >> 16) % 21) / 100;
}

static bool discovery_ends(struct discovery_shared *shared)
{
    return atomic_load_explicit(&shared->is_stopping, memory_order_seq_cst);
}

static bool is_soon(struct discovery_shared *shared)
{
    return atomic_load_explicit(&shared->is_fast, memory_order_seq_cst) ||
           atomic_load_explicit(&shared->is_requested, memory_order_seq_cst);
}

/* Returns when the next lookup is due, or at a stop. */
static void wait_for_turn(struct discovery_shared *shared)
{
    uint64_t looked_ns = clock_now_ns(), now_ns = looked_ns, pause_ns;
    uint64_t interval_ns = next_interval(shared);

    while (!discovery_ends(shared)) {
        waker_prepare(&shared->waker);
        pause_ns =
            is_soon(shared) && interval_ns > FAST_INTERVAL_NS ? FAST_INTERVAL_NS : interval_ns;
        now_ns = clock_now_ns();
        if (discovery_ends(shared) || now_ns >= looked_ns + pause_ns) {
            waker_cancel(&shared->waker);
            break;
        }
        waker_sleep(&shared->waker, looked_ns + pause_ns - now_ns);
    }
    atomic_store_explicit(&shared->is_requested, false, memory_order_seq_cst);
}

static void discovery_release(struct discovery_shared *shared)
{
    if (atomic_fetch_sub_explicit(&shared->users, 1, memory_order_acq_rel) > 1)
        return;
    (void)pthread_mutex_destroy(&shared->lock);
    waker_fini(&shared->waker);
    free(shared);
}

static void *discovery_run(void *argument)
{
    struct discovery_shared *shared = argument;
    struct address list[DISCOVERY_MAX];
    size_t count;
    int failure;

    (void)pthread_setname_np(pthread_self(), "resolver"); /* here, since the thread is detached */
    while (!discovery_ends(shared)) {
        count = discovery_look_up(shared, list, &failure);
        atomic_store_explicit(&shared->failure, failure, memory_order_relaxed);
        if (count && discovery_is_changed(shared, list, count))
            discovery_keep(shared);
        wait_for_turn(shared);
    }
    completion_report(&shared->end, 1, true);
    discovery_release(shared);
    return NULL;
}

/* ---- start and stop ---- */

static struct discovery_shared *make_shared(const struct config *config, struct waker *reader_waker)
{
    struct discovery_shared *shared =
        aligned_alloc(_Alignof(struct discovery_shared), sizeof(*shared));

    if (!shared)
        return NULL;
    memset(shared, 0, sizeof(*shared));
    if (waker_init(&shared->waker, false)) {
        free(shared);
        return NULL;
    }
    atomic_init(&shared->users, 2);
    atomic_init(&shared->failure, NO_RESPONSE_YET);
    triple_buffer_init(&shared->news);
    shared->reader_waker = reader_waker;
    (void)snprintf(shared->name, sizeof(shared->name), "%s", config->discovery_dns);
    shared->family = config->self.family == ADDRESS_V6 ? AF_INET6 : AF_INET;
    shared->interval_ns = config->discovery_interval_ns;
    shared->jitter = (unsigned)clock_now_ns();
    (void)pthread_mutex_init(&shared->lock, NULL);
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
        atomic_store_explicit(&shared->users, 1, memory_order_relaxed);
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

    if (!shared)
        return;
    (void)pthread_mutex_lock(&shared->lock);
    atomic_store_explicit(&shared->is_stopping, true, memory_order_seq_cst);
    (void)pthread_mutex_unlock(&shared->lock);
    waker_wake(&shared->waker);
    /* After the limit, the thread ends by itself when its lookup returns. */
    (void)completion_wait(&shared->end, 1, DISCOVERY_STOP_NS);
    discovery_release(shared);
    discovery->shared = NULL;
}

/* ---- the supervisor's side: waits for nothing ---- */

static void discovery_set(struct discovery_shared *shared, _Atomic bool *flag, bool value)
{
    if (atomic_exchange_explicit(flag, value, memory_order_seq_cst) != value)
        waker_wake(&shared->waker);
}

void discovery_set_fast(struct discovery *discovery, bool is_fast)
{
    if (discovery->shared)
        discovery_set(discovery->shared, &discovery->shared->is_fast, is_fast);
}

void discovery_request(struct discovery *discovery)
{
    if (discovery->shared)
        discovery_set(discovery->shared, &discovery->shared->is_requested, true);
}

bool discovery_has_news(const struct discovery *discovery)
{
    return discovery->shared && triple_buffer_has_news(&discovery->shared->news);
}

bool discovery_is_known(const struct discovery *discovery)
{
    return discovery->shared &&
           atomic_load_explicit(&discovery->shared->is_known, memory_order_acquire);
}

int discovery_failure(const struct discovery *discovery)
{
    return discovery->shared
               ? atomic_load_explicit(&discovery->shared->failure, memory_order_relaxed)
               : 0;
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
    const struct discovery_list *list;

    if (!shared)
        return 0;
    (void)triple_buffer_take(&shared->news);
    list = &shared->lists[shared->news.reader_index];
    memcpy(ret_list, list->addresses, list->count * sizeof(*ret_list));
    return list->count;
}
