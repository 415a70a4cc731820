#include "lease_wanted.h"

#include <stdio.h>
#include <string.h>

void lease_wanted_init(struct lease_wanted *wanted)
{
    triple_buffer_init(&wanted->news);
}

/* ---- the platform thread ---- */

static void tell_wanted(struct lease_wanted *wanted, const char *text, bool is_removed)
{
    struct lease_wanted_news *news = &wanted->versions[wanted->news.writer_index];

    (void)snprintf(news->text, sizeof(news->text), "%s", text);
    news->is_removed = is_removed;
    triple_buffer_publish(&wanted->news);
}

void lease_wanted_note(struct lease_wanted *wanted, struct json_object *document, uint64_t stamp)
{
    struct lease_document lease;

    if (lease_read(document, &lease))
        return;
    if (wanted->removed_stamp && stamp == wanted->removed_stamp && !lease.wanted[0]) {
        wanted->removed_stamp = 0;
        wanted->seen[0] = '\0';
        tell_wanted(wanted, wanted->removed, true);
    } else if (strcmp(lease.wanted, wanted->seen) != 0) {
        memcpy(wanted->seen, lease.wanted, sizeof(wanted->seen));
        tell_wanted(wanted, lease.wanted, false);
    }
}

bool lease_wanted_leaves_out(struct lease_wanted *wanted, struct json_object *document,
                             uint64_t stamp)
{
    struct lease_document lease;

    if (!wanted->removes[0] || lease_read(document, &lease) ||
        strcmp(lease.wanted, wanted->removes) != 0)
        return false;
    memcpy(wanted->removed, lease.wanted, sizeof(wanted->removed));
    wanted->removed_stamp = stamp;
    return true;
}

/* ---- the supervisor ---- */

void lease_wanted_ask(struct lease_wanted *wanted, const char *text)
{
    (void)snprintf(wanted->asked, sizeof(wanted->asked), "%s", text);
}

void lease_wanted_hand_in(struct lease_wanted *wanted)
{
    memcpy(wanted->removes, wanted->asked, sizeof(wanted->removes));
}

bool lease_wanted_has_news(const struct lease_wanted *wanted)
{
    return triple_buffer_has_news(&wanted->news);
}

const struct lease_wanted_news *lease_wanted_take(struct lease_wanted *wanted)
{
    return triple_buffer_take(&wanted->news) ? &wanted->versions[wanted->news.reader_index] : NULL;
}
