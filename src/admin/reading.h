/* reading: what the pages are rendered from, as it is now. Private to admin/; HTTP thread only. */
#ifndef ADMIN_READING_H
#define ADMIN_READING_H

#include "headless/admin/admin.h"
#include "headless/admin/pages.h"

/* Holds the leadership and the options until reading_drop; so what is rendered of it is freed before. */
void reading_take(struct admin *admin, struct reading *ret_reading);
/* And what takes longer to find out: process, is_ready and readiness. */
void reading_complete(struct admin *admin, struct reading *reading);
void reading_drop(struct admin *admin);

#endif
