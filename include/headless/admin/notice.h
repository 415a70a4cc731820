/*
 * notice: what of a snapshot is worth telling: app.notify and the streams of /events hear of it when
 * it changes. It has all that the page of GET /leader says of the leader.
 *
 * Pure values; any thread.
 */
#ifndef HEADLESS_ADMIN_NOTICE_H
#define HEADLESS_ADMIN_NOTICE_H

#include <stdbool.h>
#include <stdint.h>

#include "headless/base/address.h"
#include "headless/config/config.h"

struct admin_snapshot;

struct notice {
    uint64_t term, instance;
    struct address address;
    char name[CONFIG_NAME_MAX];
    const char *cause; /* one of the leadership's words, constant */
    bool is_usable;    /* the leader, now */
};

struct notice notice_of(const struct admin_snapshot *snapshot);
bool notice_is_same(const struct notice *a, const struct notice *b);

#endif
