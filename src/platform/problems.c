/* The present failures, for the log and for operators, and the counts of all requests. */
#include <stdio.h>
#include <string.h>

#include "headless/base/clock.h"
#include "headless/base/log.h"
#include "platform/platform_internal.h"

#define LOG_AGAIN_NS  (60 * NS_PER_SEC) /* the same failure */
#define LOG_OTHERS_NS (2 * NS_PER_SEC)  /* another failure */

/* A request that still fails is tried more often. A pod that holds the Lease no longer does not try to write it. */
#define FORGET_NS     (30 * NS_PER_SEC)

/* ---- the platform thread ---- */

/* NULL: no entry is left. */
static struct problem *problem_of(struct platform *platform, enum platform_verb verb,
                                  const struct platform_object *object)
{
    for (size_t i = 0; i < PROBLEMS_MAX; i++) {
        struct problem *problem = &platform->problems[i];
        const struct platform_object *known =
            atomic_load_explicit(&problem->object, memory_order_relaxed);

        if (known == object && problem->verb == verb)
            return problem;
        if (known)
            continue;
        problem->verb = verb;
        atomic_store_explicit(&problem->object, object, memory_order_release); /* its verb */
        return problem;
    }
    return NULL;
}

/* A record that others changed, or that does not exist, is no failure of ours. */
static bool is_failure(enum platform_verb verb, const struct trouble *trouble)
{
    switch (trouble->outcome) {
    case PLATFORM_OK:
    case PLATFORM_CONFLICT:
    case PLATFORM_GONE:
        return false;
    case PLATFORM_NOT_FOUND:
        return verb != PLATFORM_GET;
    default:
        return trouble->kind != TROUBLE_CANCELLED;
    }
}

/* Is there an API server that responds as one? It may refuse. */
static bool is_response(const struct trouble *trouble)
{
    switch (trouble->outcome) {
    case PLATFORM_UNSENT:
    case PLATFORM_SERVER_ERROR:
    case PLATFORM_UNKNOWN:
    case PLATFORM_BAD:
        return trouble->kind == TROUBLE_CANCELLED;
    default:
        return true;
    }
}

static void log_failure(struct problem *problem, uint64_t packed, const char *text)
{
    uint64_t now_ns = clock_now_ns();
    uint64_t pause_ns = packed == problem->logged ? LOG_AGAIN_NS : LOG_OTHERS_NS;

    if (problem->logged && now_ns < problem->logged_ns + pause_ns)
        return;
    problem->logged = packed;
    problem->logged_ns = now_ns;
    log_warn("api_failed", "%s", text);
}

static void log_success(struct problem *problem, const struct platform_object *object)
{
    if (problem->logged)
        log_info("api_restored", "%s %s: the API server responds as it should",
                 platform_verb_name(problem->verb), object->resource);
    problem->logged = 0;
}

void problems_describe(struct platform *platform, enum platform_verb verb,
                       const struct platform_object *object, const struct trouble *trouble,
                       char text[static PLATFORM_WHY_MAX])
{
    const struct trouble_names names = platform_names(platform);

    text[0] = '\0';
    if (trouble->outcome != PLATFORM_OK)
        trouble_describe(trouble, verb, object, &names, text);
}

void problems_note(struct platform *platform, enum platform_verb verb,
                   const struct platform_object *object, const struct trouble *trouble,
                   char text[static PLATFORM_WHY_MAX])
{
    struct problem *problem = problem_of(platform, verb, object);
    bool is_failed = is_failure(verb, trouble);
    uint64_t packed = is_failed ? trouble_pack(trouble) : 0;

    problems_describe(platform, verb, object, trouble, text);
    if (trouble->kind != TROUBLE_CANCELLED)
        atomic_store_explicit(&platform->is_up, is_response(trouble), memory_order_relaxed);
    if (!problem)
        return;
    if (is_failed)
        atomic_store_explicit(&problem->failed_ns, clock_now_ns(), memory_order_relaxed);
    atomic_store_explicit(&problem->trouble, packed, memory_order_relaxed);
    if (is_failed)
        log_failure(problem, packed, text);
    else
        log_success(problem, object);
}

void problems_count(struct platform *platform, enum platform_verb verb, unsigned status)
{
    (void)atomic_fetch_add_explicit(&platform->requests[verb][outcome_code(status)], 1,
                                    memory_order_relaxed);
}

/* ---- any thread ---- */

bool platform_problem(const struct platform *platform, char ret_why[static PLATFORM_WHY_MAX])
{
    uint64_t now_ns = clock_now_ns();

    for (size_t i = 0; platform && i < PROBLEMS_MAX; i++) {
        const struct problem *problem = &platform->problems[i];
        const struct platform_object *object =
            atomic_load_explicit(&problem->object, memory_order_acquire);
        uint64_t packed = atomic_load_explicit(&problem->trouble, memory_order_relaxed);
        uint64_t failed_ns = atomic_load_explicit(&problem->failed_ns, memory_order_relaxed);

        if (object && packed && now_ns < failed_ns + FORGET_NS) {
            const struct trouble_names names = platform_names(platform);
            const struct trouble trouble = trouble_unpack(packed);

            trouble_describe(&trouble, problem->verb, object, &names, ret_why);
            return true;
        }
    }
    return false;
}

void platform_read_numbers(const struct platform *platform, struct platform_numbers *ret_numbers)
{
    *ret_numbers = (struct platform_numbers){.is_on = platform != NULL};
    if (!platform)
        return;
    ret_numbers->is_up = atomic_load_explicit(&platform->is_up, memory_order_relaxed);
    ret_numbers->token_age_s = token_age_s(&platform->token);
    for (size_t verb = 0; verb < PLATFORM_VERB_COUNT; verb++)
        for (size_t code = 0; code < PLATFORM_CODES; code++)
            ret_numbers->requests[verb][code] =
                atomic_load_explicit(&platform->requests[verb][code], memory_order_relaxed);
    for (size_t why = 0; why < PLATFORM_RESTART_COUNT; why++)
        ret_numbers->restarts[why] =
            atomic_load_explicit(&platform->restarts[why], memory_order_relaxed);
}

const char *platform_url(const struct platform *platform)
{
    return platform ? platform->api : "";
}
