#include "headless/control/claim.h"

bool claim_supersedes(const struct claim *a, const struct claim *b)
{
    if (a->term != b->term)
        return a->term > b->term;
    if (a->rank != b->rank)
        return a->rank < b->rank;
    return a->issuer < b->issuer;
}

const char *claim_cause_name(enum claim_cause cause)
{
    static const char *const names[CLAIM_CAUSE_COUNT] = {
        [CLAIM_NONE] = "none",
        [CLAIM_ALONE] = "alone",
        [CLAIM_YAML] = "yaml",
        [CLAIM_COMMAND] = "command",
    };

    return names[cause];
}
