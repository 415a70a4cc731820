/*
 * screen: the whole terminal, for pages that are drawn again and again. Private to ctl/.
 *
 * By hand rather than by ncurses: what is drawn is lines from the top, for which eight sequences
 * suffice that every terminal of today knows, and a tool that is copied into small images should
 * bring neither a library nor a data base of terminals.
 *
 * While it is open, signals that end or stop the process are read in screen_wait, never handled
 * elsewhere, so that the terminal is given back as it was found. One thread, one screen.
 */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

struct screen {
    size_t lines, columns; /* as they are now; at least 1 */
    bool has_colors;
    int signals; /* signalfd */
    sigset_t mask_before;
    struct termios before;
};

enum screen_event { SCREEN_TIME, SCREEN_CHANGED /* draw again */, SCREEN_QUIT };

/* Are standard input and output a terminal that can do it? */
bool screen_is_possible(void);

/* Returns 0 or a negative errno, with the terminal as it was. */
int screen_open(struct screen *screen) __attribute__((warn_unused_result));
void screen_close(struct screen *screen);

/* Until q, a signal that ends us, another size, or the time (clock_now_ns). */
enum screen_event screen_wait(struct screen *screen, uint64_t until_ns);

/* Text of printable characters, newlines and the colors of parts.h; lines are cut where the screen
 * ends. Returns 0 or a negative errno. */
int screen_draw(const struct screen *screen, const char *text) __attribute__((warn_unused_result));

/* What screen_draw would write: the text, cut, with how lines end on a terminal. malloc'd; NULL:
 * out of memory. */
char *screen_compose(const struct screen *screen, const char *text, size_t *ret_length);

#endif
