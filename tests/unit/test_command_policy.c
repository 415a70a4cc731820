/* Permission and target of leader commands. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "control/command_policy.h"

static struct election e;
static struct config_cidrs allow;

static void add(uint64_t instance, const char *ip, const char *name)
{
    struct election_member *member = &e.list.members[e.list.count++];

    member->instance = instance;
    cr_assert_eq(address_parse_ip(ip, &member->address), 0);
    (void)snprintf(member->name.text, sizeof(member->name.text), "%s", name);
}

static void setup(void)
{
    add(1, "10.0.0.1", "pod-1");
    add(2, "fd00::2", "pod-2");
    add(3, "127.0.0.3", "pod-3");
    cr_assert_eq(cidr_parse("10.0.0.0/8", &allow.list[0]), 0);
    cr_assert_eq(cidr_parse("127.0.0.0/8", &allow.list[1]), 0);
    allow.count = 2;
    e.self_index = ELECTION_MEMBERS_MAX;
    for (uint16_t i = 0; i < 8; i++)
        election_set_bit(e.live, i);
}

static const struct config_cidrs *allowed = &allow; /* NULL: the command is signed */

TestSuite(command, .init = setup, .timeout = 30);

#define NOT_UNIQUE (UINT64_MAX - 1)

/* Returns the instance; 0: no member, UINT64_MAX: no auth. */
static uint64_t check(const char *target, const char *client)
{
    struct leader_command command = {0};
    struct address from;
    uint64_t instance = 77;

    (void)snprintf(command.target, sizeof(command.target), "%s", target);
    cr_assert_eq(address_parse(client, 0, &from), 0);
    switch (command_check(&command, &from, allowed, &e, &instance)) {
    case COMMAND_LEGAL:
        return instance;
    case COMMAND_NO_MEMBER:
        cr_assert_eq(instance, 77, "output touched");
        return 0;
    case COMMAND_NOT_UNIQUE:
        cr_assert_eq(instance, 77, "output touched");
        return NOT_UNIQUE;
    case COMMAND_NO_AUTH:
        cr_assert_eq(instance, 77, "output touched");
        return UINT64_MAX;
    }
    return 0;
}

Test(command, a_target_is_found_by_address_or_name)
{
    cr_assert_eq(check("10.0.0.1", "10.9.9.9:5000"), 1);
    cr_assert_eq(check("pod-1", "10.9.9.9:5000"), 1);
    cr_assert_eq(check("fd00::2", "10.9.9.9:5000"), 2);
    cr_assert_eq(check("fd00:0:0::2", "10.9.9.9:5000"), 2);
    cr_assert_eq(check("::ffff:10.0.0.1", "10.9.9.9:5000"), 1);
}

Test(command, a_name_that_two_living_members_have_is_refused)
{
    add(4, "10.0.0.4", "pod-1");
    cr_assert_eq(check("pod-1", "10.9.9.9:5000"), NOT_UNIQUE);
    cr_assert_eq(check("10.0.0.1", "10.9.9.9:5000"), 1, "the address tells them apart");
    cr_assert_eq(check("10.0.0.4", "10.9.9.9:5000"), 4);
}

Test(command, a_dead_predecessor_does_not_make_a_name_ambiguous)
{
    add(4, "10.0.0.4", "pod-1");
    e.live[0] &= ~UINT64_C(1);
    cr_assert_eq(check("pod-1", "10.9.9.9:5000"), 4);
    e.live[0] |= 1;
    e.live[0] &= ~(UINT64_C(1) << 3);
    cr_assert_eq(check("pod-1", "10.9.9.9:5000"), 1);
}

/* A dead pod's address that another pod has now. */
Test(command, an_address_means_its_living_member)
{
    add(4, "10.0.0.1", "pod-4");
    e.live[0] &= ~UINT64_C(1);
    cr_assert_eq(check("10.0.0.1", "10.9.9.9:5000"), 4);
}

Test(command, names_that_differ_in_case_are_two_names)
{
    add(4, "10.0.0.4", "POD-1");
    cr_assert_eq(check("pod-1", "10.9.9.9:5000"), 1);
    cr_assert_eq(check("POD-1", "10.9.9.9:5000"), 4);
}

Test(command, a_target_that_is_no_member_is_refused)
{
    static const char *const others[] = {
        "10.0.0.9", "0.0.0.0", "::",    "224.0.0.1", "255.255.255.255", "10.0.0.1:12000",
        "pod-4",    "pod",     "POD-1", "pod-1 ",    "127.0.0.1",
    };

    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        cr_assert_eq(check(others[i], "10.9.9.9:5000"), 0, "%s", others[i]);
}

Test(command, a_loopback_target_is_refused_to_remote_clients)
{
    cr_assert_eq(check("127.0.0.3", "10.9.9.9:5000"), 0);
    cr_assert_eq(check("pod-3", "10.9.9.9:5000"), 0);
    cr_assert_eq(check("127.0.0.3", "127.0.0.1:5000"), 3);
}

Test(command, a_client_outside_control_allow_is_refused)
{
    cr_assert_eq(check("pod-1", "192.168.0.1:5000"), UINT64_MAX);
    cr_assert_eq(check("nobody", "192.168.0.1:5000"), UINT64_MAX, "does not reveal members");
    allow.count = 0;
    cr_assert_eq(check("pod-1", "10.9.9.9:5000"), UINT64_MAX);
}

Test(command, a_member_without_a_name_is_found_by_address)
{
    e.list.members[0].name.text[0] = '\0';
    cr_assert_eq(check("10.0.0.1", "10.9.9.9:5000"), 1);
}

Test(command, a_signed_command_is_accepted_from_any_address)
{
    cr_assert_eq(check("10.0.0.1", "192.0.2.1:5000"), UINT64_MAX);
    allowed = NULL;
    cr_assert_eq(check("10.0.0.1", "192.0.2.1:5000"), 1);
    cr_assert_eq(check("10.0.0.99", "192.0.2.1:5000"), 0, "but it needs a member");
}
