#include "headless/control/pulse.h"

#define SMOOTHING 8

/* NULL: no member. A slot that has gone to another instance begins anew. */
static struct pulse_seat *take_seat(struct pulse *pulse, uint16_t slot, uint64_t instance)
{
    struct pulse_seat *seat;

    if (slot >= MEMBERS_MAX || !instance)
        return NULL;
    seat = &pulse->seats[slot];
    if (seat->instance != instance)
        *seat = (struct pulse_seat){.instance = instance};
    return seat;
}

bool pulse_send(struct pulse *pulse, uint16_t slot, const struct election_message *message)
{
    struct pulse_seat *seat = take_seat(pulse, slot, message->to);
    uint64_t *stamp;
    bool is_lost;

    if (!seat || message->type != ELECTION_HEARTBEAT)
        return false;
    stamp = &seat->stamps[seat->sent++ % PULSE_WINDOW];
    is_lost = *stamp != 0;
    seat->lost += is_lost;
    *stamp = message->stamp_ns;
    return is_lost;
}

static void smooth(struct pulse_seat *seat, uint64_t rtt_ns)
{
    if (!seat->rtt_ns)
        seat->rtt_ns = rtt_ns;
    else
        seat->rtt_ns = seat->rtt_ns - seat->rtt_ns / SMOOTHING + rtt_ns / SMOOTHING;
}

bool pulse_hear(struct pulse *pulse, uint16_t slot, const struct election_message *message,
                uint64_t now_ns, uint64_t *ret_rtt_ns)
{
    struct pulse_seat *seat = take_seat(pulse, slot, message->from);

    if (!seat)
        return false;
    seat->heard_ns = now_ns;
    if (message->type != ELECTION_ACK || !message->stamp_ns || message->stamp_ns > now_ns)
        return false;
    for (size_t i = 0; i < PULSE_WINDOW; i++) {
        if (seat->stamps[i] != message->stamp_ns)
            continue;
        seat->stamps[i] = 0;
        *ret_rtt_ns = now_ns - message->stamp_ns;
        smooth(seat, *ret_rtt_ns);
        return true;
    }
    return false;
}

struct pulse_seat pulse_read(const struct pulse *pulse, uint16_t slot, uint64_t instance)
{
    if (slot >= MEMBERS_MAX || !instance || pulse->seats[slot].instance != instance)
        return (struct pulse_seat){0};
    return pulse->seats[slot];
}
