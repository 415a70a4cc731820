/*
 * stress_ring: two threads, a ring out and a ring back, as between receiver and worker.
 *
 * The producer writes plain memory, sends it, and reuses it only when it has come back: so
 * ThreadSanitizer checks that the rings order the memory that passes through them. Every element
 * must arrive exactly once and in order. Both sides sleep as soon as they have nothing to do, which
 * makes lost wake-ups most likely. All indices start shortly before 2^32.
 */
#include <pthread.h>

#include "headless/base/ring.h"
#include "stress.h"

#define CELLS_MAX  1024
#define BATCH_MOST 32
#define BEFORE_END 1000 /* elements before the indices wrap */

struct cell {
    uint64_t number, inverse; /* plain memory; number 0 ends the round */
};

struct round {
    uint32_t capacity;
    uint64_t run_ns;
    struct ring out, back;
    struct waker producer_waker, consumer_waker;
    struct cell cells[CELLS_MAX];
    uint64_t produced, producer_sleeps; /* of the producer */
    uint64_t consumed, consumer_sleeps; /* of the consumer */
};

static void send_cell(struct round *round, struct cell *cell, uint64_t number)
{
    cell->number = number;
    cell->inverse = ~number;
    STRESS_CHECK(ring_try_stage(&round->out, cell)); /* there is room for every cell */
}

/* Take back at least one cell from the consumer. */
static size_t wait_for_cells(struct round *round, void **ret_cells, size_t max)
{
    size_t n;

    while ((n = ring_take(&round->back, ret_cells, max)) == 0) {
        waker_prepare(&round->producer_waker);
        if (ring_is_empty(&round->back))
            stress_sleep(&round->producer_waker, &round->producer_sleeps);
        else
            waker_cancel(&round->producer_waker);
    }
    return n;
}

static void *produce(void *context)
{
    struct round *round = context;
    uint64_t end_ns = clock_now_ns() + round->run_ns;
    uint64_t random = 42 + round->capacity;
    void *cells[BATCH_MOST];
    bool is_over = false;

    while (!is_over) {
        size_t n = wait_for_cells(round, cells, 1 + stress_draw(&random) % BATCH_MOST);

        /* However slow the machine is, the indices must wrap. */
        is_over = clock_now_ns() >= end_ns && round->produced > BEFORE_END;
        for (size_t i = 0; i < n; i++)
            send_cell(round, cells[i], is_over ? 0 : ++round->produced);
        STRESS_CHECK(ring_publish(&round->out));
        waker_wake(&round->consumer_waker);
    }
    return NULL;
}

/* False at the end of the round. */
static bool check_cell(struct round *round, const struct cell *cell)
{
    STRESS_CHECK(cell->inverse == ~cell->number);
    if (cell->number == 0)
        return false;
    STRESS_CHECK(cell->number == round->consumed + 1); /* none lost, none twice, in order */
    round->consumed++;
    return true;
}

static void *consume(void *context)
{
    struct round *round = context;
    uint64_t random = 4711 + round->capacity;
    void *cells[BATCH_MOST];

    for (;;) {
        size_t n = ring_take(&round->out, cells, 1 + stress_draw(&random) % BATCH_MOST);

        for (size_t i = 0; i < n; i++) {
            if (!check_cell(round, cells[i]))
                return NULL;
            STRESS_CHECK(ring_try_stage(&round->back, cells[i]));
        }
        if (n > 0) {
            STRESS_CHECK(ring_publish(&round->back));
            waker_wake(&round->producer_waker);
            continue;
        }
        waker_prepare(&round->consumer_waker);
        if (ring_is_empty(&round->out))
            stress_sleep(&round->consumer_waker, &round->consumer_sleeps);
        else
            waker_cancel(&round->consumer_waker);
    }
}

static void run_round(struct round *round)
{
    pthread_t producer, consumer;

    STRESS_CHECK(ring_init(&round->out, round->capacity, UINT32_MAX - BEFORE_END) == 0);
    STRESS_CHECK(ring_init(&round->back, round->capacity, UINT32_MAX - BEFORE_END) == 0);
    STRESS_CHECK(waker_init(&round->producer_waker, false) == 0);
    STRESS_CHECK(waker_init(&round->consumer_waker, false) == 0);
    for (uint32_t i = 0; i < round->capacity; i++)
        STRESS_CHECK(ring_try_stage(&round->back, &round->cells[i]));
    STRESS_CHECK(!ring_try_stage(&round->back, &round->cells[0])); /* full */
    STRESS_CHECK(ring_publish(&round->back));

    STRESS_CHECK(pthread_create(&producer, NULL, produce, round) == 0);
    STRESS_CHECK(pthread_create(&consumer, NULL, consume, round) == 0);
    STRESS_CHECK(pthread_join(producer, NULL) == 0);
    STRESS_CHECK(pthread_join(consumer, NULL) == 0);

    STRESS_CHECK(round->consumed == round->produced);
    STRESS_CHECK(round->produced > BEFORE_END); /* the indices have wrapped */
    STRESS_CHECK(round->producer_sleeps > 0 || round->consumer_sleeps > 0);
    ring_fini(&round->out);
    ring_fini(&round->back);
}

int main(void)
{
    static const uint32_t capacities[] = {2, 4, 16, CELLS_MAX};
    static struct round rounds[sizeof(capacities) / sizeof(*capacities)];
    const size_t count = sizeof(capacities) / sizeof(*capacities);

    (void)alarm(STRESS_LIMIT);
    for (size_t i = 0; i < count; i++) {
        struct round *round = &rounds[i];

        round->capacity = capacities[i];
        round->run_ns = STRESS_SECONDS * NS_PER_SEC / count;
        run_round(round);
        (void)printf("ring of %u: %llu elements in order, producer slept %llu times, consumer "
                     "%llu times\n",
                     round->capacity, (unsigned long long)round->produced,
                     (unsigned long long)round->producer_sleeps,
                     (unsigned long long)round->consumer_sleeps);
    }
    return 0;
}
