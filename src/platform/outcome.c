#include "platform/outcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "platform/token.h"

static const char *const platform_verbs[PLATFORM_VERB_COUNT] = {
    [PLATFORM_GET] = "get",       [PLATFORM_LIST] = "list",     [PLATFORM_WATCH] = "watch",
    [PLATFORM_CREATE] = "create", [PLATFORM_UPDATE] = "update", [PLATFORM_PATCH] = "patch",
};
static const char *const platform_restarts[PLATFORM_RESTART_COUNT] = {
    [PLATFORM_RESTART_ENDED] = "ended",     [PLATFORM_RESTART_EXPIRED] = "expired",
    [PLATFORM_RESTART_LOST] = "lost",       [PLATFORM_RESTART_SILENT] = "silent",
    [PLATFORM_RESTART_REFUSED] = "refused", [PLATFORM_RESTART_BAD] = "bad",
};
/* Then "other" and "none". */
static const struct {
    unsigned status;
    const char *name;
} codes[PLATFORM_CODES - 2] = {
    {200, "200"}, {201, "201"}, {400, "400"}, {401, "401"}, {403, "403"},
    {404, "404"}, {409, "409"}, {410, "410"}, {422, "422"}, {429, "429"},
    {500, "500"}, {502, "502"}, {503, "503"}, {504, "504"},
};

const char *platform_verb_name(enum platform_verb verb)
{
    return platform_verbs[verb];
}

const char *platform_restart_name(enum platform_restart why)
{
    return platform_restarts[why];
}

const char *platform_code_name(size_t code)
{
    return code < PLATFORM_CODES - 2    ? codes[code].name
           : code == PLATFORM_CODES - 2 ? "other"
                                        : "none";
}

size_t outcome_code(unsigned status)
{
    size_t code = 0;

    if (status == 0)
        return PLATFORM_CODES - 1;
    while (code < PLATFORM_CODES - 2 && codes[code].status != status)
        code++;
    return code;
}

/* ---- outcomes ---- */

enum platform_outcome outcome_of_status(unsigned status, bool has_document)
{
    static const struct {
        unsigned status;
        enum platform_outcome outcome;
    } table[] = {
        {401, PLATFORM_UNAUTHORIZED}, {403, PLATFORM_FORBIDDEN}, {404, PLATFORM_NOT_FOUND},
        {409, PLATFORM_CONFLICT},     {410, PLATFORM_GONE},      {429, PLATFORM_THROTTLED},
    };

    if (status >= 500)
        return PLATFORM_SERVER_ERROR;
    if (status >= 200 && status < 300)
        return has_document ? PLATFORM_OK : PLATFORM_BAD;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (table[i].status == status)
            return table[i].outcome;
    return PLATFORM_INVALID;
}

enum platform_outcome outcome_of_curl(CURLcode code, bool is_sent)
{
    switch (code) {
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_UNSUPPORTED_PROTOCOL: /* HTTP/0.9: not HTTP at all */
    case CURLE_BAD_CONTENT_ENCODING:
        return is_sent ? PLATFORM_BAD : PLATFORM_UNSENT;
    default:
        return is_sent ? PLATFORM_UNKNOWN : PLATFORM_UNSENT;
    }
}

uint64_t trouble_pack(const struct trouble *trouble)
{
    return (uint64_t)trouble->outcome | (uint64_t)(trouble->status & 0xffff) << 8 |
           (uint64_t)trouble->kind << 24 | (uint64_t)(trouble->value & 0xffff) << 32 |
           (uint64_t)((unsigned)trouble->error & 0xffff) << 48;
}

struct trouble trouble_unpack(uint64_t packed)
{
    return (struct trouble){
        .outcome = (enum platform_outcome)(packed & 0xff),
        .status = packed >> 8 & 0xffff,
        .kind = (enum trouble_kind)(packed >> 24 & 0xff),
        .value = packed >> 32 & 0xffff,
        .error = (int)(packed >> 48),
    };
}

/* ---- words ---- */

struct words {
    char *text;
    size_t length;
};

static void words_add(struct words *words, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void words_add(struct words *words, const char *format, ...)
{
    size_t room = PLATFORM_WHY_MAX - words->length;
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(words->text + words->length, room, format, args);
    va_end(args);
    if (length > 0)
        words->length += (size_t)length < room ? (size_t)length : room - 1;
}

/* "pods/status" */
static void words_add_resource(struct words *words, const struct platform_object *object)
{
    words_add(words, "%s%s%s", object->resource, object->part ? "/" : "",
              object->part ? object->part : "");
}

/* "cannot update leases "headlessd" in namespace "default": " */
static void words_add_request(struct words *words, enum platform_verb verb,
                              const struct platform_object *object, const char *space)
{
    words_add(words, "cannot %s ", platform_verbs[verb]);
    words_add_resource(words, object);
    if (object->name)
        words_add(words, " \"%s\"", object->name);
    if (object->space || *space)
        words_add(words, " in namespace \"%s\"", object->space ? object->space : space);
    words_add(words, ": ");
}

/* The rule that a Role needs. create cannot be limited to a name. */
static void words_add_rule(struct words *words, enum platform_verb verb,
                           const struct platform_object *object)
{
    words_add(words, "the service account lacks an RBAC rule: {apiGroups: [\"%s\"], resources: [",
              object->group);
    words_add_resource(words, object);
    words_add(words, "], ");
    if (object->name && verb != PLATFORM_CREATE)
        words_add(words, "resourceNames: [%s], ", object->name);
    words_add(words, "verbs: [%s]}", platform_verbs[verb]);
}

static void words_add_curl(struct words *words, const struct trouble *trouble,
                           const struct trouble_names *names)
{
    CURLcode code = (CURLcode)trouble->value;

    if (code == CURLE_PEER_FAILED_VERIFICATION)
        words_add(words, "the certificate of %s is not one that %s (platform.ca) has signed for it",
                  names->api, names->ca);
    else if (code == CURLE_SSL_CACERT_BADFILE)
        words_add(words, "cannot read certificates from %s (platform.ca)", names->ca);
    else if (trouble->outcome == PLATFORM_UNSENT)
        words_add(words, "no connection to %s (platform.api): %s", names->api,
                  trouble->error ? strerror(trouble->error) : names->describe(code));
    else if (code == CURLE_OPERATION_TIMEDOUT)
        words_add(words, "%s has not responded in time", names->api);
    else
        words_add(words, "the connection to %s failed: %s", names->api, names->describe(code));
}

static void words_add_status(struct words *words, const struct trouble *trouble,
                             enum platform_verb verb, const struct platform_object *object,
                             const struct trouble_names *names)
{
    static const char *const texts[PLATFORM_OUTCOME_COUNT] = {
        [PLATFORM_CONFLICT] = "409: it was changed by somebody else, or exists already",
        [PLATFORM_NOT_FOUND] = "404: it does not exist, or the API server does not know the kind",
        [PLATFORM_GONE] = "410: its version is too old",
        [PLATFORM_THROTTLED] = "429: the API server limits this service account",
    };

    if (trouble->outcome == PLATFORM_FORBIDDEN) {
        words_add(words, "403: ");
        words_add_rule(words, verb, object);
    } else if (trouble->outcome == PLATFORM_UNAUTHORIZED) {
        words_add(words, "401: the API server refuses the token in %s (platform.token)",
                  *names->token ? names->token : "none");
    } else if (texts[trouble->outcome]) {
        words_add(words, "%s", texts[trouble->outcome]);
    } else {
        words_add(words, "the API server responds with %u", trouble->status);
    }
}

void trouble_describe(const struct trouble *trouble, enum platform_verb verb,
                      const struct platform_object *object, const struct trouble_names *names,
                      char text[static PLATFORM_WHY_MAX])
{
    struct words words = {.text = text};

    text[0] = '\0';
    words_add_request(&words, verb, object, names->space);
    switch (trouble->kind) {
    case TROUBLE_NONE:
    case TROUBLE_IN_WATCH:
        words_add_status(&words, trouble, verb, object, names);
        break;
    case TROUBLE_CURL:
        words_add_curl(&words, trouble, names);
        break;
    case TROUBLE_TOKEN:
        words_add(&words, "no token: %s (platform.token): %s", names->token,
                  token_reason(-trouble->error));
        break;
    case TROUBLE_NAMESPACE:
        words_add(&words, "its namespace is unknown: set platform.namespace or POD_NAMESPACE");
        break;
    case TROUBLE_CANCELLED:
        words_add(&words, "cancelled");
        break;
    case TROUBLE_QUEUED:
        words_add(&words, "an earlier request took too long");
        break;
    case TROUBLE_URL:
        words_add(&words, "such an object cannot be named in a URL");
        break;
    case TROUBLE_TOO_LARGE:
        words_add(&words, "the response is too large");
        break;
    case TROUBLE_NO_JSON:
        words_add(&words,
                  "the response with status %u is not JSON: is %s an API server (platform.api)?",
                  trouble->status, names->api);
        break;
    case TROUBLE_SILENT:
        words_add(&words, "nothing was received for too long");
        break;
    }
}
