/* The app's health: which refusals speak against the app, and which concern one client. */
#include <criterion/criterion.h>

#include "data/app/app_health.h"

TestSuite(app_health, .timeout = 30);

#define MS UINT64_C(1000000)

struct judge_case {
    const char *name;
    struct app_evidence evidence;
    enum app_verdict verdict;
};

static const struct judge_case judge_cases[] = {
    {"nothing listens", {.port = APP_PORT_CLOSED}, APP_VERDICT_REFUSES},
    {"nothing listens, and another client was answered before",
     {.port = APP_PORT_CLOSED, .others_answered = true},
     APP_VERDICT_REFUSES},
    {"nothing listens, for the client that was answered last",
     {.port = APP_PORT_CLOSED, .is_last_answered = true},
     APP_VERDICT_REFUSES},
    {"the app is connected to another client", {.port = APP_PORT_TAKEN}, APP_VERDICT_CLIENT},
    {"the app is connected to another client, and answered this one before (DTLS)",
     {.port = APP_PORT_TAKEN, .is_last_answered = true},
     APP_VERDICT_CLIENT},
    {"the app is connected to a client of the previous headlessd",
     {.port = APP_PORT_LOST},
     APP_VERDICT_REFUSES},
    {"the app has started since", {.port = APP_PORT_OPEN, .open_in_a_row = 1}, APP_VERDICT_PASSED},
    {"a firewall refuses in the app's place",
     {.port = APP_PORT_OPEN, .open_in_a_row = 3},
     APP_VERDICT_REFUSES},
    {"a firewall refuses this client, while another is answered",
     {.port = APP_PORT_OPEN, .open_in_a_row = 3, .others_answered = true},
     APP_VERDICT_CLIENT},
    {"elsewhere: the only client", {.port = APP_PORT_UNKNOWN}, APP_VERDICT_REFUSES},
    {"elsewhere: the client that was answered last",
     {.port = APP_PORT_UNKNOWN, .is_last_answered = true},
     APP_VERDICT_REFUSES},
    {"elsewhere: a new client, while another is answered",
     {.port = APP_PORT_UNKNOWN, .others_answered = true},
     APP_VERDICT_CLIENT},
};

Test(app_health, each_case_has_its_verdict)
{
    for (size_t i = 0; i < sizeof(judge_cases) / sizeof(judge_cases[0]); i++)
        cr_expect_eq(app_health_judge(&judge_cases[i].evidence), judge_cases[i].verdict, "%s",
                     judge_cases[i].name);
}

Test(app_health, three_refusals_in_a_row_are_down)
{
    struct app_judge judge = {.fail_ns = 1000 * MS};

    app_judge_refusal(&judge, 1, 10 * MS);
    cr_assert_eq(judge.health, APP_SUSPECT);
    app_judge_refusal(&judge, 1, 20 * MS);
    cr_assert_eq(judge.health, APP_SUSPECT);
    app_judge_refusal(&judge, 1, 30 * MS);
    cr_assert_eq(judge.health, APP_DOWN);
}

Test(app_health, one_batch_of_refusals_is_down)
{
    struct app_judge judge = {.fail_ns = 1000 * MS};

    app_judge_refusal(&judge, 64, 10 * MS);
    cr_assert_eq(judge.health, APP_DOWN);
}

Test(app_health, refusals_that_last_are_down)
{
    struct app_judge judge = {.fail_ns = 10 * MS};

    app_judge_refusal(&judge, 1, 10 * MS);
    cr_assert_eq(judge.health, APP_SUSPECT);
    app_judge_refusal(&judge, 1, 20 * MS);
    cr_assert_eq(judge.health, APP_DOWN);
}

Test(app_health, an_app_that_is_up_begins_again)
{
    struct app_judge judge = {.fail_ns = 1000 * MS};

    app_judge_refusal(&judge, 2, 10 * MS);
    app_judge_up(&judge);
    cr_assert_eq(judge.health, APP_UP);
    app_judge_refusal(&judge, 1, 5000 * MS);
    cr_assert_eq(judge.health, APP_SUSPECT, "the refusals of before count no more");
}

/* ---- clients that are refused */

static struct refused_clients clients;

Test(app_health, refused_client_is_tried_once_a_second)
{
    refused_clients_clear(&clients);
    cr_assert(refused_clients_may_send(&clients, 7, 0), "not refused yet");
    refused_clients_add(&clients, 7, 10 * MS);
    cr_assert_not(refused_clients_may_send(&clients, 7, 11 * MS));
    cr_assert_not(refused_clients_may_send(&clients, 7, 1009 * MS));
    cr_assert(refused_clients_may_send(&clients, 7, 1010 * MS));
    cr_assert_not(refused_clients_may_send(&clients, 7, 1010 * MS), "one of this batch");
    refused_clients_add(&clients, 7, 1010 * MS);
    cr_assert_not(refused_clients_may_send(&clients, 7, 1011 * MS), "refused again");
    cr_assert(refused_clients_may_send(&clients, 7, 2010 * MS));
    cr_assert(refused_clients_may_send(&clients, 7, 2011 * MS), "not refused since");
    cr_assert_eq(clients.count, 0);
    cr_assert(refused_clients_may_send(&clients, 7, 2011 * MS));
}

Test(app_health, other_clients_are_sent_at_once)
{
    refused_clients_clear(&clients);
    refused_clients_add(&clients, 7, 10 * MS);
    cr_assert(refused_clients_may_send(&clients, 8, 10 * MS));
    cr_assert(refused_clients_may_send(&clients, 7 + REFUSED_CLIENTS, 10 * MS), "of the same row");
    refused_clients_clear(&clients);
    cr_assert(refused_clients_may_send(&clients, 7, 10 * MS));
}

Test(app_health, any_number_of_refused_clients_is_bounded)
{
    refused_clients_clear(&clients);
    for (uint32_t i = 0; i < 100000; i++)
        refused_clients_add(&clients, i, 10 * MS);
    cr_assert_eq(clients.count, REFUSED_CLIENTS);
    for (uint32_t i = 100000 - REFUSED_CLIENTS; i < 100000; i++) {
        cr_assert_not(refused_clients_may_send(&clients, i, 20 * MS));
        cr_assert(refused_clients_may_send(&clients, i, 1010 * MS));
        cr_assert(refused_clients_may_send(&clients, i, 1020 * MS));
    }
    cr_assert_eq(clients.count, 0);
}
