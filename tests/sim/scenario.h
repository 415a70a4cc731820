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

#endif
