#include "data/app_drops.h"

#include <errno.h>
#include <string.h>

#include "headless/base/clock.h"
#include "headless/net/udp.h"

#define LOOK_PERIOD_NS NS_PER_SEC
#define DROPS_LOG_NS   (60 * NS_PER_SEC)

/* Without udp_diag the kernel looks for the module at each request: ask it once only. All other errors
 * may pass, as ENOBUFS does: the next look counts the drops since the last one that succeeded. */
static void look_failed(struct app_drops *drops, int rc)
{
    if (!drops->has_failed)
        log_debug("app_drops_unknown",
                  "drops at the app's own socket cannot be read (sock_diag): %s", strerror(-rc));
    drops->has_failed = true;
    if (rc == -ENOENT)
        app_drops_close(drops);
}

void app_drops_open(struct app_drops *drops, const struct config *config)
{
    const struct address *app = &config->app_target.address;

    int rc;

    *drops = (struct app_drops){.diag.fd = -1, .app = *app, .limit = {.period_ns = DROPS_LOG_NS}};
    if (config->app_target.kind != CONFIG_APP_UDP || !udp_is_local(app))
        return;
    rc = udp_diag_open(&drops->diag);
    if (rc)
        look_failed(drops, rc);
}

void app_drops_close(struct app_drops *drops)
{
    udp_diag_close(&drops->diag);
}

static const struct udp_diag_entry *find_socket(const struct app_drops *drops, uint64_t cookie)
{
    for (size_t i = 0; i < drops->count; i++) {
        if (drops->sockets[i].cookie == cookie)
            return &drops->sockets[i];
    }
    return NULL;
}

/* The kernel prefers a socket bound to the address to one bound to all. */
static bool has_exact(const struct app_drops *drops, const struct udp_diag_entry *found,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (address_equal(&found[i].local, &drops->app))
            return true;
    }
    return false;
}

uint64_t app_drops_take(struct app_drops *drops, const struct udp_diag_entry *found, size_t count)
{
    struct udp_diag_entry kept[APP_DROPS_SOCKETS] = {0};
    bool is_exact = has_exact(drops, found, count);
    uint64_t grown = 0;
    size_t n = 0;

    for (size_t i = 0; i < count && n < APP_DROPS_SOCKETS; i++) {
        const struct udp_diag_entry *before = find_socket(drops, found[i].cookie);

        if (is_exact ? !address_equal(&found[i].local, &drops->app)
                     : !address_is_any(&found[i].local))
            continue;
        if (before)
            grown += (uint32_t)(found[i].drops - before->drops);
        else if (drops->had_all) /* opened since */
            grown += found[i].drops;
        kept[n++] = found[i];
    }
    memcpy(drops->sockets, kept, n * sizeof(kept[0]));
    drops->count = n;
    drops->had_all = count <= APP_DROPS_SOCKETS;
    atomic_store_explicit(&drops->total, app_drops_total(drops) + grown, memory_order_relaxed);
    return grown;
}

static void log_drops(struct app_drops *drops, uint64_t grown, uint64_t now_ns)
{
    char text[ADDRESS_TEXT_MAX];
    uint64_t suppressed;

    drops->unlogged += grown;
    if (!grown || !log_limit_pass(&drops->limit, LOG_LEVEL_WARN, now_ns, &suppressed))
        return;
    log_warn("app_drops",
             "the receive buffer of the app's own socket at %s was full: the kernel dropped %llu "
             "datagrams there; make the app faster, or raise the buffer that it asks for "
             "(SO_RCVBUF, up to net.core.rmem_max)",
             address_format(&drops->app, text), (unsigned long long)drops->unlogged);
    drops->unlogged = 0;
}

void app_drops_poll(struct app_drops *drops, uint64_t now_ns)
{
    struct udp_diag_entry found[APP_DROPS_SOCKETS + 1];
    size_t count = 0;
    int rc;

    if (drops->diag.fd < 0 || now_ns < drops->looked_ns + LOOK_PERIOD_NS)
        return;
    drops->looked_ns = now_ns;
    rc = udp_diag_list(&drops->diag, drops->app.port, found, APP_DROPS_SOCKETS + 1, &count);
    if (rc) {
        look_failed(drops, rc);
        return;
    }
    drops->has_failed = false;
    log_drops(drops, app_drops_take(drops, found, count), now_ns);
}
