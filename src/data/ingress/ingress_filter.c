#include "headless/data/ingress_filter.h"

static bool has_all_of(const struct config_cidrs *cidrs, enum address_family family)
{
    for (size_t i = 0; i < cidrs->count; i++) {
        if (cidrs->list[i].base.family == family && cidrs->list[i].bits == 0)
            return true;
    }
    return false;
}

struct ingress_filter ingress_filter_make(const struct config *config)
{
    const struct config_cidrs *allow = &config->data_allow;
    bool is_open = has_all_of(allow, ADDRESS_V4) && has_all_of(allow, ADDRESS_V6);

    return (struct ingress_filter){
        .is_guarded = !is_open || config->data_rate > 0,
        .allow = *allow,
        .rule = rate_limit_make(config->data_rate,
                                config->data_burst ? config->data_burst : config->data_rate),
    };
}

uint32_t ingress_filter_admit(const struct ingress_filter *ingress_filter,
                              struct rate_limiter *limiter, const struct datagram *piece,
                              uint64_t now_ns)
{
    uint32_t count = datagram_count(piece);
    uint32_t admitted = count;

    if (!config_cidrs_contain(&ingress_filter->allow, &piece->peer)) {
        counters_drop(limiter->counters, DROP_acl, count);
        return 0;
    }
    if (ingress_filter->rule.period_ns) {
        admitted = rate_limiter_take(limiter, &ingress_filter->rule, &piece->peer, count, now_ns);
        counters_drop(limiter->counters, DROP_rate, count - admitted);
    }
    return admitted;
}
