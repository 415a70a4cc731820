/*
 * url: the URL of a request to the API server. Private to platform/. Pure.
 *
 *     https://10.96.0.1:443/apis/coordination.k8s.io/v1/namespaces/default/leases/headlessd?timeout=1000ms
 */
#ifndef PLATFORM_URL_H
#define PLATFORM_URL_H

#include "headless/platform/api.h"

#define URL_MAX 2048 /* bytes, with NUL */

struct url_parts {
    const char *base;  /* "https://10.96.0.1:443" */
    const char *space; /* the namespace where the object has none */
    enum platform_verb verb;
    const struct platform_object *object;
    const char *version; /* resourceVersion of a watch */
    uint64_t timeout_ns; /* the server's: of a watch its length, rounded down to seconds */
};

/* Returns 0; -EINVAL: the object has no name, though the verb needs one; -ENAMETOOLONG. */
int url_build(const struct url_parts *parts, char ret_url[static URL_MAX])
    __attribute__((warn_unused_result));

#endif
