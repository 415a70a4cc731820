/*
 * lease_convert: the Lease as the API server has it (platform/lease_json.h), as a record of the election
 * (control/lease.h), and back.
 *
 * Pure; json-c allocates. Any thread, one document by one thread at a time. Blocking: never.
 */
#ifndef CONTROL_LEASE_CONVERT_H
#define CONTROL_LEASE_CONVERT_H

#include "headless/control/lease.h"

struct json_object; /* json-c */

struct lease_convert_text {
    char *json;
    size_t room;
};

/* Why a record may be none that this cluster may write. */
enum lease_use {
    LEASE_USE_OURS,
    LEASE_USE_COORDINATED, /* it has a strategy, so the API server's own election may write it */
    LEASE_USE_FOREIGN /* pods of another cluster wrote it; it can be taken when they do not renew it */
};

/* Returns 0, or -EBADMSG: no Lease, or its uid or its resourceVersion is longer than any of an API server.
 * A record that no pod of this cluster has written is not lease_is_ours. */
int lease_convert_read(struct json_object *document, const char *cluster,
                       struct lease_record *ret_record, enum lease_use *ret_use)
    __attribute__((warn_unused_result));

/* For people. */
struct lease_convert_about {
    const char *name; /* of the Lease */
    const char *address, *cluster;
    bool removes_wanted; /* the annotation headlessd.io/wanted */
};

/*
 * Writes the Lease as JSON: document with the record, or a new one if document is NULL. Its uid and
 * resourceVersion are the document's. real_us: microseconds since 1970. Returns the length without NUL; 0: no memory, more than
 * room, or a record that no Lease can hold.
 */
size_t lease_convert_write(struct json_object *document, const struct lease_record *record,
                           const struct lease_convert_about *about, uint64_t real_us,
                           const struct lease_convert_text *text);

#endif
