#include "data/app/app_failure.h"

#include <string.h>

#include "data/app/app_fault.h"
#include "data/app/udp_app.h"
#include "headless/base/log.h"

static void log_unreachable(const struct udp_app *udp, int error_number)
{
    char text[ADDRESS_TEXT_MAX];

    log_warn_minutely(
        "app_unreachable", clock_now_ns(),
        "the app at %s cannot be reached from this pod (app.target): %s; look for its "
        "route, its host and firewalls",
        address_format(&udp->address, text), strerror(error_number));
}

static void log_no_socket(const struct udp_app *udp, int error_number)
{
    char text[ADDRESS_TEXT_MAX];

    log_warn_minutely(
        "app_no_socket", clock_now_ns(),
        "no socket can be opened for a new client of the app at %s: %s; it is dropped "
        "(reason app_no_socket) and the next one tries again",
        address_format(&udp->address, text), strerror(error_number));
}

/* The app is not reached: for all clients, or for this one while others are answered? */
static void judge_unreachable(struct app *app, uint32_t number, int error_number, bool is_no_way)
{
    struct udp_app *udp = app->udp;
    struct app_watch *watch = &udp->watch;

    counters_add(app->counters, COUNTER_APP_UNREACHABLE, 1);
    log_unreachable(udp, error_number);
    if (is_no_way || app_watch_judge_session(app, number) == APP_VERDICT_REFUSES)
        app_watch_hold_against(app, is_no_way);
    else
        watch->judge.was_refused = true;
}

/* An errno that a system call returned, so no check has to wait for ICMP. */
static void judge_local(struct app *app, uint32_t number, int error_number, enum app_fault fault)
{
    struct app_judge *judge = &app->udp->watch.judge;

    if (fault == APP_FAULT_UNREACHABLE || fault == APP_FAULT_DENIED)
        judge_unreachable(app, number, error_number, fault == APP_FAULT_UNREACHABLE);
    else
        judge->was_refused = true; /* not sent: no proof that the app takes datagrams */
    judge->was_tried = true;
}

void app_failure_open(struct app *app, int error_number)
{
    enum app_fault fault = app_fault_of(error_number, APP_FAULT_AT_OPEN);

    if (fault == APP_FAULT_RESOURCE) {
        counters_drop(app->counters, DROP_app_no_socket, 1);
        log_no_socket(app->udp, error_number);
    } else {
        counters_drop(app->counters, DROP_app_unreachable, 1);
    }
    judge_local(app, SESSION_NUMBER_NONE, error_number, fault);
}

void app_failure_send(struct app *app, int error_number)
{
    static const enum udp_error reasons[] = {UDP_ERROR_REFUSED, UDP_ERROR_DENIED, UDP_ERROR_FAILED};
    struct outbox_tally *tally = &app->udp->outbox.tally[OUTBOX_REQUESTS];
    enum app_fault fault = app_fault_of(error_number, APP_FAULT_AT_SEND);

    if (fault == APP_FAULT_REFUSED)
        return; /* the error queue has it */
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (fault != APP_FAULT_UNREACHABLE && fault != APP_FAULT_DENIED)
            break;
        counters_drop(app->counters, DROP_app_unreachable, tally->failed[reasons[i]]);
        tally->failed[reasons[i]] = 0;
    }
    judge_local(app, app->udp->socket_number, error_number, fault);
}

bool app_failure_icmp(struct app *app, uint32_t number, int error_number)
{
    enum app_fault fault = app_fault_of(error_number, APP_FAULT_AT_ICMP);

    if (fault == APP_FAULT_UNREACHABLE)
        judge_unreachable(app, number, error_number, false);
    return fault == APP_FAULT_REFUSED;
}

enum app_port app_failure_look(const struct udp_app *udp)
{
    const struct address any = {0};
    struct udp_socket socket;
    int rc = udp_open_connected(&udp->address, &any, 0, &socket);

    if (rc)
        return app_fault_of(-rc, APP_FAULT_AT_OPEN) == APP_FAULT_RESOURCE ? APP_PORT_UNKNOWN
                                                                          : APP_PORT_CLOSED;
    udp_close(&socket);
    return APP_PORT_OPEN;
}
