/* Random steps against a model of the table. */
#include "session_fixture.h"

TestSuite(session_model, .init = setup, .fini = teardown, .timeout = 120);

static struct {
    bool is_known, is_open, has_reply;
    uint64_t used_ns, requests;
    uint32_t number;
} model[CLIENTS];

static void model_use(uint32_t client, bool is_request, uint64_t now_ns)
{
    sessions_touch(&sessions, find_client(client), is_request, now_ns);
    model[client].requests += is_request;
    model[client].has_reply |= !is_request;
    model[client].used_ns = now_ns;
    model[client].is_open = true;
}

static uint32_t model_client_of(const struct session *record)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (model[i].is_known && find_client(i) == record)
            return i;
    }
    return CLIENTS;
}

/* The one that loses its record has not been used since any other of its kind. */
static void expect_fair_victim(uint32_t victim)
{
    const struct session *record = find_client(victim);

    for (uint32_t i = 0; i < CLIENTS; i++) {
        if (model[i].is_known && find_client(i)->kind == record->kind)
            cr_assert_geq(model[i].used_ns, model[victim].used_ns);
    }
}

static void model_open(uint32_t client, uint64_t now_ns)
{
    struct origin origin = origin_of(client);
    struct session *record = sessions_next(&sessions, &origin, now_ns);
    uint32_t victim;

    if (!record)
        return;
    victim = model_client_of(record);
    if (victim < CLIENTS) {
        cr_assert_eq(sessions.used, CAPACITY);
        expect_fair_victim(victim);
        model[victim].is_known = false;
    }
    record = sessions_open(&sessions, record, &origin, true, now_ns);
    memset(&model[client], 0, sizeof(model[client]));
    model[client].is_known = true;
    model[client].number = sessions_number(&sessions, record);
    model_use(client, true, now_ns);
}

static void compare_with_model(void)
{
    uint64_t open = 0;

    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct session *session = find_client(i);

        cr_assert_eq(session != NULL, model[i].is_known);
        if (!session)
            continue;
        open += model[i].is_open;
        cr_assert_eq(session->is_open, model[i].is_open);
        cr_assert_eq(session->requests, model[i].requests);
        cr_assert_eq(session_tick(model[i].used_ns), session->used);
        cr_assert_eq(sessions_number(&sessions, session), model[i].number);
        cr_assert_eq(sessions_by_number(&sessions, model[i].number), session);
    }
    cr_assert_eq(count(), open);
}

static void model_rest_idle(uint64_t idle_ns, uint64_t now_ns)
{
    struct session *session;

    while ((session = sessions_idle(&sessions, idle_ns, now_ns))) {
        uint32_t client = model_client_of(session);

        cr_assert_geq(now_ns - model[client].used_ns, idle_ns);
        sessions_rest(&sessions, session);
        model[client].is_open = false;
    }
}

static void random_steps(void)
{
    uint64_t random = 42, now_ns = START_NS;

    for (unsigned step = 0; step < 20000; step++) {
        uint32_t client;

        random = random * 6364136223846793005U + 1442695040888963407U;
        client = (uint32_t)((random >> 32) % CLIENTS);
        now_ns += TICK_NS;
        if (!model[client].is_known)
            model_open(client, now_ns);
        else if ((random >> 60) < 2) {
            sessions_drop(&sessions, find_client(client));
            model[client].is_known = false;
        } else
            model_use(client, (random >> 60) < 10, now_ns);
        model_rest_idle(40 * TICK_NS, now_ns);
        compare_with_model();
    }
}

Test(session_model, random_steps_agree_with_a_model)
{
    init(CAPACITY);
    random_steps();
}

Test(session_model, random_steps_with_hashed_numbers_agree_with_a_model)
{
    init_hashed(CAPACITY, "c");
    random_steps();
}
