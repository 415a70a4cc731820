/*
 * options: the command line after the mode. An error ends the process with exit code 2 and a
 * message that names the option. Owner: main, before anything is open.
 */
#ifndef LIMIT_OPTIONS_H
#define LIMIT_OPTIONS_H

#include "limit.h"

#define LIMIT_PROGRAM "udp-limit"

enum limit_exit { LIMIT_EXIT_DONE = 0, LIMIT_EXIT_FAILED = 1, LIMIT_EXIT_USAGE = 2 };

/* Options that a mode requires. */
enum options_needs { OPTIONS_LISTEN = 1, OPTIONS_TO = 2, OPTIONS_RATE = 4 };

extern const char options_help[]; /* in --help: options, output, examples */

/* argv[0] is the mode's name. True: --help was given, and nothing was read. */
bool options_read(int argc, char **argv, unsigned needs, struct limit_options *ret_options);

#endif
