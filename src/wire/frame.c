#include "headless/wire/frame.h"

#include <sodium.h>

#include "headless/base/bytes.h"

#define FLAGS_OFFSET       4
#define FRAME_SEALED       1
#define FRAME_LINKED       2
#define TOS_OFFSET         3 /* in a record */
#define RECORD_FIXED_BYTES 4 /* length, kind, TOS */
#define RECORD_KNOWN_BITS                                                                       \
    (RECORD_PRESENT | RECORD_CLIENT_V6 | RECORD_LOCAL_V6 | RECORD_INGRESS | RECORD_INGRESS_V6 | \
     RECORD_TTL)

static const uint8_t magic[2] = {'h', 'd'};
static const uint8_t zeros[16];

uint64_t frame_cluster_id(const char *cluster)
{
    uint8_t hash[crypto_generichash_BYTES_MIN];

    /* Cannot fail: the lengths are constants within the function's bounds. */
    (void)crypto_generichash(hash, sizeof(hash), (const uint8_t *)cluster, strlen(cluster), NULL,
                             0);
    return get_be64(hash);
}

void frame_put_header(uint8_t out[static FRAME_HEADER_BYTES], const struct frame_header *header)
{
    memcpy(out, magic, sizeof(magic));
    out[2] = FRAME_VERSION;
    out[3] = header->type;
    out[FLAGS_OFFSET] = header->has_link ? FRAME_LINKED : 0;
    out[5] = header->hops;
    put_be16(out + 6, header->nonce_space);
    put_be64(out + 8, header->cluster);
    put_be64(out + 16, header->instance);
    put_be64(out + 24, header->term);
    frame_put_sequence(out, header->sequence);
}

void frame_put_sequence(uint8_t out[static FRAME_HEADER_BYTES], uint64_t sequence)
{
    put_be64(out + 32, sequence);
}

void frame_put_sealed(uint8_t out[static FRAME_HEADER_BYTES], bool is_sealed)
{
    out[FLAGS_OFFSET] =
        (uint8_t)((out[FLAGS_OFFSET] & ~FRAME_SEALED) | (is_sealed ? FRAME_SEALED : 0));
}

bool frame_is_sealed(const uint8_t data[static FRAME_HEADER_BYTES])
{
    return data[FLAGS_OFFSET] & FRAME_SEALED;
}

void frame_put_link(uint8_t *out, const struct frame_link *link)
{
    put_be16(put_be16(put_be64(out, link->number), link->continued), link->begun);
}

/* ---- records ---- */

static uint8_t kind_of(const struct record *record)
{
    unsigned kind = RECORD_PRESENT;

    if (record->client.family == ADDRESS_V6)
        kind |= RECORD_CLIENT_V6;
    if (record->local.family == ADDRESS_V6)
        kind |= RECORD_LOCAL_V6;
    if (address_is_set(&record->ingress))
        kind |= RECORD_INGRESS;
    if (record->ingress.family == ADDRESS_V6)
        kind |= RECORD_INGRESS_V6;
    if (record->ttl)
        kind |= RECORD_TTL;
    return (uint8_t)kind;
}

static size_t header_bytes_of(uint8_t kind)
{
    size_t bytes = RECORD_FIXED_BYTES + sizeof(uint64_t);

    bytes += kind & RECORD_CLIENT_V6 ? 16 + 2 + 4 : 4 + 2;
    bytes += kind & RECORD_LOCAL_V6 ? 16 + 2 : 4 + 2;
    if (kind & RECORD_INGRESS)
        bytes += kind & RECORD_INGRESS_V6 ? 16 : 4;
    if (kind & RECORD_TTL)
        bytes++;
    return bytes;
}

size_t record_header_bytes(const struct record *record)
{
    return header_bytes_of(kind_of(record));
}

static uint8_t *frame_put_ip(uint8_t *out, const struct address *a)
{
    size_t bytes = a->family == ADDRESS_V6 ? 16 : 4;

    memcpy(out, a->ip, bytes);
    return out + bytes;
}

size_t record_put_header(uint8_t *out, const struct record *record)
{
    uint8_t *next = put_be16(out, record->length);

    *next++ = kind_of(record);
    *next++ = record->tos;
    next = put_be16(frame_put_ip(next, &record->client), record->client.port);
    if (record->client.family == ADDRESS_V6)
        next = put_be32(next, record->client.scope);
    next = put_be16(frame_put_ip(next, &record->local), record->local.port);
    next = put_be64(next, record->tag);
    if (address_is_set(&record->ingress))
        next = frame_put_ip(next, &record->ingress);
    if (record->ttl)
        *next++ = record->ttl;
    return (size_t)(next - out);
}

void record_put_tos(uint8_t *out, uint8_t tos)
{
    out[TOS_OFFSET] = tos;
}

static const uint8_t *get_ip(const uint8_t *in, bool is_v6, struct address *ret_address)
{
    size_t bytes = is_v6 ? 16 : 4;

    *ret_address = (struct address){.family = is_v6 ? ADDRESS_V6 : ADDRESS_V4};
    memcpy(ret_address->ip, in, bytes);
    return in + bytes;
}

/* Decode a record whose header lies within the buffer; returns the first byte after its payload. */
static const uint8_t *get_record(const uint8_t *in, struct record *ret_record)
{
    uint8_t kind = in[2];

    ret_record->length = get_be16(in);
    ret_record->tos = in[TOS_OFFSET];
    in = get_ip(in + RECORD_FIXED_BYTES, kind & RECORD_CLIENT_V6, &ret_record->client);
    ret_record->client.port = get_be16(in);
    in += 2;
    if (kind & RECORD_CLIENT_V6) {
        ret_record->client.scope = get_be32(in);
        in += 4;
    }
    in = get_ip(in, kind & RECORD_LOCAL_V6, &ret_record->local);
    ret_record->local.port = get_be16(in);
    ret_record->tag = get_be64(in + 2);
    in += 2 + sizeof(uint64_t);
    ret_record->ingress = (struct address){0};
    if (kind & RECORD_INGRESS)
        in = get_ip(in, kind & RECORD_INGRESS_V6, &ret_record->ingress);
    ret_record->ttl = kind & RECORD_TTL ? *in++ : 0;
    ret_record->payload = in;
    return in + ret_record->length;
}

bool record_is_valid(const struct record *record)
{
    const struct address *ingress = &record->ingress;

    if (record->client.port == 0 || record->length > RECORD_PAYLOAD_MAX)
        return false;
    if (!address_is_canonical(&record->client) || !address_is_canonical(&record->local))
        return false;
    return !address_is_set(ingress) || (address_is_canonical(ingress) && !address_is_any(ingress));
}

/* Four zero bytes, or as many as are left. */
static bool is_end(const uint8_t *in, const uint8_t *end)
{
    size_t left = (size_t)(end - in);

    return memcmp(in, zeros, left < RECORD_FIXED_BYTES ? left : RECORD_FIXED_BYTES) == 0;
}

static bool is_known_kind(uint8_t kind)
{
    return (kind & RECORD_PRESENT) && (kind & ~RECORD_KNOWN_BITS) == 0 &&
           !((kind & RECORD_INGRESS_V6) && !(kind & RECORD_INGRESS));
}

/* The first byte after a valid record, or NULL. */
static const uint8_t *check_record(const uint8_t *in, const uint8_t *end)
{
    size_t left = (size_t)(end - in);
    struct record record;
    uint8_t kind;

    if (left < RECORD_FIXED_BYTES)
        return NULL;
    kind = in[2];
    if (!is_known_kind(kind) || left < header_bytes_of(kind) + get_be16(in))
        return NULL;
    in = get_record(in, &record);
    if ((kind & RECORD_TTL) && !record.ttl)
        return NULL;
    return record_is_valid(&record) ? in : NULL;
}

bool record_measure(const uint8_t *data, size_t length, size_t *ret_bytes)
{
    bool is_known = length > 2;

    if (is_known && (!is_known_kind(data[2]) || get_be16(data) > RECORD_PAYLOAD_MAX))
        return false;
    *ret_bytes = is_known ? header_bytes_of(data[2]) + get_be16(data) : 0;
    return true;
}

bool record_read(const uint8_t *data, size_t length, struct record *ret_record)
{
    if (check_record(data, data + length) != data + length)
        return false;
    (void)get_record(data, ret_record);
    return true;
}

static enum frame_verdict check_header(const uint8_t *data, size_t length, uint64_t cluster)
{
    if (length < 3 || memcmp(data, magic, sizeof(magic)) != 0)
        return FRAME_MALFORMED;
    if (data[2] != FRAME_VERSION)
        return FRAME_BAD_VERSION;
    if (length < FRAME_HEADER_BYTES)
        return FRAME_MALFORMED;
    if (get_be64(data + 8) != cluster)
        return FRAME_BAD_CLUSTER;
    if (data[3] < FRAME_DATA || data[3] >= FRAME_TYPES_END)
        return FRAME_MALFORMED;
    if ((data[FLAGS_OFFSET] & ~FRAME_LINKED) != 0 || data[5] < 1 || data[5] > FRAME_HOPS_MAX)
        return FRAME_MALFORMED;
    return FRAME_OK;
}

static struct frame_header get_header(const uint8_t *data)
{
    return (struct frame_header){.type = data[3],
                                 .hops = data[5],
                                 .nonce_space = get_be16(data + 6),
                                 .cluster = get_be64(data + 8),
                                 .instance = get_be64(data + 16),
                                 .term = get_be64(data + 24),
                                 .sequence = get_be64(data + 32),
                                 .has_link = data[FLAGS_OFFSET] & FRAME_LINKED};
}

/* ---- bodies ---- */

static bool read_body(uint8_t type, const uint8_t *in, size_t length, union frame_body *ret_body)
{
    if (type == FRAME_ENTRIES)
        return entry_get_range(in, length, &ret_body->range);
    if (frame_is_kept(type))
        return frame_get_place(in, length, &ret_body->place);
    if (type == FRAME_CONFIRM)
        return confirmation_get(in, length, &ret_body->confirmation);
    return type != FRAME_ACK || entry_get_ack(in, length, &ret_body->ack);
}

void frame_get_body(const uint8_t *data, const struct frame_header *header,
                    union frame_body *ret_body)
{
    const size_t bytes = frame_body_bytes(header->type);

    (void)read_body(header->type, data + frame_prefix_bytes(header) - bytes, bytes, ret_body);
}

bool frame_read_header(const uint8_t *data, size_t length, struct frame_header *ret_header)
{
    if (length < FRAME_HEADER_BYTES || memcmp(data, magic, sizeof(magic)) != 0 ||
        data[2] != FRAME_VERSION)
        return false;
    *ret_header = get_header(data);
    return true;
}

/* The link block, and what it leaves between first and end for whole records. False: it does not
 * fit the frame. */
static bool read_link(const uint8_t *block, struct frame_link *ret_link, const uint8_t **first,
                      const uint8_t **end)
{
    struct frame_link link = {get_be64(block), get_be16(block + 8), get_be16(block + 10)};

    if ((size_t)(*end - *first) < (size_t)link.continued + link.begun)
        return false;
    *first += link.continued;
    *end -= link.begun;
    *ret_link = link;
    return true;
}

/* Behind the last whole record; NULL: one is malformed. */
static const uint8_t *check_records(const uint8_t *next, const uint8_t *end, bool is_padded,
                                    size_t *ret_records)
{
    size_t records = 0;

    for (; next && next != end && !(is_padded && is_end(next, end)); records++)
        next = check_record(next, end);
    *ret_records = records;
    return next;
}

/* Has a frame of this type these records, and parts of records? */
static bool may_have(uint8_t type, size_t records, bool has_part)
{
    if (type == FRAME_ACK || type == FRAME_CONFIRM)
        return records == 0 && !has_part;
    return type == FRAME_ENTRIES || records > 0 || has_part;
}

enum frame_verdict frame_open(const uint8_t *data, size_t length, uint64_t cluster,
                              struct frame_header *ret_header, size_t *ret_records,
                              struct frame_reader *ret_reader)
{
    enum frame_verdict verdict = check_header(data, length, cluster);
    const uint8_t *first, *next, *end = data + length;
    struct frame_header header;
    union frame_body body;
    size_t records, prefix;

    if (verdict != FRAME_OK)
        return verdict;
    header = get_header(data);
    prefix = frame_prefix_bytes(&header);
    if (length < prefix || !read_body(header.type, data + prefix - frame_body_bytes(header.type),
                                      length - prefix + frame_body_bytes(header.type), &body))
        return FRAME_MALFORMED;
    first = data + prefix;
    if (header.has_link && !read_link(data + FRAME_HEADER_BYTES, &header.link, &first, &end))
        return FRAME_MALFORMED;
    next = check_records(first, end, !header.link.begun, &records);
    if (!next || !may_have(header.type, records, header.link.continued || header.link.begun))
        return FRAME_MALFORMED;
    *ret_header = header;
    *ret_records = records;
    *ret_reader = (struct frame_reader){.next = first, .end = next};
    return FRAME_OK;
}

bool frame_next(struct frame_reader *reader, struct record *ret_record)
{
    if (reader->next == reader->end)
        return false;
    reader->next = get_record(reader->next, ret_record);
    return true;
}
