#include "data/app/app_check.h"

#include <sys/socket.h>

#include "data/app/app_failure.h"
#include "data/app/app_port.h"
#include "data/app/udp_app.h"

#define CHECK_NS         (200 * NS_PER_MS)
#define SUSPECT_CHECK_NS (30 * NS_PER_MS) /* between checks of a suspect app */
/* Linux hosts limit ICMP to bursts of six, then one a second: only a longer silence is a sign. */
#define REMOTE_CHECK_NS  (1200 * NS_PER_MS)
#define STALE_NS         (10 * NS_PER_SEC)
#define TELL_NS          (100 * NS_PER_MS)

uint64_t app_check_period_ns(const struct app_watch *watch)
{
    if (!watch->is_local && !watch->is_cut)
        return REMOTE_CHECK_NS;
    return watch->judge.health == APP_DOWN ? CHECK_NS : SUSPECT_CHECK_NS;
}

/* A session with a socket of its own. The knock counts as its datagram, so that app.idle does not
 * close the socket that the next check needs. */
static bool send_connected_knock(struct udp_app *udp, struct session *session, uint64_t now_ns)
{
    if (session->fd < 0 || send(session->fd, "", 0, MSG_DONTWAIT) != 0) /* -1: it rests */
        return false;
    sessions_touch(&udp->sessions, session, false, now_ns);
    return true;
}

/* If the port is closed, the refusal arrives before the next check. */
bool app_check_knock(struct udp_app *udp, uint64_t now_ns)
{
    uint32_t number = udp->watch.answered_plus_1 - 1;
    struct session *session;
    struct address source, to;

    if (!udp->watch.answered_plus_1)
        return false;
    session = sessions_by_number(&udp->sessions, number);
    if (!session || session->app_port)
        return false;
    if (!udp->is_mux)
        return send_connected_knock(udp, session, now_ns);
    udp_sessions_route(udp, session, &source, &to);
    return udp_send_one(&udp->socket, &to, &source, "", 0) == 0;
}

static enum app_port look_at_port(struct udp_app *udp)
{
    if (udp->watch.is_cut)
        return app_failure_look(udp);
    return udp->watch.judge.is_looked_up ? app_port_look(udp, udp->watch.refused_number)
                                         : APP_PORT_UNKNOWN;
}

/* ---- what others found out ---- */

static void share_taken(struct app *app, uint64_t taken_ns)
{
    _Atomic uint64_t *shared = &app->shared->taken_ns;

    if (taken_ns > atomic_load_explicit(shared, memory_order_relaxed) + TELL_NS)
        atomic_store_explicit(shared, taken_ns, memory_order_relaxed);
}

void app_check_share(struct app *app)
{
    share_taken(app, app->udp->watch.answered_ns);
}

/* So long after the last refusal of this worker that it was not the last reply of an app that ended. */
static bool is_taken_since(const struct app *app)
{
    return atomic_load_explicit(&app->shared->taken_ns, memory_order_relaxed) >
           app->udp->watch.refused_ns + REMOTE_CHECK_NS;
}

static bool is_stale(const struct app *app)
{
    const struct leadership *leader = &app->replier->snapshot->leader;
    uint64_t now_ns = app->replier->now_ns;

    return leader->kind == LEADER_MEMBER && leadership_is_valid(leader, now_ns) &&
           !atomic_load_explicit(&app->shared->is_no_app, memory_order_relaxed) &&
           now_ns - app->udp->watch.refused_ns >= STALE_NS;
}

/* ---- the check ---- */

static void app_check_up(struct app_watch *watch)
{
    app_judge_up(&watch->judge);
    watch->is_cut = false;
}

void app_check(struct app *app)
{
    struct udp_app *udp = app->udp;
    struct app_judge *judge = &udp->watch.judge;
    uint64_t now_ns = app->replier->now_ns;
    bool needs_request = false;
    enum app_port port;

    if (judge->health == APP_UP || now_ns < judge->check_ns)
        return;
    port = look_at_port(udp);
    if (port == APP_PORT_OPEN || port == APP_PORT_TAKEN ||
        (port == APP_PORT_UNKNOWN && judge->was_tried && !judge->was_refused)) {
        app_check_up(&udp->watch);
        share_taken(app, now_ns);
    } else {
        if (port != APP_PORT_UNKNOWN)
            app_judge_refusal(judge, 1, now_ns);
        judge->was_refused = false;
        judge->was_tried = port == APP_PORT_UNKNOWN && app_check_knock(udp, now_ns);
        needs_request = port == APP_PORT_UNKNOWN && !judge->was_tried && !udp->watch.is_cut;
        judge->check_ns = now_ns + app_check_period_ns(&udp->watch);
    }
    if (needs_request && (is_taken_since(app) || is_stale(app))) {
        app_check_up(&udp->watch);
        needs_request = false;
    }
    atomic_store_explicit(&udp->watch.needs_request, needs_request, memory_order_relaxed);
    app_watch_publish(&udp->watch);
}
