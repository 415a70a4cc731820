/* headless-bench send: open, run, tell. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sender.h"

static int fail(const char *what, int rc)
{
    (void)fprintf(stderr, BENCH_PROGRAM " send: %s: %s\n", what, strerror(-rc));
    return BENCH_EXIT_INVALID;
}

static int judge(const struct sender *s)
{
    const struct send_counts *c = &s->counts;

    if (send_report_invalid(s))
        return BENCH_EXIT_INVALID;
    if (s->options->expect_all &&
        (c->unsent || c->missing || c->late || c->corrupt || c->misrouted))
        return BENCH_EXIT_LOSSES;
    return BENCH_EXIT_OK;
}

static int run(struct sender *s, const struct send_options *options)
{
    int code;
    int rc = sender_open(s, options);

    if (rc)
        return fail("cannot open the flows", rc);
    rc = send_loop_run(s);
    if (rc) {
        code = fail("the trial broke off", rc);
    } else {
        if (options->json)
            send_report_json(s);
        else
            send_report_print(s);
        code = judge(s);
    }
    sender_close(s);
    return code;
}

int command_send(int argc, char **argv)
{
    struct send_options options;
    struct sender *s;
    int code;

    send_options_read(argc, argv, &options);
    s = malloc(sizeof(*s));
    if (!s)
        return fail("no memory", -ENOMEM);
    code = run(s, &options);
    free(s);
    return code;
}
