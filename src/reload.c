/* Applies a configuration that was read again (files.c), if it is valid. */
#include <errno.h>

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

static void show_result(struct daemon *d, const struct reload *reload)
{
    if (!reload->text)
        admin_set_reload_result(&d->admin, "out of memory");
    else if (reload->rc != -EAGAIN)
        admin_set_reload_result(&d->admin, reload->rc ? reload->text : NULL);
    if (reload->text && reload->rc)
        log_lines(LOG_LEVEL_ERROR, "config_error", reload->text);
    else if (reload->text)
        log_lines(LOG_LEVEL_WARN, "config_warning", reload->text);
}

bool daemon_take_keys(struct daemon *d)
{
    bool is_changed = supervisor_take_keys(d->supervisor, &d->files.keys);

    admin_set_keys_result(&d->admin, supervisor_keys_failure(d->supervisor));
    return is_changed;
}

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

void daemon_reload(struct daemon *d, const struct reload *reload)
{
    const struct config_set *before = d->reloaded ? d->reloaded : d->options;
    struct config_set *after = reload->after;
    int rc = reload->rc;

    show_result(d, reload);
    if (rc == -EAGAIN) /* other content, which the next look at the file finds */
        return;
    if (rc == -ENOMEM) { /* nothing is judged: the next look at the file tries again */
        log_error("reload_failed", "out of memory: keeping the previous configuration");
        return;
    }
    config_watch_judge(&d->watch, reload->digest);
    if (rc) {
        log_error("reload_failed", "the configuration has errors: keeping the previous one");
        return;
    }
    log_info("reloaded", "%zu options changed", config_diff(before, after, report_changed, NULL));
    if (config_list_loosened(d->options, before, after, warn_loosened, NULL))
        log_warn("options_not_shown", "no memory to name all restrictions that were removed");
    log_set_level((enum log_level)config_values(after)->log_level);
    daemon_log_renamed(after);
    (void)daemon_take_keys(d);
    supervisor_reload(d->supervisor, config_values(after));
    config_destroy(d->reloaded);
    d->reloaded = after;
    admin_set_options(&d->admin, d->options, after);
}
