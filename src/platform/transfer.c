/* One HTTP exchange at a time. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "headless/base/clock.h"
#include "platform/document.h"
#include "platform/platform_internal.h"

#define REQUEST_CONNECT_MS      1000L /* TCP and TLS */
#define WATCH_CONNECT_MS        5000L /* also for lists */
#define CA_CACHE_S              60L   /* libcurl keeps certificates for a day otherwise */
#define REQUEST_USER_TIMEOUT_MS 3000
#define WATCH_USER_TIMEOUT_MS   15000

#define set(transfer, option, value) \
    ((void)(transfer)->platform->curl.easy_setopt((transfer)->easy, (option), (value)))

/* ---- callbacks of libcurl ---- */

/* Data that the peer does not acknowledge ends a connection, which libcurl would keep using otherwise. Keepalive
 * finds a dead peer while nothing is sent. Failures leave the system's defaults. */
static int on_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
    const struct transfer *transfer = context;
    const unsigned user_timeout_ms = transfer->user_timeout_ms;
    const int on = 1, idle_s = 20, interval_s = 5, probes = 3;

    (void)purpose;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof(user_timeout_ms));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof(interval_s));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
    return CURL_SOCKOPT_OK;
}

/* libcurl ends the transfer if less than all is taken. */
static size_t on_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t length = size * count;

    transfer->heard_ns = clock_now_ns();
    if (transfer->is_stream && transfer_status(transfer) == 200)
        return transfer->on_bytes(transfer, bytes, length) ? length : 0;
    transfer->is_too_large =
        !buffer_append(&transfer->received, bytes, length, transfer->received_max);
    return transfer->is_too_large ? 0 : length;
}

/* A line of the response's head; the last one is empty. */
static size_t on_header(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t length = size * count;

    (void)bytes;
    transfer->heard_ns = clock_now_ns();
    if (transfer->is_stream && length == 2 && transfer_status(transfer) == 200)
        transfer->on_open(transfer);
    return length;
}

/* ---- start ---- */

static void add_header(struct transfer *transfer, size_t *count, char *line)
{
    struct curl_slist *header = &transfer->headers[*count];

    *header = (struct curl_slist){.data = line};
    if (*count > 0)
        transfer->headers[*count - 1].next = header;
    (*count)++;
}

/* The list is ours, so that the token is in no copy of libcurl's that nobody wipes before it is used. */
static void set_headers(struct transfer *transfer, const struct transfer_plan *plan)
{
    static char accept[] = "Accept: application/json",
                expect[] = "Expect:", type[] = "Content-Type: application/json",
                patch_type[] = "Content-Type: application/merge-patch+json";
    /* libcurl does not change them */
    size_t count = 0;

    add_header(transfer, &count, accept);
    if (plan->body) {
        add_header(transfer, &count, plan->verb == PLATFORM_PATCH ? patch_type : type);
        add_header(transfer, &count, expect);
    }
    if (transfer->platform->token.header[0])
        add_header(transfer, &count, transfer->platform->token.header);
    set(transfer, CURLOPT_HTTPHEADER, transfer->headers);
}

static void set_method(struct transfer *transfer, const struct transfer_plan *plan)
{
    static const char *const methods[PLATFORM_VERB_COUNT] = {
        [PLATFORM_CREATE] = "POST", [PLATFORM_UPDATE] = "PUT", [PLATFORM_PATCH] = "PATCH"};

    if (!plan->body)
        return;
    set(transfer, CURLOPT_POSTFIELDSIZE, (long)plan->length);
    set(transfer, CURLOPT_POSTFIELDS, plan->body);
    set(transfer, CURLOPT_CUSTOMREQUEST, methods[plan->verb]);
}

static bool is_of_watch(const struct transfer_plan *plan)
{
    return plan->verb == PLATFORM_LIST || plan->verb == PLATFORM_WATCH;
}

/* No name is looked up, nothing is taken from the environment, and no redirection is followed. */
static void set_connection(struct transfer *transfer, const struct transfer_plan *plan)
{
    set(transfer, CURLOPT_URL, transfer->url);
    set(transfer, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
#if LIBCURL_VERSION_NUM >= 0x075500
    set(transfer, CURLOPT_PROTOCOLS_STR, transfer->platform->is_tls ? "https" : "http");
#endif
    set(transfer, CURLOPT_NOSIGNAL, 1L);
    set(transfer, CURLOPT_PROXY, "");
    set(transfer, CURLOPT_NOPROXY, "*");
    set(transfer, CURLOPT_USERAGENT, "headlessd/" HEADLESS_VERSION);
    set(transfer, CURLOPT_CONNECTTIMEOUT_MS,
        is_of_watch(plan) ? WATCH_CONNECT_MS : REQUEST_CONNECT_MS);
    set(transfer, CURLOPT_CAINFO, transfer->platform->ca);
    set(transfer, CURLOPT_CAPATH, NULL); /* the system's certificates: none of them */
#if LIBCURL_VERSION_NUM >= 0x075700
    /* Older libraries have no cache. 0: read the file, since it may have been replaced. */
    set(transfer, CURLOPT_CA_CACHE_TIMEOUT, transfer->platform->is_ca_old ? 0L : CA_CACHE_S);
#endif
    set(transfer, CURLOPT_FRESH_CONNECT, plan->is_alone ? 1L : 0L);
    set(transfer, CURLOPT_FORBID_REUSE, plan->is_alone ? 1L : 0L);
    set(transfer, CURLOPT_SOCKOPTFUNCTION, on_socket);
    set(transfer, CURLOPT_SOCKOPTDATA, transfer);
}

static void set_callbacks(struct transfer *transfer)
{
    set(transfer, CURLOPT_PRIVATE, transfer);
    set(transfer, CURLOPT_WRITEFUNCTION, on_body);
    set(transfer, CURLOPT_WRITEDATA, transfer);
    set(transfer, CURLOPT_HEADERFUNCTION, on_header);
    set(transfer, CURLOPT_HEADERDATA, transfer);
}

/* Namespace, token and URL. Returns 0 or -1 with *ret_trouble. */
static int transfer_prepare(struct transfer *transfer, const struct transfer_plan *plan,
                            struct trouble *ret_trouble)
{
    struct platform *platform = transfer->platform;
    int rc = plan->object->space ? 0 : platform_find_space(platform);

    ret_trouble->kind = TROUBLE_NAMESPACE;
    if (!rc) {
        ret_trouble->kind = TROUBLE_TOKEN;
        rc = token_refresh(&platform->token, clock_now_ns(), false);
    }
    if (!rc) {
        const struct url_parts parts = {.base = platform->api,
                                        .space = platform->space,
                                        .verb = plan->verb,
                                        .object = plan->object,
                                        .version = plan->version,
                                        .timeout_ns = plan->timeout_ns};

        ret_trouble->kind = TROUBLE_URL;
        rc = url_build(&parts, transfer->url);
    }
    ret_trouble->error = -rc;
    return rc ? -1 : 0;
}

int transfer_start(struct transfer *transfer, const struct transfer_plan *plan,
                   struct trouble *ret_trouble)
{
    const struct curl_calls *curl = &transfer->platform->curl;
    bool is_watch = plan->verb == PLATFORM_WATCH;
    CURLMcode code;

    *ret_trouble = (struct trouble){.outcome = PLATFORM_UNSENT};
    if (transfer_prepare(transfer, plan, ret_trouble))
        return -1;
    buffer_clear(&transfer->received);
    transfer->is_too_large = false;
    transfer->is_stream = is_watch;
    transfer->received_max = plan->verb == PLATFORM_LIST ? PLATFORM_LINE_MAX : PLATFORM_BODY_MAX;
    transfer->user_timeout_ms = is_of_watch(plan) ? WATCH_USER_TIMEOUT_MS : REQUEST_USER_TIMEOUT_MS;
    curl->easy_reset(transfer->easy);
    set_connection(transfer, plan);
    set_headers(transfer, plan);
    set_method(transfer, plan);
    set_callbacks(transfer);
    if (!is_watch)
        set(transfer, CURLOPT_TIMEOUT_MS, (long)(plan->timeout_ns / NS_PER_MS) + 1);
    transfer->sent_ns = transfer->heard_ns = clock_now_ns();
    code = curl->multi_add_handle(transfer->platform->multi, transfer->easy);
    transfer->is_running = code == CURLM_OK;
    ret_trouble->kind = TROUBLE_CURL;
    ret_trouble->value = CURLE_OUT_OF_MEMORY;
    return transfer->is_running ? 0 : -1;
}

void transfer_abort(struct transfer *transfer)
{
    if (transfer->is_running)
        (void)transfer->platform->curl.multi_remove_handle(transfer->platform->multi,
                                                           transfer->easy);
    transfer->is_running = false;
}

bool transfer_open(struct platform *platform, struct transfer *transfer)
{
    transfer->platform = platform;
    transfer->easy = platform->curl.easy_init();
    return transfer->easy != NULL;
}

void transfer_close(struct transfer *transfer)
{
    if (!transfer->easy)
        return;
    transfer_abort(transfer);
    transfer->platform->curl.easy_cleanup(transfer->easy);
    buffer_fini(&transfer->received);
}

/* ---- end ---- */

unsigned transfer_status(const struct transfer *transfer)
{
    long status = 0;

    (void)transfer->platform->curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status > 0 && status < 1000 ? (unsigned)status : 0;
}

static bool is_sent(const struct transfer *transfer)
{
    long bytes = 0;

    (void)transfer->platform->curl.easy_getinfo(transfer->easy, CURLINFO_REQUEST_SIZE, &bytes);
    return bytes > 0;
}

static void judge_failure(struct transfer *transfer, CURLcode code, struct trouble *trouble)
{
    long error = 0;

    if (code == CURLE_COULDNT_CONNECT)
        (void)transfer->platform->curl.easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &error);
    transfer->platform->is_ca_old = code == CURLE_PEER_FAILED_VERIFICATION;
    trouble->outcome = outcome_of_curl(code, is_sent(transfer));
    trouble->kind = TROUBLE_CURL;
    trouble->value = (unsigned)code;
    trouble->error = (int)error;
}

void transfer_judge(struct transfer *transfer, CURLcode code, struct trouble *ret_trouble,
                    struct json_object **ret_document)
{
    struct trouble trouble = {.status = transfer_status(transfer)};

    *ret_document = NULL;
    if (code == CURLE_OK)
        *ret_document = document_parse(transfer->received.data, transfer->received.length);
    if (code == CURLE_OK || trouble.status >= 400) { /* a body that is cut changes nothing then */
        trouble.outcome = outcome_of_status(trouble.status, *ret_document != NULL);
        trouble.kind = trouble.outcome == PLATFORM_BAD ? TROUBLE_NO_JSON : TROUBLE_NONE;
    } else if (transfer->is_too_large) {
        trouble.outcome = PLATFORM_BAD;
        trouble.kind = TROUBLE_TOO_LARGE;
    } else {
        judge_failure(transfer, code, &trouble);
    }
    buffer_clear(&transfer->received);
    *ret_trouble = trouble;
}
