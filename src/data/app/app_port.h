/* app_port: the sockets at the port of a UDP app, as the kernel knows them (net/udp_lookup.h). */
#ifndef DATA_APP_APP_PORT_H
#define DATA_APP_APP_PORT_H

#include <stdint.h>

#include "data/app/app_health.h"

struct udp_app;

/* The port for a datagram of this session. Never blocks. Its worker's thread. */
enum app_port app_port_look(struct udp_app *udp, uint32_t number);

#endif
