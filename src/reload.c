/* Reload of headlessd's configuration: validated before it replaces the old one. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon.h"
#include "headless/base/log.h"

static void report_changed(const char *option, bool reloadable, void *context)
{
    (void)context;
    if (reloadable)
        log_info("option_reloaded", "%s", option);
    else
        log_warn("option_needs_restart", "%s changed: restart the pod to apply it", option);
}

static void warn_loosened(const struct config_loosened *loosened, void *context)
{
    (void)context;
    log_warn("restriction_removed", "%s: %s allows more than %s%s%s", loosened->option,
             loosened->is, loosened->was, loosened->is_default ? "; nothing sets it any more" : "",
             loosened->reloadable ? "" : "; from the next start on");
}

/* config_reload, with its errors and warnings as lines of the log. */
static int read_options(struct daemon *d, const struct config_set *before, uint64_t *digest,
                        struct config_set **ret_after)
{
    char *text = NULL;
    size_t length;
    FILE *errors = open_memstream(&text, &length);
    int rc;

    if (!errors) {
        admin_set_reload_result(&d->admin, "out of memory");
        return -ENOMEM;
    }
    rc = config_reload(before, digest, errors, ret_after);
    (void)fclose(errors);
    if (rc != -EAGAIN)
        admin_set_reload_result(&d->admin, rc ? text : NULL);
    if (rc)
        log_lines(LOG_LEVEL_ERROR, "config_error", text);
    else
        log_lines(LOG_LEVEL_WARN, "config_warning", text);
    free(text);
    return rc;
}

bool daemon_read_keys(struct daemon *d)
{
    bool is_changed = supervisor_read_keys(d->supervisor);

    admin_set_keys_result(&d->admin, supervisor_keys_failure(d->supervisor));
    return is_changed;
}

/* digest: of the expected content, 0: any. Another content is left to the next check of the file. */
static void warn_renamed(const char *was, const char *is, void *context)
{
    (void)context;
    log_warn("option_renamed", "%s is now %s: write %s, this is the last version that takes %s",
             was, is, is, was);
}

void daemon_log_renamed(const struct config_set *options)
{
    (void)config_list_renamed(options, warn_renamed, NULL);
}

static void reload_options(struct daemon *d, uint64_t digest)
{
    const struct config_set *before = d->reloaded ? d->reloaded : d->options;
    struct config_set *after;
    int rc = read_options(d, before, &digest, &after);

    if (rc == -EAGAIN)
        return;
    config_watch_judge(&d->watch, digest);
    if (rc) {
        log_error("reload_failed", "the configuration has errors: keeping the previous one");
        return;
    }
    log_info("reloaded", "%zu options changed", config_diff(before, after, report_changed, NULL));
    if (config_list_loosened(d->options, before, after, warn_loosened, NULL))
        log_warn("options_not_shown", "no memory to name all restrictions that were removed");
    log_set_level((enum log_level)config_values(after)->log_level);
    daemon_log_renamed(after);
    (void)daemon_read_keys(d);
    supervisor_reload(d->supervisor, config_values(after));
    config_destroy(d->reloaded);
    d->reloaded = after;
    admin_set_options(&d->admin, d->options, after);
}

void daemon_reload(struct daemon *d, const char *why, uint64_t digest)
{
    log_info("reloading", "the configuration: %s", why);
    service_reloading(&d->service);
    reload_options(d, digest);
    service_ready(&d->service);
}
