/*
 * mlr: search for the load that a device carries at a given loss, with noisy trials.
 *
 * RFC 2544 halves an interval and trusts each single trial. On a shared machine one bad trial
 * then decides; so this follows MLRsearch (RFC 9971): trials at one load add up until the verdict
 * cannot change any more. A goal has a loss ratio, the length of a trial, and the total length of
 * the trials at one load (sum). A trial is bad when it lost more than the goal, and a load is
 *
 *   a lower bound   when at most half of the sum can be bad, even if all missing trials are bad
 *   an upper bound  when more than half of the sum is bad already
 *   undecided       otherwise: measure there again
 *
 * The smallest upper bound is the relevant one, and the largest lower bound below it. The search
 * ends when they are closer than the width. It proceeds in phases, each with a sum and (up to the
 * goal's) trials twice as long and an interval half as wide as in the previous phase, so that
 * little time is spent far from the result. All goals complete a phase before the next one begins:
 * a search that is stopped early has a result for each goal. With a sum of one trial this is RFC
 * 2544's search.
 *
 * The conditional throughput is the forwarding rate at the relevant lower bound: the load, less
 * the loss of the median trial.
 *
 * Pure functions over the caller's storage; no clock, no randomness. Loads are datagrams a second.
 */
#ifndef BENCH_MLR_H
#define BENCH_MLR_H

#include <stdbool.h>
#include <stdint.h>

#include "bench.h"

#define MLR_GOALS_MAX  8
#define MLR_TRIALS_MAX 2048
#define MLR_EXCEED     0.5 /* the fraction of the sum that may be bad */

struct mlr_settings {
    double losses[MLR_GOALS_MAX]; /* ratios, 0 to 1 */
    unsigned goal_count;
    uint64_t min_load, max_load;
    uint64_t first_trial_ns;   /* of the first phase */
    uint64_t trial_ns, sum_ns; /* of the last phase */
    double width;              /* of the interval, as a fraction of its upper end */
};

struct mlr_trial {
    uint64_t load, duration_ns;
    double loss;
};

struct mlr {
    struct mlr_settings settings;
    unsigned phase_count;
    unsigned phases[MLR_GOALS_MAX]; /* current phase of each goal; phase_count: all done */
    uint64_t lowers[MLR_GOALS_MAX]; /* relevant bounds of the previous phase; 0: none */
    uint64_t uppers[MLR_GOALS_MAX];
    double strides[MLR_GOALS_MAX]; /* step while one bound is missing */
    uint64_t candidate;            /* the last load that mlr_next returned */
    unsigned trial_count;
    struct mlr_trial trials[MLR_TRIALS_MAX];
};

enum mlr_class { MLR_UNDECIDED, MLR_LOWER, MLR_UPPER };

enum mlr_status {
    MLR_FOUND,     /* both bounds, close enough */
    MLR_AT_MAX,    /* the largest load is a lower bound: the device can do more */
    MLR_BELOW_MIN, /* the smallest load is an upper bound */
    MLR_UNFINISHED /* the bounds are of an earlier phase, with fewer and shorter trials */
};

struct mlr_result {
    enum mlr_status status;
    uint64_t lower, upper; /* 0: none */
    double throughput;     /* conditional; 0 without a lower bound */
};

void mlr_init(struct mlr *m, const struct mlr_settings *settings);

/* The next trial. False when all goals are reached, or there is no room for a trial. */
bool mlr_next(struct mlr *m, uint64_t *ret_load, uint64_t *ret_duration_ns);

/* Record the result of a trial, requested by mlr_next or not. */
void mlr_record(struct mlr *m, uint64_t load, uint64_t duration_ns, double loss);

/* Set the generator's maximum: trials at higher loads are discarded. */
void mlr_limit(struct mlr *m, uint64_t max_load);

/* The class of a load at a loss, by trials of at least trial_ns that add up to sum_ns. */
enum mlr_class mlr_classify(const struct mlr *m, uint64_t load, double loss, uint64_t trial_ns,
                            uint64_t sum_ns);

struct mlr_result mlr_get_result(const struct mlr *m, unsigned goal);

#endif
