/*
 * The tables list what is allowed; comments at the rows give reasons that are not obvious. The
 * calls were found by strace of every cluster test and, for code that no test reaches, in the
 * sources of glibc, libmicrohttpd and systemd's NSS modules.
 */
#include "secure/confine_rules.h"

#include <asm/termbits.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "secure/confine_sockets.h"

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

/* ---- calls without a condition ---- */

static const int allowed_calls[] = {
    /* datagrams, and HTTP */
    SCMP_SYS(recvmmsg),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(connect),
    SCMP_SYS(bind), /* links to new members and sessions of the app */
    SCMP_SYS(accept4),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockname),
    /* waiting */
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(select), /* libmicrohttpd without epoll */
    SCMP_SYS(pselect6),
    SCMP_SYS(eventfd2),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(futex),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_yield),
    /* time, where the vDSO cannot read the clock */
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    /* memory; mmap and mprotect are below */
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    /* files: reload, name lookups, the store; openat is below */
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(getdents64),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    /* signals */
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    /* threads; clone is below */
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(gettid),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    /* queries of libraries */
    SCMP_SYS(getpid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getrandom),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
};

/* Only with needs.files. */
static const int file_calls[] = {
    SCMP_SYS(openat), /* without the condition below */
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
};

/* Only with needs.platform: libcurl reads the address of a new connection. */
static const int platform_calls[] = {
    SCMP_SYS(getpeername),
};

/* Calls of use to an attacker only: EPERM, as without the privilege. */
static const int refused_calls[] = {
    /* other programs, other processes */
    SCMP_SYS(execve),
    SCMP_SYS(execveat),
    SCMP_SYS(fork),
    SCMP_SYS(vfork),
    SCMP_SYS(kill),
    SCMP_SYS(tkill),
    SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv),
    SCMP_SYS(process_vm_writev),
    SCMP_SYS(pidfd_getfd),
    /* code without a file */
    SCMP_SYS(memfd_create),
    SCMP_SYS(memfd_secret),
    SCMP_SYS(pkey_mprotect),
    SCMP_SYS(personality), /* READ_IMPLIES_EXEC */
    /* a way in */
    SCMP_SYS(listen),
    SCMP_SYS(socketpair),
    /* namespaces and mounts */
    SCMP_SYS(mount),
    SCMP_SYS(umount2),
    SCMP_SYS(move_mount),
    SCMP_SYS(fsopen),
    SCMP_SYS(open_tree),
    SCMP_SYS(pivot_root),
    SCMP_SYS(chroot),
    SCMP_SYS(unshare),
    SCMP_SYS(setns),
    /* the kernel */
    SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),
    SCMP_SYS(userfaultfd),
    SCMP_SYS(add_key),
    SCMP_SYS(request_key),
    SCMP_SYS(keyctl),
    SCMP_SYS(init_module),
    SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),
    SCMP_SYS(kexec_load),
    SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),
    SCMP_SYS(open_by_handle_at),
    /* another identity */
    SCMP_SYS(setuid),
    SCMP_SYS(setgid),
    SCMP_SYS(setresuid),
    SCMP_SYS(setresgid),
    SCMP_SYS(setgroups),
    SCMP_SYS(capset),
};

/* ---- calls with a condition ---- */

/*
 * (argument & mask) == value. int arguments are masked to 32 bits: the kernel ignores the upper
 * bits, which are undefined.
 */
struct bound {
    int call;
    bool is_allowed; /* otherwise EPERM */
    unsigned argument;
    uint64_t mask, value;
};

#define THREAD_FLAGS ((uint64_t)(CLONE_VM | CLONE_THREAD | CLONE_SIGHAND))
#define NAMESPACE_FLAGS                                                                    \
    ((uint64_t)(CLONE_NEWNS | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | \
                CLONE_NEWUTS | CLONE_NEWCGROUP | CLONE_PTRACE | CLONE_PARENT))
#define WRITE_FLAGS ((uint64_t)(O_ACCMODE | O_CREAT | O_TRUNC))

/* clang-format off */
static const struct bound bounds[] = {
    /* A thread, not a process. clone3 has its flags in memory, which a filter cannot read: it is
     * ENOSYS like all calls not named here, and glibc falls back to clone. */
    {SCMP_SYS(clone), true, 0, THREAD_FLAGS | NAMESPACE_FLAGS, THREAD_FLAGS},
    {SCMP_SYS(clone), false, 0, CLONE_THREAD, 0},
    /* No executable memory. NSS modules were loaded before (name_services.c). */
    {SCMP_SYS(mmap), true, 2, PROT_EXEC, 0},
    {SCMP_SYS(mmap), false, 2, PROT_EXEC, PROT_EXEC},
    {SCMP_SYS(mprotect), true, 2, PROT_EXEC, 0},
    {SCMP_SYS(mprotect), false, 2, PROT_EXEC, PROT_EXEC},
    /* abort() */
    {SCMP_SYS(tgkill), true, 0, INT_BITS, 0}, /* 0: replaced by the pid */
    /* Thread names. */
    {SCMP_SYS(prctl), true, 0, INT_BITS, PR_SET_NAME},
    /* libmicrohttpd; stdio on terminals; the resolver; interfaces in addresses. */
    {SCMP_SYS(fcntl), true, 1, INT_BITS, F_GETFL},
    {SCMP_SYS(fcntl), true, 1, INT_BITS, F_SETFL},
    {SCMP_SYS(fcntl), true, 1, INT_BITS, F_GETFD},
    {SCMP_SYS(fcntl), true, 1, INT_BITS, F_SETFD},
    {SCMP_SYS(ioctl), true, 1, INT_BITS, TCGETS},
    {SCMP_SYS(ioctl), true, 1, INT_BITS, FIONREAD},
    {SCMP_SYS(ioctl), true, 1, INT_BITS, SIOCGIFINDEX},
    {SCMP_SYS(ioctl), true, 1, INT_BITS, SIOCGIFNAME},
    {SCMP_SYS(ioctl), true, 1, INT_BITS, SIOCGIFFLAGS},
    /* Limits are read, not set. */
    {SCMP_SYS(prlimit64), true, 2, UINT64_MAX, 0},
};

/* Without needs.files: files are opened for reading only. */
static const struct bound read_only[] = {
    {SCMP_SYS(openat), true, 2, WRITE_FLAGS, 0},
    {SCMP_SYS(openat), false, 2, O_WRONLY, O_WRONLY},
    {SCMP_SYS(openat), false, 2, O_RDWR, O_RDWR},
    {SCMP_SYS(openat), false, 2, O_CREAT, O_CREAT},
    {SCMP_SYS(openat), false, 2, O_TRUNC, O_TRUNC},
};
/* clang-format on */

/* ---- the filter ---- */

static int add_calls(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < count; i++)
        rc = seccomp_rule_add(filter, action, calls[i], 0);
    return rc;
}

static int add_bounds(scmp_filter_ctx filter, const struct bound *table, size_t count)
{
    int rc = 0;

    for (size_t i = 0; !rc && i < count; i++) {
        const struct bound *bound = &table[i];
        uint64_t value = bound->call == SCMP_SYS(tgkill) ? (uint64_t)getpid() : bound->value;
        struct scmp_arg_cmp is = {bound->argument, SCMP_CMP_MASKED_EQ, bound->mask, value};

        rc = seccomp_rule_add_array(filter,
                                    bound->is_allowed ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM),
                                    bound->call, 1, &is);
    }
    return rc;
}

int confine_add_rules(scmp_filter_ctx filter, const struct confine_needs *needs)
{
    int rc = add_calls(filter, SCMP_ACT_ALLOW, allowed_calls, COUNT(allowed_calls));

    if (!rc)
        rc = add_calls(filter, SCMP_ACT_ERRNO(EPERM), refused_calls, COUNT(refused_calls));
    if (!rc)
        rc = add_bounds(filter, bounds, COUNT(bounds));
    if (!rc && needs->files)
        rc = add_calls(filter, SCMP_ACT_ALLOW, file_calls, COUNT(file_calls));
    if (!rc && needs->platform)
        rc = add_calls(filter, SCMP_ACT_ALLOW, platform_calls, COUNT(platform_calls));
    if (!rc && !needs->files)
        rc = add_bounds(filter, read_only, COUNT(read_only));
    if (!rc)
        rc = confine_add_sockets(filter, needs);
    if (!rc)
        rc = confine_add_socket_options(filter, needs);
    return rc;
}
