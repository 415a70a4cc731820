/*
 * app_failure: errors of the kernel on the way to a UDP app, other than a closed port: counted,
 * logged with their errno at most once a minute, and held against the app where app_fault.h says so.
 *
 * Owner: the worker's thread. Never blocks.
 */
#ifndef DATA_APP_FAILURE_H
#define DATA_APP_FAILURE_H

#include "data/app/app_health.h"

struct app;
struct udp_app;

/* No socket could be opened for a request, which is counted as dropped. */
void app_failure_open(struct app *app, int error_number);

/* Messages of the flushed outbox have failed, the last one with this errno. Before their tally is
 * taken. */
void app_failure_send(struct app *app, int error_number);

/* An ICMP message for a datagram of this session. True: it is a refusal by the app's port. */
bool app_failure_icmp(struct app *app, uint32_t number, int error_number);

/* After an error that said that there is no way to the app: is there one now? It opens a socket and
 * sends nothing. OPEN: yes, CLOSED: no, UNKNOWN: this pod has no resources to find out. */
enum app_port app_failure_look(const struct udp_app *udp);

#endif
