/*
 * stress_leader_snapshot: one publisher that never waits, readers that hold snapshots, sleep and wake.
 *
 * Every field of a snapshot is derived from its generation, so that a reader sees at once when a
 * buffer is written while it reads (and ThreadSanitizer sees it in any case). A reader must never see
 * an older snapshot after a newer one. The last snapshot ends the readers, so a sleeping reader must
 * be woken for it. One reader is slow on purpose, so that the publisher runs out of buffers.
 */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "headless/data/leader_snapshot.h"
#include "stress.h"

#define READERS 4

struct reader {
    struct snapshot_reader registered;
    struct waker waker;
    struct snapshot_publisher *publisher;
    bool is_slow;
    uint64_t random;
    uint64_t snapshots, sleeps; /* the reader's */
};

static struct snapshot_publisher publisher;
static struct reader readers[READERS];

/* Over the generations, lists of every size are published. */
static size_t member_count(uint64_t generation)
{
    return generation % MEMBERS_MAX + 1;
}

static void fill(struct leader_snapshot *snapshot)
{
    uint64_t generation = snapshot->generation;

    snapshot->leader.term = generation * 3;
    snapshot->leader.previous_term = generation * 3 - 1;
    snapshot->settings.hold_time_ns = generation * 7;
    snapshot->settings.app_idle_ns = ~generation;
    snapshot->settings.accept_control = generation % 2;
    snapshot->leader.kind = generation % 2 ? LEADER_SELF : LEADER_MEMBER;
    snapshot->leader.address.port = (uint16_t)generation;
    (void)snprintf(snapshot->leader.name, sizeof(snapshot->leader.name), "%llu",
                   (unsigned long long)generation);
    snapshot->leader.member_count = member_count(generation);
    for (size_t i = 0; i < snapshot->leader.member_count; i++) {
        snapshot->leader.members[i].instance = generation * 1000 + i;
        snapshot->leader.members[i].address.port = (uint16_t)(generation + i);
    }
    atomic_store_explicit(&snapshot->leader.valid_until_ns, generation * 11, memory_order_relaxed);
}

static void check(const struct leader_snapshot *snapshot)
{
    uint64_t generation = snapshot->generation;
    char name[CONFIG_NAME_MAX];

    STRESS_CHECK(snapshot->leader.term == generation * 3);
    STRESS_CHECK(snapshot->leader.previous_term == generation * 3 - 1);
    STRESS_CHECK(snapshot->settings.hold_time_ns == generation * 7);
    STRESS_CHECK(snapshot->settings.app_idle_ns == ~generation);
    STRESS_CHECK(snapshot->settings.accept_control == (generation % 2 == 1));
    STRESS_CHECK(snapshot->leader.kind == (generation % 2 ? LEADER_SELF : LEADER_MEMBER));
    STRESS_CHECK(snapshot->leader.address.port == (uint16_t)generation);
    (void)snprintf(name, sizeof(name), "%llu", (unsigned long long)generation);
    STRESS_CHECK(strcmp(snapshot->leader.name, name) == 0);
    STRESS_CHECK(snapshot->leader.member_count == member_count(generation));
    for (size_t i = 0; i < snapshot->leader.member_count; i++) {
        STRESS_CHECK(snapshot->leader.members[i].instance == generation * 1000 + i);
        STRESS_CHECK(snapshot->leader.members[i].address.port == (uint16_t)(generation + i));
    }
    STRESS_CHECK(atomic_load_explicit(&snapshot->leader.valid_until_ns, memory_order_relaxed) ==
                 generation * 11);
}

static void sleep_until_woken(struct reader *reader)
{
    waker_prepare(&reader->waker);
    if (snapshot_is_newer(reader->publisher, &reader->registered)) {
        waker_cancel(&reader->waker);
        return;
    }
    snapshot_release(&reader->registered);
    stress_sleep(&reader->waker, &reader->sleeps);
}

static void *read_snapshots(void *context)
{
    struct reader *reader = context;
    uint64_t newest = 0;
    bool is_last = false;

    while (!is_last) {
        const struct leader_snapshot *snapshot =
            snapshot_acquire(reader->publisher, &reader->registered);

        STRESS_CHECK(snapshot->generation >= newest);
        reader->snapshots += snapshot->generation > newest;
        newest = snapshot->generation;
        check(snapshot);
        if (reader->is_slow && stress_draw(&reader->random) % 16 == 0)
            (void)usleep(2000);
        check(snapshot); /* it is ours until the next snapshot_acquire */
        is_last = strcmp(snapshot->leader.cause, "last") == 0;
        if (!is_last && stress_draw(&reader->random) % 4 == 0)
            sleep_until_woken(reader);
    }
    snapshot_release(&reader->registered);
    return NULL;
}

static void publish(struct leader_snapshot *draft, const char *cause)
{
    fill(draft);
    draft->leader.cause = cause;
    snapshot_publish(&publisher, draft);
    for (size_t i = 0; i < READERS; i++)
        waker_wake(&readers[i].waker);
}

/* Publishes until the time is over, then the last snapshot; returns how often no buffer was free. */
static uint64_t publish_snapshots(void)
{
    uint64_t end_ns = clock_now_ns() + STRESS_SECONDS * NS_PER_SEC;
    uint64_t refused = 0;
    uint64_t random = 7;
    bool is_last = false;

    while (!is_last) {
        struct leader_snapshot *draft = snapshot_draft(&publisher);

        if (!draft) {
            refused++;
            (void)sched_yield();
            continue;
        }
        /* However slow the machine is, no buffer must have been free once. */
        is_last = clock_now_ns() >= end_ns && refused > 0;
        publish(draft, is_last ? "last" : "stress");
        if (stress_draw(&random) % 8 == 0)
            (void)usleep(50); /* time for the readers to fall asleep */
    }
    return refused;
}

int main(void)
{
    pthread_t threads[READERS];
    struct leader_snapshot *first;
    uint64_t refused;

    (void)alarm(STRESS_LIMIT);
    snapshot_publisher_init(&publisher);
    first = snapshot_draft(&publisher);
    STRESS_CHECK(first != NULL);
    publish(first, "stress");
    for (size_t i = 0; i < READERS; i++) {
        readers[i].publisher = &publisher;
        readers[i].random = 100 + i;
        readers[i].is_slow = i == 0;
        STRESS_CHECK(waker_init(&readers[i].waker, false) == 0);
        STRESS_CHECK(snapshot_publisher_register(&publisher, &readers[i].registered) == 0);
    }
    for (size_t i = 0; i < READERS; i++)
        STRESS_CHECK(pthread_create(&threads[i], NULL, read_snapshots, &readers[i]) == 0);
    refused = publish_snapshots();
    for (size_t i = 0; i < READERS; i++)
        STRESS_CHECK(pthread_join(threads[i], NULL) == 0);

    (void)printf("published %llu snapshots, no buffer was free %llu times\n",
                 (unsigned long long)snapshot_current(&publisher)->generation,
                 (unsigned long long)refused);
    for (size_t i = 0; i < READERS; i++) {
        (void)printf("reader %zu: saw %llu snapshots, slept %llu times\n", i,
                     (unsigned long long)readers[i].snapshots,
                     (unsigned long long)readers[i].sleeps);
        STRESS_CHECK(readers[i].snapshots > 10 && readers[i].sleeps > 0);
    }
    STRESS_CHECK(refused > 0);
    return 0;
}
