/*
 * stress_mailbox: two workers post commands, one supervisor reads them, asleep whenever it may.
 *
 * Each accepted letter must arrive once, whole and in order; a refused one never. Workers post in
 * storms, so that letters run out, and pause, so that the supervisor sleeps.
 */
#include <pthread.h>
#include <string.h>

#include "headless/data/mailbox.h"
#include "stress.h"

#define WORKERS 2

struct worker {
    struct mailbox mailbox;
    uint64_t random;
    uint64_t posted, refused; /* the worker's */
    uint64_t read;            /* the supervisor's */
    bool is_done;             /* the supervisor's: the last letter has come */
};

static struct worker workers[WORKERS];
static struct waker supervisor_waker;
static uint64_t supervisor_sleeps;

static void write_letter(struct letter *letter, uint64_t number, bool is_last)
{
    memset(letter, 0, sizeof(*letter));
    letter->command.if_term = number;
    letter->is_multicast = is_last;
    letter->length = (uint32_t)(number * 3);
    letter->client.port = (uint16_t)number;
    letter->local.port = (uint16_t)~number;
    (void)snprintf(letter->command.target, sizeof(letter->command.target), "pod-%llu",
                   (unsigned long long)number);
}

static void *post_letters(void *context)
{
    struct worker *worker = context;
    uint64_t end_ns = clock_now_ns() + STRESS_SECONDS * NS_PER_SEC;
    struct letter letter;
    bool is_last = false;

    while (!is_last) {
        uint64_t storm = stress_draw(&worker->random) % (2 * MAILBOX_LETTERS);

        for (uint64_t i = 0; i < storm; i++) {
            write_letter(&letter, worker->posted + 1, false);
            if (mailbox_try_post(&worker->mailbox, &letter))
                worker->posted++;
            else
                worker->refused++;
        }
        if (stress_draw(&worker->random) % 8 == 0)
            (void)usleep(50);
        if (clock_now_ns() >= end_ns) {
            write_letter(&letter, worker->posted + 1, true);
            is_last = mailbox_try_post(&worker->mailbox, &letter);
        }
    }
    worker->posted++;
    return NULL;
}

static void check_letter(struct worker *worker, const struct letter *letter)
{
    struct letter expected;

    STRESS_CHECK(!worker->is_done);
    worker->is_done = letter->is_multicast;
    write_letter(&expected, ++worker->read, worker->is_done);
    STRESS_CHECK(memcmp(letter, &expected, sizeof(expected)) == 0);
}

static bool read_letters(void)
{
    struct letter letter;
    bool did_read = false;

    for (size_t i = 0; i < WORKERS; i++) {
        while (mailbox_try_read(&workers[i].mailbox, &letter)) {
            check_letter(&workers[i], &letter);
            did_read = true;
        }
    }
    return did_read;
}

static bool all_empty(void)
{
    for (size_t i = 0; i < WORKERS; i++) {
        if (!ring_is_empty(&workers[i].mailbox.out))
            return false;
    }
    return true;
}

static bool all_done(void)
{
    for (size_t i = 0; i < WORKERS; i++) {
        if (!workers[i].is_done)
            return false;
    }
    return true;
}

static void supervise(void)
{
    while (!all_done()) {
        if (read_letters())
            continue;
        waker_prepare(&supervisor_waker);
        if (all_empty())
            stress_sleep(&supervisor_waker, &supervisor_sleeps);
        else
            waker_cancel(&supervisor_waker);
    }
}

int main(void)
{
    pthread_t threads[WORKERS];

    (void)alarm(STRESS_LIMIT);
    STRESS_CHECK(waker_init(&supervisor_waker, false) == 0);
    for (size_t i = 0; i < WORKERS; i++) {
        workers[i].random = 1 + i;
        STRESS_CHECK(mailbox_init(&workers[i].mailbox, &supervisor_waker) == 0);
    }
    for (size_t i = 0; i < WORKERS; i++)
        STRESS_CHECK(pthread_create(&threads[i], NULL, post_letters, &workers[i]) == 0);
    supervise();
    for (size_t i = 0; i < WORKERS; i++) {
        STRESS_CHECK(pthread_join(threads[i], NULL) == 0);
        (void)printf("worker %zu: %llu letters read in order, %llu refused\n", i,
                     (unsigned long long)workers[i].read, (unsigned long long)workers[i].refused);
        STRESS_CHECK(workers[i].read == workers[i].posted && workers[i].read > 1);
        STRESS_CHECK(workers[i].refused > 0);
        mailbox_fini(&workers[i].mailbox);
    }
    (void)printf("the supervisor slept %llu times\n", (unsigned long long)supervisor_sleeps);
    STRESS_CHECK(supervisor_sleeps > 0);
    return 0;
}
