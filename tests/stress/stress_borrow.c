/*
 * stress_borrow: a worker that sleeps whenever it can, and threads that wake it or work in its
 * place.
 *
 * The state of the worker is plain memory: ThreadSanitizer sees whether each loan synchronizes it.
 * Each source has a ring of its own, whose numbers must arrive once and in order, whichever thread
 * takes them out. Repeatedly all sources wait until every ring is empty: a call that was made during
 * a loan and lost would leave numbers behind that no other call would find.
 */
#include <pthread.h>
#include <sched.h>

#include "headless/base/ring.h"
#include "stress.h"

#define SOURCES  3
#define CAPACITY 64
#define LAST     UINTPTR_MAX

struct source {
    struct ring ring;
    uint64_t sent, borrowed; /* the source's */
    uint64_t random;
};

static struct source sources[SOURCES];
static struct waker waker;
static pthread_barrier_t meeting;
static bool is_over; /* written by one between two meetings */

/* The worker's, or the borrower's. */
static uint64_t taken[SOURCES], ended, in_place, in_thread;
static uint64_t sleeps; /* the worker thread's */

static void take(size_t index)
{
    void *elements[8];
    size_t n = ring_take(&sources[index].ring, elements, 8);

    for (size_t i = 0; i < n; i++) {
        uint64_t number = (uint64_t)(uintptr_t)elements[i];

        if (number == LAST)
            ended++;
        else
            STRESS_CHECK(number == ++taken[index]);
    }
}

static bool is_at_rest(void)
{
    for (size_t i = 0; i < SOURCES; i++) {
        if (!ring_is_empty(&sources[i].ring))
            return false;
    }
    return ended < SOURCES;
}

/* A look, and a moment in which it may become untrue. */
static bool looks_at_rest(uint64_t *random)
{
    bool is_so = is_at_rest();

    if (stress_draw(random) % 16 == 0)
        (void)sched_yield();
    return is_so;
}

static void slice(uint64_t *count)
{
    for (size_t i = 0; i < SOURCES; i++)
        take(i);
    ++*count;
}

static void *work(void *context)
{
    uint64_t random = 7;

    (void)context;
    while (ended < SOURCES) {
        slice(&in_thread);
        waker_prepare(&waker);
        if (looks_at_rest(&random))
            stress_sleep(&waker, &sleeps);
        else
            waker_cancel(&waker);
    }
    return NULL;
}

static void call(struct source *source)
{
    if (stress_draw(&source->random) % 4 == 0 || !waker_borrow(&waker)) {
        waker_wake(&waker);
        return;
    }
    slice(&in_place);
    source->borrowed++;
    waker_return(&waker, !looks_at_rest(&source->random));
}

static void send_number(struct source *source, uint64_t number)
{
    while (!ring_try_stage(&source->ring, (void *)(uintptr_t)number)) {
        (void)ring_publish(&source->ring);
        waker_wake(&waker);
        (void)sched_yield();
    }
}

static void publish_some(struct source *source)
{
    for (unsigned i = 0; i < 8; i++) {
        uint64_t count = 1 + stress_draw(&source->random) % 4;

        while (count-- > 0)
            send_number(source, ++source->sent);
        (void)ring_publish(&source->ring);
        call(source);
        if (stress_draw(&source->random) % 8 == 0)
            (void)usleep(20); /* time to fall asleep */
    }
}

static void wait_until_taken(struct source *source)
{
    uint64_t end_ns = clock_now_ns() + STRESS_SLEEP_NS;

    while (ring_count(&source->ring) > 0) {
        STRESS_CHECK(clock_now_ns() < end_ns); /* else: a lost call */
        (void)sched_yield();
    }
}

/* Between the two barriers, where no source counts. */
static bool all_have_borrowed(void)
{
    for (size_t i = 0; i < SOURCES; i++) {
        if (sources[i].borrowed <= 10)
            return false;
    }
    return true;
}

static void *produce(void *context)
{
    struct source *source = context;
    uint64_t end_ns = clock_now_ns() + STRESS_SECONDS * NS_PER_SEC;

    while (!is_over) {
        publish_some(source);
        wait_until_taken(source);
        (void)pthread_barrier_wait(&meeting);
        if (source == &sources[0])
            is_over = clock_now_ns() >= end_ns && all_have_borrowed();
        (void)pthread_barrier_wait(&meeting);
    }
    send_number(source, LAST);
    (void)ring_publish(&source->ring);
    call(source);
    return NULL;
}

int main(void)
{
    pthread_t threads[SOURCES], worker;
    uint64_t borrowed = 0;

    (void)alarm(STRESS_LIMIT);
    STRESS_CHECK(waker_init(&waker, false) == 0);
    STRESS_CHECK(pthread_barrier_init(&meeting, NULL, SOURCES) == 0);
    for (size_t i = 0; i < SOURCES; i++) {
        sources[i].random = 100 + i;
        STRESS_CHECK(ring_init(&sources[i].ring, CAPACITY, 0) == 0);
    }
    STRESS_CHECK(pthread_create(&worker, NULL, work, NULL) == 0);
    for (size_t i = 0; i < SOURCES; i++)
        STRESS_CHECK(pthread_create(&threads[i], NULL, produce, &sources[i]) == 0);
    for (size_t i = 0; i < SOURCES; i++)
        STRESS_CHECK(pthread_join(threads[i], NULL) == 0);
    STRESS_CHECK(pthread_join(worker, NULL) == 0);

    for (size_t i = 0; i < SOURCES; i++) {
        (void)printf("source %zu: sent %llu, worked %llu times in place of the worker\n", i,
                     (unsigned long long)sources[i].sent, (unsigned long long)sources[i].borrowed);
        STRESS_CHECK(taken[i] == sources[i].sent && sources[i].borrowed > 10);
        borrowed += sources[i].borrowed;
        ring_fini(&sources[i].ring);
    }
    (void)printf("slices: %llu in place, %llu in the worker's thread, which slept %llu times\n",
                 (unsigned long long)in_place, (unsigned long long)in_thread,
                 (unsigned long long)sleeps);
    STRESS_CHECK(in_place == borrowed && in_thread > 10 && sleeps > 10);
    (void)pthread_barrier_destroy(&meeting);
    waker_fini(&waker);
    return 0;
}
