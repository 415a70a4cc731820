/*
 * outcome: what a response, or none, says of a request. Private to platform/. Pure, but for libcurl's words.
 */
#ifndef PLATFORM_OUTCOME_H
#define PLATFORM_OUTCOME_H

#include "headless/platform/api.h"
#include "headless/platform/report.h"
#include "platform/curl.h"

/* Why a request had no response, or none that was of use. */
enum trouble_kind {
    TROUBLE_NONE,      /* the status says it */
    TROUBLE_CURL,      /* value: CURLcode, error: of the system */
    TROUBLE_TOKEN,     /* error */
    TROUBLE_NAMESPACE, /* error: of its file */
    TROUBLE_CANCELLED, /* by write_body */
    TROUBLE_QUEUED,    /* its time was over before it was sent */
    TROUBLE_URL,       /* the object has no name, or too long a one */
    TROUBLE_TOO_LARGE, /* the response */
    TROUBLE_NO_JSON,   /* the response */
    TROUBLE_SILENT,    /* a watch without a byte for too long */
    TROUBLE_IN_WATCH,  /* an ERROR line, status: its code */
};

/* One failure. It fits one atomic word (trouble_pack), so that any thread can read it. */
struct trouble {
    enum platform_outcome outcome;
    unsigned status;
    enum trouble_kind kind;
    unsigned value; /* CURLcode */
    int error;      /* errno, positive */
};

/* has_document: the body is a JSON object. */
enum platform_outcome outcome_of_status(unsigned status, bool has_document);

/* No complete response. is_sent: at least a part of the request was sent. */
enum platform_outcome outcome_of_curl(CURLcode code, bool is_sent);

/* 0 is no failure. */
uint64_t trouble_pack(const struct trouble *trouble);
struct trouble trouble_unpack(uint64_t packed);

/* Index for platform_code_name. */
size_t outcome_code(unsigned status);

/* Constant things that the words name. */
struct trouble_names {
    const char *api, *token, *ca; /* a URL, and paths */
    const char *space;            /* of objects that have none; "": not known */
    const char *(*describe)(CURLcode code);
};

/* One sentence. */
void trouble_describe(const struct trouble *trouble, enum platform_verb verb,
                      const struct platform_object *object, const struct trouble_names *names,
                      char text[static PLATFORM_WHY_MAX]);

#endif
