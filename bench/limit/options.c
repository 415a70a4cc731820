#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "headless/base/address.h"
#include "headless/base/clock.h"

#define RATE_MAX     UINT64_C(100000000)
#define BURST_MAX    64
#define COUNT_MAX    (UINT64_MAX / 4)
#define SECONDS_MAX  3600
#define PAUSE_MAX_US 100000
#define MEMBERS_MAX  128

const char options_help[] =
    "\n"
    "Options:\n"
    "  --listen IP:PORT   address to receive at\n"
    "  --to IP:PORT       the one destination\n"
    "  --rcvbuf BYTES     receive buffer to request (default: as much as is granted)\n"
    "of fanout:\n"
    "  --members N        destinations: consecutive addresses from --to on (default 1)\n"
    "of receive:\n"
    "  --pause US         read, then sleep this time: no wake-up in the sender's CPU time\n"
    "  --gro              receive GRO batches whole: no CPU time spent on splitting them\n"
    "  --tell FILE        file with the number received so far, as text\n"
    "of send:\n"
    "  --rate N           datagrams a second, all flows together\n"
    "  --size N[-M]       payload bytes (default 100); a range: uniform\n"
    "  --flows N          sockets, each with its own source port (default 1)\n"
    "  --burst N          datagrams of one flow in one sendmmsg (default 16, at most 64)\n"
    "  --gso N            instead of a burst one send of N datagrams, with UDP_SEGMENT\n"
    "  --duration SECONDS --count N   end of sending (default: at SIGTERM); whole bursts\n"
    "\n"
    "IPv4. Forwarders take datagrams of up to 2,048 bytes. Each ends at SIGINT or SIGTERM and\n"
    "prints its counts as one line of JSON: received, batches (calls that received any), sent,\n"
    "frames (UDP datagrams on the wire), trains (messages passed to the kernel), and the CPU\n"
    "time of the process.\n"
    "\n"
    "  udp-limit receive --listen 127.0.0.1:9100\n"
    "  udp-limit receive-gso --listen 127.0.0.1:12000 --to 127.0.0.1:9100\n"
    "  udp-limit send --to 127.0.0.1:12000 --rate 100000 --flows 8 --duration 2\n"
    "\n"
    "Exit codes: 0 done; 1 failed; 2 usage.\n";

static void limit_refuse_options(const char *what, const char *wrong)
{
    (void)fprintf(stderr, LIMIT_PROGRAM ": %s: %s; see " LIMIT_PROGRAM " --help\n", what, wrong);
    exit(LIMIT_EXIT_USAGE);
}

/* A whole number within a range; *ret_end: where it ends. */
static uint64_t read_number(const char *name, const char *text, uint64_t min, uint64_t max,
                            char **ret_end)
{
    uint64_t number = strtoull(text, ret_end, 10);

    if (*text < '0' || *text > '9' || number < min || number > max)
        limit_refuse_options(name, "not a number within its range");
    return number;
}

static struct sockaddr_in read_address(const char *name, const char *text)
{
    struct sockaddr_storage storage;
    struct sockaddr_in in;
    struct address address;

    if (address_parse(text, 0, &address) || address.family != ADDRESS_V4)
        limit_refuse_options(name, "must be an IPv4 address with a port");
    (void)address_to_sockaddr(&address, AF_INET, &storage);
    memcpy(&in, &storage, sizeof(in));
    return in;
}

static void read_sizes(const char *text, struct limit_options *o)
{
    char *end;

    o->size_low = o->size_high = read_number("size", text, 1, LIMIT_PAYLOAD_MAX, &end);
    if (*end == '-')
        o->size_high = read_number("size", end + 1, o->size_low, LIMIT_PAYLOAD_MAX, &end);
    if (*end)
        limit_refuse_options("size", "must be N or N-M");
}

enum kind { KIND_ADDRESS, KIND_NUMBER, KIND_SIZES, KIND_TEXT, KIND_FLAG };

#define FIELD(name) offsetof(struct limit_options, name)

static const struct row {
    const char *name;
    enum kind kind;
    size_t offset;
    uint64_t min, max;
} rows[] = {
    {"listen", KIND_ADDRESS, FIELD(listen), 0, 0},
    {"to", KIND_ADDRESS, FIELD(to), 0, 0},
    {"rcvbuf", KIND_NUMBER, FIELD(rcvbuf_bytes), 1, INT32_MAX},
    {"members", KIND_NUMBER, FIELD(members), 1, MEMBERS_MAX},
    {"pause", KIND_NUMBER, FIELD(pause_us), 1, PAUSE_MAX_US},
    {"gro", KIND_FLAG, FIELD(gro), 0, 0},
    {"tell", KIND_TEXT, FIELD(tell), 0, 0},
    {"rate", KIND_NUMBER, FIELD(rate), 1, RATE_MAX},
    {"size", KIND_SIZES, 0, 0, 0},
    {"flows", KIND_NUMBER, FIELD(flows), 1, LIMIT_FLOWS_MAX},
    {"burst", KIND_NUMBER, FIELD(burst), 1, BURST_MAX},
    {"gso", KIND_NUMBER, FIELD(gso), 1, BURST_MAX},
    {"duration", KIND_NUMBER, FIELD(duration_s), 1, SECONDS_MAX},
    {"count", KIND_NUMBER, FIELD(count), 1, COUNT_MAX},
};

#define ROWS     (sizeof(rows) / sizeof(rows[0]))
#define KEY_HELP ((int)ROWS)

static void limit_take_option(const struct row *row, const char *text, struct limit_options *o)
{
    char *field = (char *)o + row->offset;
    struct sockaddr_in address;
    uint64_t number;
    char *end;

    switch (row->kind) {
    case KIND_ADDRESS:
        address = read_address(row->name, text);
        memcpy(field, &address, sizeof(address));
        break;
    case KIND_NUMBER:
        number = read_number(row->name, text, row->min, row->max, &end);
        if (*end)
            limit_refuse_options(row->name, "not a whole number");
        memcpy(field, &number, sizeof(number));
        break;
    case KIND_SIZES:
        read_sizes(text, o);
        break;
    case KIND_TEXT:
        memcpy(field, &text, sizeof(text));
        break;
    case KIND_FLAG:
        *(bool *)field = true;
        break;
    }
}

static void limit_check_options(const char *mode, unsigned needs, const struct limit_options *o)
{
    if ((needs & OPTIONS_LISTEN) && !o->listen.sin_family)
        limit_refuse_options(mode, "needs --listen");
    if ((needs & OPTIONS_TO) && !o->to.sin_port)
        limit_refuse_options(mode, "needs --to, with a port");
    if ((needs & OPTIONS_RATE) && !o->rate)
        limit_refuse_options(mode, "needs --rate");
    if (o->gso > 1 && (o->size_low != o->size_high || o->gso * o->size_low > LIMIT_PAYLOAD_MAX))
        limit_refuse_options("gso", "needs one --size, and at most 65,507 bytes in all");
}

bool options_read(int argc, char **argv, unsigned needs, struct limit_options *ret_options)
{
    struct option options[ROWS + 2] = {{.name = NULL}};
    struct limit_options o = {
        .members = 1, .flows = 1, .gso = 1, .burst = 16, .size_low = 100, .size_high = 100};
    int key;

    for (size_t i = 0; i < ROWS; i++)
        options[i] = (struct option){rows[i].name,
                                     rows[i].kind == KIND_FLAG ? no_argument : required_argument,
                                     NULL, (int)i};
    options[ROWS] = (struct option){"help", no_argument, NULL, KEY_HELP};
    while ((key = getopt_long(argc, argv, "", options, NULL)) != -1) {
        if (key == KEY_HELP)
            return true;
        if (key == '?')
            exit(LIMIT_EXIT_USAGE); /* getopt has printed the reason */
        limit_take_option(&rows[key], optarg, &o);
    }
    if (optind < argc)
        limit_refuse_options(argv[optind], "is not an option");
    limit_check_options(argv[0], needs, &o);
    *ret_options = o;
    return false;
}
