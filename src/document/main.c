/*
 * headless-document: prints documents from the tables of the programs, when they are built.
 *
 *   headless-document man PROGRAM <TEMPLATE    a manual page, around the prose of docs/man
 *   headless-document bash PROGRAM             completion
 *   headless-document options                  docs/options.md
 *   headless-document metrics                  docs/metrics.md
 *   headless-document schema                   docs/headlessd.schema.json
 *
 * Exit status 0: done; 1: failed; 2: usage.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "document.h"

static const struct {
    const char *name;
    void (*describe)(struct document_program *ret_program);
} programs[] = {
    {"headlessd", document_describe_headlessd},
    {"headlessctl", document_describe_headlessctl},
    {"headless-bench", document_describe_bench},
};

/* Returns 0 or a negative errno; -ENOENT: there is no such document, or no such program. */
static int print_of_program(const char *what, const char *name)
{
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        struct document_program program;

        if (strcmp(programs[i].name, name) != 0)
            continue;
        programs[i].describe(&program);
        return document_print(&program, what);
    }
    return -ENOENT;
}

static int print_whole(const char *what)
{
    int rc = 0;

    if (strcmp(what, "options") == 0)
        document_options(stdout);
    else if (strcmp(what, "metrics") == 0)
        document_metrics(stdout);
    else if (strcmp(what, "schema") == 0)
        rc = document_schema(stdout);
    else
        return -ENOENT;
    if (rc)
        return rc;
    return fflush(stdout) || ferror(stdout) ? -EIO : 0;
}

int main(int argc, char *argv[])
{
    int rc = -ENOENT;

    if (argc == 2)
        rc = print_whole(argv[1]);
    else if (argc == 3)
        rc = print_of_program(argv[1], argv[2]);
    if (rc == -ENOENT)
        (void)fputs("usage: headless-document man|bash headlessd|headlessctl|headless-bench\n"
                    "       headless-document options|metrics|schema\n",
                    stderr);
    else if (rc)
        (void)fprintf(stderr, "headless-document: %s: %s\n", argv[1], strerror(-rc));
    return rc == -ENOENT ? 2 : rc != 0;
}
