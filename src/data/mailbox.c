#include "headless/data/mailbox.h"

int mailbox_init(struct mailbox *mailbox, struct waker *reader_waker)
{
    int rc = ring_init(&mailbox->out, MAILBOX_LETTERS, 0);

    mailbox->reader_waker = reader_waker;
    if (rc)
        return rc;
    rc = ring_init(&mailbox->back, MAILBOX_LETTERS, 0);
    if (rc) {
        ring_fini(&mailbox->out);
        return rc;
    }
    for (size_t i = 0; i < MAILBOX_LETTERS; i++)
        (void)ring_try_stage(&mailbox->back, &mailbox->letters[i]);
    (void)ring_publish(&mailbox->back);
    return 0;
}

void mailbox_fini(struct mailbox *mailbox)
{
    ring_fini(&mailbox->out);
    ring_fini(&mailbox->back);
}

bool mailbox_try_post(struct mailbox *mailbox, const struct letter *letter)
{
    void *free_letter;

    if (ring_take(&mailbox->back, &free_letter, 1) == 0)
        return false;
    *(struct letter *)free_letter = *letter;
    (void)ring_try_stage(&mailbox->out, free_letter); /* as many places as letters */
    (void)ring_publish(&mailbox->out);
    waker_wake(mailbox->reader_waker);
    return true;
}

bool mailbox_try_read(struct mailbox *mailbox, struct letter *ret_letter)
{
    void *letter;

    if (ring_take(&mailbox->out, &letter, 1) == 0)
        return false;
    *ret_letter = *(struct letter *)letter;
    (void)ring_try_stage(&mailbox->back, letter);
    (void)ring_publish(&mailbox->back);
    return true;
}
