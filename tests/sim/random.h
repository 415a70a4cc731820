/*
 * random: splitmix64, so that a seed is a run on every machine.
 * Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators".
 */
#ifndef HEADLESS_TESTS_SIM_RANDOM_H
#define HEADLESS_TESTS_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* 0..below-1; below > 0. */
static inline uint64_t random_below(struct random *random, uint64_t below)
{
    return random_next(random) % below;
}

static inline uint64_t random_between(struct random *random, uint64_t low, uint64_t high)
{
    return low + random_below(random, high - low + 1);
}

static inline bool random_chance(struct random *random, uint32_t permille)
{
    return permille && random_below(random, 1000) < permille;
}

#endif
