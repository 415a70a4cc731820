/* status: the object of GET /status, from which the HTML page is rendered too. Private to admin/. */
#ifndef ADMIN_STATUS_H
#define ADMIN_STATUS_H

#include "admin/documents.h"

/* The caller puts it before it drops the snapshot. NULL: out of memory; keys for which memory did
 * not suffice are missing. */
struct json_object *status_describe(const struct admin_snapshot *snapshot);

#endif
