/*
 * route_again: what a lost leader had not confirmed, or not replied to, goes to the next leader, or
 * to this pod's app if this pod leads: before held requests, in order.
 *
 * To another pod, all goes into the ring of kept frames again at once, and is sent within the window
 * (kept_pace). To the own app it is paced as held requests are. Owner: its worker's thread.
 */
#ifndef DATA_ROUTE_AGAIN_H
#define DATA_ROUTE_AGAIN_H

#include "data/route.h"

#define ROUTE_AGAIN_MAX 16 /* frames at once to the own app; then flush, and begin a slice */

/* Route kept requests of a lost leader; at most bytes of them to the own app. Returns the bytes
 * routed; the caller flushes, then calls kept_end_moves. */
size_t route_again(struct routing *routing, size_t bytes);

#endif
