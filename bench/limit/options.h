/*
 * options: the command line behind the mode. What is wrong ends the process with exit code 2 and a
 * sentence that names the option. Owner: main, before anything is open.
 */
#ifndef LIMIT_OPTIONS_H
#define LIMIT_OPTIONS_H

#include "limit.h"

#define LIMIT_PROGRAM "udp-limit"

enum limit_exit { LIMIT_EXIT_DONE = 0, LIMIT_EXIT_FAILED = 1, LIMIT_EXIT_USAGE = 2 };

/* What a mode cannot be without. */
enum options_needs { OPTIONS_LISTEN = 1, OPTIONS_TO = 2, OPTIONS_RATE = 4 };

extern const char options_help[]; /* of --help: the options, what is printed, examples */

/* argv[0] is the mode's name. True: --help was asked for, and nothing was read. */
bool options_read(int argc, char **argv, unsigned needs, struct limit_options *ret_options);

#endif
