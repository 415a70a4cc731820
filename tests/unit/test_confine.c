/*
 * confine: in a confined child process, calls of use to an attacker are refused. Each forbidden
 * call is also made without the filter, where it must have another result: otherwise its refusal
 * would prove nothing.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "confine_fixture.h"

TestSuite(confine, .init = setup, .timeout = 60);

/* ---- refused calls ---- */

struct call {
    const char *name;
    long number, arguments[5];
    int confined;       /* the errno within the filter */
    bool is_privileged; /* without the filter, the kernel may return the same error */
};

static int make_call(const struct call *call)
{
    const long *a = call->arguments;

    return syscall(call->number, a[0], a[1], a[2], a[3], a[4]) < 0 ? errno : 0;
}

static char page[4096] __attribute__((aligned(4096)));

/* Calls that are harmless where they are not refused. */
static size_t list_calls(const struct call **ret_calls)
{
    static struct call calls[RESULTS_MAX];
    const long file = (long)"/dev/null", no_file = (long)"/nonexistent", parent = getppid();
    const long anonymous = MAP_PRIVATE | MAP_ANONYMOUS, code = PROT_READ | PROT_EXEC;
    const struct call list[] = {
        {"execve", SYS_execve, {no_file, 0, 0}, EPERM, false},
        {"execveat", SYS_execveat, {AT_FDCWD, no_file, 0, 0, 0}, EPERM, false},
        {"clone3", SYS_clone3, {0, 0}, ENOSYS, false},
        {"unshare", SYS_unshare, {0}, EPERM, false},
        {"setns", SYS_setns, {-1, 0}, EPERM, false},
        {"ptrace", SYS_ptrace, {PTRACE_CONT, 0, 0, 0}, EPERM, false},
        {"process_vm_readv", SYS_process_vm_readv, {parent, 0, 0, 0, 0}, EPERM, false},
        {"kill", SYS_kill, {parent, 0}, EPERM, false},
        {"tgkill of another", SYS_tgkill, {parent, parent, 0}, ENOSYS, false},
        {"mmap of code", SYS_mmap, {0, 4096, code, anonymous, -1}, EPERM, false},
        {"mprotect to code", SYS_mprotect, {(long)page, 4096, code}, EPERM, false},
        {"memfd_create", SYS_memfd_create, {no_file, 0}, EPERM, false},
        {"personality", SYS_personality, {0xffffffff}, EPERM, false},
        {"listen", SYS_listen, {-1, 0}, EPERM, false},
        {"packet socket", SYS_socket, {AF_PACKET, SOCK_RAW, 0}, EPERM, true},
        {"raw socket", SYS_socket, {AF_INET, SOCK_RAW, IPPROTO_UDP}, EPERM, true},
        {"raw IPv6 socket", SYS_socket, {AF_INET6, SOCK_RAW | SOCK_CLOEXEC, 17}, EPERM, true},
        {"TCP socket", SYS_socket, {AF_INET, SOCK_STREAM, 0}, EPERM, false},
        {"unix socket", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}, EPERM, false},
        {"netlink socket", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}, EPERM, false},
        {"vsock socket", SYS_socket, {AF_VSOCK, SOCK_DGRAM, 77}, EPERM, false},
        {"a family of the future", SYS_socket, {AF_MAX + 9, SOCK_DGRAM, 0}, ENOSYS, false},
        {"write a file", SYS_openat, {AT_FDCWD, file, O_WRONLY}, EPERM, false},
        {"read and write a file", SYS_openat, {AT_FDCWD, file, O_RDWR | O_CLOEXEC}, EPERM, false},
        {"cut a file", SYS_openat, {AT_FDCWD, file, O_TRUNC}, EPERM, false},
        {"make a file", SYS_openat, {AT_FDCWD, file, O_CREAT, 0600}, EPERM, false},
        {"rename", SYS_renameat2, {AT_FDCWD, no_file, AT_FDCWD, no_file, 0}, ENOSYS, false},
        {"unlink", SYS_unlinkat, {AT_FDCWD, no_file, 0}, ENOSYS, false},
        {"mount", SYS_mount, {0, 0, 0, 0, 0}, EPERM, true},
        {"chroot", SYS_chroot, {no_file}, EPERM, true},
        {"setuid", SYS_setuid, {-1}, EPERM, false},
        {"bpf", SYS_bpf, {-1, 0, 0}, EPERM, true},
        {"perf_event_open", SYS_perf_event_open, {0, 0, 0, 0, 0}, EPERM, true},
        {"keyctl", SYS_keyctl, {-1, 0, 0}, EPERM, true},
        {"finit_module", SYS_finit_module, {-1, 0, 0}, EPERM, true},
        {"io_uring_setup", SYS_io_uring_setup, {0, 0}, ENOSYS, true},
        {"prctl of more than names", SYS_prctl, {PR_SET_DUMPABLE, 1, 0, 0, 0}, ENOSYS, false},
        {"seccomp", SYS_seccomp, {-1, 0, 0}, ENOSYS, false},
        {"ioctl of a terminal", SYS_ioctl, {-1, TIOCSTI, 0}, ENOSYS, false},
        {"limits", SYS_prlimit64, {0, RLIMIT_CORE, (long)page, 0}, ENOSYS, false},
        {"dup", SYS_dup, {-1}, ENOSYS, false},
    };

    memcpy(calls, list, sizeof(list));
    *ret_calls = calls;
    return sizeof(list) / sizeof(list[0]);
}

static void make_calls(void)
{
    const struct call *calls;
    size_t count = list_calls(&calls);

    for (size_t i = 0; i < count; i++)
        results[i] = make_call(&calls[i]);
}

Test(confine, forbidden_calls_end_otherwise_without_the_filter, .disabled = !CONFINE_IS_POSSIBLE)
{
    const struct call *calls;
    size_t count = list_calls(&calls);

    cr_assert_eq(run_child(NULL, make_calls), 0);
    for (size_t i = 0; i < count; i++)
        cr_expect(calls[i].is_privileged || results[i] != calls[i].confined,
                  "%s: %s without the filter", calls[i].name, strerror(results[i]));
}

Test(confine, forbidden_calls_are_refused, .disabled = !CONFINE_IS_POSSIBLE)
{
    const struct call *calls;
    size_t count = list_calls(&calls);

    cr_assert_eq(run_child(&nothing_special, make_calls), 0);
    for (size_t i = 0; i < count; i++)
        cr_expect_eq(results[i], calls[i].confined, "%s: %d, should be %s", calls[i].name,
                     results[i], strerror(calls[i].confined));
}

/* ---- socket options ---- */

/* The bad descriptor is found only behind the filter: EBADF means that the filter lets the call through. */
static const struct option_call {
    const char *name;
    long call, level, option;
    int confined, with_resolver, with_groups;
} options[] = {
    {"SO_RCVBUF", SYS_setsockopt, SOL_SOCKET, SO_RCVBUF, EBADF, EBADF, EBADF},
    {"IP_TTL", SYS_setsockopt, IPPROTO_IP, IP_TTL, EBADF, EBADF, EBADF},
    {"IPV6_UNICAST_HOPS", SYS_setsockopt, IPPROTO_IPV6, IPV6_UNICAST_HOPS, EBADF, EBADF, EBADF},
    {"TCP_CORK", SYS_setsockopt, IPPROTO_TCP, TCP_CORK, EBADF, EBADF, EBADF},
    {"get SO_MEMINFO", SYS_getsockopt, SOL_SOCKET, SO_MEMINFO, EBADF, EBADF, EBADF},
    {"MCAST_JOIN_GROUP", SYS_setsockopt, IPPROTO_IP, MCAST_JOIN_GROUP, ENOSYS, ENOSYS, EBADF},
    {"get SO_PEERCRED", SYS_getsockopt, SOL_SOCKET, SO_PEERCRED, ENOSYS, EBADF, ENOSYS},
    /* The same number at another level, and with upper bits, which the kernel ignores. */
    {"TCP_CORK's number for UDP", SYS_setsockopt, IPPROTO_UDP, TCP_CORK, ENOSYS, ENOSYS, ENOSYS},
    {"IP_TTL, upper bits", SYS_setsockopt, IPPROTO_IP, IP_TTL | 1L << 40, EBADF, EBADF, EBADF},
    {"SO_MARK, upper bits", SYS_setsockopt, SOL_SOCKET | 1L << 40, SO_MARK, ENOSYS, ENOSYS, ENOSYS},
    /* Programs in the kernel, the path of datagrams, protocols on top, tables of netfilter. */
    {"SO_ATTACH_FILTER", SYS_setsockopt, SOL_SOCKET, SO_ATTACH_FILTER, ENOSYS, ENOSYS, ENOSYS},
    {"SO_ATTACH_BPF", SYS_setsockopt, SOL_SOCKET, SO_ATTACH_BPF, ENOSYS, ENOSYS, ENOSYS},
    {"SO_BINDTODEVICE", SYS_setsockopt, SOL_SOCKET, SO_BINDTODEVICE, ENOSYS, ENOSYS, ENOSYS},
    {"SO_REUSEPORT", SYS_setsockopt, SOL_SOCKET, SO_REUSEPORT, ENOSYS, ENOSYS, ENOSYS},
    {"IP_OPTIONS", SYS_setsockopt, IPPROTO_IP, IP_OPTIONS, ENOSYS, ENOSYS, ENOSYS},
    {"IP_TRANSPARENT", SYS_setsockopt, IPPROTO_IP, IP_TRANSPARENT, ENOSYS, ENOSYS, ENOSYS},
    {"IPT_SO_SET_REPLACE", SYS_setsockopt, IPPROTO_IP, 64, ENOSYS, ENOSYS, ENOSYS},
    {"IPV6_RTHDR", SYS_setsockopt, IPPROTO_IPV6, IPV6_RTHDR, ENOSYS, ENOSYS, ENOSYS},
    {"TCP_ULP", SYS_setsockopt, IPPROTO_TCP, TCP_ULP, ENOSYS, ENOSYS, ENOSYS},
    {"UDP_ENCAP", SYS_setsockopt, IPPROTO_UDP, UDP_ENCAP, ENOSYS, ENOSYS, ENOSYS},
    {"a packet ring", SYS_setsockopt, SOL_PACKET, 5, ENOSYS, ENOSYS, ENOSYS},
    {"get SO_PEERSEC", SYS_getsockopt, SOL_SOCKET, SO_PEERSEC, ENOSYS, ENOSYS, ENOSYS},
    {"get TCP_ZEROCOPY_RECEIVE", SYS_getsockopt, IPPROTO_TCP, 35, ENOSYS, ENOSYS, ENOSYS},
};
#define OPTION_COUNT (sizeof(options) / sizeof(options[0]))

static void make_option_calls(void)
{
    char value[64] = {0};
    socklen_t length = sizeof(value);

    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_call *o = &options[i];
        long last = o->call == SYS_getsockopt ? (long)&length : (long)length;

        results[i] = syscall(o->call, -1, o->level, o->option, value, last) < 0 ? errno : 0;
    }
}

Test(confine, socket_options_that_nothing_uses_are_refused, .disabled = !CONFINE_IS_POSSIBLE)
{
    const struct confine_needs resolver = {.resolver = true}, groups = {.groups = true};

    cr_assert_eq(run_child(NULL, make_option_calls), 0);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        cr_expect_eq(results[i], EBADF, "%s without the filter: %d", options[i].name, results[i]);
    cr_assert_eq(run_child(&nothing_special, make_option_calls), 0);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        cr_expect_eq(results[i], options[i].confined, "%s: %d", options[i].name, results[i]);
    cr_assert_eq(run_child(&resolver, make_option_calls), 0);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        cr_expect_eq(results[i], options[i].with_resolver, "%s with the resolver: %d",
                     options[i].name, results[i]);
    cr_assert_eq(run_child(&groups, make_option_calls), 0);
    for (size_t i = 0; i < OPTION_COUNT; i++)
        cr_expect_eq(results[i], options[i].with_groups, "%s with groups: %d", options[i].name,
                     results[i]);
}

static void try_fork(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    results[0] = child < 0 ? errno : 0;
}

Test(confine, processes_are_refused, .disabled = !CONFINE_IS_POSSIBLE)
{
    cr_assert_eq(run_child(NULL, try_fork), 0);
    cr_assert_eq(results[0], 0);
    cr_assert_eq(run_child(&nothing_special, try_fork), 0);
    cr_assert_eq(results[0], EPERM);
}

/* ---- threads ---- */

static pthread_barrier_t barrier;

static void *try_exec_when_told(void *argument)
{
    (void)pthread_barrier_wait(&barrier);
    results[0] = syscall(SYS_execve, "/nonexistent", NULL, NULL) < 0 ? errno : 0;
    return argument;
}

Test(confine, running_threads_are_confined, .disabled = !CONFINE_IS_POSSIBLE)
{
    pid_t child = fork();
    int status;

    cr_assert_geq(child, 0);
    if (child == 0) {
        pthread_t thread;

        if (pthread_barrier_init(&barrier, NULL, 2) ||
            pthread_create(&thread, NULL, try_exec_when_told, NULL) ||
            confine_start(&nothing_special))
            _exit(99);
        (void)pthread_barrier_wait(&barrier);
        _exit(pthread_join(thread, NULL));
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_assert_eq(results[0], EPERM);
}

/* ---- keys in memory ---- */

static void hide(void)
{
    struct rlimit core;

    results[0] = prctl(PR_GET_DUMPABLE);
    results[1] = confine_hide_memory();
    results[2] = prctl(PR_GET_DUMPABLE);
    results[3] = getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_cur == 0 && core.rlim_max == 0;
    results[4] = prctl(PR_SET_DUMPABLE, 1) == 0 && confine_hide_memory() == 0;
    abort();
}

Test(confine, process_with_keys_is_not_dumpable)
{
    int status = run_child(NULL, hide);

    cr_expect_eq(results[0], 1, "what it is without");
    cr_expect_eq(results[1], 0);
    cr_expect_eq(results[2], 0, "dumpable");
    cr_expect_eq(results[3], 1, "the limit, which cannot be raised again");
    cr_expect_eq(results[4], 1, "twice does no harm");
    cr_expect(WIFSIGNALED(status));
    cr_expect_not(WCOREDUMP(status));
}
