/* headlessctl: its command line, addresses and messages. Answers: test_ctl_answers.c */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "headless/base/clock.h"
#include "headless/ctl/ctl.h"
#include "headless/wire/leader_command.h"

static struct ctl_options options;
static struct ctl_addresses addresses;
static char spelled[ADDRESS_TEXT_MAX];

TestSuite(ctl, .timeout = 30);

/* ---- command line ---- */

static int parse(const char *line)
{
    static char copy[256];
    static char *words[16];
    int count = 1;
    char *rest = copy;

    (void)snprintf(copy, sizeof(copy), "%s", line);
    words[0] = (char[]){"headlessctl"};
    while ((words[count] = strsep(&rest, " ")))
        count++;
    return ctl_options_parse(count, words, &options);
}

Test(ctl, options_may_stand_anywhere)
{
    cr_assert_eq(parse("--data a,b leader set --if-term 7 pod-2"), 0);
    cr_assert_str_eq(options.data, "a,b");
    cr_assert_eq(options.if_term, 7);
    cr_assert_eq(options.given, CTL_OPTION_DATA | CTL_OPTION_IF_TERM);
    cr_assert_eq(options.word_count, 3);
    cr_assert_str_eq(options.words[2], "pod-2");
}

Test(ctl, options_have_presets)
{
    cr_assert_eq(parse("probe"), 0);
    cr_assert_eq(options.count, 1);
    cr_assert_eq(options.interval_ns, NS_PER_SEC);
    cr_assert_eq(options.given, 0);
}

Test(ctl, durations_have_units)
{
    cr_assert_eq(parse("--interval 200ms"), 0);
    cr_assert_eq(options.interval_ns, 200 * NS_PER_MS);
    cr_assert_eq(parse("--interval 3s"), 0);
    cr_assert_eq(options.interval_ns, 3 * NS_PER_SEC);
}

Test(ctl, wrong_options_are_refused)
{
    static const char *const wrong[] = {
        "--count 0",        "--count -1",    "--count 1x",
        "--count 1000001",  "--if-term 7a",  "--if-term 18446744073709551616",
        "--interval 5",     "--interval 5h", "--interval ms",
        "--interval 3601s", "--nonsense",    "--data",
        "--hops 0",         "--hops 256",    "--hops 1x"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_eq(parse(wrong[i]), -EINVAL, "%s", wrong[i]);
}

Test(ctl, every_option_bit_has_its_name)
{
    cr_assert_str_eq(ctl_option_name(CTL_OPTION_ADMIN), "--admin");
    cr_assert_str_eq(ctl_option_name(CTL_OPTION_INTERVAL | CTL_OPTION_COUNT), "--count");
    cr_assert_str_eq(ctl_option_name(CTL_OPTION_INTERVAL), "--interval");
    cr_assert_str_eq(ctl_option_name(CTL_OPTION_MULTICAST), "--multicast");
    cr_assert_str_eq(ctl_option_name(CTL_OPTION_HOPS), "--hops");
}

/* ---- addresses ---- */

static const char *resolve(const char *what)
{
    addresses.count = 0;
    if (ctl_resolve(what, 12000, SIZE_MAX, &addresses))
        return "refused";
    return address_format(&addresses.list[0], spelled);
}

Test(ctl, addresses_have_many_spellings)
{
    cr_assert_str_eq(resolve("10.0.0.1"), "10.0.0.1:12000");
    cr_assert_str_eq(resolve("10.0.0.1:53"), "10.0.0.1:53");
    cr_assert_str_eq(resolve("fd00::1"), "[fd00::1]:12000");
    cr_assert_str_eq(resolve("[fd00::1]:53"), "[fd00::1]:53");
    cr_assert_str_eq(resolve(":8080"), "127.0.0.1:8080");
    cr_assert_str_eq(resolve("0.0.0.0:8080"), "127.0.0.1:8080");
    cr_assert_str_eq(resolve("[::]:8080"), "127.0.0.1:8080");
}

Test(ctl, wrong_addresses_are_refused)
{
    static const char *const wrong[] = {"10.0.0.1:0", "10.0.0.1:x", "host:", "host:65536",
                                        "host:123456789"};

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        cr_assert_str_eq(resolve(wrong[i]), "refused", "%s", wrong[i]);
}

Test(ctl, pods_are_listed_once)
{
    options.data = "127.0.0.1,127.0.0.2:53,127.0.0.1:12000";
    cr_assert_eq(ctl_find_pods(&options, &addresses), 0);
    cr_assert_eq(addresses.count, 2);
    cr_assert_str_eq(address_format(&addresses.list[1], spelled), "127.0.0.2:53");
}

Test(ctl, without_pods_it_is_this_machine)
{
    cr_assert_eq(ctl_find_pods(&options, &addresses), 0);
    cr_assert_eq(addresses.count, 1);
    cr_assert_str_eq(address_format(&addresses.list[0], spelled), "127.0.0.1:12000");
}

Test(ctl, pods_come_from_one_place)
{
    options.data = "127.0.0.1,,127.0.0.2";
    cr_assert_eq(ctl_find_pods(&options, &addresses), -EINVAL);
    options.data = "127.0.0.1";
    options.service = "localhost";
    cr_assert_eq(ctl_find_pods(&options, &addresses), -EINVAL);
}

Test(ctl, a_service_is_a_name_with_a_port)
{
    options.service = "localhost:4000";
    cr_assert_eq(ctl_find_pods(&options, &addresses), 0);
    cr_assert_geq(addresses.count, 1);
    cr_assert_eq(addresses.list[0].port, 4000);
    cr_assert(address_is_loopback(&addresses.list[0]));
}

static const char *find_group(const char *what)
{
    struct address group;

    options.multicast = what;
    if (ctl_find_group(&options, &group))
        return "refused";
    return address_format(&group, spelled);
}

Test(ctl, a_group_is_a_multicast_address)
{
    cr_assert_str_eq(find_group("239.1.2.3"), "239.1.2.3:12000");
    cr_assert_str_eq(find_group("239.1.2.3:53"), "239.1.2.3:53");
    cr_assert_str_eq(find_group("ff02::12"), "[ff02::12]:12000");
    cr_assert_str_eq(find_group("[ff02::12%7]:53"), "[ff02::12%7]:53");
    cr_assert_str_eq(find_group("10.0.0.1"), "refused");
    cr_assert_str_eq(find_group("239.1.2.3:0"), "refused");
    options.data = "10.0.0.1";
    cr_assert_str_eq(find_group("239.1.2.3"), "refused");
}

/* ---- messages: what we write is what headlessd reads ---- */

Test(ctl, commands_are_what_pods_understand)
{
    struct leader_command command;
    struct probe probe;
    char message[256];
    size_t n = ctl_put_command(message, sizeof(message), "pod/\"2", &options);

    cr_assert_eq(n, strlen(message));
    n = ctl_pad_command(message, sizeof(message), n);
    cr_assert_eq(n, CTL_COMMAND_BYTES_MIN);
    cr_assert_eq(n, strlen(message));
    cr_assert_eq(leader_command_classify((uint8_t *)message, n, &command, &probe),
                 LEADER_COMMAND_CLASS_COMMAND);
    cr_assert_str_eq(command.target, "pod/\"2");
    cr_assert_not(command.has_if_term);

    options.if_term = UINT64_MAX;
    options.given = CTL_OPTION_IF_TERM;
    options.force = true;
    n = ctl_put_command(message, sizeof(message), "10.0.0.2", &options);
    cr_assert_eq(leader_command_classify((uint8_t *)message, n, &command, &probe),
                 LEADER_COMMAND_CLASS_COMMAND);
    cr_assert(command.has_if_term);
    cr_assert_eq(command.if_term, UINT64_MAX);
    cr_assert(command.is_forced);
}

Test(ctl, long_command_is_not_padded)
{
    char message[256];

    (void)snprintf(message, sizeof(message), "%0*d", CTL_COMMAND_BYTES_MIN + 1, 0);
    cr_assert_eq(ctl_pad_command(message, sizeof(message), CTL_COMMAND_BYTES_MIN + 1),
                 CTL_COMMAND_BYTES_MIN + 1);
    cr_assert_eq(ctl_pad_command(message, 32, 20), 31, "nor beyond its room");
    cr_assert_eq(strlen(message), 31);
}

Test(ctl, invalid_names_are_refused_as_leader)
{
    char message[512], name[300], kept[MEMBER_NAME_MAX];

    memset(name, 'x', sizeof(name));
    name[MEMBER_NAME_FULL_MAX] = '\0';
    cr_assert_eq(ctl_put_command(message, sizeof(message), name, &options), 0);
    name[MEMBER_NAME_FULL_MAX - 1] = '\0';
    cr_assert_neq(ctl_put_command(message, sizeof(message), name, &options), 0);
    cr_assert(member_name_put(name, kept));
    cr_assert(strstr(message, kept), "shortened, since former versions take no longer name");
    cr_assert_eq(ctl_put_command(message, sizeof(message), "", &options), 0);
    cr_assert_eq(ctl_put_command(message, sizeof(message), "pod 2", &options), 0);
    cr_assert_eq(ctl_put_command(message, sizeof(message), "p\xc3\xb6", &options), 0);
}

Test(ctl, probes_are_what_pods_understand)
{
    struct leader_command command;
    struct probe probe;
    char message[CTL_PROBE_BYTES + 1], nonce[17], next[17];

    ctl_draw_nonce(nonce);
    ctl_draw_nonce(next);
    cr_assert_str_neq(nonce, next);
    ctl_put_probe(message, nonce);
    cr_assert_eq(strlen(message), CTL_PROBE_BYTES);
    cr_assert_eq(leader_command_classify((uint8_t *)message, CTL_PROBE_BYTES, &command, &probe),
                 LEADER_COMMAND_CLASS_PROBE);
    cr_assert_str_eq(probe.nonce, nonce);
}

Test(ctl, only_the_answer_to_this_probe_counts)
{
    const struct ctl_request request = {.nonce = "abc"};

    cr_assert(ctl_is_probe_reply(&request, "{\"probe\":\"abc\",\"term\":1}\n"));
    cr_assert_not(ctl_is_probe_reply(&request, "{\"probe\":\"abd\",\"term\":1}\n"));
    cr_assert_not(ctl_is_probe_reply(&request, "{\"probe\":7}"));
    cr_assert_not(ctl_is_probe_reply(&request, "[\"abc\"]"));
    cr_assert_not(ctl_is_probe_reply(&request, "abc"));
    cr_assert_not(ctl_is_probe_reply(&request, ""));
}
