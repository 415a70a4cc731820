/* app_udp: what the sending side (app_udp.c) and the reading side (app_reader.c) share. */
#ifndef HEADLESS_DATA_APP_UDP_H
#define HEADLESS_DATA_APP_UDP_H

#include "data/app/app.h"
#include "data/app/session.h"
#include "data/app/session_report.h"

struct app_udp {
    struct address address;   /* the app's */
    bool is_mux;              /* one socket for all sessions: an IPv4 loopback app */
    struct udp_socket socket; /* the mux socket; else of the session that the outbox is for */
    struct outbox outbox;
    struct sessions sessions;
    struct session_report report;
    struct app_reader reader;
};

int app_reader_init(struct app_reader *reader, const struct config *config,
                    const struct address *app_address) __attribute__((warn_unused_result));
/* A session's socket; either thread. What the kernel dropped there stays counted. */
void app_reader_close(struct app_reader *reader, int fd);
void app_reader_fini(struct app_reader *reader);

#endif
