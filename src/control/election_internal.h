/*
 * election_internal: what the source files of the election declare for each other.
 *
 *   election.c           the step, its timers, the transition table
 *   election_names.c     names of states and causes
 *   election_send.c      messages and other actions
 *   election_list.c      the member list, its fragments, its changes
 *   election_rows.c      which row of the list a new instance takes over
 *   election_follow.c    claims, heartbeats, failure detection
 *   election_evidence.c  evidence that the leader's process has ended, and hints of it
 *   election_vote.c      votes for others
 *   election_campaign.c  our own candidacy
 *   election_lead.c      the leader: lease, heartbeats, stepping down
 *   election_former.c    sessions that stay with a leader that stepped down
 *   election_candidates.c  what discovery names, and says of the pods there
 *   election_join.c      discovery, the first leader
 *   election_command.c   leader commands, leaving, force
 *   election_lease.c     election: lease, where nobody leads before the Lease says so
 *
 * Functions named election_hear_X handle a received message X. Functions named election_X_tick run
 * the timers of a state, and call election_wake_at for the next one.
 */
#ifndef HEADLESS_CONTROL_ELECTION_INTERNAL_H
#define HEADLESS_CONTROL_ELECTION_INTERNAL_H

#include "headless/base/clock.h"
#include "headless/control/election.h"

#define ELECTION_NEVER     UINT64_MAX
#define ELECTION_NOT_FOUND ELECTION_MEMBERS_MAX

static inline uint64_t election_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static inline uint64_t election_min(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t election_self(const struct election *e)
{
    return e->config.self.instance;
}

/* ---- election.c ---- */
/* Makes a transition that the table allows; counts one that it does not, and stays. */
void election_enter(struct election *e, enum election_state state, enum election_cause cause);
/* Asks for a TICK at at_ns or earlier. */
void election_wake_at(struct election *e, uint64_t at_ns);
/* The highest term that this instance accepts: any while it belongs to no cluster that works. */
uint64_t election_term_limit(const struct election *e);
/* Notes a term from a message. False: it is above the limit, and counted. */
bool election_note_term(struct election *e, uint64_t term);
bool election_is_member(const struct election *e);
/* True if a leader made our list; false for the draft of a bootstrap under way. */
bool election_has_list(const struct election *e);

/* ---- election_send.c ---- */
/* A message with the fields that all types have. */
struct election_message election_make(const struct election *e, enum election_message_type type);
void election_send(struct election *e, const struct address *to, uint64_t instance,
                   const struct election_message *message);
/* With our own list row, as DISCOVER and HELLO carry it. */
void election_send_with_self(struct election *e, const struct address *to, uint64_t instance,
                             struct election_message message);
void election_send_all(struct election *e, const struct election_message *message);
/* One list fragment, from member number first on; to NULL: to all members. */
void election_send_page(struct election *e, const struct address *to, uint64_t instance,
                        uint16_t first);
/* All fragments to all members. */
void election_push_list(struct election *e);
void election_result(struct election *e, uint64_t token, enum election_result reply);

/* ---- election_list.c ---- */
/* Index of an instance, or ELECTION_NOT_FOUND. */
uint16_t election_find(const struct election *e, uint64_t instance);
/* Position in leader_list; members that are not in it rank after all that are. */
uint16_t election_rank(const struct election *e, const struct election_member *member);
/* True if no row may be removed: expected members keep theirs, also after they have left. */
bool election_is_list_at_minimum(const struct election *e);
void election_request_change(struct election *e, const struct election_change *change);
void election_run_changes(struct election *e);
/* The first leader counts each known address as a member to come, until the list has so many rows.
 * Some may be of dead pods, which DNS still names: one that is no longer known does not count. One
 * at a time, like a row that is removed: two majorities of the rows share a member. */
void election_lower_floor(struct election *e);
void election_check_list_committed(struct election *e);
void election_hear_list_request(struct election *e, const struct election_event *event);
void election_hear_list_page(struct election *e, const struct election_event *event);
void election_request_list(struct election *e, const struct address *from, uint64_t instance,
                           struct election_list_id id);
void election_forget_list(struct election *e);
/* Updates what follows from the members of the list; call it after each change. */
void election_list_changed(struct election *e);

/* ---- election_rows.c ---- */
/* True if the configuration means this member: by name, without a name by address. */
bool election_is_wanted(const struct election_member *member, const struct election_member *wanted);
/* Index of the row at this member's address, with its name if it has one, or ELECTION_NOT_FOUND. */
uint16_t election_find_row(const struct election *e, const struct election_member *member);
/* True if the replacement of this row has its name at another address: nothing proves the member
 * dead. */
bool election_is_stand_in(const struct election *e, uint16_t index);
/* A new instance has announced itself: it may replace the member of a row. */
void election_note_replacement(struct election *e, const struct election_member *member);
/* A message of this member has arrived. */
void election_hear_member(struct election *e, uint16_t index);
void election_apply_replacements(struct election *e);
/* Votes for us, by rows of the list. */
struct election_tally {
    size_t all;       /* rows that voted, also by a stand-in */
    size_t by_member; /* by their member, or by a new instance that proves it dead */
    size_t certain;   /* by a member without volatile vote state */
};
struct election_tally election_tally_votes(const struct election *e);
bool election_has_majority(const struct election *e, const struct election_tally *tally);
/* Votes of stand-ins become votes of their rows if the others did not suffice. */
void election_settle_stand_ins(struct election *e, bool are_needed);
/* Leader: requests the changes that give a new instance a row, now or at its next DISCOVER. Its
 * first message arrived at since_ns. */
/* Votes or acknowledgements that a list with this number of rows needs. */
size_t election_needed_of(const struct election *e, uint16_t rows);
void election_admit(struct election *e, const struct election_member *member, uint64_t since_ns);
/* Could the living members commit the list without this row? */
bool election_is_dispensable(const struct election *e, uint16_t index);
/* is_replaced: its successor has no row yet, so the pods do not become fewer. */
void election_remove_predecessor(struct election *e, uint16_t index, bool is_replaced);
/* True if the first list has this row of a dead member only because the pod returned at another address
 * before that list was made. */
bool election_is_left_behind(const struct election *e, uint16_t index);
/* True if this row's dead member is the predecessor next to whose row we added ours. */
bool election_is_own_predecessor(const struct election *e, uint16_t index);
/* Takes our predecessor's row in our own copy of the list, or adds one. */
void election_take_own_row(struct election *e);

/* ---- election_follow.c ---- */
void election_hear_heartbeat(struct election *e, const struct election_event *event);
/* A claim reported by the leader itself or by another member. */
void election_hear_claim(struct election *e, uint64_t term, uint64_t leader,
                         const struct address *address);
void election_hear_probe(struct election *e, const struct election_event *event);
void election_hear_alive(struct election *e, const struct election_event *event);
void election_hear_probe_request(struct election *e, const struct election_event *event);
void election_hear_probe_report(struct election *e, const struct election_event *event);
void election_probe_leader(struct election *e);
/* The leader has failed: our candidacy starts when the ready members before us had time for theirs. */
void election_decide_candidacy(struct election *e);
void election_suspect_tick(struct election *e);
/* A heartbeat arrived within the detection time, and the leader has neither failed nor stepped
 * down. */
bool election_hears_leader(const struct election *e);
/* True if this instance can lead and deliver to its app. */
bool election_is_ready(const struct election *e);
bool election_may_grant_lease(const struct election *e, uint64_t to);

/* ---- election_evidence.c ---- */
void election_hear_refusal(struct election *e, uint64_t instance);
void election_hear_closed(struct election *e, uint64_t instance);
void election_hear_connect_refused(struct election *e, uint64_t instance);
/* Another member has evidence. */
void election_hear_told(struct election *e, const struct election_message *m);
void election_hint_tick(struct election *e);
/* The leader, or another one, was heard: no evidence, no hint. */
void election_evidence_end(struct election *e);

/* ---- election_vote.c ---- */
void election_hear_vote_request(struct election *e, const struct election_event *event);
/* Decides the request that was kept until there is evidence. */
void election_decide_pending(struct election *e);
/* True if we voted for this leader in a term later than this one. */
bool election_voted_later(const struct election *e, uint64_t leader, uint64_t term);

/* ---- election_campaign.c ---- */
void election_campaign_start(struct election *e, enum election_stage stage,
                             enum election_cause cause, uint16_t flags);
void election_campaign_stop(struct election *e);
void election_campaign_tick(struct election *e);
/* We lead in the term of the campaign. */
void election_campaign_win(struct election *e);
/* The round ended without a winner. */
void election_campaign_end_round(struct election *e);
/* A term above all that were seen. */
uint64_t election_next_term(const struct election *e);
void election_hear_vote_reply(struct election *e, const struct election_event *event);

/* ---- election_leadership.c ---- */

/* Of a campaign that was won, before the state changes: did the leader before step down? */
void election_note_succession(struct election *e);
/* At the end of a step. */
void election_publish_leadership(struct election *e);

/* ---- election_lead.c ---- */
void election_lead_begin(struct election *e);
void election_lead_tick(struct election *e);
void election_lead_end(struct election *e);
/* End of the needed-th longest lease. */
uint64_t election_lead_lease(const struct election *e, size_t needed);
/* Recomputes until when it is valid. */
void election_lead_extend(struct election *e);
/* It has lost its majority: it becomes ISOLATED. */
void election_lead_isolate(struct election *e);
void election_hear_ack(struct election *e, const struct election_event *event);
void election_send_heartbeat(struct election *e, const struct address *to, uint64_t instance);
void election_renew_if_behind(struct election *e);
void election_step_down(struct election *e, uint64_t successor, enum election_cause cause);
/* Steps down if we lead and a member may succeed. */
void election_step_down_to_successor(struct election *e, enum election_cause cause);
void election_hear_step_down(struct election *e, const struct election_event *event);
/* True if a message of it arrived within the detection time; known to leaders and candidates. */
bool election_is_live(const struct election *e, uint16_t index);
bool election_may_succeed(const struct election *e, uint16_t index);
uint16_t election_find_successor(const struct election *e);

/* ---- election_lease.c ---- */
void election_hear_lease(struct election *e, const struct election_lease *lease);
/* A candidate may take the Lease without votes, now or at a time for which it wakes us. */
bool election_may_take_lease(struct election *e);
/* Asks for the Lease in the term of the campaign. */
void election_seal(struct election *e, bool is_voted);
/* The leader's time by the Lease is over, or its majority is lost: true if it no longer leads. */
bool election_lease_tick(struct election *e);

/* ---- election_former.c ---- */
void election_set_sessions(struct election *e, const struct election_event *event);
/* No former leader serves, or may begin to, until the next claim. */
void election_former_end(struct election *e);
/* We step down: returns the flags of STEP_DOWN. */
uint16_t election_former_offer(struct election *e, enum election_cause cause);
void election_former_hear_offer(struct election *e, const struct election_event *event);
/* Before we follow another claim, of this term. */
void election_former_change_claim(struct election *e, uint64_t term);
/* When we are elected, before our term changes. */
void election_former_lead(struct election *e);
void election_former_hear_heartbeat(struct election *e, const struct election_message *m);
void election_former_hear_ack(struct election *e, const struct election_message *m);
void election_former_hear_refusal(struct election *e, uint64_t instance);
/* Ends it when it is over. */
void election_former_tick(struct election *e);

/* ---- election_candidates.c ---- */
void election_set_candidates(struct election *e, const struct election_event *event);
struct election_known_peer *election_find_known_peer(struct election *e, const struct address *ip);
/* Finds or adds it. NULL: it is our own address, or there is no room. */
struct election_known_peer *election_add_known_peer(struct election *e,
                                                    const struct address *address);
/* The list has changed: which of its members' pods end soon, or exist no longer. */
void election_update_pods(struct election *e);
/* The pod of this member ends soon, or exists no longer, by discovery: it comes last in the order of
 * succession. It may be alive. */
bool election_is_outgoing(const struct election *e, uint16_t index);
/* Leader: how long a member may be silent before its row is removed. */
uint64_t election_forget_after(const struct election *e, uint16_t index);
/* Another pod has the leader's address since the leader was heard last. */
bool election_is_readdressed(const struct election *e);

/* ---- election_apart.c ---- */

/* True if the message must be ignored, since its sender has the other option election. */
bool election_keep_apart(struct election *e, const struct election_event *event);

/* ---- election_join.c ---- */
/* True if messages arrive, and none of them can be authenticated. */
bool election_hears_only_unauthenticated(const struct election *e);
void election_join_tick(struct election *e);
/* Sends DISCOVER to all known peers, if the last round was every_ns ago. */
void election_discover(struct election *e, uint64_t every_ns);
/* Drafts a list of this instance and all known peers without a list. False: there is a cluster. */
bool election_draft_list(struct election *e);
void election_hear_discover(struct election *e, const struct election_event *event);
void election_hear_hello(struct election *e, const struct election_event *event);
void election_send_claim(struct election *e, const struct address *to, uint64_t instance);

/* ---- election_command.c ---- */
void election_command(struct election *e, const struct election_event *event);
void election_command_tick(struct election *e);
void election_hear_transfer(struct election *e, const struct election_event *event);
void election_stop(struct election *e);
void election_quit(struct election *e);
void election_hear_leave(struct election *e, const struct election_event *event);
void election_force(struct election *e);

#endif
