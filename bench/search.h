/*
 * search: the throughput of a service at given losses, by trials of the sender within bounds of
 * time and rate. mlr.h chooses the loads; this module runs the trials.
 *
 *   search_options.c  the command line     search.c         trials, calibration, the command
 *   mlr.c             the algorithm        search_report.c  the result
 *
 * A trial that the generator could not pace, or that lost datagrams at the generator's own sockets,
 * says nothing about the service: it is listed as invalid and not given to the algorithm. After two
 * in a row at one load, the generator cannot send higher loads.
 *
 * Owner: one thread. Only opening allocates.
 */
#ifndef BENCH_SEARCH_H
#define BENCH_SEARCH_H

#include "mlr.h"
#include "sender.h"

struct search_options {
    struct send_options send;
    const char *loss_text, *sink_text;
    uint64_t min_rate, max_rate, max_time_ns, first_trial_ns, trial_ns, trials, width_millionths;
    /* derived */
    uint64_t losses_millionths[MLR_GOALS_MAX];
    unsigned loss_count;
    struct address sink;
};

struct search_trial {
    uint64_t load, duration_ns;
    uint64_t sent, arrived; /* arrived: answered in time; one way: counted by the sink */
    double loss;
    uint64_t p50_ns, p99_ns;
    double cpu_ns;       /* of watched processes, per datagram */
    const char *invalid; /* the reason, or NULL: valid */
};

struct search {
    const struct search_options *options;
    struct sender sender;
    struct mlr mlr;
    struct search_trial trials[MLR_TRIALS_MAX]; /* the first that fit, invalid ones included */
    unsigned trial_count, valid_count;
    int sink_fd;          /* for count requests; -1: echo */
    uint64_t sink_unique; /* the sink's count before this trial */
    unsigned invalid_row; /* invalid trials since the last valid one */
    uint64_t start_ns, end_ns, now_ns;
    const char *ended; /* why the search ended before its goals; NULL: goals reached */
    struct progress progress;
};

/* Read the command line, resolve names. Ends the process on usage errors and unknown names. */
void search_options_read(int argc, char **argv, struct search_options *ret_options);

/* The longest valid trial at a load, of several the last; NULL: none. */
const struct search_trial *search_find_trial(const struct search *s, uint64_t load);

void search_report_print(const struct search *s);
void search_report_json(const struct search *s);

#endif
