/* headless-bench: load, loss and latency of any UDP service. One row per command. */
#include <argp.h>
#include <stdio.h>
#include <string.h>

#include "argument.h"
#include "bench.h"
#include "headless/document/document.h"

static const struct bench_command commands[] = {
    {"send", command_send, &send_arguments,
     "Send datagrams, check the answers, measure loss and round trips"},
    {"smoke", command_smoke, &smoke_arguments,
     "Can this machine measure? In ten seconds, without any other program"},
    {"search", command_search, &search_arguments,
     "Find the throughput of a service at 0 and at 0.5 % of loss"},
    {"sink", command_sink, &sink_arguments,
     "Receive datagrams and count them; with --echo a simple UDP server"},
    {"compare", command_compare, &compare_arguments,
     "What has become better or worse, and is it sure?"},
    {"plot", command_plot, &plot_arguments,
     "Draw results as SVG: loss against load, latency, a failover"},
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))
_Static_assert(COMMAND_COUNT <= BENCH_COMMANDS_MAX, "raise BENCH_COMMANDS_MAX");

static const char examples[] =
    "  headless-bench smoke\n"
    "  headless-bench sink --listen 127.0.0.1:9100 --echo\n"
    "  headless-bench send --to 127.0.0.1:9100 --count 200000 --flows 64 --size 64-1400 "
    "--expect-all\n"
    "  headless-bench send --to 10.0.0.7:12000 --rate 50000 --duration 30s --json\n"
    "  headless-bench search --to 10.0.0.7:12000 --flows 64 --json >search.json\n"
    "  headless-bench plot search.json --out loss.svg\n"
    "  headless-bench compare before.json after.json --max-regression 5%\n";

static void print_usage(FILE *out)
{
    (void)fprintf(out, "Usage: " BENCH_PROGRAM " COMMAND [OPTION...]\n\nCommands:\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)fprintf(out, "  %-8s %s\n", commands[i].name, commands[i].purpose);
    (void)fprintf(out, "\n" BENCH_PROGRAM " COMMAND --help tells the options of a command.\n");
    (void)fprintf(out, "\nExamples:\n%s\n" BENCH_EXIT_TEXT "\n", examples);
}

static int run_command(int argc, char **argv)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(argv[0], commands[i].name) == 0)
            return commands[i].run_fn(argc, argv);
    (void)fprintf(stderr,
                  BENCH_PROGRAM ": unknown command '%s': " BENCH_PROGRAM " --help lists all\n",
                  argv[0]);
    return BENCH_EXIT_USAGE;
}

int main(int argc, char **argv)
{
    argp_err_exit_status = BENCH_EXIT_USAGE;
    if (argc < 2) {
        print_usage(stderr);
        return BENCH_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return BENCH_EXIT_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts(BENCH_PROGRAM " " HEADLESS_VERSION);
        return BENCH_EXIT_OK;
    }
    if (argc == 2 && strncmp(argv[1], DOCUMENT_FLAG, strlen(DOCUMENT_FLAG)) == 0)
        return bench_document(commands, COMMAND_COUNT, examples, argv[1] + strlen(DOCUMENT_FLAG));
    return run_command(argc - 1, argv + 1);
}
