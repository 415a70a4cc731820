/*
 * For the wrappers of fault_inject: what they ask, and the real functions. No wrapper makes a system call
 * of its own.
 */
#ifndef FAULT_WRAP_H
#define FAULT_WRAP_H

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/futex.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "fault_inject.h"

/* Addresses of bind and others are a transparent union. */
#pragma GCC diagnostic ignored "-Wpedantic"

#define EXPORT __attribute__((visibility("default")))

/* The role of a descriptor: the port that a socket is bound or connected to, or a kind. */
enum {
    ROLE_FILE = 1,
    ROLE_EVENT,
    ROLE_TIMER,
    ROLE_EPOLL,
    ROLE_ACCEPTED,
    ROLE_SOCKET,
    ROLE_NETLINK,
    ROLE_STDERR,
    ROLE_CONNECTED = 1 << 16, /* plus the port */
};

uint32_t fault_role(int fd);

/* Returns fd. */
int fault_set_role(int fd, uint32_t role);

/* The port of an address; ephemeral ports are one role. */
uint32_t fault_port_role(const struct sockaddr *to);

/* Names the calling thread in the sites. */
void fault_name_thread(const char *name);

/* Counts a call. Returns 0: it is made; FAULT_SHORT: it is made with less; otherwise the errno it fails
 * with. Keeps errno. */
int fault_look(unsigned function, uint32_t detail, const void *caller);

/* Finds the real functions, where the constructor has not run yet. */
void fault_resolve(void);

#define FAULT_FUNCTION(name) extern __typeof__(&(name)) real_##name;
#include "fault_functions.h"
#undef FAULT_FUNCTION

#define LOOK(name, detail) fault_look(FAULT_##name, (detail), __builtin_return_address(0))

/* Declares the function that is wrapped, and leaves with -1 where this call is to fail. */
#define FAIL_OR_GO(name, detail, failure) \
    int fault = LOOK(name, detail);       \
                                          \
    if (fault > 0) {                      \
        errno = fault;                    \
        return failure;                   \
    }                                     \
    if (!real_##name)                     \
    fault_resolve()

#endif
