/*
 * platform internal: the client's state, and what its files have of each other. Private to platform/.
 *
 *     api.c        opening, the thread, stopping
 *     requests.c   requests that others hand in: slots, each with an atomic state
 *     watches.c    lists and watches
 *     transfer.c   one HTTP exchange at a time, of a request or a watch
 *     problems.c   what fails now, for the log and for operators; numbers
 *
 * The thread and its owner share struct platform, which the last of the two frees (as in control/discovery.c):
 * reading the token or the CA certificates blocks as long as their volume does not respond, and a stop does not wait
 * for that.
 *
 * Owner: the platform thread, where nothing else is said.
 */
#ifndef PLATFORM_INTERNAL_H
#define PLATFORM_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "headless/base/completion.h"
#include "headless/platform/report.h"
#include "platform/buffer.h"
#include "platform/curl.h"
#include "platform/outcome.h"
#include "platform/token.h"
#include "platform/url.h"

/* Each has a request at a time. LANE_FRESH: is_fresh, and copies of slow requests. */
enum request_lane_kind { LANE_COMMON, LANE_FRESH, LANE_BACKGROUND, REQUEST_LANES };
#define HEADERS_MAX 4

/* ---- transfer.c ---- */

struct transfer {
    struct platform *platform;
    CURL *easy;
    bool is_running;
    struct curl_slist headers[HEADERS_MAX];
    char url[URL_MAX];
    struct buffer received;
    size_t received_max;
    bool is_too_large;
    bool is_stream;           /* on_open and on_bytes are called, for a response with status 200 */
    unsigned user_timeout_ms; /* TCP_USER_TIMEOUT of a new connection */
    uint64_t sent_ns, heard_ns;
    /* Set once. */
    void (*on_end)(struct transfer *transfer, CURLcode code);
    void (*on_open)(struct transfer *transfer);
    bool (*on_bytes)(struct transfer *transfer, const char *bytes, size_t length);
    void *context;
};

struct transfer_plan {
    enum platform_verb verb;
    const struct platform_object *object;
    const char *version; /* of a watch */
    uint64_t timeout_ns;
    bool is_alone;    /* on a connection of its own, closed afterwards */
    const char *body; /* NULL: none; not copied */
    size_t length;
};

bool transfer_open(struct platform *platform, struct transfer *transfer);
void transfer_close(struct transfer *transfer);

/* Returns 0, and calls on_end later; or fills *ret_trouble and returns -1. Blocks on the token's volume. */
int transfer_start(struct transfer *transfer, const struct transfer_plan *plan,
                   struct trouble *ret_trouble) __attribute__((warn_unused_result));

/* Without on_end. */
void transfer_abort(struct transfer *transfer);

/* In on_end. *ret_document: for json_object_put, or NULL. */
void transfer_judge(struct transfer *transfer, CURLcode code, struct trouble *ret_trouble,
                    struct json_object **ret_document);

unsigned transfer_status(const struct transfer *transfer);

/* ---- requests.c ---- */

enum slot_state { SLOT_FREE, SLOT_FILLING, SLOT_QUEUED, SLOT_RUNNING };

/* Filled by the thread that changed FREE to FILLING; from QUEUED on the platform thread's. */
struct request_slot {
    _Atomic int state;
    uint32_t order;
    uint64_t deadline_ns;
    struct platform_request request;
    bool is_hedged;    /* a copy was sent */
    bool is_undecided; /* a copy without a response may have taken effect */
};

struct request_lane {
    struct transfer transfer;
    struct request_slot *slot; /* NULL: idle */
    char *body;                /* PLATFORM_BODY_MAX bytes */
    size_t length;             /* of it; 0: none */
    unsigned attempts;
};

/* Start what is queued, as far as lanes are idle. */
void requests_start(struct platform *platform);
void requests_on_end(struct transfer *transfer, CURLcode code);
/* Send copies that are due; the time of the next one: *due_ns, lowered. */
void requests_hedge(struct platform *platform, uint64_t now_ns, uint64_t *due_ns);

/* ---- watches.c ---- */

enum watch_phase { WATCH_WAITING, WATCH_LISTING, WATCH_WATCHING };

#define WATCH_VERSION_MAX 64

struct watch_state {
    struct platform_watch watch;
    struct transfer transfer;
    enum watch_phase phase;
    char version[WATCH_VERSION_MAX]; /* "": list first */
    uint64_t due_ns;                 /* WATCH_WAITING */
    uint64_t opened_ns;              /* its response began; 0: not yet */
    unsigned failures;               /* in a row */
    bool is_stale;                   /* FAILED was told */
    bool is_second;                  /* after a 401, with the token read again */
    struct trouble bad;              /* of a line; outcome PLATFORM_OK: none */
};

/* Begin what is due, end what is silent; the time of the next call: *due_ns, lowered. */
void watches_run(struct platform *platform, uint64_t now_ns, uint64_t *due_ns);
void watches_on_end(struct transfer *transfer, CURLcode code);
void watches_on_open(struct transfer *transfer);
bool watches_on_bytes(struct transfer *transfer, const char *bytes, size_t length);

/* ---- problems.c ---- */

#define PROBLEMS_MAX 12

/* Of a verb and an object; entries stay. */
struct problem {
    enum platform_verb verb;                      /* constant once object is set */
    const struct platform_object *_Atomic object; /* NULL: this entry and all later ones are free */
    _Atomic uint64_t trouble;                     /* trouble_pack; 0: none */
    _Atomic uint64_t failed_ns;                   /* the last failure */
    uint64_t logged; /* the last one that was logged; the platform thread's */
    uint64_t logged_ns;
};

/* An attempt has ended: log and remember what is wrong, or that nothing is. text has the words. */
void problems_note(struct platform *platform, enum platform_verb verb,
                   const struct platform_object *object, const struct trouble *trouble,
                   char text[static PLATFORM_WHY_MAX]);
/* Only the words. */
void problems_describe(struct platform *platform, enum platform_verb verb,
                       const struct platform_object *object, const struct trouble *trouble,
                       char text[static PLATFORM_WHY_MAX]);
void problems_count(struct platform *platform, enum platform_verb verb, unsigned status);

/* ---- api.c ---- */

struct platform {
    /* Constant. */
    struct curl_calls curl;
    CURLM *multi; /* curl_multi_wakeup: any thread */
    char api[ADDRESS_TEXT_MAX + 16];
    char ca[CONFIG_TEXT_MAX], token_path[CONFIG_TEXT_MAX];
    char pod_namespace[CONFIG_TEXT_MAX]; /* the variable POD_NAMESPACE */
    bool is_tls;
    size_t watch_count; /* until platform_start */

    char space[CONFIG_TEXT_MAX]; /* constant once is_space_known */
    _Atomic bool is_space_known;

    struct token token;
    bool is_ca_old;  /* the last connection failed with the certificates that libcurl has cached */
    uint64_t random; /* state of xorshift64 */
    struct request_lane lanes[REQUEST_LANES];
    struct watch_state watches[PLATFORM_WATCHES];

    struct request_slot slots[PLATFORM_REQUESTS];
    _Atomic uint32_t order; /* of the next request; any thread */

    /* Written by the platform thread, read by any. */
    struct problem problems[PROBLEMS_MAX];
    _Atomic bool is_up;
    _Atomic uint64_t requests[PLATFORM_VERB_COUNT][PLATFORM_CODES];
    _Atomic uint64_t restarts[PLATFORM_RESTART_COUNT];

    _Atomic int users; /* the thread and its owner */
    _Atomic bool is_started;
    struct completion end; /* the thread's only job: to end */
    pthread_mutex_t lock;  /* held during a callback; its other user is platform_stop */
    _Atomic bool is_stopping;
};

/* Around each callback. False: there must be none any more. */
bool platform_enter(struct platform *platform) __attribute__((warn_unused_result));
void platform_leave(struct platform *platform);

uint32_t platform_random(struct platform *platform);
struct trouble_names platform_names(const struct platform *platform);

/* Read the namespace if it is not known. Returns 0 or a negative errno of its file. Blocks on its volume. */
int platform_find_space(struct platform *platform) __attribute__((warn_unused_result));

#endif
