/* Reads and writes records of the Lease. A record that does not fit is none of ours. */
#include "lease_convert.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "headless/base/clock.h"
#include "headless/platform/lease_json.h"

#define LIST_TEXT_MAX 40 /* "TERM/VERSION", with NUL */

/* ---- reading ---- */

static bool copy_text(char *to, size_t room, const char *from)
{
    size_t length = strlen(from);

    if (length >= room)
        return false;
    memcpy(to, from, length + 1);
    return true;
}

/* "TERM/VERSION". Something else is a list of which no term is known. */
static struct election_list_id lease_parse_list(const char *text)
{
    struct election_list_id list = {0};
    char *end;
    uint64_t version;

    if (*text < '0' || *text > '9')
        return list;
    list.term = strtoull(text, &end, 10);
    if (*end != '/' || end[1] < '0' || end[1] > '9')
        return (struct election_list_id){0};
    version = strtoull(end + 1, &end, 10);
    if (*end || version > UINT32_MAX)
        return (struct election_list_id){0};
    list.version = (uint32_t)version;
    return list;
}

static enum lease_use use_of(const struct lease_document *lease, const char *cluster)
{
    if (lease->strategy[0])
        return LEASE_USE_COORDINATED;
    return lease->term_state != LEASE_TERM_NONE && lease->cluster[0] &&
                   strcmp(lease->cluster, cluster) != 0
               ? LEASE_USE_FOREIGN
               : LEASE_USE_OURS;
}

/* Nothing of these follows from a record of another cluster. */
static void read_writer(const struct lease_document *lease, struct lease_record *record)
{
    if (lease->fence == LEASE_DOCUMENT_FENCE_PEERS || lease->fence == LEASE_DOCUMENT_FENCE_LEASE)
        (void)copy_text(record->writer, sizeof(record->writer), lease->writer);
    (void)copy_text(record->writer_uid, sizeof(record->writer_uid), lease->writer_uid);
    record->term = lease->term_state == LEASE_TERM_BAD ? UINT64_MAX : lease->term;
    record->fence =
        lease->fence == LEASE_DOCUMENT_FENCE_LEASE ? LEASE_FENCE_LEASE : LEASE_FENCE_PEERS;
    record->list = lease_parse_list(lease->list);
    record->stamp_ns = lease->stamp;
}

int lease_convert_read(struct json_object *document, const char *cluster,
                       struct lease_record *ret_record, enum lease_use *ret_use)
{
    struct lease_document lease;
    struct lease_record record = {.exists = true};

    if (lease_read(document, &lease) || !copy_text(record.uid, sizeof(record.uid), lease.uid) ||
        !copy_text(record.version, sizeof(record.version), lease.resource_version))
        return -EBADMSG;
    record.duration_ns = lease.duration_s * NS_PER_SEC;
    record.transitions = lease.transitions;
    if (use_of(&lease, cluster) != LEASE_USE_FOREIGN)
        read_writer(&lease, &record);
    /* Cut, it differs from every holder of ours: the writer is then none. */
    if (!copy_text(record.holder, sizeof(record.holder), lease.holder)) {
        (void)snprintf(record.holder, sizeof(record.holder), "%.*s", (int)sizeof(record.holder) - 1,
                       lease.holder);
        record.writer[0] = '\0';
    }
    *ret_record = record;
    *ret_use = use_of(&lease, cluster);
    return 0;
}

/* ---- writing ---- */

size_t lease_convert_write(struct json_object *document, const struct lease_record *record,
                           const struct lease_convert_about *about, uint64_t real_us,
                           const struct lease_convert_text *text)
{
    struct lease_document before = {0};
    char list[LIST_TEXT_MAX];
    struct lease_change change = {
        .holder = record->holder,
        .duration_s = (uint32_t)(record->duration_ns / NS_PER_SEC),
        .transitions = record->transitions < INT32_MAX ? (uint32_t)record->transitions : INT32_MAX,
        .renew_us = real_us,
        .term = record->term,
        .fence = !record->term                        ? LEASE_DOCUMENT_FENCE_NONE
                 : record->fence == LEASE_FENCE_LEASE ? LEASE_DOCUMENT_FENCE_LEASE
                                                      : LEASE_DOCUMENT_FENCE_PEERS,
        .writer = record->writer,
        .writer_uid = record->writer_uid,
        .list = record->term ? list : NULL,
        .stamp = record->stamp_ns,
        .cluster = about->cluster,
        .removes_wanted = about->removes_wanted,
    };

    if (document && lease_read(document, &before))
        return 0;
    if (strcmp(before.holder, record->holder) != 0 || !before.acquire_time[0])
        change.acquire_us = real_us;
    if (record->holder[0])
        change.address = about->address;
    (void)snprintf(list, sizeof(list), "%" PRIu64 "/%" PRIu32, record->list.term,
                   record->list.version);
    return lease_write(document, about->name, &change, text->json, text->room);
}
