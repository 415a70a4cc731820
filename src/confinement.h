/*
 * confinement: what restricts the process, as modules of headlessd. Private to headlessd. Owner: the main thread.
 */
#ifndef CONFINEMENT_H
#define CONFINEMENT_H

struct daemon;

/* Before the first key or token is read: keep them out of core dumps. */
int confinement_hide_memory(struct daemon *d);

/* The seccomp filter: after all sockets are open, before anything is received. */
int confinement_start(struct daemon *d);

#endif
