/* Members that want another order than this pod: the log tells. */
#include "supervisor_internal.h"

#define DIFFERS_PERIOD_NS (60 * NS_PER_SEC) /* heartbeats are many */

void supervisor_compare_order(struct supervisor *supervisor, const struct election_message *message)
{
    static struct log_limit limit = {.period_ns = DIFFERS_PERIOD_NS};
    const struct leader_snapshot *snapshot =
        snapshot_current(data_plane_publisher(supervisor->data_plane));
    const struct member *member = leadership_find_instance(&snapshot->leader, message->from);
    uint16_t slot = roster_slot(&supervisor->roster, message->from);
    char text[ADDRESS_TEXT_MAX];
    uint64_t suppressed;

    if (!agreement_hear(&supervisor->agreement, slot, message) || !member ||
        !log_limit_pass(&limit, LOG_LEVEL_WARN, clock_now_ns(), &suppressed))
        return;
    log_warn("order_differs",
             "%s (%s) has %s, and this pod %s: set the same in all pods, or their apps get "
             "different messages",
             address_format_ip(&member->address, text), member->name,
             agreement_describe(message->flags),
             agreement_describe(agreement_flags(&supervisor->agreement)));
}
