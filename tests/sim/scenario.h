/* scenario: what the files of scenarios share. */
#ifndef HEADLESS_TESTS_SIM_SCENARIO_H
#define HEADLESS_TESTS_SIM_SCENARIO_H

#include "sim.h"

#define SCENARIO_NEVER_MS 999999

struct scenario {
    const char *name;
    /* Returns the milliseconds that it measured. */
    unsigned (*run)(struct sim *sim, bool trace);
    unsigned expected_ms;
    const char *text;
};

/* Each file's scenarios, up to one without a name; scenario.c runs them all. */
extern const struct scenario scenario_failover[], scenario_partition[], scenario_change[],
    scenario_former[], scenario_names[], scenario_lease[], scenario_lease_faults[],
    scenario_lease_touched[];

/* scenario.c: pods with exact clocks and default settings, none started. */
void scenario_prepare(struct sim *sim, uint32_t pods, bool trace);
void scenario_start_all(struct sim *sim);
/* A cluster with pod 0 leading, whose next heartbeat is due now. */
void scenario_start_settled(struct sim *sim, uint32_t pods, bool trace);
/* Pod 0's process dies, its host lives, and refuses what this pod sends 5 ms later. */
void scenario_kill_refused(struct sim *sim, uint32_t pod);
void scenario_wait_ms(struct sim *sim, unsigned ms);
/* Runs until the condition holds. Returns the milliseconds that took, or SCENARIO_NEVER_MS after
 * limit_ms. */
unsigned scenario_until(struct sim *sim, bool (*holds)(const struct sim *), unsigned limit_ms);
/* scenario_lease.c: pods with an API server, none started; all started, with pod 0 leading for longer than
 * the duration of its Lease. */
void scenario_lease_prepare(struct sim *sim, uint32_t pods, bool trace);
void scenario_lease_settle(struct sim *sim);

/* Conditions. */
bool scenario_has_leader(const struct sim *sim);
bool scenario_another_is_valid(const struct sim *sim); /* not pod 0 */
bool scenario_nobody_is_valid(const struct sim *sim);
bool scenario_all_follow_2(const struct sim *sim);

#endif
