/*
 * liveness_internal: what the files of liveness call of each other.
 *
 *   liveness.c          the sockets, reading and writing messages
 *   liveness_accept.c   connections of followers
 *   liveness_own.c      the connection to the leader
 */
#ifndef CONTROL_LIVENESS_INTERNAL_H
#define CONTROL_LIVENESS_INTERNAL_H

#include "liveness.h"

/* ---- liveness.c ---- */

/* Wait for these events of fd; which: a number of the caller. False: the kernel refused it. */
bool liveness_watch(struct liveness *liveness, int fd, uint32_t events, uint32_t which);
/* The message, behind its length. False: not all of it was sent. */
bool liveness_send(struct liveness *liveness, int fd, const struct address *to,
                   const struct election_message *message);

enum liveness_read { LIVENESS_MORE, LIVENESS_MESSAGE, LIVENESS_BAD, LIVENESS_ENDED };
/* Read until there is one message, verified. ENDED: end of the connection; errno 0 for a FIN. */
enum liveness_read liveness_receive(struct liveness *liveness, int fd, const struct address *from,
                                    struct liveness_input *input,
                                    struct election_message *ret_message);

/* The numbers for liveness_watch; from LIVENESS_ACCEPTED on, those of accepted connections. */
enum { LIVENESS_LISTENER, LIVENESS_OWN, LIVENESS_ACCEPTED };

/* ---- liveness_accept.c ---- */

void liveness_accept(struct liveness *liveness, uint64_t now_ns);
void liveness_serve(struct liveness *liveness, size_t index);
/* Time limits. */
void liveness_expire(struct liveness *liveness, uint64_t now_ns);
void liveness_free(struct liveness *liveness, struct liveness_accepted *accepted);

/* ---- liveness_own.c ---- */

/* Attempt a connection, or give one up, if it is time. Returns 1 if something was done. */
size_t liveness_own_tick(struct liveness *liveness, uint64_t now_ns);
void liveness_own_ready(struct liveness *liveness, uint64_t now_ns);
void liveness_own_close(struct liveness *liveness);

#endif
