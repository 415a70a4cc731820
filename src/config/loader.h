/*
 * loader: one load in progress, from defaults over file and environment to flags. Private to
 * config, but for the tables, which document/ prints.
 *
 * Every source passes its texts to config_assign, each with its place; later sources overwrite
 * earlier ones. All errors are written, not only the first, each beginning with its place.
 *
 * Threads: a loader belongs to the thread that loads. Blocking: reads a file, writes to errors.
 */
#ifndef HEADLESS_CONFIG_LOADER_H
#define HEADLESS_CONFIG_LOADER_H

#include "value.h"

#define LOADER_ERRORS_MAX     20 /* shown; the rest is counted */
#define CONFIG_FILE_BYTES_MAX ((size_t)1 << 20)

/* The source of an option's value. */
struct origin {
    enum config_source source;
    unsigned line;     /* CONFIG_FILE */
    const char *alias; /* variable or flag, if it was not the derived name, otherwise NULL */
    const char
        *former; /* key of an earlier version that the name was derived from, otherwise NULL */
};

struct config_set {
    struct config values;
    struct origin origins[OPTION_MAX];
    int argc;
    char *const *argv;
    const char *path;       /* of the file, in argv; NULL none */
    uint64_t digest;        /* of its content; 0: none, or it could not be read */
    size_t file_options;    /* set by it */
    bool ends_with_newline; /* its content does */
};

struct loader {
    struct config_set *set;
    FILE *errors;
    unsigned error_count;
    uint64_t expected;               /* digest that the file must have; 0: any */
    const struct config_set *before; /* in force at a reload, otherwise NULL */
    bool wrong[OPTION_MAX];          /* refused in some source: config_check skips its rules */
};

/*
 * Write "PLACE: message" for an option, where PLACE is FILE:LINE: KEY, a variable or a flag.
 */
void loader_refuse(struct loader *l, size_t option, const struct origin *origin, const char *format,
                   ...) __attribute__((format(printf, 4, 5)));

/* The same for an error that belongs to no option; place is a text such as "headlessd.yaml:3". */
void loader_error(struct loader *l, const char *place, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for a line of the file. */
void loader_error_line(struct loader *l, unsigned line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The key, flag or variable by which an option was set there; returns text or a constant. */
const char *loader_spell(size_t option, const struct origin *origin,
                         char text[static OPTION_NAME_MAX]);

/* Write how many errors were not shown. Returns -EINVAL if there were any errors, otherwise 0. */
int loader_finish(struct loader *l);

/* The value, or the items with commas, as a flag takes it; malloc'd, NULL: out of memory. */
char *config_join_value(const struct config_option *o, const struct config *config);

/* Set an option from text; lists as text are comma-separated. */
void config_assign(struct loader *l, size_t option, const struct origin *origin, const char *text);

/* Lists only: begin with an empty one, then add items; each item's origin is its own line. */
void config_assign_list(struct loader *l, size_t option, const struct origin *origin);
void config_assign_item(struct loader *l, size_t option, const struct origin *origin,
                        const char *text);

/* The sources, in this order. */
void config_read_defaults(struct loader *l);
/*
 * Returns 0; the negative errno of a file that cannot be read, after reporting it; -ENOMEM; or
 * -EAGAIN, not reported, if the content is not the expected one.
 */
int config_read_file(struct loader *l);
int config_read_yaml(struct loader *l, const char *text, size_t length);
void config_read_environment(struct loader *l);
void config_read_flags(struct loader *l);

/* A flag that selects a mode. */
struct mode_flag {
    const char *name;
    char letter; /* 0: none */
    enum config_mode mode;
    const char *help;
};
extern const struct mode_flag config_mode_flags[];
extern const size_t config_mode_flag_count;
#define CONFIG_FILE_FLAG "config"

/* In --help and the manual page. */
struct config_exit_text {
    enum config_exit code;
    const char *meaning;
};
extern const char config_help_examples[];
extern const struct config_exit_text config_exits[CONFIG_EXIT_COUNT];

/* Such a mode needs no settings. */
static inline bool config_answers_alone(enum config_mode mode)
{
    return mode >= CONFIG_VERSION;
}

/* Find mode and file on the command line; wrong flags are left to config_read_flags. */
void config_scan_flags(struct config_set *set, enum config_mode *ret_mode);

/* Fill in self, name, bind and the admin address where they are not set. Queries the kernel's
 * routes. */
void config_derive(struct config *config);

/* Is this an address of this machine or pod, now? False where that cannot be determined. */
bool config_is_own_address(const struct address *ip);

/* Check the rules between options. Writes its errors. */
void config_check(struct loader *l);
/* Two of its checks, in check_zones.c, one in check_drain.c, and one in check_confirm.c; true with
 * the reason. */
bool config_self_has_no_zone(const struct config *c, char why[static VALUE_WHY_MAX]);
bool config_peers_are_on_other_links(const struct config *c, char why[static VALUE_WHY_MAX]);
bool config_sessions_may_not_stay(const struct config *c, char why[static VALUE_WHY_MAX]);
bool config_replied_needs_one_worker(const struct config *c, char why[static VALUE_WHY_MAX]);
/* In check_app.c: app.reply_from and app.source do not go with app.target. */
bool config_replies_need_loopback(const struct config *c, char why[static VALUE_WHY_MAX]);
bool config_source_needs_local_app(const struct config *c, char why[static VALUE_WHY_MAX]);
/* In check_platform.c: the API server and its objects cannot be named so. */
bool config_api_is_unusable(const struct config *c, char why[static VALUE_WHY_MAX]);
bool config_token_is_relative(const struct config *c, char why[static VALUE_WHY_MAX]);
bool config_ca_is_relative(const struct config *c, char why[static VALUE_WHY_MAX]);
bool config_namespace_is_no_name(const struct config *c, char why[static VALUE_WHY_MAX]);
bool config_service_is_no_name(const struct config *c, char why[static VALUE_WHY_MAX]);
bool config_lease_is_no_name(const struct config *c, char why[static VALUE_WHY_MAX]);
/* In check_lease.c: the options of election lease do not go together. */
bool config_lease_has_fraction(const struct config *c, char why[static VALUE_WHY_MAX]);
bool config_lease_renews_late(const struct config *c, char why[static VALUE_WHY_MAX]);
bool config_lease_needs_no_commit(const struct config *c, char why[static VALUE_WHY_MAX]);
/* In check_loops.c: datagrams to these would go in circles. */
bool config_leader_is_own_socket(const struct config *c, char why[static VALUE_WHY_MAX]);
bool config_app_is_own_socket(const struct config *c, char why[static VALUE_WHY_MAX]);
bool config_notify_is_own_socket(const struct config *c, char why[static VALUE_WHY_MAX]);

/* The option leader as an address; its port is 0 for a member. False when it is a name or none. */
bool config_leader_address(const struct config *c, struct address *ret_address);

/*
 * The word nearest to a mistyped one. Offer all words; best is then the nearest one within the
 * distance of a typing error, or "".
 */
struct suggestion {
    const char *word;
    size_t distance;
    char best[OPTION_NAME_MAX];
};
void suggestion_init(struct suggestion *s, const char *word);
void suggestion_offer(struct suggestion *s, const char *candidate);

#endif
