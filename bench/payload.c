#include "payload.h"

#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define MAGIC   UINT32_C(0x42736c68) /* "hlsB" */
#define VERSION 1

enum offset {
    AT_MAGIC = 0,
    AT_VERSION = 4,
    AT_LENGTH = 6,
    AT_RUN = 8,
    AT_FLOW = 16,
    AT_TAG = 18,
    AT_CLOCK = 20,
    AT_SEQUENCE = 24,
    AT_INTENDED = 32,
    AT_CHECKSUM = 40,
    AT_FILLER = 48,
};
_Static_assert(AT_FILLER == PAYLOAD_SIZE_MIN, "the smallest payload is a header without filler");

#define GOLDEN     UINT64_C(0x9e3779b97f4a7c15) /* 2^64 / golden ratio: all its multiples differ */
#define MULTIPLIER UINT64_C(0x9fb21c651e98df25) /* any odd number with a good mix of bits */

static void put16(uint8_t *at, uint16_t value)
{
    value = htole16(value);
    memcpy(at, &value, sizeof(value));
}

static void put32(uint8_t *at, uint32_t value)
{
    value = htole32(value);
    memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
    value = htole64(value);
    memcpy(at, &value, sizeof(value));
}

static uint16_t get16(const uint8_t *at)
{
    uint16_t value;

    memcpy(&value, at, sizeof(value));
    return le16toh(value);
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;

    memcpy(&value, at, sizeof(value));
    return le32toh(value);
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;

    memcpy(&value, at, sizeof(value));
    return le64toh(value);
}

uint64_t payload_mix(uint64_t x)
{
    x += GOLDEN;
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* A step is a bijection of word for a given hash, and of hash for a given word. */
static uint64_t hash_word(uint64_t hash, uint64_t word)
{
    hash ^= word;
    return ((hash << 29) | (hash >> 35)) * MULTIPLIER;
}

static uint64_t filler_seed(const struct payload *p)
{
    return payload_mix(p->run ^ payload_mix(p->sequence ^ ((uint64_t)p->flow << 48)));
}

static uint64_t hash_header(const uint8_t *bytes)
{
    uint64_t hash = GOLDEN;

    for (size_t at = 0; at < AT_CHECKSUM; at += 8)
        hash = hash_word(hash, get64(bytes + at));
    return hash;
}

void payload_build(const struct payload *p, size_t length, uint8_t *ret_bytes)
{
    uint64_t filler = filler_seed(p);
    uint64_t hash;
    size_t at;

    put32(ret_bytes + AT_MAGIC, MAGIC);
    put16(ret_bytes + AT_VERSION, VERSION);
    put16(ret_bytes + AT_LENGTH, (uint16_t)length);
    put64(ret_bytes + AT_RUN, p->run);
    put16(ret_bytes + AT_FLOW, p->flow);
    put16(ret_bytes + AT_TAG, p->tag);
    put32(ret_bytes + AT_CLOCK, p->clock);
    put64(ret_bytes + AT_SEQUENCE, p->sequence);
    put64(ret_bytes + AT_INTENDED, p->intended_ns);
    hash = hash_header(ret_bytes);
    for (at = AT_FILLER; at + 8 <= length; at += 8) {
        put64(ret_bytes + at, filler);
        hash = hash_word(hash, filler);
        filler += GOLDEN;
    }
    for (; at < length; at++) {
        ret_bytes[at] = (uint8_t)filler;
        hash = hash_word(hash, ret_bytes[at]);
        filler >>= 8;
    }
    put64(ret_bytes + AT_CHECKSUM, payload_mix(hash));
}

/* Compare the filler with its expected value and hash the whole, in one pass. */
static enum payload_verdict check_body(const uint8_t *bytes, size_t length, uint64_t filler)
{
    uint64_t hash = hash_header(bytes);
    uint64_t different = 0;
    size_t at;

    for (at = AT_FILLER; at + 8 <= length; at += 8) {
        uint64_t word = get64(bytes + at);

        different |= word ^ filler;
        hash = hash_word(hash, word);
        filler += GOLDEN;
    }
    for (; at < length; at++) {
        different |= bytes[at] ^ (filler & 0xff);
        hash = hash_word(hash, bytes[at]);
        filler >>= 8;
    }
    different |= payload_mix(hash) ^ get64(bytes + AT_CHECKSUM);
    return different ? PAYLOAD_CORRUPT : PAYLOAD_GOOD;
}

enum payload_verdict payload_check(const uint8_t *bytes, size_t length, uint64_t run,
                                   struct payload *ret_payload)
{
    struct payload p;
    enum payload_verdict verdict;

    if (length < PAYLOAD_SIZE_MIN) /* a truncated datagram of ours still begins with the magic */
        return length >= 4 && get32(bytes) == MAGIC ? PAYLOAD_CORRUPT : PAYLOAD_FOREIGN;
    p = (struct payload){
        .run = get64(bytes + AT_RUN),
        .sequence = get64(bytes + AT_SEQUENCE),
        .intended_ns = get64(bytes + AT_INTENDED),
        .clock = get32(bytes + AT_CLOCK),
        .flow = get16(bytes + AT_FLOW),
        .tag = get16(bytes + AT_TAG),
    };
    if (get32(bytes + AT_MAGIC) != MAGIC)
        return run && p.run == run ? PAYLOAD_CORRUPT : PAYLOAD_FOREIGN;
    if (get16(bytes + AT_VERSION) != VERSION || get16(bytes + AT_LENGTH) != length || p.run == 0)
        return PAYLOAD_CORRUPT;
    verdict = check_body(bytes, length, filler_seed(&p));
    if (verdict == PAYLOAD_GOOD)
        *ret_payload = p;
    return verdict;
}

uint32_t payload_clock(void)
{
    uint8_t id[40] = {0};
    uint64_t hash = GOLDEN;
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t length;

    if (fd < 0)
        return 0;
    length = read(fd, id, sizeof(id));
    (void)close(fd);
    if (length <= 0)
        return 0;
    for (size_t at = 0; at < sizeof(id); at += 8)
        hash = hash_word(hash, get64(id + at));
    return (uint32_t)payload_mix(hash);
}
