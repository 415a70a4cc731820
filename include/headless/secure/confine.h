/*
 * confine: the process gives up what it will never need, so that who takes it over gets no more.
 *
 * A seccomp filter names the system calls that serving takes, some of them with bounds on their
 * arguments. All others fail: those that only an intruder would want (execve, ptrace, mount,
 * listen, ...) with EPERM, all others with ENOSYS, on which the C library falls back to older
 * calls. Nothing is killed: a call that we forgot costs one function, not the service. The kernel
 * logs each refused call where it logs seccomp at all (audit type 1326).
 *
 * Not possible afterwards: another program or process, memory that is made executable, raw and
 * packet sockets, a listening socket, files opened for writing unless needs.files says so.
 * docs/confinement.md has the reasons.
 *
 * Threads: main thread, during the start. The filter holds for all threads, those that run already
 * included; it can be neither removed nor widened.
 */
#ifndef HEADLESS_SECURE_CONFINE_H
#define HEADLESS_SECURE_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

/* Not with a sanitizer, which does what the filter forbids, nor with the calls of 32-bit machines.
 */
#if defined(__has_feature)
#define CONFINE_HAS(feature) __has_feature(feature)
#else
#define CONFINE_HAS(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || \
    CONFINE_HAS(address_sanitizer) || CONFINE_HAS(thread_sanitizer) || UINTPTR_MAX < UINT64_MAX
#define CONFINE_IS_POSSIBLE false
#else
#define CONFINE_IS_POSSIBLE true
#endif

/* What not every configuration needs. */
struct confine_needs {
    bool resolver; /* names are looked up: TCP, unix and netlink sockets; blocks to read modules */
    bool files;    /* files are written, and renamed */
    bool groups;   /* interfaces are looked up, again and again: netlink, unix datagrams */
};

/*
 * After the listening sockets are open. Also sets no_new_privs. -ENOTSUP: not in this build; else
 * what the kernel says that refuses: -EINVAL or -ENOSYS without seccomp, -EPERM or -EACCES under
 * another filter. The process goes on unconfined then; the caller decides.
 */
int confine_start(const struct confine_needs *needs) __attribute__((warn_unused_result));

/* Any thread: does our filter hold? */
bool confine_is_on(void);

/*
 * For a process that holds keys, before it reads the first one and before confine_start, which
 * forbids it: no core dump, and nobody of the same UID may attach or read its memory
 * (PR_SET_DUMPABLE 0, RLIMIT_CORE 0; PR_SET_DUMPABLE also makes /proc/PID root's). Children would
 * inherit the limit only, but there are none. Returns 0 or a negative errno.
 */
int confine_hide_memory(void) __attribute__((warn_unused_result));

#endif
