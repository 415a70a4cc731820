/*
 * election_internal: what the parts of the election tell each other.
 *
 *   election.c           the step, its timers, the transition table
 *   election_send.c      messages and other actions
 *   election_list.c      the list, its pages, its changes
 *   election_follow.c    claims, heartbeats, suspicion, evidence
 *   election_vote.c      what we grant
 *   election_campaign.c  what we ask for
 *   election_lead.c      heartbeats, the lease, resigning
 *   election_join.c      who is there, the first leader
 *   election_command.c   commands, and stopping
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
void election_enter(struct election *e, enum election_state state, enum election_cause cause);
void election_wake_at(struct election *e, uint64_t at_ns);
/* No higher term is believed in. */
uint64_t election_believable_term(const struct election *e);
/* A term heard of. False: it is too far above what we know; counted. */
bool election_see_term(struct election *e, uint64_t term);
bool election_is_member(const struct election *e);
/* Has it a list that a leader made? A list of a bootstrap under way is none. */
bool election_has_list(const struct election *e);

/* ---- election_send.c ---- */
struct election_message election_make(const struct election *e, enum election_message_type type);
void election_send(struct election *e, const struct address *to, uint64_t instance,
                   const struct election_message *message);
void election_send_card(struct election *e, const struct address *to, uint64_t instance,
                        struct election_message message);
void election_send_all(struct election *e, const struct election_message *message);
void election_send_page(struct election *e, const struct address *to, uint64_t instance,
                        uint16_t first);
void election_push_list(struct election *e);
void election_result(struct election *e, uint64_t token, enum election_result reply);

/* ---- election_list.c ---- */
uint16_t election_find(const struct election *e, uint64_t instance);
bool election_is_entry(const struct election_member *listed, const struct election_member *other);
/* Its place in leader_list; those that are not in it come after all others. */
uint16_t election_rank(const struct election *e, const struct election_member *member);
uint16_t election_find_entry(const struct election *e, const struct election_member *member);
bool election_bit(const uint64_t *bits, uint16_t index);
void election_set_bit(uint64_t *bits, uint16_t index);
/* Nobody leaves the list: who is expected keeps a entry, also when it has gone. */
bool election_keeps_entries(const struct election *e);
void election_request_change(struct election *e, enum election_change_type type, bool is_graceful,
                             const struct election_member *member);
void election_run_changes(struct election *e);
void election_replace_members(struct election *e);
void election_check_list_committed(struct election *e);
void election_hear_list_request(struct election *e, const struct election_event *event);
void election_hear_list_page(struct election *e, const struct election_event *event);
void election_want_list(struct election *e, const struct address *from, uint64_t instance,
                        struct election_list_id id);
void election_forget_list(struct election *e);
void election_list_changed(struct election *e);

/* ---- election_follow.c ---- */
void election_hear_heartbeat(struct election *e, const struct election_event *event);
void election_hear_claim(struct election *e, uint64_t term, uint64_t leader,
                         const struct address *address);
void election_hear_probe(struct election *e, const struct election_event *event);
void election_hear_alive(struct election *e, const struct election_event *event);
void election_hear_probe_request(struct election *e, const struct election_event *event);
void election_hear_probe_report(struct election *e, const struct election_event *event);
void election_hear_refusal(struct election *e, uint64_t instance);
void election_probe_leader(struct election *e);
void election_suspect_tick(struct election *e);
bool election_hears_leader(const struct election *e);
/* Fit to lead and to deliver. */
bool election_is_ready(const struct election *e);

/* ---- election_vote.c ---- */
void election_hear_request(struct election *e, const struct election_event *event);
void election_reply_to_asked(struct election *e);
bool election_voted_later(const struct election *e, uint64_t leader, uint64_t term);
bool election_may_grant_lease(const struct election *e, uint64_t to);

/* ---- election_campaign.c ---- */
void election_campaign_start(struct election *e, enum election_stage stage,
                             enum election_cause cause, uint16_t flags);
void election_campaign_stop(struct election *e);
void election_campaign_tick(struct election *e);
void election_hear_grant(struct election *e, const struct election_event *event);

/* ---- election_lead.c ---- */
void election_lead_begin(struct election *e);
void election_lead_tick(struct election *e);
void election_lead_end(struct election *e);
void election_hear_ack(struct election *e, const struct election_event *event);
void election_send_heartbeat(struct election *e, const struct address *to, uint64_t instance);
void election_renew_if_behind(struct election *e);
void election_resign(struct election *e, uint64_t successor, enum election_cause cause);
/* Resign, if we lead and there is somebody to take over. */
void election_give_way(struct election *e, enum election_cause cause);
void election_hear_resign(struct election *e, const struct election_event *event);
/* Heard within a detection time; leaders and candidates know. */
bool election_is_live(const struct election *e, uint16_t index);
bool election_is_willing(const struct election *e, uint16_t index);
uint16_t election_find_successor(const struct election *e);

/* ---- election_join.c ---- */
/* Messages come, and not one of them can be verified. */
bool election_hears_only_unknown(const struct election *e);
void election_join_tick(struct election *e);
void election_look_around(struct election *e, uint64_t every_ns);
/* A list of ourselves and all that answered and know of no cluster. False: there is a cluster. */
bool election_draft_all(struct election *e);
void election_take_candidates(struct election *e, const struct election_event *event);
void election_hear_discover(struct election *e, const struct election_event *event);
void election_hear_hello(struct election *e, const struct election_event *event);
void election_tell_claim(struct election *e, const struct address *to, uint64_t instance);

/* ---- election_command.c ---- */
void election_command(struct election *e, const struct election_event *event);
void election_command_tick(struct election *e);
void election_hear_hand_over(struct election *e, const struct election_event *event);
void election_stop(struct election *e);
void election_quit(struct election *e);
void election_hear_leave(struct election *e, const struct election_event *event);
void election_force(struct election *e);

#endif
