/* client_fixture: a client of the API server in this thread, by the linker's --wrap=platform_request and
 * --wrap=platform_add_watch. */
#ifndef HEADLESS_TESTS_CLIENT_FIXTURE_H
#define HEADLESS_TESTS_CLIENT_FIXTURE_H

#include "headless/platform/api.h"

int __wrap_platform_add_watch(struct platform *platform, const struct platform_watch *watch);
int __wrap_platform_request(struct platform *platform, const struct platform_request *request);

static struct platform_watch client;    /* the last one that was added */
static struct platform_request request; /* the last one that was made */
static unsigned requests;
static int add_rc, request_rc; /* what is returned */

int __wrap_platform_add_watch(struct platform *platform, const struct platform_watch *watch)
{
    (void)platform;
    client = *watch;
    return add_rc;
}

int __wrap_platform_request(struct platform *platform, const struct platform_request *wanted)
{
    (void)platform;
    request = *wanted;
    requests++;
    return request_rc;
}

#endif
