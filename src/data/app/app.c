#include "data/app/app.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "headless/wire/leader_command.h"

#define WHOAMI_MAX           512
#define PRIVILEGED_PORTS_END 1024

/*
 * A built-in app replies to every datagram, so two of them, or one and another server that does so,
 * would send replies to each other for ever. Never reply to a well-known port or the data port.
 */
static bool builtin_may_reply(struct app *app, const struct request *request)
{
    uint16_t port = request->record.client.port;

    if (port >= PRIVILEGED_PORTS_END && port != app->config->data_port)
        return true;
    counters_add(app->counters, COUNTER_WITHHELD, 1);
    return false;
}

static void builtin_reply(struct app *app, const struct request *request, const uint8_t *payload,
                          size_t length)
{
    const struct origin origin = request_origin(request);

    counters_add(app->counters, COUNTER_REPLIES_FROM_APP, 1);
    if (app_may_reply(app, request))
        reply_send(app->replier, &(struct reply){.origin = &origin,
                                                 .term = app->replier->snapshot->leader.term,
                                                 .payload = payload,
                                                 .length = length});
    else
        counters_add(app->counters, COUNTER_REPLIES_SUPPRESSED, 1);
}

/* Room for a reply that stays until the flush; flushes when the batch has used it up. */
static char *scratch_take(struct app *app, size_t bytes)
{
    char *room;

    if (app->scratch_used + bytes > app->config->batch * (size_t)WHOAMI_MAX) {
        relay_flush(app->replier->relay);
        reply_flush(app->replier);
        app->scratch_used = 0;
    }
    room = (char *)app->scratch + app->scratch_used;
    app->scratch_used += bytes;
    return room;
}

static const struct address *ingress_of(const struct app *app, const struct request *request)
{
    const struct address *ingress = &request->record.ingress;

    return address_is_set(ingress) ? ingress : &app->identity->self;
}

static void discard_deliver(struct app *app, const struct request *request)
{
    (void)request;
    counters_add(app->counters, COUNTER_DELIVERED, 1);
}

static void echo_deliver(struct app *app, const struct request *request)
{
    counters_add(app->counters, COUNTER_DELIVERED, 1);
    if (builtin_may_reply(app, request))
        builtin_reply(app, request, request->record.payload, request->record.length);
}

static void whoami_deliver(struct app *app, const struct request *request)
{
    char self[ADDRESS_TEXT_MAX], ingress[ADDRESS_TEXT_MAX], client[ADDRESS_TEXT_MAX];
    char *text;
    int length;

    counters_add(app->counters, COUNTER_DELIVERED, 1);
    if (!builtin_may_reply(app, request))
        return;
    text = scratch_take(app, WHOAMI_MAX);
    length = snprintf(text, WHOAMI_MAX, "%s %s leader term %llu via %s you %s\n",
                      app->identity->name, address_format_ip(&app->identity->self, self),
                      (unsigned long long)app->replier->snapshot->leader.term,
                      address_format_ip(ingress_of(app, request), ingress),
                      address_format(&request->record.client, client));
    if (length > request->record.length)
        length = request->record.length; /* a reply is never longer than its request */
    builtin_reply(app, request, (const uint8_t *)text, (size_t)length);
}

void app_reply_to_probe(struct app *app, const struct request *request, const char *nonce)
{
    char self[ADDRESS_TEXT_MAX], ingress[ADDRESS_TEXT_MAX];
    size_t limit = request->record.length < WHOAMI_MAX ? request->record.length : WHOAMI_MAX;
    const struct probe_reply content = {
        .nonce = nonce,
        .leader_name = app->identity->name,
        .leader_address = address_format_ip(&app->identity->self, self),
        .via_address = address_format_ip(ingress_of(app, request), ingress),
        .term = app->replier->snapshot->leader.term,
    };
    char *text = scratch_take(app, WHOAMI_MAX);
    size_t length = probe_reply_put(text, limit, &content);

    counters_add(app->counters, COUNTER_CONTROL_PROBE, 1);
    if (length > 0 && builtin_may_reply(app, request))
        builtin_reply(app, request, (const uint8_t *)text, length);
}

static void builtin_ignore_reply(struct app *app, const struct datagram *datagram)
{
    (void)app;
    (void)datagram;
}

static const struct app_ops builtin_ops[] = {
    [CONFIG_APP_ECHO] = {echo_deliver, builtin_ignore_reply, NULL, NULL, NULL},
    [CONFIG_APP_WHOAMI] = {whoami_deliver, builtin_ignore_reply, NULL, NULL, NULL},
    [CONFIG_APP_DISCARD] = {discard_deliver, builtin_ignore_reply, NULL, NULL, NULL},
};

int app_init(struct app *app, const struct app_setup *setup)
{
    const struct config *config = setup->config;
    int rc = 0;

    *app = (struct app){.config = config,
                        .identity = setup->identity,
                        .replier = setup->replier,
                        .counters = setup->counters};
    app->scratch = malloc(config->batch * (size_t)WHOAMI_MAX);
    if (!app->scratch)
        return -ENOMEM;
    if (config->app_target.kind == CONFIG_APP_UDP) {
        app->ops = &udp_app_ops;
        rc = udp_app_init(app, setup);
    } else {
        app->ops = &builtin_ops[config->app_target.kind];
    }
    if (rc) {
        free(app->scratch);
        *app = (struct app){0}; /* nothing to close */
    }
    return rc;
}

void app_fini(struct app *app)
{
    if (app->ops && app->ops->close)
        app->ops->close(app);
    free(app->scratch);
    *app = (struct app){0};
}
