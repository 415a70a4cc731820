/*
 * mailbox: commands on their way from a worker to the supervisor.
 *
 * A fixed number of letters, a ring out and a ring back, as between receiver and worker. When all
 * letters are under way the command is dropped and counted (rate): commands are rare, a storm of
 * them is not our friend's. Never blocks; only init allocates.
 */
#ifndef HEADLESS_DATA_MAILBOX_H
#define HEADLESS_DATA_MAILBOX_H

#include "headless/base/address.h"
#include "headless/base/ring.h"
#include "headless/base/waker.h"
#include "headless/secure/sign.h"
#include "headless/wire/control.h"

#define MAILBOX_LETTERS 16

struct letter {
    struct control_command command;
    enum sign_verdict verdict; /* the worker's, who has no marks but its own */
    struct address client;     /* who gave it: is answered there */
    struct address local;      /* from here */
    uint32_t length;           /* of the message: the answer must not be longer */
    bool is_multicast;         /* every pod has it: answered by the one that it names, if at all */
};

struct mailbox {
    struct ring out, back;
    struct letter letters[MAILBOX_LETTERS];
    struct waker *reader_waker;
};

int mailbox_init(struct mailbox *mailbox, struct waker *reader_waker)
    __attribute__((warn_unused_result));
void mailbox_fini(struct mailbox *mailbox);

/* Worker: false when no letter is free. Wakes the reader. */
bool mailbox_try_post(struct mailbox *mailbox, const struct letter *letter);

/* Supervisor: copy the next letter out; false when there is none. */
bool mailbox_try_read(struct mailbox *mailbox, struct letter *ret_letter);

#endif
