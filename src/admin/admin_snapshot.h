/* snapshot: what the pages are rendered from, as it is now. Private to admin/; HTTP thread only. */
#ifndef ADMIN_SNAPSHOT_H
#define ADMIN_SNAPSHOT_H

#include "headless/admin/admin.h"
#include "headless/admin/pages.h"

/* Holds the leadership and the options until admin_snapshot_drop; so what is rendered of it is freed before. */
void admin_snapshot_take(struct admin *admin, struct admin_snapshot *ret_snapshot);
/* And what takes longer to find out: process, is_ready and readiness. */
void admin_snapshot_complete(struct admin *admin, struct admin_snapshot *snapshot);
void admin_snapshot_drop(struct admin *admin);

#endif
