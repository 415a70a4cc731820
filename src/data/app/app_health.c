#include "data/app/app_health.h"

#include <string.h>

#define REFUSALS_MAX 3 /* in a row: then the app is down */

/* Where the port cannot be looked up. */
static enum app_verdict judge_by_sessions(const struct app_evidence *evidence)
{
    return evidence->others_answered && !evidence->is_last_answered ? APP_VERDICT_CLIENT
                                                                    : APP_VERDICT_REFUSES;
}

enum app_verdict app_health_judge(const struct app_evidence *evidence)
{
    switch (evidence->port) {
    case APP_PORT_CLOSED:
    case APP_PORT_LOST:
        return APP_VERDICT_REFUSES;
    case APP_PORT_TAKEN:
        return APP_VERDICT_CLIENT;
    case APP_PORT_OPEN:
        /* A firewall can refuse in place of the app, which has its socket. */
        if (evidence->open_in_a_row >= REFUSALS_MAX)
            return judge_by_sessions(evidence);
        return APP_VERDICT_PASSED;
    default:
        return judge_by_sessions(evidence);
    }
}

void app_judge_refusal(struct app_judge *judge, uint32_t n, uint64_t now_ns)
{
    if (!judge->refused_since_ns)
        judge->refused_since_ns = now_ns;
    judge->refused += n;
    judge->was_refused = true;
    if (judge->refused >= REFUSALS_MAX || now_ns - judge->refused_since_ns >= judge->fail_ns)
        judge->health = APP_DOWN;
    else if (judge->health == APP_UP)
        judge->health = APP_SUSPECT;
}

void app_judge_up(struct app_judge *judge)
{
    *judge = (struct app_judge){.health = APP_UP, .fail_ns = judge->fail_ns};
}

/* ---- clients that are refused ---- */

static struct refused_client *row_of(struct refused_clients *clients, uint32_t number)
{
    return &clients->rows[number % REFUSED_CLIENTS];
}

void refused_clients_add(struct refused_clients *clients, uint32_t number, uint64_t now_ns)
{
    struct refused_client *row = row_of(clients, number);

    clients->count += row->number_plus_1 == 0;
    if (row->number_plus_1 != number + 1)
        *row = (struct refused_client){.number_plus_1 = number + 1, .tried_ns = now_ns};
    row->refused_ns = now_ns;
}

void refused_clients_clear(struct refused_clients *clients)
{
    if (clients->count)
        memset(clients, 0, sizeof(*clients));
}

bool refused_clients_may_send(struct refused_clients *clients, uint32_t number, uint64_t now_ns)
{
    struct refused_client *row = row_of(clients, number);

    if (row->number_plus_1 != number + 1)
        return true;
    if (row->tried_ns > row->refused_ns && now_ns > row->tried_ns) {
        /* Tried in an earlier slice, and not refused since. */
        row->number_plus_1 = 0;
        clients->count--;
        return true;
    }
    if (now_ns - row->tried_ns < REFUSED_PERIOD_NS)
        return false;
    row->tried_ns = now_ns;
    return true;
}
