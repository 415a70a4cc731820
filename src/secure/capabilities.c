#include "headless/secure/capabilities.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* glibc has no declaration of these calls; libcap would be a library for them alone. */
static int read_sets(struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3])
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

    return syscall(SYS_capget, &header, sets) < 0 ? -errno : 0;
}

bool capabilities_has(unsigned number)
{
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};

    return read_sets(sets) == 0 && sets[number / 32].effective & 1U << number % 32;
}

int capabilities_drop(unsigned number)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0}, *set = &sets[number / 32];
    uint32_t others = ~(UINT32_C(1) << number % 32);
    int rc = read_sets(sets);

    set->effective &= others;
    set->permitted &= others;
    set->inheritable &= others; /* and so from the ambient set */
    if (!rc && syscall(SYS_capset, &header, sets) < 0)
        rc = -errno;
    return rc;
}

struct start {
    unsigned number;
    int (*run)(void *context);
    void *context;
    int rc;
};

static void *drop_and_run(void *argument)
{
    struct start *start = argument;

    start->rc = capabilities_drop(start->number);
    if (!start->rc)
        start->rc = start->run(start->context);
    return NULL;
}

int capabilities_run_without(unsigned number, int (*run)(void *context), void *context)
{
    struct start start = {number, run, context, 0};
    pthread_t thread;
    int rc;

    if (!capabilities_has(number))
        return run(context);
    rc = pthread_create(&thread, NULL, drop_and_run, &start);
    if (rc)
        return -rc;
    (void)pthread_join(thread, NULL);
    return start.rc;
}
