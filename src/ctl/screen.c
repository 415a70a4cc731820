#include "ctl/screen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "headless/base/clock.h"

#define ENTER      "\x1b[?1049h\x1b[?25l" /* the alternate screen, no cursor */
#define LEAVE      "\x1b[?25h\x1b[?1049l"
#define HOME       "\x1b[H"
#define END_LINE   "\x1b[K" /* erase to the end */
#define END_SCREEN "\x1b[J" /* and below */

static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};

static int screen_write(const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(STDOUT_FILENO, text, length);

        if (n < 0 && errno != EINTR)
            return -errno;
        text += n > 0 ? n : 0;
        length -= n > 0 ? (size_t)n : 0;
    }
    return 0;
}

static void screen_measure(struct screen *screen)
{
    struct winsize size = {0};

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
        size = (struct winsize){.ws_row = 24, .ws_col = 80}; /* a serial line has no size */
    screen->lines = size.ws_row;
    screen->columns = size.ws_col;
}

/* Single keys without echo; Ctrl-C and Ctrl-Z still send signals. */
static int enter(struct screen *screen)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &screen->before) < 0)
        return -errno;
    raw = screen->before;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) < 0)
        return -errno;
    screen_measure(screen);
    return screen_write(ENTER, strlen(ENTER));
}

static void screen_leave(const struct screen *screen)
{
    (void)screen_write(LEAVE, strlen(LEAVE));
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->before);
}

bool screen_is_possible(void)
{
    const char *terminal = getenv("TERM");

    return isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && terminal && *terminal &&
           strcmp(terminal, "dumb") != 0;
}

static int catch_signals(struct screen *screen)
{
    sigset_t set;

    (void)sigemptyset(&set);
    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
        (void)sigaddset(&set, caught[i]);
    screen->signals = signalfd(-1, &set, SFD_CLOEXEC);
    if (screen->signals < 0)
        return -errno;
    (void)sigprocmask(SIG_BLOCK, &set, &screen->mask_before);
    return 0;
}

static void release_signals(struct screen *screen)
{
    (void)sigprocmask(SIG_SETMASK, &screen->mask_before, NULL);
    (void)close(screen->signals);
}

int screen_open(struct screen *screen)
{
    const char *no_color = getenv("NO_COLOR"); /* no-color.org: present and not empty */
    int rc = catch_signals(screen);

    if (rc)
        return rc;
    screen->has_colors = !no_color || !*no_color;
    rc = enter(screen);
    if (rc)
        release_signals(screen);
    return rc;
}

void screen_close(struct screen *screen)
{
    screen_leave(screen);
    release_signals(screen);
}

/* Ctrl-Z: restore the shell's terminal, and set it up again when continued. */
static enum screen_event screen_stop(struct screen *screen)
{
    screen_leave(screen);
    (void)raise(SIGSTOP);
    return enter(screen) ? SCREEN_QUIT : SCREEN_CHANGED;
}

static enum screen_event take_signal(struct screen *screen)
{
    struct signalfd_siginfo info;

    if (read(screen->signals, &info, sizeof(info)) != sizeof(info))
        return SCREEN_QUIT;
    if (info.ssi_signo == SIGTSTP)
        return screen_stop(screen);
    if (info.ssi_signo != SIGWINCH)
        return SCREEN_QUIT;
    screen_measure(screen);
    return SCREEN_CHANGED;
}

/* One read, which consumes other keys as well. */
static bool is_quit(void)
{
    char keys[64];
    ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

    return n <= 0 ? !(n < 0 && errno == EINTR) /* the terminal is gone */
                  : memchr(keys, 'q', (size_t)n) || memchr(keys, 'Q', (size_t)n);
}

enum screen_event screen_wait(struct screen *screen, uint64_t until_ns)
{
    struct pollfd inputs[] = {{.fd = screen->signals, .events = POLLIN},
                              {.fd = STDIN_FILENO, .events = POLLIN}};

    for (;;) {
        uint64_t now_ns = clock_now_ns();
        int wait_ms = now_ns < until_ns ? (int)((until_ns - now_ns) / NS_PER_MS) + 1 : 0;
        int n = poll(inputs, 2, wait_ms);

        if (n < 0 && errno != EINTR)
            return SCREEN_QUIT;
        if (n == 0)
            return SCREEN_TIME;
        if (n > 0 && inputs[0].revents)
            return take_signal(screen);
        if (n > 0 && inputs[1].revents && is_quit())
            return SCREEN_QUIT;
    }
}

/* Writes the part of a line that fits; colors have no width. Returns the length of the line. */
static size_t screen_put_line(FILE *out, const char *line, size_t columns)
{
    size_t used = 0, i = 0;

    for (; line[i] && line[i] != '\n'; i++) {
        size_t color = line[i] == '\x1b' ? strcspn(line + i, "m\n") : 0;

        if (color && line[i + color] == 'm') {
            (void)fwrite(line + i, 1, color + 1, out);
            i += color;
        } else if (used++ < columns) {
            (void)putc(line[i], out);
        }
    }
    return i;
}

/* Erase each line before writing it: erasing after a full line would remove its last character. */
char *screen_compose(const struct screen *screen, const char *text, size_t *ret_length)
{
    char *drawn = NULL;
    FILE *out = open_memstream(&drawn, ret_length);
    size_t line = 0;

    if (!out)
        return NULL;
    (void)fputs(HOME, out);
    for (; line < screen->lines && *text; line++) {
        (void)fputs(line > 0 ? "\r\n" : "", out); /* none after the last line: it would scroll */
        (void)fputs(END_LINE, out);
        text += screen_put_line(out, text, screen->columns);
        text += *text == '\n';
    }
    if (line < screen->lines)
        (void)fputs(line > 0 ? "\r\n" END_SCREEN : END_SCREEN, out);
    if (fclose(out) != 0) {
        free(drawn);
        return NULL;
    }
    return drawn;
}

int screen_draw(const struct screen *screen, const char *text)
{
    size_t length;
    char *drawn = screen_compose(screen, text, &length);
    int rc = drawn ? screen_write(drawn, length) : -ENOMEM;

    free(drawn);
    return rc;
}
