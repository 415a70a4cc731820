/* The wrappers of calls on sockets, and of those that wait. */
#include "fault_wrap.h"

/* ---- sockets ---- */

EXPORT int socket(int domain, int type, int protocol)
{
    FAIL_OR_GO(socket, (uint32_t)(domain << 8 | (type & 0xf)), -1);
    return fault_set_role(real_socket(domain, type, protocol),
                          domain == AF_NETLINK ? ROLE_NETLINK : ROLE_SOCKET);
}

EXPORT int bind(int fd, const struct sockaddr *at, socklen_t length)
{
    int rc;
    FAIL_OR_GO(bind, fault_port_role(at), -1);
    rc = real_bind(fd, at, length);
    if (rc == 0 && fault_port_role(at))
        (void)fault_set_role(fd, fault_port_role(at));
    return rc;
}

EXPORT int connect(int fd, const struct sockaddr *to, socklen_t length)
{
    int rc;
    FAIL_OR_GO(connect, fault_port_role(to), -1);
    rc = real_connect(fd, to, length);
    if (rc == 0 && fault_port_role(to) && fault_role(fd) == ROLE_SOCKET)
        (void)fault_set_role(fd, ROLE_CONNECTED | fault_port_role(to));
    return rc;
}

EXPORT int listen(int fd, int backlog)
{
    FAIL_OR_GO(listen, fault_role(fd), -1);
    return real_listen(fd, backlog);
}

EXPORT int accept4(int fd, struct sockaddr *from, socklen_t *length, int flags)
{
    FAIL_OR_GO(accept4, fault_role(fd), -1);
    return fault_set_role(real_accept4(fd, from, length, flags), ROLE_ACCEPTED);
}

EXPORT int shutdown(int fd, int how)
{
    FAIL_OR_GO(shutdown, fault_role(fd), -1);
    return real_shutdown(fd, how);
}

EXPORT int getsockname(int fd, struct sockaddr *at, socklen_t *length)
{
    FAIL_OR_GO(getsockname, fault_role(fd), -1);
    return real_getsockname(fd, at, length);
}

EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t length)
{
    FAIL_OR_GO(setsockopt, (uint32_t)(level << 16 | name), -1);
    return real_setsockopt(fd, level, name, value, length);
}

EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *length)
{
    FAIL_OR_GO(getsockopt, (uint32_t)(level << 16 | name), -1);
    return real_getsockopt(fd, level, name, value, length);
}

EXPORT int recvmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags,
                    struct timespec *timeout)
{
    FAIL_OR_GO(recvmmsg, fault_role(fd), -1);
    return real_recvmmsg(fd, headers, fault == FAULT_SHORT ? 1 : count, flags, timeout);
}

EXPORT ssize_t recvmsg(int fd, struct msghdr *header, int flags)
{
    FAIL_OR_GO(recvmsg, fault_role(fd), -1);
    return real_recvmsg(fd, header, flags);
}

EXPORT ssize_t recvfrom(int fd, void *restrict bytes, size_t length, int flags,
                        struct sockaddr *restrict from, socklen_t *restrict from_length)
{
    FAIL_OR_GO(recvfrom, fault_role(fd), -1);
    return real_recvfrom(fd, bytes, length, flags, from, from_length);
}

EXPORT ssize_t recv(int fd, void *bytes, size_t length, int flags)
{
    FAIL_OR_GO(recv, fault_role(fd), -1);
    return real_recv(fd, bytes, fault == FAULT_SHORT && length > 1 ? 1 : length, flags);
}

EXPORT int sendmmsg(int fd, struct mmsghdr *headers, unsigned count, int flags)
{
    FAIL_OR_GO(sendmmsg, fault_role(fd), -1);
    return real_sendmmsg(fd, headers, fault == FAULT_SHORT ? 1 : count, flags);
}

EXPORT ssize_t sendmsg(int fd, const struct msghdr *header, int flags)
{
    struct msghdr first;
    FAIL_OR_GO(sendmsg, fault_role(fd), -1);
    if (fault != FAULT_SHORT || header->msg_iovlen < 2)
        return real_sendmsg(fd, header, flags);
    first = *header;
    first.msg_iovlen = 1;
    return real_sendmsg(fd, &first, flags);
}

EXPORT ssize_t sendto(int fd, const void *bytes, size_t length, int flags,
                      const struct sockaddr *to, socklen_t to_length)
{
    FAIL_OR_GO(sendto, fault_role(fd), -1);
    return real_sendto(fd, bytes, length, flags, to, to_length);
}

EXPORT ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
    FAIL_OR_GO(send, fault_role(fd), -1);
    return real_send(fd, bytes, fault == FAULT_SHORT && length > 1 ? length / 2 : length, flags);
}

/* ---- waiting ---- */

EXPORT int epoll_create1(int flags)
{
    FAIL_OR_GO(epoll_create1, 0, -1);
    return fault_set_role(real_epoll_create1(flags), ROLE_EPOLL);
}

EXPORT int epoll_ctl(int epoll_fd, int operation, int fd, struct epoll_event *event)
{
    FAIL_OR_GO(epoll_ctl, (uint32_t)operation << 20 | fault_role(fd), -1);
    return real_epoll_ctl(epoll_fd, operation, fd, event);
}

EXPORT int epoll_wait(int fd, struct epoll_event *events, int count, int timeout)
{
    FAIL_OR_GO(epoll_wait, 0, -1);
    return real_epoll_wait(fd, events, count, timeout);
}

EXPORT int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    FAIL_OR_GO(poll, 0, -1);
    return real_poll(fds, count, timeout);
}

EXPORT int select(int count, fd_set *reads, fd_set *writes, fd_set *others, struct timeval *timeout)
{
    FAIL_OR_GO(select, 0, -1);
    return real_select(count, reads, writes, others, timeout);
}

EXPORT int eventfd(unsigned value, int flags)
{
    FAIL_OR_GO(eventfd, 0, -1);
    return fault_set_role(real_eventfd(value, flags), ROLE_EVENT);
}

EXPORT int timerfd_create(clockid_t clock, int flags)
{
    FAIL_OR_GO(timerfd_create, 0, -1);
    return fault_set_role(real_timerfd_create(clock, flags), ROLE_TIMER);
}

EXPORT int timerfd_settime(int fd, int flags, const struct itimerspec *when, struct itimerspec *was)
{
    FAIL_OR_GO(timerfd_settime, 0, -1);
    return real_timerfd_settime(fd, flags, when, was);
}

EXPORT int nanosleep(const struct timespec *time, struct timespec *left)
{
    FAIL_OR_GO(nanosleep, 0, -1);
    return real_nanosleep(time, left);
}

EXPORT int sigtimedwait(const sigset_t *set, siginfo_t *info, const struct timespec *timeout)
{
    FAIL_OR_GO(sigtimedwait, 0, -1);
    return real_sigtimedwait(set, info, timeout);
}

/* The number, and the operation of a futex: a wait and a wake fail with other errnos. */
static uint32_t syscall_detail(long number, long second)
{
    return (uint32_t)number | (number == SYS_futex ? (uint32_t)(second & FUTEX_CMD_MASK) << 16 : 0);
}

/* The arguments of a system call, which all are a register wide. */
EXPORT long syscall(long number, ...)
{
    long a[6];
    va_list args;
    va_start(args, number);
    for (size_t i = 0; i < 6; i++)
        a[i] = va_arg(args, long);
    va_end(args);
    FAIL_OR_GO(syscall, syscall_detail(number, a[1]), -1);
    return real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
