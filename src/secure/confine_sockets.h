/*
 * confine_sockets: the part of the seccomp filter about sockets: which kinds may be opened, and which of
 * their options may be read and set. confine_rules.c calls it.
 */
#ifndef SECURE_CONFINE_SOCKETS_H
#define SECURE_CONFINE_SOCKETS_H

#include <seccomp.h>

#include "headless/secure/confine.h"

#define INT_BITS UINT64_C(0xffffffff) /* the kernel ignores the upper bits of an int */

/* Returns 0 or a negative errno of libseccomp. */
int confine_add_sockets(scmp_filter_ctx filter, const struct confine_needs *needs)
    __attribute__((warn_unused_result));
int confine_add_socket_options(scmp_filter_ctx filter, const struct confine_needs *needs)
    __attribute__((warn_unused_result));

#endif
