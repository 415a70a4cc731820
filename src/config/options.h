/*
 * options: the table of options, and the names that follow from it. Private to config.
 *
 * One row is one option. Its YAML key is written down; the flag and the variable follow from it:
 * relay.format is --relay-format and HEADLESSD_RELAY_FORMAT. To add an option, add a field to
 * struct config and a row to the table in options.c.
 *
 * Technique: Knot DNS's configuration schema, Varnish's table of parameters.
 * Threads: constant data and pure functions, any thread.
 */
#ifndef HEADLESS_CONFIG_OPTIONS_H
#define HEADLESS_CONFIG_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/config/config.h"

#define OPTION_MAX      96 /* rows */
#define OPTION_NAME_MAX 64 /* bytes of a key, flag or variable, with NUL */
#define OPTION_ALIASES  2

/* A key of an earlier version. It is accepted for one release, with a warning; its flag and its
 * variable follow from it as from every key. */
struct option_rename {
    const char *was, *is; /* keys */
};

/* The conversion from an option's text to its field; one row each in value.c. */
enum option_type {
    OPTION_NUMBER,   /* decimal, into 2, 4 or 8 bytes */
    OPTION_DURATION, /* with a unit, into nanoseconds */
    OPTION_SIZE,     /* with a unit, into bytes */
    OPTION_CHOICE,   /* one of several words, into the index of the word */
    OPTION_TEXT,     /* printable, without spaces */
    OPTION_NAME,     /* a member's name, or auto */
    OPTION_LEADER,   /* a member's name or address, an outside address with a port, or none */
    OPTION_ADDRESS,  /* an IP, any, or auto */
    OPTION_LISTEN,   /* IP:PORT, :PORT, or none */
    OPTION_TARGET,   /* a built-in app or udp://IP:PORT */
    OPTION_PEERS,    /* list of IP or NAME=IP */
    OPTION_ORDER,    /* list of IP or NAME */
    OPTION_CIDRS,    /* list of ranges */
    OPTION_GROUPS,   /* list of multicast groups, IP or IP%INTERFACE */
    OPTION_TYPE_COUNT
};

/* A reload: values in force before and after it; of options that need a restart, those of started
 * are in force. */
struct restrict_change {
    const struct config *started, *before, *after;
};

struct config_option {
    const char *key;   /* dotted, as in YAML */
    const char *group; /* title, only in the first row of a group */
    enum option_type type;
    size_t offset, size;        /* of the field in struct config */
    const char *preset;         /* the default, read by the same parser */
    const char *preset_words;   /* the meaning of the default, where its text does not tell */
    uint64_t min, max;          /* of numbers, durations (ns) and sizes (bytes) */
    const char *zero;           /* word for 0, which may then be out of range, or for no text */
    bool power_of_two;          /* of numbers */
    const char *const *choices; /* index: the value; NULL entries cannot be chosen */
    size_t choice_count;        /* entries in choices */
    const char *allowed;        /* allowed values, where the type does not tell */
    bool reloadable;            /* may change while running */
    /* Options that limit who may send, command or be trusted: does the new value allow more? */
    bool (*is_looser)(const struct restrict_change *change);
    const char *help;                    /* one sentence */
    const char *flag_alias;              /* second spelling of the flag, without -- */
    const char *aliases[OPTION_ALIASES]; /* further variables, the first one set counts */
};

extern const struct config_option config_options[];
extern const size_t config_option_count;
extern const struct option_rename config_renames[];
extern const size_t config_rename_count;

/* The row of a key; config_option_count when there is none. */
size_t option_by_key(const char *key);

/* The row of a flag (without --, alias or not); config_option_count when there is none. */
size_t option_by_flag(const char *flag);

/* The row of a variable such as HEADLESSD_SELF, aliases apart; config_option_count when none. */
size_t option_by_variable(const char *variable);

/* The same for former names: the option's row, and the former key, which is a constant. */
size_t option_by_former_key(const char *key, const char **ret_former);
size_t option_by_former_flag(const char *flag, const char **ret_former);
size_t option_by_former_variable(const char *variable, const char **ret_former);

/* The first row of the group of keys that begin with prefix and a dot; config_option_count: none.
 */
size_t option_by_prefix(const char *prefix);

/* Of such options, in restrict.c. */
bool restrict_data_allow(const struct restrict_change *change);
bool restrict_data_rate(const struct restrict_change *change);
bool restrict_data_burst(const struct restrict_change *change);
bool restrict_control_accept(const struct restrict_change *change);
bool restrict_control_allow(const struct restrict_change *change);
bool restrict_keys(const struct restrict_change *change);
bool restrict_keys_mode(const struct restrict_change *change);
bool restrict_reply_from(const struct restrict_change *change);
bool restrict_on_refused(const struct restrict_change *change);
bool restrict_seccomp(const struct restrict_change *change);

/* Derived names; they return their buffer, for use in calls. */
const char *option_flag(const struct config_option *o, char text[static OPTION_NAME_MAX]);
const char *option_variable(const struct config_option *o, char text[static OPTION_NAME_MAX]);
const char *option_flag_of_key(const char *key, char text[static OPTION_NAME_MAX]);
const char *option_variable_of_key(const char *key, char text[static OPTION_NAME_MAX]);

#endif
