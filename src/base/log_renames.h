/*
 * log_renames: the names that log events had in the version before. Private to base/.
 *
 * Alerts search for events by name: for one release a JSON line has the former name as "was".
 * Constant data; any thread.
 */
#ifndef BASE_LOG_RENAMES_H
#define BASE_LOG_RENAMES_H

/* The former name of this event; NULL: it has none. */
const char *log_former_event(const char *event);

#endif
