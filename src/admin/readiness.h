/*
 * readiness: what /readyz says: whether clients may come, and if not, what is wrong and what to
 * change, in one line.
 *
 * Private to admin/. HTTP thread; takes a lock that the main thread holds for a copy, and opens a
 * socket while the pod has not joined.
 */
#ifndef ADMIN_READINESS_H
#define ADMIN_READINESS_H

#include "headless/admin/admin.h"
#include "headless/admin/pages.h"

/* True: ready. The text has no newline. */
bool readiness_tell(struct admin *admin, char text[static READINESS_MAX]);

#endif
