/*
 * triple_buffer: one thread hands the newest version of something to one other; neither waits.
 *
 * A mutex would let a thread that the scheduler runs rarely stop another one that matters more: it
 * may be preempted while it holds the lock. Here the caller has three versions. The writer owns one,
 * the reader another, and the third is exchanged for one of them in a single atomic operation:
 *
 *      writer                                    reader
 *      fill versions[writer_index]
 *      triple_buffer_publish                     triple_buffer_take: true, there is a newer one
 *                                                use versions[reader_index]
 *
 * Versions that were not taken in time are lost; the newest never is. The exchanges are
 * sequentially consistent: the reader sees all that was written before the exchange whose version it
 * takes, the writer overwrites a version only after the reader's last access, and a reader that
 * looks after waker_prepare sees what was published before waker_wake (waker.h).
 *
 * Technique: triple buffering, with the index and a "new" bit in one word.
 */
#ifndef HEADLESS_BASE_TRIPLE_BUFFER_H
#define HEADLESS_BASE_TRIPLE_BUFFER_H

#include <stdatomic.h>
#include <stdbool.h>

#define TRIPLE_BUFFER_VERSIONS 3

struct triple_buffer {
    _Atomic unsigned shared; /* index of the third version, and a bit: the reader has not had it */
    unsigned writer_index;   /* the writer's */
    unsigned reader_index;   /* the reader's */
};

void triple_buffer_init(struct triple_buffer *buffer);

/* Writer: versions[writer_index] is the newest from now on; writer_index is another one. */
void triple_buffer_publish(struct triple_buffer *buffer);

/* Reader: there is a version that has not been taken. */
bool triple_buffer_has_news(const struct triple_buffer *buffer);
/* Reader: if there is one, versions[reader_index] is the newest now. False: nothing has changed. */
bool triple_buffer_take(struct triple_buffer *buffer);

#endif
