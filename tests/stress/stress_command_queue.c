/*
 * stress_command_queue: two workers post commands, one supervisor reads them, asleep whenever it may.
 *
 * Each accepted command must arrive once, whole and in order; a refused one never. Workers post in
 * storms, so that the queue is full, and pause, so that the supervisor sleeps.
 */
#include <pthread.h>
#include <string.h>

#include "headless/data/command_queue.h"
#include "stress.h"

#define WORKERS 2

struct worker {
    struct command_queue command_queue;
    uint64_t random;
    uint64_t posted, refused; /* the worker's */
    uint64_t read;            /* the supervisor's */
    bool is_done;             /* the supervisor's: the last command has come */
};

static struct worker workers[WORKERS];
static struct waker supervisor_waker;
static uint64_t supervisor_sleeps;

static void write_queued(struct queued_command *command, uint64_t number, bool is_last)
{
    memset(command, 0, sizeof(*command));
    command->command.if_term = number;
    command->is_multicast = is_last;
    command->length = (uint32_t)(number * 3);
    command->client.port = (uint16_t)number;
    command->local.port = (uint16_t)~number;
    (void)snprintf(command->command.target, sizeof(command->command.target), "pod-%llu",
                   (unsigned long long)number);
}

static void *post_commands(void *context)
{
    struct worker *worker = context;
    uint64_t end_ns = clock_now_ns() + STRESS_SECONDS * NS_PER_SEC;
    struct queued_command command;
    bool is_last = false;

    while (!is_last) {
        uint64_t storm = stress_draw(&worker->random) % (2 * COMMAND_QUEUE_LENGTH);

        for (uint64_t i = 0; i < storm; i++) {
            write_queued(&command, worker->posted + 1, false);
            if (command_queue_try_post(&worker->command_queue, &command))
                worker->posted++;
            else
                worker->refused++;
        }
        if (stress_draw(&worker->random) % 8 == 0)
            (void)usleep(50);
        /* However slow the machine is, the queue must have been full once. */
        if (clock_now_ns() >= end_ns && worker->refused > 0) {
            write_queued(&command, worker->posted + 1, true);
            is_last = command_queue_try_post(&worker->command_queue, &command);
        }
    }
    worker->posted++;
    return NULL;
}

static void check_queued(struct worker *worker, const struct queued_command *command)
{
    struct queued_command expected;

    STRESS_CHECK(!worker->is_done);
    worker->is_done = command->is_multicast;
    write_queued(&expected, ++worker->read, worker->is_done);
    STRESS_CHECK(memcmp(command, &expected, sizeof(expected)) == 0);
}

static bool read_commands(void)
{
    struct queued_command command;
    bool did_read = false;

    for (size_t i = 0; i < WORKERS; i++) {
        while (command_queue_try_read(&workers[i].command_queue, &command)) {
            check_queued(&workers[i], &command);
            did_read = true;
        }
    }
    return did_read;
}

static bool all_empty(void)
{
    for (size_t i = 0; i < WORKERS; i++) {
        if (!ring_is_empty(&workers[i].command_queue.out))
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
        if (read_commands())
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
        STRESS_CHECK(command_queue_init(&workers[i].command_queue, &supervisor_waker) == 0);
    }
    for (size_t i = 0; i < WORKERS; i++)
        STRESS_CHECK(pthread_create(&threads[i], NULL, post_commands, &workers[i]) == 0);
    supervise();
    for (size_t i = 0; i < WORKERS; i++) {
        STRESS_CHECK(pthread_join(threads[i], NULL) == 0);
        (void)printf("worker %zu: %llu commands read in order, %llu refused\n", i,
                     (unsigned long long)workers[i].read, (unsigned long long)workers[i].refused);
        STRESS_CHECK(workers[i].read == workers[i].posted && workers[i].read > 1);
        STRESS_CHECK(workers[i].refused > 0);
        command_queue_fini(&workers[i].command_queue);
    }
    (void)printf("the supervisor slept %llu times\n", (unsigned long long)supervisor_sleeps);
    STRESS_CHECK(supervisor_sleeps > 0);
    return 0;
}
