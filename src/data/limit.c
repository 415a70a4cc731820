#include "headless/data/limit.h"

#include <errno.h>
#include <sodium.h>
#include <sys/mman.h>

#include "headless/base/clock.h"

#define TABLE_BYTES (sizeof(struct limit_bucket) * LIMIT_SETS * LIMIT_WAYS)

_Static_assert((LIMIT_SETS & (LIMIT_SETS - 1)) == 0, "a set is picked by a mask");

struct limit_rule limit_rule_make(uint32_t rate, uint32_t burst)
{
    struct limit_rule rule = {0};

    if (rate) {
        rule.period_ns = (NS_PER_SEC + rate - 1) / rate;
        rule.depth_ns = rule.period_ns * burst;
    }
    return rule;
}

int limit_init(struct limit *limit, struct counters *counters)
{
    void *memory =
        mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return -ENOMEM;
    *limit = (struct limit){.buckets = memory, .counters = counters};
    randombytes_buf(limit->key, sizeof(limit->key));
    return 0;
}

void limit_fini(struct limit *limit)
{
    if (limit->buckets)
        (void)munmap(limit->buckets, TABLE_BYTES);
    *limit = (struct limit){0};
}

static bool is_link_local(const struct address *a)
{
    return a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

static uint64_t hash_source(const struct limit *limit, const struct address *address)
{
    struct address source = address_with_port(*address, 0);
    uint8_t bytes[crypto_shorthash_BYTES];
    uint64_t hash;

    if (source.family == ADDRESS_V6 && !is_link_local(&source))
        memset(source.ip + 8, 0, 8);
    (void)crypto_shorthash(bytes, (const uint8_t *)&source, sizeof(source), limit->key);
    memcpy(&hash, bytes, sizeof(hash));
    return hash ? hash : 1; /* 0 is nobody */
}

/* The difference is right over a wrap of the clock, too. */
static uint64_t used_ns(const struct limit_bucket *bucket, uint64_t now_ns)
{
    int64_t left_ns = (int64_t)(bucket->full_at_ns - now_ns);

    return bucket->source && left_ns > 0 ? (uint64_t)left_ns : 0;
}

/* A place for a source that has none: free, or else of who has used up least. */
static struct limit_bucket *make_room(struct limit *limit, struct limit_bucket *set,
                                      uint64_t now_ns)
{
    struct limit_bucket *fullest = set;
    uint64_t least_ns = used_ns(set, now_ns);

    for (size_t i = 1; least_ns > 0 && i < LIMIT_WAYS; i++) {
        uint64_t ns = used_ns(&set[i], now_ns);

        if (ns < least_ns) {
            least_ns = ns;
            fullest = &set[i];
        }
    }
    if (least_ns > 0)
        counters_add(limit->counters, COUNTER_LIMIT_FORGOTTEN, 1);
    return fullest;
}

static struct limit_bucket *find(struct limit *limit, uint64_t source, uint64_t now_ns)
{
    struct limit_bucket *set = &limit->buckets[(source & (LIMIT_SETS - 1)) * LIMIT_WAYS];
    struct limit_bucket *room;

    for (size_t i = 0; i < LIMIT_WAYS; i++) {
        if (set[i].source == source)
            return &set[i];
    }
    room = make_room(limit, set, now_ns);
    *room = (struct limit_bucket){.source = source, .full_at_ns = now_ns};
    return room;
}

uint32_t limit_take(struct limit *limit, const struct limit_rule *rule,
                    const struct address *source, uint32_t n, uint64_t now_ns)
{
    struct limit_bucket *bucket = find(limit, hash_source(limit, source), now_ns);
    uint64_t used = used_ns(bucket, now_ns);
    uint64_t room_ns;

    if (used > rule->depth_ns) /* by another rule than the present one */
        used = rule->depth_ns;
    room_ns = rule->depth_ns - used;
    if (n * rule->period_ns > room_ns)
        n = (uint32_t)(room_ns / rule->period_ns);
    bucket->full_at_ns = now_ns + used + n * rule->period_ns;
    return n;
}
