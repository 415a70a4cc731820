/*
 * leader_event: the part of a snapshot whose change is sent to app.notify and to the streams of
 * /events: everything about the leader that GET /leader shows.
 *
 * Pure values; any thread.
 */
#ifndef HEADLESS_ADMIN_LEADER_EVENT_H
#define HEADLESS_ADMIN_LEADER_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "headless/base/address.h"
#include "headless/config/config.h"

struct admin_snapshot;

struct leader_event {
    uint64_t term, instance;
    struct address address;
    char name[CONFIG_NAME_MAX];
    const char *cause; /* a constant of the leader snapshot */
    bool is_usable;    /* the leader is valid now */
};

struct leader_event leader_event_of(const struct admin_snapshot *snapshot);
bool leader_event_is_same(const struct leader_event *a, const struct leader_event *b);

#endif
