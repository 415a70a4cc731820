/*
 * slices: the endpoints of a Service, from its EndpointSlices (discovery.k8s.io/v1 and v1beta1).
 *
 * The controller splits the endpoints of a Service into slices and moves them between slices: the
 * same endpoint may be in two for a moment. So the endpoints are the union of all slices: an event
 * replaces or removes the part of its slice only, a list replaces everything. Slices of another
 * address family are ignored, and so are host names (addressType FQDN).
 *
 * Pure: documents in, endpoints out; no I/O, no clock. json-c allocates the documents, which the
 * caller bounds; nothing is allocated here.
 *
 * Owner: one thread at a time. Blocking: never.
 * Errors: -EBADMSG with everything unchanged: the document is no EndpointSlice, or no list of them.
 * Single endpoints that cannot be used are left out and counted (enum slices_reject).
 * Source: k8s.io/api/discovery/v1/types.go; kubernetes/pkg/apis/core/validation (addresses).
 */
#ifndef HEADLESS_PLATFORM_SLICES_H
#define HEADLESS_PLATFORM_SLICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "headless/base/address.h"

#define SLICES_MAX           128 /* slices with endpoints; the controller fills them with 100 each */
#define SLICES_ENDPOINTS_MAX 1024
#define SLICES_NAME_MAX      254 /* a name of an object, with NUL */
#define SLICES_LABEL_MAX     64  /* of an endpoint's texts; longer ones are cut */

struct json_object; /* json-c */

/* Why an endpoint is left out. */
enum slices_reject {
    SLICES_LOOPBACK,
    SLICES_UNSPECIFIED,
    SLICES_MULTICAST, /* or broadcast */
    SLICES_FOREIGN,   /* no address of the family that its slice names */
    SLICES_DUPLICATE, /* a second one with its address and its pod in the same slice */
    SLICES_OVERFLOW,  /* more than SLICES_MAX slices, or SLICES_ENDPOINTS_MAX endpoints */
    SLICES_REJECT_COUNT
};

/* Conditions that a document leaves out, or sets to null, have the API's defaults. */
struct slices_endpoint {
    struct address address;      /* addresses[0], port 0 */
    uint64_t pod;                /* hash of targetRef.uid; 0: unknown */
    bool is_serving;             /* serving, otherwise ready, otherwise true */
    bool is_terminating;         /* false by default: also in v1beta1 of Kubernetes 1.20 */
    char name[SLICES_LABEL_MAX]; /* targetRef.name: the pod's */
    char host[SLICES_LABEL_MAX]; /* hostname */
    char node[SLICES_LABEL_MAX]; /* nodeName, in v1beta1 topology["kubernetes.io/hostname"] */
    uint16_t slice;              /* internal */
};

struct slices {
    enum address_family family; /* of the pod's own address */
    uint64_t rejected[SLICES_REJECT_COUNT];
    /* Internal. */
    char names[SLICES_MAX][SLICES_NAME_MAX]; /* "": free */
    struct slices_endpoint endpoints[SLICES_ENDPOINTS_MAX];
    size_t count;
};

/* One address of the union. */
struct slices_member {
    struct address address;
    uint64_t pod;
    bool is_terminating; /* each pod that has the address is */
};

void slices_init(struct slices *slices, enum address_family family);

/* A list: replaces everything. */
int slices_replace_all(struct slices *slices, struct json_object *list)
    __attribute__((warn_unused_result));
/* One slice, added or modified: replaces its part. */
int slices_replace(struct slices *slices, struct json_object *slice)
    __attribute__((warn_unused_result));
/* One slice, deleted: removes its part. */
int slices_remove(struct slices *slices, struct json_object *slice)
    __attribute__((warn_unused_result));

/*
 * The union, sorted, each address once. Of two pods at one address, which follow each other, it is
 * the one that does not terminate. Of more than room, the first in sorted order, the same in all pods.
 * Returns the number of addresses in the list; *ret_left_out: of those for which there was no room.
 */
size_t slices_members(const struct slices *slices, struct slices_member *ret_list, size_t room,
                      size_t *ret_left_out);

const char *slices_reject_name(enum slices_reject reject);

#endif
