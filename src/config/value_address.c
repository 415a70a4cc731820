/* One address: of the sockets, of the admin server, of the app. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "value.h"

#define UDP_SCHEME "udp://"

static const char *const app_names[] = {
    [CONFIG_APP_ECHO] = "echo",
    [CONFIG_APP_WHOAMI] = "whoami",
    [CONFIG_APP_DISCARD] = "discard",
};

static struct address load_address(const void *field)
{
    struct address a;

    memcpy(&a, field, sizeof(a));
    return a;
}

/* auto is no address; any is the IPv6 wildcard, which receives IPv4 as well. */
static int parse_address(const struct config_option *o, const char *text, void *field, char *why)
{
    struct address a = {0};

    if (strcmp(text, "any") == 0)
        a = address_any(ADDRESS_V6);
    else if (strcmp(text, "auto") != 0 && address_parse_ip(text, &a))
        return value_refuse(why, text, "is not %s", o->allowed);
    memcpy(field, &a, sizeof(a));
    return 0;
}

static void format_address(const struct config_option *o, const void *field, size_t item,
                           char *text)
{
    struct address a = load_address(field);
    char spelled[ADDRESS_TEXT_MAX];

    (void)o;
    (void)item;
    if (!address_is_set(&a))
        (void)snprintf(text, VALUE_TEXT_MAX, "auto");
    else if (a.family == ADDRESS_V6 && address_is_any(&a))
        (void)snprintf(text, VALUE_TEXT_MAX, "any");
    else
        (void)snprintf(text, VALUE_TEXT_MAX, "%s", address_format_ip(&a, spelled));
}

/* ":8080" in a spelling that address_parse accepts; the host is dropped again. */
static bool parse_lone_port(const char *text, struct address *ret_address)
{
    char spelled[16];

    if (*text != ':' || strlen(text) > 6)
        return false;
    (void)snprintf(spelled, sizeof(spelled), "0.0.0.0%.6s", text);
    if (address_parse(spelled, 0, ret_address))
        return false;
    ret_address->family = ADDRESS_NONE; /* until bind is known */
    return true;
}

static int parse_listen(const struct config_option *o, const char *text, void *field, char *why)
{
    struct address a = {0};

    if (!value_is_none(text)) {
        if (!parse_lone_port(text, &a) && address_parse(text, 0, &a))
            return value_refuse(why, text, "is not %s", o->allowed);
        if (a.port == 0)
            return value_refuse(why, text, "has no port");
    }
    memcpy(field, &a, sizeof(a));
    return 0;
}

static void format_listen(const struct config_option *o, const void *field, size_t item, char *text)
{
    struct address a = load_address(field);
    char spelled[ADDRESS_TEXT_MAX];

    (void)o;
    (void)item;
    if (a.port == 0)
        (void)snprintf(text, VALUE_TEXT_MAX, "none");
    else if (!address_is_set(&a))
        (void)snprintf(text, VALUE_TEXT_MAX, ":%u", a.port);
    else
        (void)snprintf(text, VALUE_TEXT_MAX, "%s", address_format(&a, spelled));
}

static bool parse_builtin(const char *text, struct config_app_target *target)
{
    for (size_t i = 0; i < sizeof(app_names) / sizeof(app_names[0]); i++) {
        if (strcmp(text, app_names[i]) == 0) {
            target->kind = (enum config_app)i;
            return true;
        }
    }
    return false;
}

static int parse_target(const struct config_option *o, const char *text, void *field, char *why)
{
    struct config_app_target target = {0};

    if (!parse_builtin(text, &target)) {
        if (strncmp(text, UDP_SCHEME, strlen(UDP_SCHEME)) != 0)
            return value_refuse(why, text, "is not one of %s", o->allowed);
        if (address_parse(text + strlen(UDP_SCHEME), 0, &target.address))
            return value_refuse(why, text, "is not udp://ADDRESS:PORT with a numeric address");
        if (target.address.port == 0)
            return value_refuse(why, text, "has no port");
        if (!value_is_unicast(&target.address))
            return value_refuse(why, text, "is not the address of one machine");
        target.kind = CONFIG_APP_UDP;
    }
    memcpy(field, &target, sizeof(target));
    return 0;
}

static void format_target(const struct config_option *o, const void *field, size_t item, char *text)
{
    struct config_app_target target;
    char spelled[ADDRESS_TEXT_MAX];

    (void)o;
    (void)item;
    memcpy(&target, field, sizeof(target));
    if (target.kind == CONFIG_APP_UDP)
        (void)snprintf(text, VALUE_TEXT_MAX, UDP_SCHEME "%s",
                       address_format(&target.address, spelled));
    else
        (void)snprintf(text, VALUE_TEXT_MAX, "%s", app_names[target.kind]);
}

const struct value_type value_address = {
    .called = "ADDRESS|auto", .parse = parse_address, .format = format_address};
const struct value_type value_listen = {
    .called = "ADDRESS:PORT|none", .parse = parse_listen, .format = format_listen};
const struct value_type value_target = {.called = "echo|whoami|discard|udp://ADDRESS:PORT",
                                        .parse = parse_target,
                                        .format = format_target};
