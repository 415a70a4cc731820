/* multicast.groups: what is taken, how it is written back, and the exact words of a refusal. */
#include "config_fixture.h"

TestSuite(config_groups, .init = clear_environment, .timeout = 30);

static void expect_groups(const char *flag, const char *as_dumped)
{
    char expected[512];
    struct loaded l;

    load_flags(&l, "--self=10.0.0.1", flag);
    cr_assert_eq(l.rc, 0, "%s: %s", flag, l.errors);
    (void)snprintf(expected, sizeof(expected), "%s # --multicast-groups", as_dumped);
    cr_expect_str_eq(dumped(l.set, "multicast.groups"), expected);
    unload(&l);
}

Test(config_groups, are_of_both_families_with_an_interface_or_without)
{
    expect_groups("--multicast-groups=none", "[]");
    expect_groups("--multicast-groups=239.1.2.3", "[239.1.2.3]");
    expect_groups("--multicast-groups=239.1.2.3%eth0,ff05:0::12,ff02::12%2",
                  "[\"239.1.2.3%eth0\", \"ff05::12\", \"ff02::12%2\"]");
}

Test(config_groups, the_interface_need_not_be_there_yet)
{
    const struct config_groups *groups;
    struct loaded l;

    load_text(&l, "self: 10.0.0.1\nmulticast:\n  groups: [239.1.2.3%nosuch0, ff02::12]\n");
    cr_assert_eq(l.rc, 0, "%s", l.errors);
    groups = &config_values(l.set)->multicast_groups;
    cr_assert_eq(groups->count, 2);
    cr_assert_str_eq(groups->list[0].interface, "nosuch0");
    cr_assert_str_eq(groups->list[1].interface, "");
    unload(&l);
}

Test(config_groups, wrong_ones_are_refused)
{
    static const char *const wrong[][2] = {
        {"10.0.0.1", "\"10.0.0.1\" is not a multicast group: use 224.0.0.0/4 or ff00::/8"},
        {"fd00::1", "\"fd00::1\" is not a multicast group: use 224.0.0.0/4 or ff00::/8"},
        {"all", "\"all\" is not GROUP or GROUP%INTERFACE"},
        {"239.1.2.3:12000", "\"239.1.2.3:12000\" has a port; groups are joined on data.port"},
        {"239.1.2.3%", "\"239.1.2.3%\" has no valid interface: use its name, as in ff02::12%eth0"},
        {"ff02::12%sixteen.letters.",
         "\"ff02::12%sixteen.letters.\" has no valid interface: use its "
         "name, as in ff02::12%eth0"},
        {"239.1.2.3,239.1.2.3%eth0", "\"239.1.2.3%eth0\" is listed twice"},
        {"", "\"\" is empty"},
    };

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char flag[128], expected[256];

        (void)snprintf(flag, sizeof(flag), "--multicast-groups=%s", wrong[i][0]);
        (void)snprintf(expected, sizeof(expected), "--multicast-groups: %s\n", wrong[i][1]);
        expect_flags_refused(expected, "--self=10.0.0.1", flag);
    }
}

Test(config_groups, there_are_at_most_sixteen)
{
    char flag[512] = "--multicast-groups=239.1.2.1";

    for (int i = 2; i <= 16; i++)
        (void)snprintf(flag + strlen(flag), sizeof(flag) - strlen(flag), ",239.1.2.%d", i);
    expect_flags_refused("--multicast-groups: \"239.1.2.17\" is one more than the 16 allowed\n",
                         "--self=10.0.0.1", strcat(strcpy((char[600]){0}, flag), ",239.1.2.17"));
}
