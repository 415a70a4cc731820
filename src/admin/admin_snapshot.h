/* admin_snapshot: the present values from which documents are rendered. Private to admin/; HTTP thread
 * only. */
#ifndef ADMIN_SNAPSHOT_H
#define ADMIN_SNAPSHOT_H

#include "admin/documents.h"
#include "headless/admin/admin.h"

/* Holds the leader snapshot and the options until admin_snapshot_drop: free objects that refer to them
 * before. */
void admin_snapshot_take(struct admin *admin, struct admin_snapshot *ret_snapshot);
/* Adds the values that take longer to read: process, is_ready and readiness. */
void admin_snapshot_complete(struct admin *admin, struct admin_snapshot *snapshot);
void admin_snapshot_drop(struct admin *admin);

#endif
