/*
 * member_name: the name of a pod as it is kept and sent.
 *
 * A name of Kubernetes, of a pod or a node, has up to 253 characters; a member's name has 63, on the
 * wire and in every table. A longer one is shortened to its first 23 characters, a hash of the whole
 * name, and its last 22: "long-start-of-the-name-0123456789abcdef-last-characters-of-it". So two long
 * names that differ stay different, every pod shortens a name in the same way, and both the first
 * characters (of a node) and the last ones (a pod's number) can be read.
 *
 * Threads: pure functions, any thread. Nothing here blocks or allocates.
 */
#ifndef HEADLESS_BASE_MEMBER_NAME_H
#define HEADLESS_BASE_MEMBER_NAME_H

#include <stdbool.h>

#define MEMBER_NAME_MAX      64  /* bytes of a member's name, with NUL */
#define MEMBER_NAME_FULL_MAX 254 /* bytes of a name before it is shortened, with NUL */

/* Copy text, of any length, to name, shortened if it does not fit. Returns whether it was. */
bool member_name_put(const char *text, char name[static MEMBER_NAME_MAX]);

#endif
