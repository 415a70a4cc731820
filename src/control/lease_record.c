/* A record of the Lease: its holder, and which of two is newer. */
#include <stdlib.h>

#include "lease_internal.h"

bool lease_is_intact(const struct lease_record *record)
{
    return record->term && record->term <= ELECTION_TERM_MAX / 2 &&
           strcmp(record->writer_uid, record->uid) == 0;
}

bool lease_is_ours(const struct lease_record *record)
{
    return lease_is_intact(record) && strcmp(record->writer, record->holder) == 0;
}

bool lease_is_mine(const struct lease *l, const struct lease_record *record)
{
    return lease_is_ours(record) && strcmp(record->holder, l->holder) == 0;
}

/*
 * While our time lasts, another pod can have taken the Lease by votes only; then it is in a later term. If it is in an
 * earlier one, we have taken it by votes from its holder, which has not seen that.
 */
const struct lease_record *lease_held(const struct lease *l)
{
    const struct lease_record *seen = &l->seen;

    if (l->is_leading &&
        (seen->term < l->own.term || (seen->term == l->own.term && !lease_is_intact(seen))))
        return &l->own;
    return lease_is_mine(l, seen) ? seen : NULL;
}

uint64_t lease_holder_instance(const char *holder)
{
    const char *digits = strrchr(holder, '_');

    return digits ? strtoull(digits + 1, NULL, 16) : 0;
}

static bool is_decimal(const char *text)
{
    return text[0] && text[strspn(text, "0123456789")] == '\0';
}

int lease_compare_versions(const char *a, const char *b)
{
    size_t length_a = strlen(a), length_b = strlen(b);

    if (!is_decimal(a) || !is_decimal(b))
        return strcmp(a, b) == 0 ? 0 : 1;
    if (length_a != length_b)
        return length_a < length_b ? -1 : 1;
    return strcmp(a, b);
}

const char *lease_by_name(enum lease_by by)
{
    static const char *const names[LEASE_BY_COUNT] = {
        [LEASE_BY_NOTHING] = "nothing", [LEASE_BY_FIRST] = "first",
        [LEASE_BY_EXPIRY] = "expiry",   [LEASE_BY_LEAVE] = "leave",
        [LEASE_BY_VOTES] = "votes",     [LEASE_BY_EVIDENCE] = "evidence",
    };

    return names[by];
}
