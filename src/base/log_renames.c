#include "base/log_renames.h"

#include <stddef.h>
#include <string.h>

/* Remove a row in the release after the one that renamed the event. */
static const struct {
    const char *was, *is;
} log_renames[] = {
    {"trains_off", "gso_off"},
};

const char *log_former_event(const char *event)
{
    for (size_t i = 0; i < sizeof(log_renames) / sizeof(log_renames[0]); i++)
        if (strcmp(log_renames[i].is, event) == 0)
            return log_renames[i].was;
    return NULL;
}
