/*
 * Variables such as HEADLESSD_RELAY_FORMAT, and those of the first version (POD_IP, PORT, ...).
 *
 * Kubernetes injects variables for each Service of the namespace: one named "headlessd" gives
 * HEADLESSD_SERVICE_HOST and HEADLESSD_PORT=tcp://10.0.0.1:80, and one named "headlessd-data" even
 * HEADLESSD_DATA_PORT=udp://10.0.0.1:12000. These are no settings and are ignored.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loader.h"

#define PREFIX "HEADLESSD_"

static bool environment_ends_with(const char *text, const char *end)
{
    size_t length = strlen(text);
    size_t end_length = strlen(end);

    return length >= end_length && strcmp(text + length - end_length, end) == 0;
}

static bool is_service_url(const char *value)
{
    return strncmp(value, "tcp://", 6) == 0 || strncmp(value, "udp://", 6) == 0 ||
           strncmp(value, "sctp://", 7) == 0;
}

/* ..._PORT_53_UDP, followed by nothing, _PROTO, _PORT or _ADDR. */
static bool has_numbered_port(const char *name)
{
    for (const char *port = strstr(name, "_PORT_"); port; port = strstr(port + 1, "_PORT_")) {
        size_t digits = strspn(port + 6, "0123456789");
        const char *rest = port + 6 + digits;

        if (digits > 0 && (strncmp(rest, "_TCP", 4) == 0 || strncmp(rest, "_UDP", 4) == 0 ||
                           strncmp(rest, "_SCTP", 5) == 0))
            return true;
    }
    return false;
}

static bool is_service_link(const char *name, const char *value)
{
    return environment_ends_with(name, "_SERVICE_HOST") ||
           environment_ends_with(name, "_SERVICE_PORT") || strstr(name, "_SERVICE_PORT_") ||
           has_numbered_port(name) ||
           (environment_ends_with(name, "_PORT") && is_service_url(value));
}

/* An empty variable counts as not set: templates leave variables empty. */
static const char *read_variable(const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): no thread writes it */

    return value && *value && !is_service_link(name, value) ? value : NULL;
}

/* Templates leave variables empty, also those that should restrict. */
static void warn_empty(const struct loader *l, const char *name)
{
    const char *value = getenv(name); /* NOLINT(concurrency-mt-unsafe): no thread writes it */

    if (value && !*value)
        (void)fprintf(l->errors, "warning: %s: is empty, which sets no restriction\n", name);
}

static void read_option(struct loader *l, size_t option)
{
    const struct config_option *o = &config_options[option];
    struct origin origin = {.source = CONFIG_ENVIRONMENT};
    char name[OPTION_NAME_MAX];
    const char *value = read_variable(option_variable(o, name));

    if (o->is_looser)
        warn_empty(l, name);
    for (size_t i = 0; !value && i < OPTION_ALIASES && o->aliases[i]; i++) {
        origin.alias = o->aliases[i];
        value = read_variable(o->aliases[i]);
    }
    if (value)
        config_assign(l, option, &origin, value);
}

/* A variable by its former name. With the present one it would be a second setting: refused. */
static void read_former(struct loader *l, const struct option_rename *rename)
{
    const struct origin origin = {.source = CONFIG_ENVIRONMENT, .former = rename->was};
    size_t option = option_by_key(rename->is);
    const struct origin before = l->set->origins[option];
    char name[OPTION_NAME_MAX];
    const char *value = read_variable(option_variable_of_key(rename->was, name));

    if (!value)
        return;
    if (before.source == CONFIG_ENVIRONMENT)
        loader_refuse(l, option, &origin, "already set as %s", loader_spell(option, &before, name));
    else
        config_assign(l, option, &origin, value);
}

static void warn_unknown(const struct loader *l, const char *name)
{
    struct suggestion near;
    char candidate[OPTION_NAME_MAX];

    suggestion_init(&near, name);
    for (size_t i = 0; i < config_option_count; i++)
        suggestion_offer(&near, option_variable(&config_options[i], candidate));
    (void)fprintf(l->errors, "warning: %s: no such option, ignored%s%s%s\n", name,
                  *near.best ? "; did you mean " : "", near.best, *near.best ? "?" : "");
}

/* entry is NAME=VALUE of environ. */
static void look_at_entry(const struct loader *l, const char *entry)
{
    char name[128];
    const char *equals = strchr(entry, '='), *former;

    if (!equals || strncmp(entry, PREFIX, strlen(PREFIX)) != 0)
        return;
    (void)snprintf(name, sizeof(name), "%.*s", (int)(equals - entry), entry);
    if (option_by_variable(name) == config_option_count &&
        option_by_former_variable(name, &former) == config_option_count &&
        !is_service_link(name, equals + 1))
        warn_unknown(l, name);
}

void config_read_environment(struct loader *l)
{
    for (size_t i = 0; i < config_option_count; i++)
        read_option(l, i);
    for (size_t i = 0; i < config_rename_count; i++)
        read_former(l, &config_renames[i]);
    for (char **entry = environ; entry && *entry; entry++)
        look_at_entry(l, *entry);
}
