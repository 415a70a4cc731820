/*
 * command_queue: leader commands on their way from a worker to the supervisor.
 *
 * A fixed number of commands, a ring out and a ring back, as between receiver and worker. While all
 * commands are in use, the next one is dropped and counted (rate): commands are rare, so a flood of
 * them is not legitimate. Never blocks; only init allocates.
 *
 * Threads: try_post by the worker, try_read by the supervisor; init and fini while neither runs.
 */
#ifndef HEADLESS_DATA_COMMAND_QUEUE_H
#define HEADLESS_DATA_COMMAND_QUEUE_H

#include "headless/base/address.h"
#include "headless/base/ring.h"
#include "headless/base/waker.h"
#include "headless/secure/sign.h"
#include "headless/wire/leader_command.h"

#define COMMAND_QUEUE_LENGTH 16

struct queued_command {
    struct leader_command command;
    enum sign_verdict verdict; /* by the worker, which knows only the signatures that it has seen */
    struct address client;     /* its sender: the reply goes there */
    struct address local;      /* the reply leaves from here */
    uint32_t length;           /* of the message: the reply must not be longer */
    bool is_multicast;         /* every pod has it: only the pod that it names may reply */
};

struct command_queue {
    struct ring out, back;
    struct queued_command commands[COMMAND_QUEUE_LENGTH];
    struct waker *reader_waker;
};

int command_queue_init(struct command_queue *command_queue, struct waker *reader_waker)
    __attribute__((warn_unused_result));
void command_queue_fini(struct command_queue *command_queue);

/* Worker: copies the command in and wakes the reader; false: the queue is full. */
bool command_queue_try_post(struct command_queue *command_queue,
                            const struct queued_command *command);

/* Supervisor: copies the next command out; false: there is none. */
bool command_queue_try_read(struct command_queue *command_queue,
                            struct queued_command *ret_command);

#endif
