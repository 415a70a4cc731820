/*
 * confine_fixture: a child process that confines itself and makes calls; it writes their results
 * into memory that it shares with the test.
 */
#ifndef CONFINE_FIXTURE_H
#define CONFINE_FIXTURE_H

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "headless/secure/confine.h"

#define RESULTS_MAX 64
#define NOT_RUN     (-1)

/* Shared with the child, which writes an errno (0: it worked) for each thing that it tried. */
static int *results;
static const struct confine_needs nothing_special;

static void setup(void)
{
    results = mmap(NULL, RESULTS_MAX * sizeof(*results), PROT_READ | PROT_WRITE,
                   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(results, MAP_FAILED);
}

/* Runs attempt in a child, confined unless needs is NULL. Returns the status that it ended with. */
static int run_child(const struct confine_needs *needs, void (*attempt)(void))
{
    int status, rc;
    pid_t child;

    for (size_t i = 0; i < RESULTS_MAX; i++)
        results[i] = NOT_RUN;
    child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        rc = needs ? confine_start(needs) : 0;
        if (rc || confine_is_on() != (needs != NULL))
            _exit(99);
        attempt();
        _exit(0);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    return status;
}

#endif
