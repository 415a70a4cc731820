/*
 * command_queue: commands on their way from a worker to the supervisor.
 *
 * A fixed number of commands, a ring out and a ring back, as between receiver and worker. When all
 * commands are under way the command is dropped and counted (rate): commands are rare, a storm of
 * them is not our friend's. Never blocks; only init allocates.
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
    enum sign_verdict verdict; /* the worker's, who has no marks but its own */
    struct address client;     /* who gave it: is answered there */
    struct address local;      /* from here */
    uint32_t length;           /* of the message: the reply must not be longer */
    bool is_multicast;         /* every pod has it: answered by the one that it names, if at all */
};

struct command_queue {
    struct ring out, back;
    struct queued_command commands[COMMAND_QUEUE_LENGTH];
    struct waker *reader_waker;
};

int command_queue_init(struct command_queue *command_queue, struct waker *reader_waker)
    __attribute__((warn_unused_result));
void command_queue_fini(struct command_queue *command_queue);

/* Worker: false when no queued is free. Wakes the reader. */
bool command_queue_try_post(struct command_queue *command_queue,
                            const struct queued_command *queued);

/* Supervisor: copy the next queued out; false when there is none. */
bool command_queue_try_read(struct command_queue *command_queue, struct queued_command *ret_queued);

#endif
