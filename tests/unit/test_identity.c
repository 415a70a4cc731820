/* identity: instances of processes whose machines draw the same random bytes. */
#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "headless/data/identity.h"

static const char *constant_name(void)
{
    return "constant";
}

static uint32_t constant_number(void)
{
    return 7;
}

static void constant_bytes(void *const out, const size_t bytes)
{
    memset(out, 7, bytes);
}

static struct randombytes_implementation constant = {
    .implementation_name = constant_name, .random = constant_number, .buf = constant_bytes};

static struct identity identity_of(uint8_t host, const char *name)
{
    static struct config config;
    struct identity identity;

    config.self = (struct address){.family = ADDRESS_V4, .ip = {10, 0, 0, host}};
    (void)snprintf(config.name, sizeof(config.name), "%s", name);
    cr_assert_eq(identity_init(&identity, &config), 0);
    return identity;
}

/* A snapshot of a machine, restored twice before its kernel has new random numbers. */
Test(identity, clones_are_two_instances)
{
    struct identity a, b, c;

    cr_assert_eq(randombytes_set_implementation(&constant), 0);
    a = identity_of(1, "a");
    b = identity_of(2, "a");
    c = identity_of(2, "c");
    cr_expect_neq(a.instance, b.instance);
    cr_expect_neq(b.instance, c.instance);
    cr_expect_neq(a.instance, c.instance);
    cr_expect_arr_neq(a.tag_key, b.tag_key, sizeof(a.tag_key));
}
