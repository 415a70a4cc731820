#include "headless/data/rate_limiter.h"

#include <errno.h>
#include <sodium.h>
#include <sys/mman.h>

#include "headless/base/clock.h"

#define TABLE_BYTES (sizeof(struct token_bucket) * RATE_LIMITER_SETS * RATE_LIMITER_WAYS)

_Static_assert((RATE_LIMITER_SETS & (RATE_LIMITER_SETS - 1)) == 0, "a set is picked by a mask");

struct rate_limit rate_limit_make(uint32_t rate, uint32_t burst)
{
    struct rate_limit rule = {0};

    if (rate) {
        rule.period_ns = (NS_PER_SEC + rate - 1) / rate;
        rule.depth_ns = rule.period_ns * burst;
    }
    return rule;
}

int rate_limiter_init(struct rate_limiter *limiter, struct counters *counters)
{
    void *memory =
        mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return -ENOMEM;
    *limiter = (struct rate_limiter){.buckets = memory, .counters = counters};
    randombytes_buf(limiter->key, sizeof(limiter->key));
    return 0;
}

void rate_limiter_fini(struct rate_limiter *limiter)
{
    if (limiter->buckets)
        (void)munmap(limiter->buckets, TABLE_BYTES);
    *limiter = (struct rate_limiter){0};
}

static bool is_link_local(const struct address *a)
{
    return a->ip[0] == 0xfe && (a->ip[1] & 0xc0) == 0x80;
}

static uint64_t hash_source(const struct rate_limiter *limiter, const struct address *address)
{
    struct address source = address_with_port(*address, 0);
    uint8_t bytes[crypto_shorthash_BYTES];
    uint64_t hash;

    if (source.family == ADDRESS_V6 && !is_link_local(&source))
        memset(source.ip + 8, 0, 8);
    (void)crypto_shorthash(bytes, (const uint8_t *)&source, sizeof(source), limiter->key);
    memcpy(&hash, bytes, sizeof(hash));
    return hash ? hash : 1; /* 0 is nobody */
}

/* The difference is right over a wrap of the clock, too. */
static uint64_t used_ns(const struct token_bucket *bucket, uint64_t now_ns)
{
    int64_t left_ns = (int64_t)(bucket->full_at_ns - now_ns);

    return bucket->source && left_ns > 0 ? (uint64_t)left_ns : 0;
}

/* A place for a source that has none: free, or else of who has used up least. */
static struct token_bucket *make_room(struct rate_limiter *limiter, struct token_bucket *set,
                                      uint64_t now_ns)
{
    struct token_bucket *fullest = set;
    uint64_t least_ns = used_ns(set, now_ns);

    for (size_t i = 1; least_ns > 0 && i < RATE_LIMITER_WAYS; i++) {
        uint64_t ns = used_ns(&set[i], now_ns);

        if (ns < least_ns) {
            least_ns = ns;
            fullest = &set[i];
        }
    }
    if (least_ns > 0)
        counters_add(limiter->counters, COUNTER_LIMIT_FORGOTTEN, 1);
    return fullest;
}

static struct token_bucket *find(struct rate_limiter *limiter, uint64_t source, uint64_t now_ns)
{
    struct token_bucket *set =
        &limiter->buckets[(source & (RATE_LIMITER_SETS - 1)) * RATE_LIMITER_WAYS];
    struct token_bucket *room;

    for (size_t i = 0; i < RATE_LIMITER_WAYS; i++) {
        if (set[i].source == source)
            return &set[i];
    }
    room = make_room(limiter, set, now_ns);
    *room = (struct token_bucket){.source = source, .full_at_ns = now_ns};
    return room;
}

uint32_t rate_limiter_take(struct rate_limiter *limiter, const struct rate_limit *rule,
                           const struct address *source, uint32_t n, uint64_t now_ns)
{
    struct token_bucket *bucket = find(limiter, hash_source(limiter, source), now_ns);
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
