#include "headless/secure/name_services.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "headless/base/log.h"

#define LINE_MAX_BYTES 1024
#define WORD_ENDS      " \t\n["

/* The file name that glibc uses, so that glibc finds the module loaded. */
static bool load_module(const char *service)
{
    char name[64];
    int length = snprintf(name, sizeof(name), "libnss_%s.so.2", service);

    if (length < 0 || (size_t)length >= sizeof(name))
        return false;
    if (!dlopen(name, RTLD_NOW | RTLD_NODELETE)) { /* never closed */
        log_debug("name_service_missing", "%s", dlerror());
        return false;
    }
    return true;
}

/* "files [NOTFOUND=return] dns": service names, and actions in brackets, which are skipped. */
static size_t load_services(char *text)
{
    size_t loaded = 0;

    text[strcspn(text, "#")] = '\0';
    while (*text) {
        size_t length;

        text += strspn(text, " \t\n");
        if (*text == '[') {
            text += strcspn(text, "]");
            text += *text == ']';
            continue;
        }
        length = strcspn(text, WORD_ENDS);
        if (length > 0) {
            char after = text[length];

            text[length] = '\0';
            loaded += load_module(text);
            text[length] = after;
        }
        text += length;
    }
    return loaded;
}

size_t name_services_load(const char *path)
{
    static const char database[] = "hosts:";
    FILE *file = fopen(path, "re");
    char line[LINE_MAX_BYTES];
    size_t loaded = 0;

    if (!file) {
        if (errno != ENOENT)
            log_warn("name_services_unread",
                     "cannot read %s: %s; modules that it names for hosts are not loaded", path,
                     strerror(errno));
        return 0;
    }
    while (fgets(line, sizeof(line), file)) {
        char *start = line + strspn(line, " \t");

        if (strncmp(start, database, strlen(database)) == 0)
            loaded += load_services(start + strlen(database));
    }
    (void)fclose(file);
    return loaded;
}
