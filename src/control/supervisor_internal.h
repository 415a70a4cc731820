/* supervisor_internal: what the parts of the supervisor tell each other. Its thread only. */
#ifndef HEADLESS_CONTROL_SUPERVISOR_INTERNAL_H
#define HEADLESS_CONTROL_SUPERVISOR_INTERNAL_H

#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "headless/control/supervisor.h"

enum { SUPERVISOR_RESIGN = 1, SUPERVISOR_LEAVE = 2 };

/* ---- supervisor.c ---- */

extern const struct agent_ops supervisor_agent_ops;
/* Who may be there, by configuration and by discovery. */
void supervisor_tell_candidates(struct supervisor *supervisor);

/* ---- supervisor_act.c ---- */

/* One step of the election, and what it wants done. After OUT nothing happens any more. */
void supervisor_feed(struct supervisor *supervisor, const struct election_event *event);

/* ---- supervisor_view.c ---- */

/* Make the data threads see what the election says now. */
void supervisor_publish(struct supervisor *supervisor);
/* A view that waited for a free slot. */
void supervisor_publish_again(struct supervisor *supervisor);
/* Does the leader lead whom the configuration names? If not, the log tells, and what to do. */
void supervisor_compare_leader(const struct supervisor *supervisor);
/* The report, for whoever shows it. */
void supervisor_tell(struct supervisor *supervisor);

/* ---- supervisor_order.c ---- */

/* Does the sender want the order that we want? If not, the log tells, now and then. */
void supervisor_compare_order(struct supervisor *supervisor,
                              const struct election_message *message);

/* ---- supervisor_command.c ---- */

/* Commands of clients, a bounded number; returns how many. */
size_t supervisor_take_commands(struct supervisor *supervisor);
/* The outcome of one. */
void supervisor_answer(struct supervisor *supervisor, const struct election_action *action);
/* Does this text mean this pod, by its address or its name? */
bool supervisor_is_self(const struct config *config, const char *text);
/* The configured leader has changed, and is meant. */
void supervisor_obey_settings(struct supervisor *supervisor);
/* At the end: those that wait will never know. */
void supervisor_give_up_commands(struct supervisor *supervisor);

#endif
