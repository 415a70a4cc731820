/* top: the data and the text of one frame. Private to ctl/. */
#ifndef CTL_TOP_H
#define CTL_TOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

struct json_object;

struct top_frame {
    const char *where; /* the admin port, as the user named it */
    uint64_t interval_ns;
    time_t time;
    const struct json_object *now;    /* the last status received; NULL: none yet */
    const struct json_object *before; /* the previous one, for rates; NULL: none */
    uint64_t between_ns;              /* from before to now */
    const char *trouble;              /* why there is no response; NULL: there is one */
    uint64_t silent_ns;               /* for how long */
    size_t lines;                     /* at most; SIZE_MAX: no limit */
    bool colors;
};

/* Pure. The text of any frame is valid for screen_draw. */
void top_put_frame(FILE *out, const struct top_frame *frame);

#endif
