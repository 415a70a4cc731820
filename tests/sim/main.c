/*
 * sim: runs seeds, replays one of them, runs the named scenarios.
 *
 *   sim --seeds 1..1000 [--jobs 2] [--seconds 600] [--ordered [--broken NAME]] [--shared-names] [--until-failure]
 *   sim --lease --seeds 1..300 [--jobs 2] [--seconds 600]
 *   sim --seed 17 [--trace] [--ordered] [--shared-names] [--lease]
 *   sim --scenarios | --scenario NAME [--trace]
 *
 * With --ordered the pods have sequencers and clients, too (ordered.h); with --lease an API server
 * (api.h).
 *
 * Exit status 0: all passed; 1: some failed; 2: usage.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "api.h"
#include "ordered.h"
#include "relay.h"

struct command_line {
    struct sim_options options;
    uint64_t first, last;
    unsigned jobs;
    const char *scenario, *broken;
    bool scenarios, ordered, relay, lease, until_failure;
    enum ordered_broken ordered_broken;
    enum relay_broken relay_broken;
};

struct shared {
    _Atomic uint64_t passed, failed, steps, formers;
};

static const char *const ordered_broken_names[ORDERED_BROKEN_COUNT] = {
    [ORDERED_SOUND] = "sound",
    [ORDERED_COMMIT_ALONE] = "commit-alone",
    [ORDERED_NO_ADOPTION] = "no-adoption"};

static const char *const relay_broken_names[RELAY_BROKEN_COUNT] = {
    [RELAY_SOUND] = "",
    [RELAY_CONFIRM_EARLY] = "confirm-early",
    [RELAY_FORGET] = "forget",
    [RELAY_REPLAY_ALL] = "replay-all",
    [RELAY_NO_DUPLICATES] = "no-duplicates",
    [RELAY_NO_GAPS] = "no-gaps",
    [RELAY_READ_APP] = "read-app"};

/* Counters that several processes share; relaxed, as nothing else depends on their order. */
static uint64_t add_shared(_Atomic uint64_t *counter, uint64_t n)
{
    return atomic_fetch_add_explicit(counter, n, memory_order_relaxed) + n;
}

static void run_seed(struct sim *sim, const struct sim_options *options)
{
    struct random random = {.state = options->seed};
    uint32_t pods = (uint32_t)random_between(&random, 2, SIM_PODS_MAX);

    if (options->api)
        pods = random_chance(&random, 300) ? 2 : pods / 2 + 1;
    sim_init(sim, options, pods);
    sim_names_init(sim);
    sim_faults_init(sim);
    sim_former_init(sim);
    sim_grace_init(sim);
    sim_hints_init(sim);
    api_init(sim);
    api_faults_init(sim);
    sim_slices_init(sim);
    ordered_init(sim);
    relay_init_pods(sim);
    sim_run(sim, sim->ends_ns);
    sim_check_end(sim);
    ordered_check_end(sim);
    relay_check_end(sim);
}

static void report_failure(const struct command_line *line, uint64_t seed, const struct sim *sim)
{
    (void)printf("seed %llu at %.3f s: %s\n    replay: %s --seed %llu --seconds "
                 "%llu%s%s%s%s%s%s --trace\n",
                 (unsigned long long)seed, (double)sim->now_ns / 1e9, sim->failure,
                 program_invocation_short_name, (unsigned long long)seed,
                 (unsigned long long)line->options.seconds, line->broken ? " --broken " : "",
                 line->broken ? line->broken : "", line->ordered ? " --ordered" : "",
                 line->relay ? " --relay" : "", line->lease ? " --lease" : "",
                 line->options.shares_names ? " --shared-names" : "");
    (void)fflush(stdout);
}

static struct ordered *make_ordered(const struct command_line *line)
{
    struct ordered *ordered = line->ordered ? calloc(1, sizeof(*ordered)) : NULL;

    if (line->ordered && !ordered)
        abort();
    if (ordered)
        ordered->broken = line->ordered_broken;
    return ordered;
}

static struct sim_relay *make_relay(const struct command_line *line)
{
    struct sim_relay *relay = line->relay ? calloc(1, sizeof(*relay)) : NULL;

    if (line->relay && !relay)
        abort();
    if (relay)
        relay->broken = line->relay_broken;
    return relay;
}

static struct sim_api *make_api(const struct command_line *line)
{
    struct sim_api *api = line->lease ? calloc(1, sizeof(*api)) : NULL;

    if (line->lease && !api)
        abort();
    return api;
}

static void run_job(const struct command_line *line, unsigned job, struct shared *shared)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    struct sim_options options = line->options;
    struct ordered *ordered = make_ordered(line);
    struct sim_relay *relay = make_relay(line);
    struct sim_api *api = make_api(line);
    uint64_t total = line->last - line->first + 1;

    for (uint64_t seed = line->first + job; sim && seed <= line->last; seed += line->jobs) {
        uint64_t done;

        if (line->until_failure && add_shared(&shared->failed, 0) > 0)
            break;
        options.seed = seed;
        options.ordered = ordered;
        options.relay = relay;
        options.api = api;
        run_seed(sim, &options);
        if (sim->failed)
            report_failure(line, seed, sim);
        (void)add_shared(sim->failed ? &shared->failed : &shared->passed, 1);
        (void)add_shared(&shared->steps, sim->steps);
        (void)add_shared(&shared->formers, sim->former.begun);
        done = add_shared(&shared->passed, 0) + add_shared(&shared->failed, 0);
        if (done % 50 == 0 && isatty(STDERR_FILENO))
            (void)fprintf(stderr, "\r%llu of %llu", (unsigned long long)done,
                          (unsigned long long)total);
    }
    if (sim) {
        ordered_fini(sim);
        relay_fini_pods(sim);
    }
    free(ordered);
    free(relay);
    free(api);
    free(sim);
}

static int run_seeds(const struct command_line *line)
{
    struct shared *shared =
        mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct timespec start, end;
    uint64_t failed, steps;
    double seconds;
    int status = 0;

    if (shared == MAP_FAILED)
        return 2;
    (void)clock_gettime(CLOCK_MONOTONIC, &start);
    (void)fflush(stdout);
    for (unsigned job = 0; job < line->jobs; job++) {
        pid_t child = line->jobs > 1 ? fork() : 0;

        if (child != 0)
            continue;
        run_job(line, job, shared);
        if (line->jobs > 1)
            _exit(0);
    }
    for (unsigned job = 0; line->jobs > 1 && job < line->jobs; job++) {
        int ended;

        if (wait(&ended) < 0 || ended != 0)
            status = 1; /* the job crashed */
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    failed = add_shared(&shared->failed, 0);
    steps = add_shared(&shared->steps, 0);
    (void)printf("%llu passed, %llu failed (%.1f s, %.0f ns a step and job)\n",
                 (unsigned long long)add_shared(&shared->passed, 0), (unsigned long long)failed,
                 seconds, steps ? seconds * line->jobs * 1e9 / (double)steps : 0.0);
    (void)printf("sessions stayed with a former leader %llu times, as pods saw it\n",
                 (unsigned long long)add_shared(&shared->formers, 0));
    if (status)
        (void)puts("a job crashed: run its seeds one by one");
    return failed || status ? 1 : 0;
}

static void print_relay(const struct sim_options *options)
{
    const struct sim_relay *relay = options->relay;

    if (relay)
        (void)printf("%u requests: %llu delivered, %llu of them marked, %llu lost; %llu replies\n",
                     relay->requests, (unsigned long long)relay->delivered,
                     (unsigned long long)relay->replayed, (unsigned long long)relay->lost,
                     (unsigned long long)relay->replies);
}

static int run_one(const struct command_line *line)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    int status = 2;

    if (!sim)
        return status;
    if (line->scenarios || line->scenario) {
        status = sim_run_scenarios(sim, line->scenario, line->options.trace);
    } else {
        struct sim_options options = line->options;

        options.ordered = make_ordered(line);
        options.relay = make_relay(line);
        options.api = make_api(line);
        run_seed(sim, &options);
        if (sim->failed)
            report_failure(line, line->options.seed, sim);
        (void)printf("%d passed, %d failed\n", !sim->failed, sim->failed);
        status = sim->failed;
        print_relay(&options);
        ordered_fini(sim);
        relay_fini_pods(sim);
        free(options.ordered);
        free(options.relay);
        free(options.api);
    }
    free(sim);
    return status;
}

static bool parse_broken(const char *name, struct command_line *ret_line)
{
    for (int i = 0; i < ORDERED_BROKEN_COUNT; i++) {
        if (strcmp(name, ordered_broken_names[i]) == 0) {
            ret_line->ordered = true;
            ret_line->ordered_broken = (enum ordered_broken)i;
            ret_line->broken = ordered_broken_names[i];
            return true;
        }
    }
    for (int i = 1; i < RELAY_BROKEN_COUNT; i++) {
        if (strcmp(name, relay_broken_names[i]) == 0) {
            ret_line->relay = true;
            ret_line->relay_broken = (enum relay_broken)i;
            ret_line->broken = relay_broken_names[i];
            return true;
        }
    }
    return false;
}

static bool parse_command_line(int argc, char **argv, struct command_line *ret_line)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : NULL;
        unsigned long long from = 0, to = 0;

        if (strcmp(argv[i], "--trace") == 0) {
            ret_line->options.trace = true;
        } else if (strcmp(argv[i], "--scenarios") == 0) {
            ret_line->scenarios = true;
        } else if (strcmp(argv[i], "--shared-names") == 0) {
            ret_line->options.shares_names = true;
        } else if (strcmp(argv[i], "--until-failure") == 0) {
            ret_line->until_failure = true;
        } else if (strcmp(argv[i], "--ordered") == 0) {
            ret_line->ordered = true;
        } else if (strcmp(argv[i], "--relay") == 0) {
            ret_line->relay = true;
        } else if (strcmp(argv[i], "--lease") == 0) {
            ret_line->lease = true;
        } else if (!value) {
            return false;
        } else {
            i++;
            if (strcmp(argv[i - 1], "--seeds") == 0 &&
                sscanf(value, "%llu..%llu", &from, &to) == 2 && from <= to) {
                ret_line->first = from;
                ret_line->last = to;
            } else if (strcmp(argv[i - 1], "--seed") == 0) {
                ret_line->options.seed = strtoull(value, NULL, 10);
                ret_line->last = 0;
            } else if (strcmp(argv[i - 1], "--seconds") == 0) {
                ret_line->options.seconds = strtoull(value, NULL, 10);
            } else if (strcmp(argv[i - 1], "--jobs") == 0) {
                ret_line->jobs = (unsigned)strtoul(value, NULL, 10);
            } else if (strcmp(argv[i - 1], "--scenario") == 0) {
                ret_line->scenario = value;
            } else if (strcmp(argv[i - 1], "--broken") != 0 || !parse_broken(value, ret_line)) {
                return false;
            }
        }
    }
    if (!ret_line->options.seconds)
        ret_line->options.seconds = ret_line->ordered || ret_line->relay ? 120 : 600;
    return ret_line->jobs > 0 && ret_line->options.seconds >= 70 &&
           (!(ret_line->ordered || ret_line->relay) ||
            ret_line->options.seconds <= ORDERED_SECONDS_MAX) &&
           (ret_line->last || ret_line->options.seed || ret_line->scenario || ret_line->scenarios);
}

int main(int argc, char **argv)
{
    struct command_line line = {.jobs = 2};

    if (!parse_command_line(argc, argv, &line)) {
        (void)fprintf(
            stderr,
            "usage: sim --seeds FROM..TO [--jobs N] [--seconds N >= 70]\n"
            "           [--ordered [--broken commit-alone|no-adoption]]  (--seconds <= 200)\n"
            "           [--relay [--broken "
            "confirm-early|forget|replay-all|no-duplicates|no-gaps|"
            "read-app]]\n"
            "           [--shared-names] [--lease] [--until-failure]\n"
            "       sim --seed N [--trace] [--ordered] [--shared-names] [--lease]\n"
            "       sim --scenarios | --scenario NAME [--trace]\n");
        return 2;
    }
    return line.last ? run_seeds(&line) : run_one(&line);
}
