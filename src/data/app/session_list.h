/*
 * session_list: the sessions of a table by the time of their last datagram, one list for each kind.
 *
 * The open sessions of a list are its newest, so closing an idle one only moves the border between
 * them and the resting ones. Owner: as the table.
 */
#ifndef DATA_APP_SESSION_LIST_H
#define DATA_APP_SESSION_LIST_H

#include "data/app/session.h"

/* Add an open session as the newest of its kind. */
void session_list_append(struct sessions *sessions, struct session *session);
void session_list_remove(struct sessions *sessions, struct session *session);

/* The session whose record a new client takes when all are in use (session.h). */
struct session *session_list_victim(const struct sessions *sessions, uint64_t now_ns);

/* When open_max sessions are open: the one to close for another one, by the same rule with open_max
 * as the number of records. */
struct session *sessions_least(const struct sessions *sessions, uint64_t now_ns);

/* The oldest open session of a kind if it has been idle for idle_ns, otherwise NULL. */
struct session *sessions_idle(const struct sessions *sessions, uint64_t idle_ns, uint64_t now_ns);

/* Close a session that sessions_least or sessions_idle returned. */
void sessions_rest(struct sessions *sessions, struct session *session);

/* The open sessions with the latest datagrams, newest first, at most max. Returns their number. */
size_t sessions_newest(const struct sessions *sessions, size_t max,
                       const struct session *ret_newest[]);

#endif
