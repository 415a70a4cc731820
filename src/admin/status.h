/* status: all that /status says, as an object; the page is rendered from it. Private to admin/. */
#ifndef ADMIN_STATUS_H
#define ADMIN_STATUS_H

#include "headless/admin/pages.h"

/* To be put by the caller, before the snapshot is dropped. NULL: out of memory; what little memory
 * had no room for is missing. */
struct json_object *status_describe(const struct admin_snapshot *snapshot);

#endif
