#include "headless/admin/notice.h"

#include <stdio.h>
#include <string.h>

#include "headless/admin/pages.h"

struct notice notice_of(const struct admin_snapshot *snapshot)
{
    const struct leader_snapshot *leadership = snapshot->leadership;
    struct notice notice = {.term = leadership->term,
                            .instance = leadership->leader_instance,
                            .address = leadership->leader,
                            .cause = leadership->cause ? leadership->cause : "",
                            .is_usable = admin_snapshot_has_leader(snapshot)};

    (void)snprintf(notice.name, sizeof(notice.name), "%s", leadership->leader_name);
    return notice;
}

bool notice_is_same(const struct notice *a, const struct notice *b)
{
    return a->term == b->term && a->instance == b->instance && a->is_usable == b->is_usable &&
           address_equal(&a->address, &b->address) && strcmp(a->name, b->name) == 0 &&
           strcmp(a->cause, b->cause) == 0;
}
