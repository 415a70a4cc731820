#include "headless/secure/confine.h"

#include <errno.h>
#include <seccomp.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "headless/secure/name_services.h"
#include "secure/confine_rules.h"

static _Atomic bool is_on; /* written once, by the main thread */

/* Older kernels do not have the last ones, which are optional. TSYNC is not: without it the running
 * threads would be unconfined. */
static int set_attributes(scmp_filter_ctx filter)
{
    if (seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) < 0)
        return -ENOSYS;
    /* Calls of another architecture; the default would be to kill. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    (void)seccomp_attr_set(filter, SCMP_FLTATR_API_SYSRAWRC, 1); /* the kernel's errno */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_LOG, 1);
    /* Kernels before 5.16 slow down processes with a filter, against Spectre between threads that
     * do not trust each other. The threads of this process do. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree, not a list */
    return 0;
}

static int load_filter(const struct confine_needs *needs)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int rc;

    if (!filter)
        return -ENOMEM;
    rc = set_attributes(filter);
    if (!rc)
        rc = confine_add_rules(filter, needs);
    if (!rc)
        rc = seccomp_load(filter);
    seccomp_release(filter);
    return rc;
}

int confine_start(const struct confine_needs *needs)
{
    int rc;

    if (!CONFINE_IS_POSSIBLE)
        return -ENOTSUP;
    if (needs->resolver)
        (void)name_services_load("/etc/nsswitch.conf");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return -errno;
    rc = load_filter(needs);
    if (rc)
        return rc;
    atomic_store_explicit(&is_on, true, memory_order_relaxed);
    return 0;
}

bool confine_is_on(void)
{
    return atomic_load_explicit(&is_on, memory_order_relaxed);
}

int confine_hide_memory(void)
{
    const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return -errno;
    return 0;
}
