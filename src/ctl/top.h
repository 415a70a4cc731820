/* top: what a frame is made of. Private to ctl/. */
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
    const struct json_object *now;    /* the last status that came; NULL: none yet */
    const struct json_object *before; /* the one before, for rates; NULL: there are none */
    uint64_t between_ns;              /* from before to now */
    const char *trouble;              /* why nothing comes; NULL: it does */
    uint64_t silent_ns;               /* since when */
    size_t lines;                     /* at most; SIZE_MAX: no end */
    bool colors;
};

/* Pure: any frame of any answers is text that screen_draw takes. */
void top_put_frame(FILE *out, const struct top_frame *frame);

#endif
