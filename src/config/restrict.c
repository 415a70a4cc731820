/* Which options limit who may send, command or be trusted, and does a new value of one allow more? */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "loader.h"

static bool is_within(const struct cidr *range, const struct config_cidrs *ranges)
{
    for (size_t i = 0; i < ranges->count; i++) {
        if (ranges->list[i].bits <= range->bits && cidr_contains(&ranges->list[i], &range->base))
            return true;
    }
    return false;
}

/* Two halves that make up a range count as more than that range: a line too many, never one too
 * few. */
static bool has_more_sources(const struct config_cidrs *before, const struct config_cidrs *after)
{
    for (size_t i = 0; i < after->count; i++) {
        if (!is_within(&after->list[i], before))
            return true;
    }
    return false;
}

/* 0: no limit. */
static bool is_higher_limit(uint32_t before, uint32_t after)
{
    return before != 0 && (after == 0 || after > before);
}

static uint32_t burst_of(const struct config *c)
{
    return c->data_burst ? c->data_burst : c->data_rate;
}

bool restrict_data_allow(const struct restrict_change *change)
{
    return has_more_sources(&change->before->data_allow, &change->after->data_allow);
}

bool restrict_data_rate(const struct restrict_change *change)
{
    return is_higher_limit(change->before->data_rate, change->after->data_rate);
}

bool restrict_data_burst(const struct restrict_change *change)
{
    return change->before->data_burst != change->after->data_burst &&
           is_higher_limit(burst_of(change->before), burst_of(change->after));
}

/* open, signed, none: each accepts less than the one before it. */
bool restrict_control_accept(const struct restrict_change *change)
{
    return config_control(change->after, change->started) <
           config_control(change->before, change->started);
}

bool restrict_control_allow(const struct restrict_change *change)
{
    return has_more_sources(&change->before->control_allow, &change->after->control_allow);
}

bool restrict_keys(const struct restrict_change *change)
{
    return config_has_keys(change->before) && !config_has_keys(change->after);
}

/* none, permissive, enforce: each accepts less than the one before it. */
bool restrict_keys_mode(const struct restrict_change *change)
{
    return change->after->keys_mode < change->before->keys_mode;
}

bool restrict_reply_from(const struct restrict_change *change)
{
    return change->after->app_reply_from > change->before->app_reply_from;
}

bool restrict_on_refused(const struct restrict_change *change)
{
    return change->before->failover_on_refused == CONFIG_REFUSED_TIMEOUT &&
           change->after->failover_on_refused == CONFIG_REFUSED_FAST;
}

bool restrict_seccomp(const struct restrict_change *change)
{
    return change->before->seccomp && !change->after->seccomp;
}

static int report_loosened(size_t option, const struct config_set *before,
                           const struct config_set *after, config_loosened_fn *each, void *context)
{
    const struct config_option *o = &config_options[option];
    char *was = config_join_value(o, &before->values);
    char *is = config_join_value(o, &after->values);

    if (was && is)
        each(
            &(struct config_loosened){.option = o->key,
                                      .was = was,
                                      .is = is,
                                      .is_default = after->origins[option].source == CONFIG_DEFAULT,
                                      .reloadable = o->reloadable},
            context);
    free(was);
    free(is);
    return was && is ? 0 : -ENOMEM;
}

int config_list_loosened(const struct config_set *started, const struct config_set *before,
                         const struct config_set *after, config_loosened_fn *each, void *context)
{
    const struct restrict_change change = {
        .started = &started->values, .before = &before->values, .after = &after->values};
    int rc = 0;

    for (size_t i = 0; i < config_option_count; i++) {
        if (config_options[i].is_looser && config_options[i].is_looser(&change) &&
            report_loosened(i, before, after, each, context))
            rc = -ENOMEM;
    }
    return rc;
}
