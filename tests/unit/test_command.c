/* command and claim: who may lead, on whose word, and which claim wins. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "headless/control/command.h"

static struct view view;
static struct claim present;
static struct config_cidrs allow;
static const uint64_t issuer = 42;

static struct address ip(const char *text)
{
    struct address address;

    cr_assert_eq(address_parse_ip(text, &address), 0, "%s", text);
    return address;
}

static void member(const char *name, const char *address)
{
    struct member *m = &view.members[view.member_count++];

    *m = (struct member){.address = ip(address)};
    (void)snprintf(m->name, sizeof(m->name), "%s", name);
}

static void setup(void)
{
    memset(&view, 0, sizeof(view));
    member("a", "10.0.0.1");
    member("b", "10.0.0.2");
    member("local", "127.0.0.13");
    member("six", "fd00::6");
    present = (struct claim){.term = 7, .leader = ip("10.0.0.1"), .cause = CLAIM_YAML};
    allow.count = 2;
    cr_assert_eq(cidr_parse("10.0.0.0/8", &allow.list[0]), 0);
    cr_assert_eq(cidr_parse("127.0.0.0/8", &allow.list[1]), 0);
}

TestSuite(command, .init = setup, .timeout = 20);
TestSuite(claim, .timeout = 20);

static enum command_verdict decide(const char *target, const char *client, const uint64_t *if_term,
                                   struct claim *ret_claim)
{
    struct control_command command = {.has_if_term = if_term != NULL,
                                      .if_term = if_term ? *if_term : 0};
    struct address from = address_with_port(ip(client), 40000);

    (void)snprintf(command.target, sizeof(command.target), "%s", target);
    return command_decide(&command, &from, &allow, &present, &view, issuer, ret_claim);
}

Test(command, a_member_by_address_leads_in_the_next_term)
{
    struct claim claim;
    struct address b = ip("10.0.0.2");

    cr_assert_eq(decide("10.0.0.2", "10.9.9.9", NULL, &claim), COMMAND_CLAIM);
    cr_assert_eq(claim.term, 8);
    cr_assert(address_equal(&claim.leader, &b));
    cr_assert_str_eq(claim.name, "b");
    cr_assert_eq(claim.rank, 1);
    cr_assert_eq(claim.issuer, issuer);
    cr_assert_eq(claim.cause, CLAIM_COMMAND);
    cr_assert(claim_supersedes(&claim, &present));
}

Test(command, a_member_by_name_and_by_ipv6)
{
    struct claim claim;

    cr_assert_eq(decide("b", "10.9.9.9", NULL, &claim), COMMAND_CLAIM);
    cr_assert_eq(decide("fd00:0::6", "10.9.9.9", NULL, &claim), COMMAND_CLAIM);
    cr_assert_str_eq(claim.name, "six");
}

Test(command, naming_the_leader_changes_nothing)
{
    struct claim claim = {.term = 99};

    cr_assert_eq(decide("10.0.0.1", "10.9.9.9", NULL, &claim), COMMAND_DONE);
    cr_assert_eq(claim.term, 99, "untouched");
}

Test(command, who_is_no_member_cannot_lead)
{
    static const char *const targets[] = {"10.0.0.3",  "nobody",  "224.0.0.1", "0.0.0.0",
                                          "::",        "ff02::1", "A",         "10.0.0.2:12000",
                                          "127.0.0.1", "",        "10.0.0.02"};
    struct claim claim;

    for (size_t i = 0; i < sizeof(targets) / sizeof(targets[0]); i++)
        cr_assert_eq(decide(targets[i], "10.9.9.9", NULL, &claim), COMMAND_NO_MEMBER, "%s",
                     targets[i]);
}

Test(command, a_loopback_member_only_for_loopback_clients)
{
    struct claim claim;

    cr_assert_eq(decide("127.0.0.13", "10.9.9.9", NULL, &claim), COMMAND_NO_MEMBER);
    cr_assert_eq(decide("local", "10.9.9.9", NULL, &claim), COMMAND_NO_MEMBER);
    cr_assert_eq(decide("127.0.0.13", "127.0.0.1", NULL, &claim), COMMAND_CLAIM);
}

Test(command, a_client_outside_control_allow_learns_nothing)
{
    struct claim claim;

    cr_assert_eq(decide("10.0.0.2", "192.0.2.1", NULL, &claim), COMMAND_NO_AUTH);
    cr_assert_eq(decide("nobody", "192.0.2.1", NULL, &claim), COMMAND_NO_AUTH);
    cr_assert_eq(decide("10.0.0.1", "fd00::1", NULL, &claim), COMMAND_NO_AUTH);
    allow.count = 0;
    cr_assert_eq(decide("10.0.0.2", "10.9.9.9", NULL, &claim), COMMAND_NO_AUTH);
}

Test(command, if_term_makes_it_conditional)
{
    const uint64_t six = 6, seven = 7;
    struct claim claim;

    cr_assert_eq(decide("b", "10.9.9.9", &six, &claim), COMMAND_BAD_TERM);
    cr_assert_eq(decide("b", "10.9.9.9", &seven, &claim), COMMAND_CLAIM);
    cr_assert_eq(decide("a", "10.9.9.9", &six, &claim), COMMAND_DONE, "a repeat finds it done");
}

Test(command, a_leader_outside_is_replaced_by_a_member_of_the_same_address)
{
    struct claim claim;

    present.outside = true;
    cr_assert_eq(decide("10.0.0.1", "10.9.9.9", NULL, &claim), COMMAND_CLAIM);
}

Test(claim, the_higher_term_wins_whatever_else)
{
    struct claim low = {.term = 3, .rank = 0, .issuer = 1};
    struct claim high = {.term = 4, .rank = 9, .issuer = 9};

    cr_assert(claim_supersedes(&high, &low));
    cr_assert_not(claim_supersedes(&low, &high));
}

Test(claim, in_one_term_the_earlier_in_the_list_then_the_lower_issuer)
{
    struct claim first = {.term = 3, .rank = 0, .issuer = 9};
    struct claim second = {.term = 3, .rank = 1, .issuer = 1};
    struct claim same_rank = {.term = 3, .rank = 0, .issuer = 8};

    cr_assert(claim_supersedes(&first, &second));
    cr_assert_not(claim_supersedes(&second, &first));
    cr_assert(claim_supersedes(&same_rank, &first));
    cr_assert_not(claim_supersedes(&first, &first), "not itself");
}

Test(claim, the_order_is_total_and_consistent)
{
    struct claim claims[27];

    for (size_t i = 0; i < 27; i++)
        claims[i] = (struct claim){.term = 1 + i % 3, .rank = i / 3 % 3, .issuer = 1 + i / 9};
    for (size_t i = 0; i < 27; i++) {
        for (size_t k = 0; k < 27; k++) {
            bool forth = claim_supersedes(&claims[i], &claims[k]);
            bool back = claim_supersedes(&claims[k], &claims[i]);

            cr_assert_eq(forth + back, i == k ? 0 : 1, "%zu %zu", i, k);
        }
    }
}
