#include "api_client.h"

#include <stdio.h>

#include "daemon.h"
#include "headless/base/log.h"

/* ---- the EndpointSlices of discovery.kubernetes ---- */

static struct platform_object slices = {
    .group = "discovery.k8s.io", .version = "v1", .resource = "endpointslices"};
static char slices_labels[CONFIG_TEXT_MAX + 32];

/* Nothing uses them yet. */
static void on_slices(void *context, const struct platform_news *news)
{
    static const char *const kinds[PLATFORM_NEWS_COUNT] = {
        [PLATFORM_LISTED] = "listed",     [PLATFORM_ADDED] = "added",
        [PLATFORM_MODIFIED] = "modified", [PLATFORM_DELETED] = "deleted",
        [PLATFORM_FAILED] = "failed",     [PLATFORM_RESUMED] = "resumed"};

    (void)context;
    log_debug("slices", "%s", kinds[news->kind]);
}

static int watch_slices(struct daemon *d)
{
    const struct config *config = config_values(d->options);
    const struct platform_watch watch = {.object = &slices, .on_news = on_slices};

    (void)snprintf(slices_labels, sizeof(slices_labels), "kubernetes.io/service-name=%s",
                   config->discovery_kubernetes);
    slices.labels = slices_labels;
    return platform_add_watch(d->platform, &watch);
}

/* ---- the modules ---- */

int api_client_open(struct daemon *d)
{
    int rc = platform_open(config_values(d->options), &d->platform);

    if (!rc && d->platform)
        rc = watch_slices(d);
    if (rc)
        api_client_close(d);
    return rc;
}

void api_client_close(struct daemon *d)
{
    platform_close(d->platform);
    d->platform = NULL;
}

int api_client_start(struct daemon *d)
{
    return platform_start(d->platform);
}

void api_client_stop(struct daemon *d)
{
    platform_stop(d->platform);
}
