/* top: gets a pod's status repeatedly, and shows it. */
#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "ctl/screen.h"
#include "ctl/top.h"
#include "headless/base/clock.h"
#include "headless/ctl/ctl.h"

#define INTERVAL_MIN (100 * NS_PER_MS)
#define LIMIT_NS     NS_PER_SEC /* for a response; a key waits as long */

struct status {
    struct json_object *document; /* NULL: none */
    uint64_t at_ns;
};

struct top {
    const struct ctl_options *options;
    struct ctl_addresses addresses;
    struct status now, before;
    char trouble[64]; /* "": it responds */
    uint64_t silent_since_ns;
};

/* ---- the status ---- */

/* NULL: top->trouble says why. */
static struct json_object *top_get_status(struct top *top)
{
    struct json_object *json;
    struct ctl_response response;
    int rc = ctl_get_from(&top->addresses, "/status", LIMIT_NS, &response);

    if (rc) {
        (void)snprintf(top->trouble, sizeof(top->trouble), "%s", strerror(-rc));
        return NULL;
    }
    json = response.status == 200 ? json_tokener_parse(response.body) : NULL;
    if (!json)
        (void)snprintf(top->trouble, sizeof(top->trouble),
                       "/status returned status %u, which headlessd does not send",
                       response.status);
    free(response.text);
    return json;
}

/* Rates need two successive responses. */
static void top_update(struct top *top)
{
    struct json_object *document = top_get_status(top);
    uint64_t now_ns = clock_now_ns();

    if (!document) {
        (void)json_object_put(top->before.document);
        top->before.document = NULL;
        if (!top->silent_since_ns)
            top->silent_since_ns = now_ns;
        return;
    }
    (void)json_object_put(top->before.document);
    top->before = top->now;
    if (top->silent_since_ns) {
        (void)json_object_put(top->before.document);
        top->before.document = NULL;
    }
    top->now = (struct status){document, now_ns};
    top->trouble[0] = '\0';
    top->silent_since_ns = 0;
}

static void put_frame(FILE *out, const struct top *top, size_t lines, bool colors)
{
    const struct top_frame frame = {.where = ctl_admin(top->options),
                                    .interval_ns = top->options->interval_ns,
                                    .time = time(NULL),
                                    .now = top->now.document,
                                    .before = top->before.document,
                                    .between_ns = top->now.at_ns - top->before.at_ns,
                                    .trouble = top->trouble[0] ? top->trouble : NULL,
                                    .silent_ns =
                                        top->trouble[0] ? clock_now_ns() - top->silent_since_ns : 0,
                                    .lines = lines,
                                    .colors = colors};

    top_put_frame(out, &frame);
}

/* ---- on a screen ---- */

static int top_draw(const struct top *top, const struct screen *screen)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    int rc = -ENOMEM;

    if (!out)
        return rc;
    put_frame(out, top, screen->lines, screen->has_colors);
    if (fclose(out) == 0)
        rc = screen_draw(screen, text);
    free(text);
    return rc;
}

/* Until the user quits. Returns 0, or the terminal's negative errno. */
static int top_watch(struct top *top, struct screen *screen)
{
    enum screen_event event = SCREEN_TIME;
    uint64_t next_ns = clock_now_ns();
    int rc;

    for (;;) {
        if (event == SCREEN_TIME) {
            top_update(top);
            next_ns += top->options->interval_ns;
            if (next_ns < clock_now_ns()) /* late: skip the missed frames */
                next_ns = clock_now_ns() + top->options->interval_ns;
        }
        rc = top_draw(top, screen);
        if (rc)
            return rc;
        event = screen_wait(screen, next_ns);
        if (event == SCREEN_QUIT)
            return 0;
    }
}

static int run_on_screen(struct top *top)
{
    struct screen screen;
    int rc = screen_open(&screen);

    if (!rc) {
        rc = top_watch(top, &screen);
        screen_close(&screen);
    }
    if (rc)
        (void)fprintf(stderr, "headlessctl: the terminal: %s\n", strerror(-rc));
    return rc ? CTL_NO : CTL_OK;
}

/* ---- as text ---- */

static int run_as_text(struct top *top)
{
    const struct timespec interval = clock_to_timespec(top->options->interval_ns);
    bool has_end = top->options->given & CTL_OPTION_COUNT;

    for (uint64_t i = 0; !has_end || i < top->options->count; i++) {
        if (i > 0) {
            (void)nanosleep(&interval, NULL);
            (void)fputc('\n', stdout);
        }
        top_update(top);
        put_frame(stdout, top, SIZE_MAX, false);
        if (fflush(stdout) != 0)
            return CTL_NO;
    }
    return top->trouble[0] ? CTL_NO : CTL_OK;
}

int ctl_top(const struct ctl_options *options)
{
    struct top top = {.options = options};
    int rc;

    if (options->interval_ns < INTERVAL_MIN) {
        (void)fputs("headlessctl: --interval of top is at least 100ms\n", stderr);
        return CTL_USAGE;
    }
    rc = ctl_find_admin(options, &top.addresses);
    if (rc)
        return rc == -EINVAL ? CTL_USAGE : CTL_NO;
    rc = !(options->given & CTL_OPTION_COUNT) && screen_is_possible() ? run_on_screen(&top)
                                                                      : run_as_text(&top);
    (void)json_object_put(top.now.document);
    (void)json_object_put(top.before.document);
    return rc;
}
