/*
 * confine: a seccomp filter that limits an attacker who takes the process over.
 *
 * The filter allows the system calls that serving needs, some of them with bounds on their
 * arguments. All others fail: those of use to an attacker only (execve, ptrace, mount, listen, ...)
 * with EPERM, all others with ENOSYS, on which the C library falls back to older calls. No call
 * kills the process: a forgotten call breaks one function, not the service. The kernel logs each
 * refused call where it logs seccomp at all (audit type 1326).
 *
 * Not possible afterwards: another program or process, memory that is made executable, raw and
 * packet sockets, a listening socket, files opened for writing unless needs.files says so.
 * docs/confinement.md has the reasons.
 *
 * Threads: main thread, during the start. The filter applies to all threads, running ones included;
 * it can be neither removed nor widened.
 */
#ifndef HEADLESS_SECURE_CONFINE_H
#define HEADLESS_SECURE_CONFINE_H

#include <stdbool.h>
#include <stdint.h>

/* Not with a sanitizer, which makes calls that the filter forbids, nor on 32-bit machines. */
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

/* Calls that only some configurations need. */
struct confine_needs {
    bool
        resolver; /* name lookups: TCP, unix and netlink sockets; reads NSS modules, which blocks */
    bool files;   /* writing and renaming files */
    bool groups;  /* interface lookups: netlink sockets, unix datagrams */
    bool connections; /* TCP sockets: a follower's to its leader */
    bool platform;    /* the same, to the API server, by libcurl (platform/curl.h) */
};

/*
 * Call it after the listening sockets are open. Also sets no_new_privs. Returns 0; -ENOTSUP: not in
 * this build; otherwise the error of the kernel: -EINVAL or -ENOSYS without seccomp, -EPERM or
 * -EACCES under another filter. On failure the process runs unconfined; the caller decides.
 */
int confine_start(const struct confine_needs *needs) __attribute__((warn_unused_result));

/* Any thread: true when the filter is installed. */
bool confine_is_on(void);

/*
 * For a process that holds keys: no core dump, and no process of the same UID may attach or read
 * its memory (PR_SET_DUMPABLE 0, RLIMIT_CORE 0; PR_SET_DUMPABLE also gives /proc/PID to root).
 * Call it before the first key is read, and before confine_start, which forbids it. Children would
 * inherit only the limit, but there are none. Returns 0 or a negative errno.
 */
int confine_hide_memory(void) __attribute__((warn_unused_result));

#endif
