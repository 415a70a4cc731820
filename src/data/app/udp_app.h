/* udp_app: state shared by the sending side (udp_app.c) and the reading side (app_reader.c). */
#ifndef DATA_APP_UDP_APP_H
#define DATA_APP_UDP_APP_H

#include "data/app/app.h"
#include "data/app/app_watch.h"
#include "data/app/session.h"
#include "data/app/session_report.h"

struct udp_app {
    struct address address; /* of the app */
    bool is_mux;            /* one socket for all sessions: an IPv4 loopback app */
    struct udp_socket
        socket; /* the mux socket; otherwise that of the session whose messages are in the outbox */
    uint32_t socket_number; /* that session, where each has its own socket */
    struct outbox outbox;
    struct sessions sessions;
    struct session_report report;
    struct app_reader reader;
    struct app_watch watch;
};

int app_reader_init(struct app_reader *reader, const struct config *config)
    __attribute__((warn_unused_result));
/* Close the socket of a session, in either thread; the drops of the kernel stay counted. */
void app_reader_close(struct app_reader *reader, int fd);
void app_reader_fini(struct app_reader *reader);

#endif
