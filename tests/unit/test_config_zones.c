/* Link-local IPv6 addresses: with the zone of self, or refused. */
#include "config_fixture.h"

TestSuite(config_zones, .init = clear_environment, .timeout = 30);

Test(config_zones, addresses_without_a_zone_get_that_of_self)
{
    const struct config *c;
    struct loaded l;

    load_flags(&l, "--self=fe80::1%lo", "--bind=fe80::1", "--peers=a=fe80::1,b=fe80::2%lo,fe80::3",
               "--leader-list=fe80::3", "--leader=fe80::2");
    cr_assert_eq(l.rc, 0, "%s", l.errors);
    c = config_values(l.set);
    cr_expect_eq(c->self.scope, 1);
    cr_expect_eq(c->bind.scope, 1);
    cr_expect_eq(c->admin_listen.scope, 1);
    for (size_t i = 0; i < 3; i++)
        cr_expect_eq(c->peers.list[i].address.scope, 1, "%zu", i);
    cr_expect_eq(c->leader_list.list[0].address.scope, 1);
    cr_expect_str_eq(c->name, "a", "found in peers by address and zone");
    unload(&l);
}

Test(config_zones, self_takes_the_zone_of_bind)
{
    struct loaded l;

    load_flags(&l, "--bind=fe80::1%lo", "--peers=fe80::1,fe80::2");
    cr_assert_eq(l.rc, 0, "%s", l.errors);
    cr_expect_eq(config_values(l.set)->self.scope, 1);
    unload(&l);
}

/* IPv4 link-local addresses need no zone. */
Test(config_zones, link_local_addresses_of_ipv4_are_addresses_like_others)
{
    struct loaded l;

    load_flags(&l, "--self=169.254.0.1", "--peers=169.254.0.1,169.254.0.2");
    cr_assert_eq(l.rc, 0, "%s", l.errors);
    unload(&l);
}

Test(config_zones, members_that_cannot_reach_each_other_are_refused)
{
    expect_flags_refused("--self: \"fe80::1\" is link-local: add its interface, as in "
                         "fe80::1%eth0\n",
                         "--self=fe80::1");
    expect_flags_refused("--peers: peer fe80::2%2 is link-local, and self fe80::1%1 is not on its "
                         "link: all members need link-local addresses of one link, or none\n",
                         "--self=fe80::1%1", "--peers=fe80::2%2");
    expect_flags_refused("--peers: peer fe80::2%1 is link-local, and self fd00::1 is not on its "
                         "link: all members need link-local addresses of one link, or none\n",
                         "--self=fd00::1", "--peers=fe80::2%1");
}
