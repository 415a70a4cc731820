/*
 * courier: carries the election's messages from pod to pod.
 *
 * One UDP socket, self:peer.port, bound exclusively, so that a second daemon on this address fails
 * at once; nothing else arrives here, so a flood of data cannot delay a heartbeat. Each message
 * carries a token, a keyed hash of its header. When a host refuses a message (ICMP port
 * unreachable), the kernel gives back what was refused: only with the right token it is a refusal
 * of what we sent, and evidence that the process there has gone.
 *
 * With keys, messages are sealed and opened here, and who is not known yet is asked for an
 * introduction instead of being sent something (introductions.h). Whether an address may speak at
 * all is the caller's question.
 *
 * Owner: the supervisor's thread. Never blocks. Counts what it sends, takes and drops.
 */
#ifndef HEADLESS_CONTROL_COURIER_H
#define HEADLESS_CONTROL_COURIER_H

#include "headless/base/counters.h"
#include "headless/config/config.h"
#include "headless/control/introductions.h"
#include "headless/data/identity.h"
#include "headless/net/udp.h"
#include "headless/wire/election_message.h"

struct courier {
    const struct config *config;
    struct udp_socket socket;
    uint64_t cluster, instance;
    uint8_t token_key[16];
    bool has_keys, is_sealing, takes_open;
    struct introductions introductions;
    struct counters *counters;
};

/* Bind. Logs what failed and how to mend it; returns a negative errno. */
int courier_open(struct courier *courier, const struct config *config, struct counters *counters)
    __attribute__((warn_unused_result));
void courier_close(struct courier *courier);

/* Before the first message: who we are. */
void courier_introduce(struct courier *courier, const struct identity *identity);

/* Send to the peer port of this host. A message that cannot be sent is as good as lost. */
void courier_send(struct courier *courier, const struct address *to,
                  const struct election_message *message, const struct election_member *members);

/* With keys: ask this pod for an introduction, if there is reason to, and it is time. */
void courier_meet(struct courier *courier, const struct address *ip);

enum courier_result {
    COURIER_MESSAGE,      /* a well-formed message of our cluster; the outputs are filled */
    COURIER_INTRODUCTION, /* somebody with a key of ours; *ret_from is filled */
    COURIER_UNVERIFIED,   /* of our cluster, but not to be believed, counted; *ret_from is filled */
    COURIER_DROPPED,      /* something else, counted */
    COURIER_EMPTY         /* nothing there */
};
enum courier_result courier_receive(struct courier *courier, struct election_message *ret_message,
                                    struct election_member ret_members[static ELECTION_PAGE],
                                    struct address *ret_from);

/*
 * Take one refusal off the error queue. False: there is none. *ret_instance is to whom the refused
 * message was written, or 0 when it was none of ours, or written to nobody in particular.
 */
bool courier_take_refusal(struct courier *courier, uint64_t *ret_instance);

#endif
