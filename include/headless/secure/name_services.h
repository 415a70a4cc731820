/*
 * name_services: the modules by which getaddrinfo finds hosts, loaded while that is still possible.
 *
 * Threads: main thread, during the start. Reads files.
 */
#ifndef HEADLESS_SECURE_NAME_SERVICES_H
#define HEADLESS_SECURE_NAME_SERVICES_H

#include <stddef.h>

/*
 * Loads the modules that the line "hosts:" of this file (nsswitch.conf(5)) names, and keeps them:
 * glibc would load them at the first lookup, when no more code can be mapped. A file or module that
 * is not there is none: glibc passes it over as well. Returns how many were loaded.
 */
size_t name_services_load(const char *path);

#endif
