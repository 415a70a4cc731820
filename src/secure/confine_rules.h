/* confine_rules: the system calls that the process keeps, as rules of a filter. Private to secure/. */
#ifndef SECURE_CONFINE_RULES_H
#define SECURE_CONFINE_RULES_H

#include <seccomp.h>

#include "headless/secure/confine.h"

/* Returns 0 or a negative errno. */
int confine_add_rules(scmp_filter_ctx filter, const struct confine_needs *needs)
    __attribute__((warn_unused_result));

#endif
