/*
 * app_source: the app sees its clients' own addresses and ports (app.source client).
 *
 * A session has a transparent socket with the client's address (net/transparent.h). So a client is one
 * session, through whatever pod and to whatever address it sends: its replies go where its newest
 * request came from. The return path (net/return_path.h) is one for all workers.
 *
 * Not every address can be a source: those of this pod, loopback, multicast and broadcast ones, IPv6
 * link-local ones, and those of the other family than the app. Requests of such clients are dropped
 * (reason source).
 *
 * Owner: the worker's thread; app_source_open and app_source_close: the main thread.
 */
#ifndef DATA_APP_APP_SOURCE_H
#define DATA_APP_APP_SOURCE_H

#include "data/app/app.h"
#include "headless/net/return_path.h"
#include "headless/net/udp.h"

/*
 * Before the first worker: open the return path that the configuration needs, and give up the
 * capability for it. Returns 0 or a negative errno, with an error in the log.
 */
int app_source_open(const struct config *config, struct return_path *ret_path)
    __attribute__((warn_unused_result));

/* Open the socket of a client's session. Returns 0 or a negative errno, for app_source_refuse. */
int app_source_begin(struct app *app, const struct address *client, struct udp_socket *ret_socket)
    __attribute__((warn_unused_result));

/* Before the socket of a session is closed. */
void app_source_end(const struct udp_app *udp, int fd);

/* Count and log a request without a session, if this error of app_source_begin is the cause. */
bool app_source_refuse(struct app *app, const struct address *client, int error);

#endif
