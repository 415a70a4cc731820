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
void supervisor_feed_candidates(struct supervisor *supervisor);

/* ---- supervisor_act.c ---- */

/* One step of the election, and what it wants done. After OUT nothing happens any more. */
void supervisor_feed(struct supervisor *supervisor, const struct election_event *event);

/* ---- supervisor_snapshot.c ---- */

/* Make the data threads see what the election says now. */
void supervisor_publish(struct supervisor *supervisor);
/* A snapshot that waited for a free slot. */
void supervisor_publish_again(struct supervisor *supervisor);
/* The report, for whoever shows it. */
void supervisor_update_report(struct supervisor *supervisor);

/* ---- supervisor_update_report.c ---- */

/* What it took until a new leader was known: how long there was none, as this pod saw it, and
 * datagrams, held here and handed to the one before that are not confirmed. */
struct supervisor_cost {
    uint64_t gap_ns, held, lost;
};

/* The facts name a new leader: the log and the counters. */
void supervisor_log_change(struct supervisor *supervisor, const struct supervisor_cost *cost);
/* Nobody has led for long: the log, once each time. */
void supervisor_log_leaderless(struct supervisor *supervisor, uint64_t now_ns);
/* Other pods that have answered of late. */
unsigned supervisor_count_answered(const struct election *e);
/* Does the one lead whom the configuration names? True also when it names none. */
bool supervisor_has_wanted_leader(const struct supervisor *supervisor);
/* If not, the log tells, and what to do. */
void supervisor_check_leader(struct supervisor *supervisor);
/* Compare the sender's settings for the ordered route with ours; log a mismatch, rarely. */
void supervisor_check_settings(struct supervisor *supervisor,
                               const struct election_message *message);

/* ---- supervisor_keys.c ---- */

/* Without keys, or with keys that are not enforced: the log says so. */
void supervisor_warn_unsealed(const struct config *config);
/* What frames are to be sealed with, so that all can open them. */
void supervisor_choose_key(struct supervisor *supervisor, struct supervisor_facts *facts);
/* Has it been introduced? Then its frames come in from the next snapshot on. */
bool supervisor_reset_windows(struct supervisor *supervisor, uint64_t instance);
/* A look around, now and then: alarms, and questions. */
void supervisor_watch_keys(struct supervisor *supervisor, uint64_t now_ns);

/* ---- supervisor_command.c ---- */

/* Commands of clients, a bounded number; returns how many. */
size_t supervisor_take_commands(struct supervisor *supervisor);
/* The outcome of one. */
void supervisor_reply(struct supervisor *supervisor, const struct election_action *action);
/* Does this text mean this pod, by its address or its name? */
bool supervisor_is_self(const struct config *config, const char *text);
/* The configured leader has changed, and is meant. */
void supervisor_obey_settings(struct supervisor *supervisor);
/* Say so when plain commands are obeyed although keys are there. */
void supervisor_warn_open_commands(const struct supervisor *supervisor);
/* At the end: those that wait will never know. */
void supervisor_give_up_commands(struct supervisor *supervisor);

#endif
