#include "api_client.h"

#include "daemon.h"

int api_client_open(struct daemon *d)
{
    int rc = platform_open(config_values(d->options), &d->platform);

    if (!rc && d->platform)
        rc = supervisor_use_platform(d->supervisor, d->platform);
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
