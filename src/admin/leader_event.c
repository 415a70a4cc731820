#include "headless/admin/leader_event.h"

#include <stdio.h>
#include <string.h>

#include "admin/documents.h"

struct leader_event leader_event_of(const struct admin_snapshot *snapshot)
{
    const struct leader_snapshot *leadership = snapshot->leadership;
    struct leader_event event = {.term = leadership->term,
                                 .instance = leadership->leader_instance,
                                 .address = leadership->leader,
                                 .cause = leadership->cause ? leadership->cause : "",
                                 .is_usable = admin_snapshot_has_leader(snapshot)};

    (void)snprintf(event.name, sizeof(event.name), "%s", leadership->leader_name);
    return event;
}

bool leader_event_is_same(const struct leader_event *a, const struct leader_event *b)
{
    return a->term == b->term && a->instance == b->instance && a->is_usable == b->is_usable &&
           address_equal(&a->address, &b->address) && strcmp(a->name, b->name) == 0 &&
           strcmp(a->cause, b->cause) == 0;
}
