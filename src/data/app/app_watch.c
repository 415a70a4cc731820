#include "data/app/app_watch.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "data/app/app_check.h"
#include "data/app/app_failure.h"
#include "data/app/app_port.h"
#include "data/app/udp_app.h"
#include "headless/base/log.h"

#define TAKE_MAX        256 /* refusals at once */
#define SOCKET_TAKE_MAX 16  /* of one session's socket */
#define ANSWERED_NS     (2 * NS_PER_SEC)

void app_watch_init(struct app_watch *watch, const struct address *app_address, uint64_t fail_ns)
{
    int rc = 0;

    *watch = (struct app_watch){.judge = {.fail_ns = fail_ns}, .lookup = {.fd = -1}};
    watch->is_local = udp_is_local(app_address);
    if (watch->is_local)
        rc = udp_lookup_open(&watch->lookup);
    if (rc)
        log_info("app_port_unknown",
                 "the sockets at the app's port cannot be looked up (sock_diag): %s; the app "
                 "counts as down "
                 "when it refuses datagrams, also those of one client only",
                 strerror(-rc));
}

void app_watch_fini(struct app_watch *watch)
{
    udp_lookup_close(&watch->lookup);
}

/* ---- log ---- */

static void log_refused(const struct udp_app *udp)
{
    static _Thread_local struct log_limit limit = {.period_ns = NS_PER_SEC};
    char text[ADDRESS_TEXT_MAX];
    uint64_t suppressed;

    if (log_limit_pass(&limit, LOG_LEVEL_WARN, clock_now_ns(), &suppressed))
        log_warn("app_refused",
                 "the app at %s refuses datagrams (port closed): start it or correct app.target "
                 "(%llu more)",
                 address_format(&udp->address, text), (unsigned long long)suppressed);
}

static void log_connected(const struct udp_app *udp)
{
    char app[ADDRESS_TEXT_MAX], peer[ADDRESS_TEXT_MAX];

    log_warn_minutely(
        "app_connected", clock_now_ns(),
        "the app at %s serves one client only (its socket is connected to %s) and refuses the "
        "datagrams of others (reason app_refuses_client): use a server that serves several "
        "clients by one socket",
        address_format(&udp->address, app),
        address_is_set(&udp->watch.taken_by) ? address_format(&udp->watch.taken_by, peer)
                                             : "another client");
}

/* ---- refusals ---- */

/* Of this session: whether it was the last one to be answered, and whether others are. */
static struct app_evidence evidence_of(const struct app_watch *watch, uint32_t number,
                                       uint64_t now_ns)
{
    bool is_last = number != SESSION_NUMBER_NONE && watch->answered_plus_1 == number + 1;

    return (struct app_evidence){.port = APP_PORT_UNKNOWN,
                                 .is_last_answered = is_last,
                                 .others_answered = watch->answered_plus_1 && !is_last &&
                                                    now_ns - watch->answered_ns < ANSWERED_NS};
}

enum app_verdict app_watch_judge_session(const struct app *app, uint32_t number)
{
    const struct app_evidence evidence =
        evidence_of(&app->udp->watch, number, app->replier->now_ns);

    return app_health_judge(&evidence);
}

void app_watch_hold_against(struct app *app, bool is_cut)
{
    struct app_watch *watch = &app->udp->watch;
    uint64_t now_ns = app->replier->now_ns;
    bool was_up = watch->judge.health == APP_UP;

    refused_clients_clear(&watch->clients);
    watch->is_cut = is_cut;
    watch->refused_ns = now_ns;
    app_judge_refusal(&watch->judge, 1, now_ns);
    if (was_up) {
        watch->judge.is_looked_up = watch->judge.was_tried = false;
        watch->judge.check_ns = now_ns + app_check_period_ns(watch);
    }
    app_watch_publish(watch);
}

static void act_on_verdict(struct app *app, enum app_verdict verdict, uint32_t n, bool is_seen)
{
    struct udp_app *udp = app->udp;
    struct app_watch *watch = &udp->watch;
    uint64_t now_ns = app->replier->now_ns;
    bool was_up = watch->judge.health == APP_UP;

    if (verdict == APP_VERDICT_CLIENT) {
        log_connected(udp);
        /* The port may be closed all the same: the session that was answered last knows. */
        if (!is_seen && now_ns - watch->knock_ns >= REFUSED_PERIOD_NS) {
            watch->knock_ns = now_ns;
            (void)app_check_knock(udp, now_ns);
        }
        return;
    }
    refused_clients_clear(&watch->clients);
    if (verdict == APP_VERDICT_PASSED)
        return;
    log_refused(udp);
    watch->is_cut = false;
    app_judge_refusal(&watch->judge, n, now_ns);
    if (was_up) {
        watch->judge.is_looked_up = is_seen;
        watch->judge.check_ns = is_seen ? now_ns + app_check_period_ns(watch) : 0;
        watch->judge.was_tried = false;
    }
}

/* n refusals, the last one of the session refused_number. */
static void judge_refusals(struct app *app, uint32_t n)
{
    struct udp_app *udp = app->udp;
    struct app_watch *watch = &udp->watch;
    uint64_t now_ns = app->replier->now_ns;
    struct app_evidence evidence = evidence_of(watch, watch->refused_number, now_ns);
    enum app_verdict verdict;

    evidence.port = app_port_look(udp, watch->refused_number);
    if (evidence.port != APP_PORT_OPEN || now_ns - watch->refused_ns >= REFUSED_PERIOD_NS)
        watch->open_in_a_row = 0;
    watch->open_in_a_row += evidence.port == APP_PORT_OPEN;
    watch->refused_ns = now_ns;
    evidence.open_in_a_row = watch->open_in_a_row;
    verdict = app_health_judge(&evidence);
    counters_add(app->counters,
                 verdict == APP_VERDICT_CLIENT ? COUNTER_APP_REFUSED_CLIENT : COUNTER_APP_REFUSED,
                 n);
    act_on_verdict(app, verdict, n,
                   evidence.port != APP_PORT_UNKNOWN && evidence.port != APP_PORT_OPEN);
    app_watch_publish(watch);
}

/* One refusal. */
static uint32_t note_session(struct app *app, uint32_t number)
{
    struct app_watch *watch = &app->udp->watch;

    watch->refused_number = number;
    refused_clients_add(&watch->clients, number, app->replier->now_ns);
    return 1;
}

/* The session whose datagram was refused, or SESSION_NUMBER_NONE. */
static uint32_t number_of_failure(struct udp_app *udp, const struct udp_failure *failure)
{
    const struct address client = address_with_port(failure->from, failure->to.port);
    const struct session *session;

    if (!udp->is_transparent)
        return session_number_of_address(&failure->from);
    session = udp_sessions_of(udp, &client); /* nft_clients.h: the port that it was sent to */
    return session ? sessions_number(&udp->sessions, session) : SESSION_NUMBER_NONE;
}

/* The port from which the app answered this session is closed: back to the app's own port, with the
 * datagram if it was quoted whole. It is counted already, when it was sent first. */
static void leave_port(struct udp_app *udp, uint32_t number, const struct udp_failure *failure)
{
    struct session *session = sessions_by_number(&udp->sessions, number);

    if (!session || session->app_port != failure->to.port)
        return;
    session->app_port = 0;
    if (failure->length < sizeof(failure->quoted))
        (void)udp_send_one(&udp->socket, &udp->address, &failure->from, failure->quoted,
                           failure->length);
}

static uint32_t take_errors(struct app *app)
{
    struct udp_app *udp = app->udp;
    struct udp_failure failure;
    uint32_t n = 0;

    /* seq_cst: before the queue is read; the reader sets it again for what comes later */
    bool reader_waits =
        atomic_exchange_explicit(&udp->reader.has_errors, false, memory_order_seq_cst);

    for (unsigned i = 0; i < TAKE_MAX && udp_take_error(udp->socket.fd, &failure); i++) {
        uint32_t number = number_of_failure(udp, &failure);

        if (number == SESSION_NUMBER_NONE || !udp_is_verdict(&failure))
            continue;
        if (!udp->is_transparent && failure.to.port != udp->address.port)
            leave_port(udp, number, &failure);
        else if (app_failure_icmp(app, number, failure.error))
            n += note_session(app, number);
    }
    if (reader_waits)
        waker_wake(&udp->reader.receiver.waker);
    return n;
}

static uint32_t take_numbers(struct app *app)
{
    void *word;
    uint32_t n = 0;

    for (unsigned i = 0; i < TAKE_MAX && ring_take(&app->udp->reader.refused, &word, 1) == 1; i++) {
        uint32_t error = (uint32_t)(uintptr_t)word >> APP_ERROR_SHIFT;
        uint32_t number = (uint32_t)(uintptr_t)word & ((1U << APP_ERROR_SHIFT) - 1);

        if (app_failure_icmp(app, number, (int)error))
            n += note_session(app, number);
    }
    return n;
}

void app_watch_take(struct app *app)
{
    uint32_t n = app->udp->is_mux ? take_errors(app) : take_numbers(app);

    if (n)
        judge_refusals(app, n);
}

void app_watch_take_socket(struct app *app, uint32_t number, int fd)
{
    struct udp_failure failure;
    uint32_t n = 0;

    for (unsigned i = 0; i < SOCKET_TAKE_MAX && udp_take_error(fd, &failure); i++) {
        if (udp_is_verdict(&failure) && app_failure_icmp(app, number, failure.error))
            n += note_session(app, number);
    }
    if (n)
        judge_refusals(app, n);
}

/* ---- for the worker ---- */

static enum app_health health_of(const struct app_watch *watch)
{
    return (enum app_health)atomic_load_explicit(&watch->health, memory_order_relaxed);
}

bool app_is_up(const struct app *app)
{
    return !app->udp || health_of(&app->udp->watch) != APP_DOWN;
}

bool app_needs_request(const struct app *app)
{
    return app->udp && atomic_load_explicit(&app->udp->watch.needs_request, memory_order_relaxed);
}

bool app_is_taking(struct app *app)
{
    struct udp_app *udp = app->udp;

    if (!udp)
        return true;
    if (app_has_refusals(app) || (udp->is_mux && udp_has_error(udp->socket.fd)))
        app_watch_take(app);
    return udp->watch.judge.health == APP_UP;
}

bool app_has_refusals(struct app *app)
{
    struct udp_app *udp = app->udp;

    if (!udp)
        return false;
    /* seq_cst: pairs with the reader, which sets it and then looks at the worker's state */
    return udp->is_mux ? atomic_load_explicit(&udp->reader.has_errors, memory_order_seq_cst)
                       : !ring_is_empty(&udp->reader.refused);
}

void udp_app_watch(struct app *app)
{
    app_check_share(app);
    if (app_has_refusals(app) || app->udp->watch.judge.health != APP_UP)
        app_watch_take(app);
    app_check(app);
}

bool app_wants_trial(const struct app *app)
{
    const struct udp_app *udp = app->udp;
    const struct app_judge *judge = udp ? &udp->watch.judge : NULL;

    return judge && judge->health != APP_UP && !judge->is_looked_up && !judge->was_tried &&
           !udp->watch.is_cut;
}

uint64_t app_sleep_ns(const struct app *app)
{
    uint64_t check_ns, now_ns = app->replier->now_ns;

    if (!app->udp || app->udp->watch.judge.health == APP_UP)
        return AGENT_IDLE_MAX_NS;
    check_ns = app->udp->watch.judge.check_ns;
    return check_ns > now_ns ? check_ns - now_ns : 0;
}
