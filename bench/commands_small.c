/* The commands of headless-bench where HEADLESS_BENCH_FULL is off: the container image. */
#include "argument.h"
#include "bench.h"

const struct bench_command bench_commands[] = {
    {"send", command_send, &send_arguments,
     "Send datagrams, check the replies, measure loss and round trips"},
    {"sink", command_sink, &sink_arguments,
     "Receive datagrams and count them; with --echo a simple UDP server"},
};
const size_t bench_command_count = sizeof(bench_commands) / sizeof(bench_commands[0]);

const char bench_note[] =
    "\nThis build has send and sink only. smoke, search, compare and plot are in the Debian\n"
    "package, and in a build from source.\n";

const char bench_examples[] =
    "  headless-bench sink --listen 127.0.0.1:9100 --echo\n"
    "  headless-bench send --to 127.0.0.1:9100 --count 200000 --flows 64 --size 64-1400 "
    "--expect-all\n"
    "  headless-bench send --to 10.0.0.7:12000 --rate 50000 --duration 30s --json\n";
