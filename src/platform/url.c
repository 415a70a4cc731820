#include "platform/url.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "headless/base/clock.h"

struct url_text {
    char *text;
    size_t length;
    bool is_cut;
    bool has_query;
};

static void url_put(struct url_text *url, const char *text)
{
    size_t length = strlen(text);

    if (length >= URL_MAX - url->length) {
        url->is_cut = true;
        return;
    }
    memcpy(url->text + url->length, text, length + 1);
    url->length += length;
}

/* RFC 3986: all but unreserved characters. */
static void url_put_escaped(struct url_text *url, const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    char piece[4];

    for (; *text; text++) {
        (void)snprintf(piece, sizeof(piece), strchr(plain, *text) ? "%c" : "%%%02X",
                       (unsigned char)*text);
        url_put(url, piece);
    }
}

/* A path segment. "." and ".." would be removed, and no object is called so. */
static void url_put_segment(struct url_text *url, const char *text)
{
    url->is_cut = url->is_cut || !*text || strcmp(text, ".") == 0 || strcmp(text, "..") == 0;
    url_put(url, "/");
    url_put_escaped(url, text);
}

static void url_put_query(struct url_text *url, const char *key, const char *value)
{
    url_put(url, url->has_query ? "&" : "?");
    url->has_query = true;
    url_put(url, key);
    url_put(url, "=");
    url_put_escaped(url, value);
}

static void url_put_path(struct url_text *url, const struct url_parts *parts)
{
    const struct platform_object *object = parts->object;

    url_put(url, parts->base);
    url_put(url, *object->group ? "/apis" : "/api");
    if (*object->group)
        url_put_segment(url, object->group);
    url_put_segment(url, object->version);
    url_put(url, "/namespaces");
    url_put_segment(url, object->space ? object->space : parts->space);
    url_put_segment(url, object->resource);
}

static void put_selectors(struct url_text *url, const struct platform_object *object)
{
    char field[512];

    if (object->labels)
        url_put_query(url, "labelSelector", object->labels);
    if (!object->name)
        return;
    (void)snprintf(field, sizeof(field), "metadata.name=%s", object->name);
    url_put_query(url, "fieldSelector", field);
}

static void put_watch(struct url_text *url, const struct url_parts *parts)
{
    char seconds[24];

    (void)snprintf(seconds, sizeof(seconds), "%llu",
                   (unsigned long long)(parts->timeout_ns / NS_PER_SEC));
    url_put_query(url, "watch", "true");
    url_put_query(url, "allowWatchBookmarks", "true");
    url_put_query(url, "resourceVersion", parts->version);
    url_put_query(url, "timeoutSeconds", seconds);
}

/* 0 would be the server's default, a minute. */
static void put_timeout(struct url_text *url, uint64_t timeout_ns)
{
    uint64_t timeout_ms = timeout_ns > NS_PER_MS ? timeout_ns / NS_PER_MS : 1;
    char milliseconds[24];

    (void)snprintf(milliseconds, sizeof(milliseconds), "%llums", (unsigned long long)timeout_ms);
    url_put_query(url, "timeout", milliseconds);
}

int url_build(const struct url_parts *parts, char ret_url[static URL_MAX])
{
    struct url_text url = {.text = ret_url};
    bool is_named = parts->verb == PLATFORM_GET || parts->verb == PLATFORM_UPDATE ||
                    parts->verb == PLATFORM_PATCH;

    ret_url[0] = '\0';
    if (is_named && !parts->object->name)
        return -EINVAL;
    url_put_path(&url, parts);
    if (is_named)
        url_put_segment(&url, parts->object->name);
    if (is_named && parts->object->part)
        url_put_segment(&url, parts->object->part);
    if (parts->verb == PLATFORM_LIST || parts->verb == PLATFORM_WATCH)
        put_selectors(&url, parts->object);
    if (parts->verb == PLATFORM_WATCH)
        put_watch(&url, parts);
    else
        put_timeout(&url, parts->timeout_ns);
    return url.is_cut ? -ENAMETOOLONG : 0;
}
