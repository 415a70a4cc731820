#include "confinement.h"

#include <errno.h>
#include <string.h>

#include "daemon.h"
#include "headless/base/log.h"
#include "headless/secure/confine.h"

int confinement_hide_memory(struct daemon *d)
{
    const struct config *config = config_values(d->options);
    bool has_secrets = config_has_keys(config) || config_needs_platform(config);
    int rc = has_secrets ? confine_hide_memory() : 0;

    if (rc)
        log_warn("memory_visible", "cannot keep keys and tokens out of core dumps: %s",
                 strerror(-rc));
    return 0;
}

/* Some kernels and sandboxes have no seccomp: then serve without a filter. */
int confinement_start(struct daemon *d)
{
    const struct config *config = config_values(d->options);
    const struct confine_needs needs = {.resolver = config->discovery_dns[0] != '\0',
                                        .files = config->store[0] != '\0',
                                        .groups = config->multicast_groups.count > 0,
                                        .connections =
                                            config->failover_on_refused == CONFIG_REFUSED_FAST,
                                        .platform = d->platform != NULL};
    int rc = config->seccomp ? confine_start(&needs) : -ENOTSUP;

    if (rc == -ENOTSUP)
        log_debug("unconfined", "%s",
                  config->seccomp ? "seccomp: not in this build" : "seccomp: false");
    else if (rc)
        log_warn("unconfined", "the kernel refuses the seccomp filter (%s): running without it",
                 strerror(-rc));
    return 0;
}
