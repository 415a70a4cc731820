/*
 * receive-pack-gso: records with their client's address in frames of at most 1,372 bytes, all
 * padded to the largest, one GSO send a batch. The bytes are those of headlessd's frames
 * (wire/frame.h), so that both carry the same load; they are written from two templates made at the
 * start.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gso_batches.h"
#include "headless/wire/frame.h"
#include "reader.h"

#define BUFFER_BYTES  2048
#define FRAME_ROOM    1372 /* the payload within headlessd's default relay.mtu */
#define RECORD_BYTES  24   /* length, kind, zero, client, local, tag: IPv4 */
#define RECORD_CLIENT 4
#define SEQUENCE      32 /* in the frame's header */
#define STRIDE        (FRAME_HEADER_BYTES + RECORD_BYTES + BUFFER_BYTES)
#define END_BYTES     4

struct packer {
    uint8_t header[FRAME_HEADER_BYTES], record[RECORD_HEADER_MAX];
    uint64_t sequence;
    uint8_t *frames; /* LIMIT_BATCH, STRIDE bytes each */
    size_t lengths[LIMIT_BATCH];
    unsigned records[LIMIT_BATCH];
    unsigned count;
};

static int packer_init(struct packer *p, const struct sockaddr_in *local)
{
    const struct frame_header header = {.type = FRAME_DATA,
                                        .hops = 1,
                                        .cluster = frame_cluster_id("headless"),
                                        .instance = 1,
                                        .term = 1};
    struct record record = {.client = {.family = ADDRESS_V4, .port = 1}};

    address_from_sockaddr((const struct sockaddr *)local, &record.local);
    frame_put_header(p->header, &header);
    if (record_put_header(p->record, &record) != RECORD_BYTES)
        return -EINVAL;
    p->frames = malloc((size_t)LIMIT_BATCH * STRIDE);
    return p->frames ? 0 : -ENOMEM;
}

static uint8_t *limit_frame_begin(struct packer *p)
{
    uint64_t sequence = htobe64(++p->sequence);
    uint8_t *frame = p->frames + (size_t)p->count * STRIDE;

    memcpy(frame, p->header, FRAME_HEADER_BYTES);
    memcpy(frame + SEQUENCE, &sequence, sizeof(sequence));
    p->lengths[p->count] = FRAME_HEADER_BYTES;
    p->records[p->count++] = 0;
    return frame;
}

static void limit_pack(struct packer *p, const struct sockaddr_in *client, const uint8_t *payload,
                       size_t length)
{
    uint16_t length_be = htons((uint16_t)length);
    unsigned last = p->count - 1;
    uint8_t *out;

    if (p->count == 0 || p->lengths[last] + RECORD_BYTES + length > FRAME_ROOM) {
        out = limit_frame_begin(p) + FRAME_HEADER_BYTES;
        last = p->count - 1;
    } else {
        out = p->frames + (size_t)last * STRIDE + p->lengths[last];
    }
    memcpy(out, p->record, RECORD_BYTES);
    memcpy(out, &length_be, sizeof(length_be));
    memcpy(out + RECORD_CLIENT, &client->sin_addr, 4);
    memcpy(out + RECORD_CLIENT + 4, &client->sin_port, 2);
    memcpy(out + RECORD_BYTES, payload, length);
    p->lengths[last] += RECORD_BYTES + length;
    p->records[last]++;
}

/* A frame larger than FRAME_ROOM has one large record, and is sent without padding. */
static void add_frames(struct packer *p, struct gso_batches *t)
{
    size_t largest = 0;

    for (unsigned i = 0; i < p->count; i++)
        if (p->lengths[i] > largest && p->lengths[i] <= FRAME_ROOM)
            largest = p->lengths[i];
    for (unsigned i = 0; i < p->count; i++) {
        uint8_t *frame = p->frames + (size_t)i * STRIDE;
        size_t length = p->lengths[i];

        if (length < largest) { /* the end record; bytes behind it are ignored */
            memset(frame + length, 0, END_BYTES);
            length = largest;
        }
        gso_batches_add(t, (struct iovec){frame, length}, length, p->records[i]);
    }
    p->count = 0;
}

int limit_receive_pack_gso(struct limit_loop *l)
{
    struct packer p = {.count = 0};
    struct gso_batches t;
    struct reader r;
    int rc = reader_init(&r, BUFFER_BYTES, READER_NAMES);

    if (!rc)
        rc = packer_init(&p, &l->options.listen);
    gso_batches_init(&t);
    while (!rc && !limit_is_stopping()) {
        int n = reader_receive(&r, l->in);

        for (int i = 0; i < n; i++) {
            l->counts.received_bytes += r.messages[i].msg_len;
            limit_pack(&p, &r.names[i], reader_buffer(&r, (unsigned)i), r.messages[i].msg_len);
        }
        if (n > 0) {
            l->counts.received += (uint64_t)n;
            l->counts.batches++;
            add_frames(&p, &t);
            gso_batches_send(&t, l->out, &l->counts);
        }
        rc = n < 0 ? n : 0;
    }
    free(p.frames);
    reader_fini(&r);
    return rc;
}
