/* data_plane_internal: what the data plane consists of. For data_plane*.c and tests. */
#ifndef DATA_DATA_PLANE_INTERNAL_H
#define DATA_DATA_PLANE_INTERNAL_H

#include <pthread.h>

#include "data/app/app_source.h"
#include "data/app_drops.h"
#include "data/ingress/multicast.h"
#include "data/inline_worker.h"
#include "data/relay/kept_mail.h"
#include "headless/data/data_plane.h"

struct data_plane {
    const struct config *config;
    struct identity identity;
    struct snapshot_publisher publisher;
    struct udp_socket data_sockets[RECEIVERS_MAX], relay_sockets[RECEIVERS_MAX];
    struct multicast_groups groups;
    struct return_path return_path; /* of app.source client */
    struct replay_window *windows;  /* frame_auth.h; NULL: no keys */
    struct kept_mail *mails;        /* one a worker; NULL: nothing is kept */
    size_t receiver_count, worker_count;
    struct receiver *data_receivers, *relay_receivers; /* receiver_count each */
    struct worker *workers;                            /* worker_count */
    struct inline_worker *inline_workers;              /* receiver_count, or NULL */
    uint64_t sessions_asked_ns;                        /* when; the admin thread's */
    struct waker *watcher;      /* woken with the workers; NULL: none. Set while no thread runs */
    struct app_drops app_drops; /* polled by the main thread */
    struct app_shared app_shared;
    pthread_mutex_t refuse_lock; /* guards is_ended: data_plane_stop's refusal is the last one */
    bool is_ended;
};

#endif
