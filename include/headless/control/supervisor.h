/*
 * supervisor: the one thread that decides who leads and publishes it to the data threads.
 *
 * It owns the highest claim, the peer socket and the reader's end of every worker's mailbox; it
 * sleeps in epoll. It answers commands only after the view that they caused is published, so what a
 * client sends after the answer meets the new leader.
 *
 * In this version each pod applies a command itself, and claims do not expire; the exchange of
 * claims between pods is the control plane's next step.
 *
 * Threads: init, start, stop and reload by the main thread; the rest of the fields is the
 * supervisor's.
 */
#ifndef HEADLESS_CONTROL_SUPERVISOR_H
#define HEADLESS_CONTROL_SUPERVISOR_H

#include <pthread.h>

#include "headless/base/budget.h"
#include "headless/control/claim.h"
#include "headless/control/command.h"
#include "headless/data/plane.h"

/* What a reload may change here; a copy, so that the supervisor never reads somebody's config. */
struct supervisor_settings {
    uint64_t hold_time_ns, app_idle_ns, reply_grace_ns;
    enum config_control control_accept;
    struct config_cidrs control_allow;
    char leader[CONFIG_NAME_MAX];
    uint64_t leader_generation;
};

struct supervisor {
    const struct config *config;
    struct plane *plane;
    struct waker waker; /* of mailboxes and reloads */
    int epoll_fd;
    struct udp_socket peer_socket;
    struct supervisor_settings settings;
    struct claim claim;     /* the highest seen */
    uint64_t previous_term; /* whose answers still pass until previous_until_ns */
    uint64_t previous_until_ns;
    bool unpublished; /* the view lags behind the claim: no slot was free */
    struct budget commands;
    struct budget refusals; /* answers and log lines for commands that were refused */
    struct counters counters;
    struct agent agent;

    pthread_mutex_t reload_lock; /* guards the two below */
    struct supervisor_settings reloaded;
    bool has_reload;
};

/* First, before the plane: binds the peer port, exclusively, so that a second daemon on this
 * address fails here. Logs what failed; returns a negative errno. */
int supervisor_open(struct supervisor *supervisor, const struct config *config)
    __attribute__((warn_unused_result));

/* After plane_open: make the first claim (alone, or the configured leader) and publish it. */
int supervisor_join(struct supervisor *supervisor, struct plane *plane)
    __attribute__((warn_unused_result));

int supervisor_start(struct supervisor *supervisor) __attribute__((warn_unused_result));
void supervisor_stop(struct supervisor *supervisor);
void supervisor_close(struct supervisor *supervisor);

/* Main thread: take these settings over soon. */
void supervisor_reload(struct supervisor *supervisor, const struct config *config);

#endif
