/*
 * platform report: numbers and words for operators. Any thread; waits for nothing.
 */
#ifndef HEADLESS_PLATFORM_REPORT_H
#define HEADLESS_PLATFORM_REPORT_H

#include "headless/platform/api.h"

#define PLATFORM_CODES 16 /* of responses, see platform_code_name */

/* Why a watch was opened again. */
enum platform_restart {
    PLATFORM_RESTART_ENDED,   /* by the server, after the time that the client asked for */
    PLATFORM_RESTART_EXPIRED, /* its version is too old: lists again */
    PLATFORM_RESTART_LOST,    /* the connection ended */
    PLATFORM_RESTART_SILENT,  /* no byte for 75 s */
    PLATFORM_RESTART_REFUSED, /* the server refused it */
    PLATFORM_RESTART_BAD,     /* a line that is no event, or too long */
    PLATFORM_RESTART_COUNT
};

struct platform_numbers {
    bool is_on;           /* this process has the client */
    bool is_up;           /* the last request succeeded, or a watch has been opened since */
    uint64_t token_age_s; /* since the token's file was written; 0: no token */
    uint64_t requests[PLATFORM_VERB_COUNT][PLATFORM_CODES];
    uint64_t restarts[PLATFORM_RESTART_COUNT];
};

void platform_read_numbers(const struct platform *platform, struct platform_numbers *ret_numbers);

/* "200", ...; "other": another status; "none": no response. */
const char *platform_code_name(size_t code);
const char *platform_verb_name(enum platform_verb verb);
const char *platform_restart_name(enum platform_restart why);

/* The URL of the API server; "": no client. */
const char *platform_url(const struct platform *platform);

/* A failure that nothing of the same verb and object has followed, in words. False: there is none. */
bool platform_problem(const struct platform *platform, char ret_why[static PLATFORM_WHY_MAX]);

#endif
