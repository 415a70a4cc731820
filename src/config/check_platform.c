/* Checks of check.c, and the text of platform.api: the API server and the names of its objects. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "loader.h"

#define LABEL_MAX 63 /* characters of a namespace or of a Service (RFC 1123) */

/* "10.96.0.1:443/" or "[fd00::1]": the address, and a slash that says nothing. */
static int parse_host(const char *text, uint16_t default_port, struct address *ret_address)
{
    char host[CONFIG_TEXT_MAX];
    size_t length = strlen(text);

    if (length > 0 && text[length - 1] == '/')
        length--;
    if (length == 0 || length >= sizeof(host) || memchr(text, '/', length) ||
        memchr(text, '@', length) || memchr(text, '%', length))
        return -EINVAL;
    memcpy(host, text, length);
    host[length] = '\0';
    if (address_parse(host, default_port, ret_address) == 0)
        return ret_address->port ? 0 : -EINVAL;
    return -EDESTADDRREQ;
}

int config_parse_api(const char *text, struct config_api *ret_api)
{
    static const char secure[] = "https://", plain[] = "http://";
    struct config_api api = {.is_tls = strncmp(text, secure, strlen(secure)) == 0};
    int rc;

    if (!api.is_tls && strncmp(text, plain, strlen(plain)) != 0)
        return -EINVAL;
    rc =
        parse_host(text + strlen(api.is_tls ? secure : plain), api.is_tls ? 443 : 80, &api.address);
    if (rc)
        return rc;
    /* The token would be readable on the way. */
    if (!api.is_tls && !address_is_loopback(&api.address))
        return -EPERM;
    *ret_api = api;
    return 0;
}

bool config_api_is_unusable(const struct config *c, char why[static VALUE_WHY_MAX])
{
    struct config_api api;
    int rc = strcmp(c->platform_api, "auto") == 0 ? 0 : config_parse_api(c->platform_api, &api);

    if (rc == -EDESTADDRREQ)
        (void)value_refuse(why, c->platform_api,
                           "has a name for a host: use the IP address of the API server");
    else if (rc == -EPERM)
        (void)value_refuse(why, c->platform_api,
                           "sends the token unencrypted to another host: use https");
    else if (rc)
        (void)value_refuse(why, c->platform_api, "is not https://ADDRESS:PORT, or auto");
    return rc != 0;
}

static bool is_relative(const char *path, char why[static VALUE_WHY_MAX])
{
    if (!*path || *path == '/')
        return false;
    (void)value_refuse(why, path, "is not an absolute path");
    return true;
}

bool config_token_is_relative(const struct config *c, char why[static VALUE_WHY_MAX])
{
    return is_relative(c->platform_token, why);
}

bool config_ca_is_relative(const struct config *c, char why[static VALUE_WHY_MAX])
{
    return is_relative(c->platform_ca, why);
}

/* It becomes a part of a URL. */
static bool is_no_label(const char *text, char why[static VALUE_WHY_MAX])
{
    static const char inner[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
    size_t length = strlen(text);

    if (length <= LABEL_MAX && text[strspn(text, inner)] == '\0' &&
        (length == 0 || (text[0] != '-' && text[length - 1] != '-')))
        return false;
    (void)value_refuse(why, text,
                       "is not a name in Kubernetes: 1 to 63 lower-case letters, digits and -");
    return true;
}

bool config_namespace_is_no_name(const struct config *c, char why[static VALUE_WHY_MAX])
{
    return is_no_label(c->platform_namespace, why);
}

bool config_service_is_no_name(const struct config *c, char why[static VALUE_WHY_MAX])
{
    return is_no_label(c->discovery_kubernetes, why);
}

bool config_lease_is_no_name(const struct config *c, char why[static VALUE_WHY_MAX])
{
    if (!c->lease_name[0])
        (void)value_refuse(why, c->lease_name, "is not the name of a Lease");
    return !c->lease_name[0] || is_no_label(c->lease_name, why);
}
