/* headless-bench: load, loss and latency of any UDP service. */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

static void bench_print_usage(FILE *out)
{
    (void)fprintf(out, "Usage: " BENCH_PROGRAM " COMMAND [OPTION...]\n\nCommands:\n");
    for (size_t i = 0; i < bench_command_count; i++)
        (void)fprintf(out, "  %-8s %s\n", bench_commands[i].name, bench_commands[i].purpose);
    (void)fputs(bench_note, out);
    (void)fprintf(out, "\n" BENCH_PROGRAM " COMMAND --help lists the options of a command.\n");
    (void)fprintf(out, "\nExamples:\n%s\n" BENCH_EXIT_TEXT "\n", bench_examples);
}

static int run_command(int argc, char **argv)
{
    for (size_t i = 0; i < bench_command_count; i++)
        if (strcmp(argv[0], bench_commands[i].name) == 0)
            return bench_commands[i].run_fn(argc, argv);
    (void)fprintf(stderr,
                  BENCH_PROGRAM ": unknown command '%s': " BENCH_PROGRAM " --help lists all\n",
                  argv[0]);
    return BENCH_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    argp_err_exit_status = BENCH_EXIT_USAGE;
    if (argc < 2) {
        bench_print_usage(stderr);
        return BENCH_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        bench_print_usage(stdout);
        return BENCH_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts(BENCH_PROGRAM " " HEADLESS_VERSION);
        return BENCH_EXIT_OK;
    }
    return run_command(argc - 1, argv + 1);
}
