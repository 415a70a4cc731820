#include "headless/data/command_queue.h"

int command_queue_init(struct command_queue *command_queue, struct waker *reader_waker)
{
    int rc = ring_init(&command_queue->out, COMMAND_QUEUE_LENGTH, 0);

    command_queue->reader_waker = reader_waker;
    if (rc)
        return rc;
    rc = ring_init(&command_queue->back, COMMAND_QUEUE_LENGTH, 0);
    if (rc) {
        ring_fini(&command_queue->out);
        return rc;
    }
    for (size_t i = 0; i < COMMAND_QUEUE_LENGTH; i++)
        (void)ring_try_stage(&command_queue->back, &command_queue->commands[i]);
    (void)ring_publish(&command_queue->back);
    return 0;
}

void command_queue_fini(struct command_queue *command_queue)
{
    ring_fini(&command_queue->out);
    ring_fini(&command_queue->back);
}

bool command_queue_try_post(struct command_queue *command_queue,
                            const struct queued_command *queued)
{
    void *free_queued;

    if (ring_take(&command_queue->back, &free_queued, 1) == 0)
        return false;
    *(struct queued_command *)free_queued = *queued;
    (void)ring_try_stage(&command_queue->out, free_queued); /* as many places as commands */
    (void)ring_publish(&command_queue->out);
    waker_wake(command_queue->reader_waker);
    return true;
}

bool command_queue_try_read(struct command_queue *command_queue, struct queued_command *ret_queued)
{
    void *queued;

    if (ring_take(&command_queue->out, &queued, 1) == 0)
        return false;
    *ret_queued = *(struct queued_command *)queued;
    (void)ring_try_stage(&command_queue->back, queued);
    (void)ring_publish(&command_queue->back);
    return true;
}
