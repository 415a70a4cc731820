/*
 * classify: what a datagram of the data port, or of a multicast group, is: refused, a loop, a
 * leader command, or data. Data goes on to route.h.
 *
 * Owner: its worker's thread. The other end of the command queue is the supervisor's.
 */
#ifndef DATA_INGRESS_CLASSIFY_H
#define DATA_INGRESS_CLASSIFY_H

#include "data/ingress/rate_limiter.h"
#include "data/route.h"
#include "headless/base/budget.h"
#include "headless/data/command_queue.h"
#include "headless/secure/sign.h"

struct classifier {
    struct routing *routing;
    const struct udp_socket *data_socket; /* replies to malformed commands leave through it */
    struct rate_limiter limiter;          /* what each source has used up */
    struct command_queue commands;
    struct budget bad_json_replies;
    struct budget refusals; /* refused commands that are passed to the supervisor, for its log */
    struct sign_seen seen;
};

/* supervisor_waker is woken for each command. Returns 0 or a negative errno. */
int classifier_init(struct classifier *classifier, struct routing *routing,
                    const struct udp_socket *data_socket, struct waker *supervisor_waker)
    __attribute__((warn_unused_result));
void classifier_fini(struct classifier *classifier);

/*
 * A piece is one datagram or a GRO batch. Each of its datagrams ends here, as a leader command, a
 * loop or a refused one, or goes on to route_request.
 */
void classify_piece(struct classifier *classifier, const struct datagram *piece);

#endif
