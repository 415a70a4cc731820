/*
 * screen: the whole terminal, for text that is drawn repeatedly. Private to ctl/.
 *
 * Without ncurses: lines from the top need only eight escape sequences, which all present terminals
 * support, and a tool that is copied into small images should bring neither a library nor a
 * terminal data base.
 *
 * While it is open, signals that end or stop the process are read and handled only in screen_wait, so
 * that the terminal's previous state is always restored. One thread, one screen.
 */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

struct screen {
    size_t lines, columns; /* current size; at least 1 */
    bool has_colors;
    int signals; /* signalfd */
    sigset_t mask_before;
    struct termios before;
};

enum screen_event { SCREEN_TIME, SCREEN_CHANGED /* draw again */, SCREEN_QUIT };

/* Are standard input and output a suitable terminal? */
bool screen_is_possible(void);

/* Returns 0 or a negative errno, with the terminal as it was. */
int screen_open(struct screen *screen) __attribute__((warn_unused_result));
void screen_close(struct screen *screen);

/* Wait for q, a signal that ends the process, a new size, or until_ns (clock_now_ns). */
enum screen_event screen_wait(struct screen *screen, uint64_t until_ns);

/* Text of printable characters, newlines and the colors of parts.h; lines are cut where the screen
 * ends. Returns 0 or a negative errno. */
int screen_draw(const struct screen *screen, const char *text) __attribute__((warn_unused_result));

/* The bytes that screen_draw writes: the text, cut, with the line ends of a terminal. malloc'd; NULL:
 * out of memory. */
char *screen_compose(const struct screen *screen, const char *text, size_t *ret_length);

#endif
