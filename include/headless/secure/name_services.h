/*
 * name_services: loads the NSS modules of getaddrinfo before confinement forbids it.
 *
 * Threads: main thread, during the start. Reads files.
 */
#ifndef HEADLESS_SECURE_NAME_SERVICES_H
#define HEADLESS_SECURE_NAME_SERVICES_H

#include <stddef.h>

/*
 * Load the modules that the line "hosts:" of this file (nsswitch.conf(5)) names, for the life of
 * the process: glibc would load them at the first lookup, when no more code can be mapped. A
 * missing file or module is skipped, as glibc does. Returns the number of loaded modules.
 */
size_t name_services_load(const char *path);

#endif
