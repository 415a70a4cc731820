/*
 * lease_json: reads and writes a Lease (coordination.k8s.io/v1) that records our leader.
 *
 * The record of a leader is in the spec (holderIdentity, leaseDurationSeconds, leaseTransitions,
 * acquireTime, renewTime) and in annotations headlessd.io/term, fence, writer, writer-uid, list, stamp,
 * address, cluster. A person may have added headlessd.io/wanted, labels, other annotations, owners: an update replaces the whole
 * object, so it must contain all that it does not change. Only managedFields are left out, which the
 * API server then keeps by itself.
 *
 * Reading takes any Lease: what is missing, or has a wrong type, is reported as such. The caller
 * decides, and compares the uid and the resourceVersion, without which an update is no
 * compare-and-set.
 *
 * Pure; json-c allocates. Any thread, one document by one thread at a time. Blocking: never.
 * Source: k8s.io/api/coordination/v1/types.go; k8s.io/apimachinery/pkg/apis/meta/v1/micro_time.go.
 */
#ifndef HEADLESS_PLATFORM_LEASE_JSON_H
#define HEADLESS_PLATFORM_LEASE_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LEASE_NAME_MAX            254 /* a name of an object, with NUL */
#define LEASE_DOCUMENT_HOLDER_MAX 320 /* ours is a name, "_" and 16 digits */
#define LEASE_DOCUMENT_TEXT_MAX   128 /* uid, resourceVersion, annotations of ours, with NUL */
#define LEASE_CLUSTER_MAX         256 /* the name of a cluster, with NUL */
#define LEASE_TIME_MAX            40  /* a time, with NUL */
#define LEASE_TERM_MAX            (UINT64_C(1) << 62) /* the election's highest term (ELECTION_TERM_MAX) */

struct json_object; /* json-c */

enum lease_document_term {
    LEASE_TERM_NONE, /* no annotation: not our record */
    LEASE_TERM_OK,
    LEASE_TERM_BAD /* no decimal number, or one above LEASE_TERM_MAX */
};

enum lease_document_fence {
    LEASE_DOCUMENT_FENCE_NONE,
    LEASE_DOCUMENT_FENCE_PEERS,
    LEASE_DOCUMENT_FENCE_LEASE,
    LEASE_DOCUMENT_FENCE_UNKNOWN
};

/* Name, uid and resourceVersion are complete, or the Lease is refused. Other texts are cut where they are
 * longer than any of ours. */
struct lease_document {
    char name[LEASE_NAME_MAX];
    char uid[LEASE_DOCUMENT_TEXT_MAX];
    char resource_version[LEASE_DOCUMENT_TEXT_MAX];
    char holder[LEASE_DOCUMENT_HOLDER_MAX]; /* "": none */
    uint32_t duration_s;                    /* 0: none */
    uint32_t transitions;
    char acquire_time[LEASE_TIME_MAX]; /* as in the document; "": none */
    char renew_time[LEASE_TIME_MAX];
    enum lease_document_term term_state;
    uint64_t term; /* of LEASE_TERM_OK, otherwise 0 */
    enum lease_document_fence fence;
    char writer
        [LEASE_DOCUMENT_HOLDER_MAX]; /* the holder, and the uid, when a pod of ours wrote it */
    char writer_uid[LEASE_DOCUMENT_TEXT_MAX];
    char list[LEASE_DOCUMENT_TEXT_MAX]; /* as in struct lease_change */
    uint64_t stamp;                     /* of the writer's clock; 0: none */
    char address[LEASE_DOCUMENT_TEXT_MAX];
    char cluster[LEASE_CLUSTER_MAX];
    char wanted[LEASE_NAME_MAX];
    /* Somebody lets the API server's coordinated leader election write this Lease. */
    char strategy[LEASE_DOCUMENT_TEXT_MAX]; /* "": no */
    bool is_deleting; /* it has a deletionTimestamp: a finalizer still keeps it */
};

/* Returns 0, or -EBADMSG with *ret_record untouched: no Lease, or name, uid or resourceVersion are
 * missing or too long. */
int lease_read(struct json_object *document, struct lease_document *ret_record)
    __attribute__((warn_unused_result));

/* ---- what else the API server says of a Lease ---- */

/* The first Lease of a list, with its kind, which items of a list do not repeat; for lease_drop. Returns
 * 0; -ENOENT: the list is empty; -EBADMSG: it is none; -ENOMEM. */
int lease_first(struct json_object *list, struct json_object **ret_lease)
    __attribute__((warn_unused_result));
/* The resourceVersion of a list; "": none. */
const char *lease_list_version(struct json_object *list);
/* The Status of a response 404 is about a Lease: it is an API server that says so, and its path exists. */
bool lease_is_absent(struct json_object *status);

/* Keep a document, which is valid during a callback only; NULL is allowed. */
struct json_object *lease_keep(struct json_object *document);
void lease_drop(struct json_object *document);

/* ---- writing ---- */

/* The fields that an update sets. NULL texts and a fence NONE remove the annotation. */
struct lease_change {
    const char *holder; /* "": nobody */
    uint32_t duration_s, transitions;
    uint64_t acquire_us, renew_us; /* microseconds since 1970; 0 keeps the time of the document */
    uint64_t term;
    enum lease_document_fence fence;
    const char *writer, *writer_uid, *list;
    uint64_t stamp; /* 0 removes the annotation */
    const char *address, *cluster;
    bool removes_wanted;
};

/*
 * Writes the Lease as JSON, for an update of document with this change; without a document, for a
 * creation with this name (uid and resourceVersion then are none). Does not change document. Returns
 * the length without NUL, or 0: no memory, or more than room.
 */
size_t lease_write(struct json_object *document, const char *name,
                   const struct lease_change *change, char *text, size_t room);

/* RFC 3339 with exactly six digits, which the API server demands: "2026-11-30T14:00:00.123456Z". */
void lease_format_time(uint64_t us, char text[static LEASE_TIME_MAX]);

#endif
