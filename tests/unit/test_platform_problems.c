/* The failures that operators are told of: those that last. */
#include <criterion/criterion.h>
#include <stdatomic.h>
#include <string.h>

#include "headless/base/clock.h"
#include "platform/platform_internal.h"

static struct platform platform;
static const struct platform_object leases = {
    .group = "coordination.k8s.io", .version = "v1", .resource = "leases", .name = "headlessd"};

static void note(enum platform_verb verb, enum platform_outcome outcome, unsigned status)
{
    const struct trouble trouble = {.outcome = outcome, .status = status};
    char text[PLATFORM_WHY_MAX];

    problems_note(&platform, verb, &leases, &trouble, text);
}

static bool is_told(const char *words)
{
    char why[PLATFORM_WHY_MAX];

    return platform_problem(&platform, why) && strstr(why, words);
}

/* The first failure happened earlier. */
static void age(uint64_t by_ns)
{
    (void)atomic_fetch_sub_explicit(&platform.problems[0].failed_ns, by_ns, memory_order_relaxed);
}

Test(platform_problems, a_failure_is_told_until_the_same_request_succeeds)
{
    note(PLATFORM_UPDATE, PLATFORM_FORBIDDEN, 403);
    note(PLATFORM_GET, PLATFORM_OK, 200);
    cr_assert(is_told("update"));
    note(PLATFORM_UPDATE, PLATFORM_OK, 200);
    cr_assert(!is_told(""));
}

/* A pod that has lost the Lease does not write it any more. */
Test(platform_problems, a_failure_of_a_request_that_is_not_made_any_more_is_forgotten)
{
    note(PLATFORM_UPDATE, PLATFORM_FORBIDDEN, 403);
    age(20 * NS_PER_SEC);
    cr_assert(is_told("update"));
    age(20 * NS_PER_SEC);
    cr_assert(!is_told(""));
    note(PLATFORM_UPDATE, PLATFORM_FORBIDDEN, 403);
    cr_assert(is_told("update"), "it fails again");
}
