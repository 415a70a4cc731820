/*
 * readiness: the result of /readyz: whether the pod is ready, and if not, one line that says what is
 * wrong and what to change.
 *
 * Private to admin/. HTTP thread; takes a lock that the main thread holds for a copy, and opens a
 * socket while the pod has not joined.
 */
#ifndef ADMIN_READINESS_H
#define ADMIN_READINESS_H

#include "admin/documents.h"
#include "headless/admin/admin.h"

/* True: ready. The text has no newline. */
bool readiness_tell(struct admin *admin, char text[static READINESS_MAX]);

#endif
