/*
 * app_source: the app sees its clients' own addresses and ports (app.source client).
 *
 * The socket of all sessions is a transparent one (net/transparent.h): each datagram has the client's
 * address. A client is one session, through whatever pod and to whatever address it sends: its replies
 * go where its newest request came from. An open session is announced to the return path
 * (net/return_path.h), which is one for all workers.
 *
 * Not every address can be a source: those of this pod, loopback, multicast and broadcast ones, IPv6
 * link-local ones, and those of the other family than the app. Requests of such clients are dropped
 * (reason source).
 *
 * Owner: the worker's thread; app_source_check and app_source_open: the main thread.
 */
#ifndef DATA_APP_APP_SOURCE_H
#define DATA_APP_APP_SOURCE_H

#include "data/app/app.h"
#include "headless/net/return_path.h"

struct session;
struct udp_app;

/* Before the workers open their sockets. Returns 0 or a negative errno, with an error in the log. */
int app_source_check(const struct config *config) __attribute__((warn_unused_result));

/* Open the return path for sockets with these ports, and give up the capability for it. Returns 0 or a
 * negative errno, with an error in the log. */
int app_source_open(const struct config *config, const uint16_t *ports, size_t count,
                    struct return_path *ret_path) __attribute__((warn_unused_result));

/* Watch this pod's addresses: before the first request, and periodically. */
int app_source_open_watch(struct udp_app *udp) __attribute__((warn_unused_result));
void app_source_watch(struct app *app);

/* Can the app see this address? A system call: each time that a session opens. If not, udp_app has the cause:
 * is_no_source or open_error. */
bool app_source_may_be(struct app *app, const struct address *client);

/* The same for the client of an open session. A system call only if this pod's addresses have changed since. */
bool app_source_may_stay(struct app *app, struct session *session);

/* Before a request of an open session: announce it again, if another worker may have the client's replies
 * since (at most twice in app.idle). */
void app_source_renew(struct app *app, const struct session *session);

/* A session is open from now on; or no longer, which flushes the outbox. */
void app_source_begin(struct app *app, struct session *session);
void app_source_end(struct app *app, const struct session *session);

/* Count and log a request of a client whose address is no source. */
void app_source_refuse(struct app *app, const struct address *client);

#endif
