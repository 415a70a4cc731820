/* The commands of headless-bench, one a row. */
#include "argument.h"
#include "bench.h"

const struct bench_command bench_commands[] = {
    {"send", command_send, &send_arguments,
     "Send datagrams, check the replies, measure loss and round trips"},
    {"smoke", command_smoke, &smoke_arguments,
     "Check in ten seconds whether this machine can measure"},
    {"search", command_search, &search_arguments,
     "Find the throughput of a service at 0 % and at 0.5 % loss"},
    {"sink", command_sink, &sink_arguments,
     "Receive datagrams and count them; with --echo a simple UDP server"},
    {"compare", command_compare, &compare_arguments,
     "Compare results: which metrics became better or worse, and is it significant"},
    {"plot", command_plot, &plot_arguments,
     "Draw results as SVG: loss against load, latency, values over time"},
};

const size_t bench_command_count = sizeof(bench_commands) / sizeof(bench_commands[0]);
_Static_assert(sizeof(bench_commands) / sizeof(bench_commands[0]) <= BENCH_COMMANDS_MAX,
               "raise BENCH_COMMANDS_MAX");

const char bench_note[] = "";

const char bench_examples[] =
    "  headless-bench smoke\n"
    "  headless-bench sink --listen 127.0.0.1:9100 --echo\n"
    "  headless-bench send --to 127.0.0.1:9100 --count 200000 --flows 64 --size 64-1400 "
    "--expect-all\n"
    "  headless-bench send --to 10.0.0.7:12000 --rate 50000 --duration 30s --json\n"
    "  headless-bench search --to 10.0.0.7:12000 --flows 64 --json >search.json\n"
    "  headless-bench plot search.json --out loss.svg\n"
    "  headless-bench compare before.json after.json --max-regression 5%\n";
