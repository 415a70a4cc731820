/*
 * search: the throughput of a service at given losses, by trials of the sender within bounds of
 * time and rate. mlr.h says where to measure next; here are the trials.
 *
 *   search_options.c  the command line     search.c         trials, calibration, the command
 *   mlr.c             the algorithm        search_report.c  what came of it
 *
 * A trial that the generator could not pace, or that lost datagrams at the generator's own sockets,
 * says nothing about the service: it is listed as invalid and not given to the algorithm. After two
 * of them in a row at one load, what lies above is out of the generator's reach.
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
    /* derived from it */
    uint64_t losses_millionths[MLR_GOALS_MAX];
    unsigned loss_count;
    struct address sink;
};

struct search_trial {
    uint64_t load, duration_ns;
    uint64_t sent, arrived; /* arrived: answered in time, or one way: counted by the sink */
    double loss;
    uint64_t p50_ns, p99_ns;
    double cpu_ns;       /* of watched processes, a datagram */
    const char *invalid; /* why it says nothing, or NULL */
};

struct search {
    const struct search_options *options;
    struct sender sender;
    struct mlr mlr;
    struct search_trial trials[MLR_TRIALS_MAX]; /* invalid ones too; the first that fit */
    unsigned trial_count, valid_count;
    int sink_fd;          /* for questions; -1: echo */
    uint64_t sink_unique; /* what the sink had counted before this trial */
    unsigned invalid_row; /* invalid trials since the last valid one */
    uint64_t start_ns, end_ns, now_ns;
    const char *ended; /* why the search ended before its goals; NULL: it did not */
    struct progress progress;
};

/* Defaults, command line, names resolved. Ends the process on usage errors and unknown names. */
void search_options_read(int argc, char **argv, struct search_options *ret_options);

/* The last valid trial at a load, the longest if there are several; NULL: none. */
const struct search_trial *search_find_trial(const struct search *s, uint64_t load);

void search_report_print(const struct search *s);
void search_report_json(const struct search *s);

#endif
