/* scenario: what the files of scenarios share. */
#ifndef HEADLESS_TESTS_SIM_SCENARIO_H
#define HEADLESS_TESTS_SIM_SCENARIO_H

#include "sim.h"

/* scenario.c: pods with exact clocks and default settings, none started. */
void scenario_prepare(struct sim *sim, uint32_t pods, bool trace);
void scenario_wait_ms(struct sim *sim, unsigned ms);
/* Runs until the condition holds. Returns the milliseconds that took, or a large number after
 * limit_ms. */
unsigned scenario_until(struct sim *sim, bool (*holds)(const struct sim *), unsigned limit_ms);

/* scenario_names.c: each returns the milliseconds that it measured. */
unsigned scenario_twin_in_partition(struct sim *sim, bool trace);
unsigned scenario_twin_changes_sides(struct sim *sim, bool trace);
unsigned scenario_shared_name_joins(struct sim *sim, bool trace);
unsigned scenario_shared_name_returns(struct sim *sim, bool trace);
unsigned scenario_moved_pod(struct sim *sim, bool trace);
unsigned scenario_moved_at_once(struct sim *sim, bool trace);
unsigned scenario_two_moved(struct sim *sim, bool trace);
unsigned scenario_eligible_moved(struct sim *sim, bool trace);

/* scenario_lease.c: the same. */
unsigned scenario_lease_start(struct sim *sim, bool trace);
unsigned scenario_lease_killed(struct sim *sim, bool trace);
unsigned scenario_lease_silent(struct sim *sim, bool trace);
unsigned scenario_lease_stopped(struct sim *sim, bool trace);
unsigned scenario_lease_two_killed(struct sim *sim, bool trace);
unsigned scenario_lease_two_silent(struct sim *sim, bool trace);
unsigned scenario_lease_two_stopped(struct sim *sim, bool trace);
unsigned scenario_lease_two_survives(struct sim *sim, bool trace);
unsigned scenario_lease_alone(struct sim *sim, bool trace);
unsigned scenario_lease_api_of_leader(struct sim *sim, bool trace);
unsigned scenario_lease_api_away(struct sim *sim, bool trace);
unsigned scenario_lease_api_returns(struct sim *sim, bool trace);
unsigned scenario_lease_forbidden(struct sim *sim, bool trace);
unsigned scenario_lease_deleted(struct sim *sim, bool trace);
unsigned scenario_lease_edited(struct sim *sim, bool trace);
unsigned scenario_lease_command(struct sim *sim, bool trace);
unsigned scenario_lease_kill_all(struct sim *sim, bool trace);
unsigned scenario_lease_rolling(struct sim *sim, bool trace);
unsigned scenario_lease_returns(struct sim *sim, bool trace);
/* Pods and an API server, none started; all started, with pod 0 leading for longer than the duration. */
void scenario_lease_prepare(struct sim *sim, uint32_t pods, bool trace);
void scenario_lease_settle(struct sim *sim);
/* scenario_lease_faults.c */
unsigned scenario_lease_late_answer(struct sim *sim, bool trace);
unsigned scenario_lease_deleted_unseen(struct sim *sim, bool trace);
unsigned scenario_lease_fence_unseen(struct sim *sim, bool trace);
unsigned scenario_lease_emptied(struct sim *sim, bool trace);
unsigned scenario_lease_shortened(struct sim *sim, bool trace);
unsigned scenario_lease_former_returns(struct sim *sim, bool trace);

#endif
