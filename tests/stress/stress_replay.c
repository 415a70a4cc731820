/*
 * stress_replay: several threads offer the same counters of one nonce space; each counter must be
 * accepted exactly once.
 *
 * All threads go through the counters at about the same speed, each in another order, so that words
 * are contended and some threads are a round ahead of others.
 */
#include <pthread.h>

#include "headless/secure/replay.h"
#include "stress.h"

#define THREADS  4
#define COUNTERS (1 << 20)
#define SHUFFLE  256 /* less than the window: none may be refused */

static struct replay_window window;
static _Atomic uint8_t taken[COUNTERS + SHUFFLE];
static pthread_barrier_t barrier;

struct offerer {
    pthread_t thread;
    uint64_t seed, accepted;
};

/* Offer a block of counters in the order of this thread; then all threads wait for each other. */
static void offer_block(struct offerer *o, uint64_t first)
{
    uint16_t order[SHUFFLE];

    for (uint16_t i = 0; i < SHUFFLE; i++)
        order[i] = i;
    for (uint32_t i = SHUFFLE - 1; i > 0; i--) {
        uint32_t k = (uint32_t)(stress_draw(&o->seed) % (i + 1));
        uint16_t moved = order[i];

        order[i] = order[k];
        order[k] = moved;
    }
    for (uint32_t i = 0; i < SHUFFLE; i++) {
        uint64_t counter = first + order[i];

        if (replay_accept(&window, counter)) {
            STRESS_CHECK(atomic_fetch_add(&taken[counter], 1) == 0);
            o->accepted++;
        }
    }
}

static void *offer(void *self)
{
    struct offerer *o = self;

    for (uint64_t first = 1; first + SHUFFLE <= COUNTERS; first += SHUFFLE) {
        if (first / SHUFFLE % 4 == 0) /* up to four blocks apart: still within the window */
            (void)pthread_barrier_wait(&barrier);
        offer_block(o, first);
    }
    return NULL;
}

int main(void)
{
    static struct offerer offerers[THREADS];
    uint64_t accepted = 0, expected = 0;

    (void)alarm(STRESS_LIMIT);
    replay_reset(&window, 0);
    STRESS_CHECK(pthread_barrier_init(&barrier, NULL, THREADS) == 0);
    for (uint64_t i = 0; i < THREADS; i++) {
        offerers[i].seed = 88172645463325252 + i;
        STRESS_CHECK(pthread_create(&offerers[i].thread, NULL, offer, &offerers[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) {
        STRESS_CHECK(pthread_join(offerers[i].thread, NULL) == 0);
        accepted += offerers[i].accepted;
    }
    for (uint64_t first = 1; first + SHUFFLE <= COUNTERS; first += SHUFFLE)
        expected += SHUFFLE;
    for (uint64_t c = 1; c <= expected; c++)
        STRESS_CHECK(atomic_load(&taken[c]) == 1);
    STRESS_CHECK(accepted == expected);
    (void)printf("%lu counters, each taken once by one of %d threads\n", (unsigned long)accepted,
                 THREADS);
    return 0;
}
