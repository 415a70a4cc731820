/* The parts of the API server's client that need no thread: URLs, tokens, outcomes, documents, pauses. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "platform/backoff.h"
#include "platform/outcome.h"
#include "platform/token.h"
#include "platform/url.h"

static const struct platform_object lease = {
    .group = "coordination.k8s.io", .version = "v1", .resource = "leases", .name = "headlessd"};
static const struct platform_object slices = {.group = "discovery.k8s.io",
                                              .version = "v1",
                                              .resource = "endpointslices",
                                              .labels = "kubernetes.io/service-name=a,b!=c d"};

/* ---- URLs ---- */

static void expect_url(enum platform_verb verb, const struct platform_object *object,
                       const char *expected)
{
    const struct url_parts parts = {.base = "https://10.96.0.1:443",
                                    .space = "default",
                                    .verb = verb,
                                    .object = object,
                                    .version = "12",
                                    .timeout_ns = 301 * NS_PER_SEC};
    char url[URL_MAX];

    cr_assert_eq(url_build(&parts, url), 0);
    cr_expect_str_eq(url, expected);
}

Test(platform_parts, urls_name_the_object)
{
    struct platform_object event = {
        .group = "", .version = "v1", .resource = "events", .space = "other"};
    struct platform_object status = {
        .group = "", .version = "v1", .resource = "pods", .name = "pod-0", .part = "status"};

    expect_url(PLATFORM_GET, &lease,
               "https://10.96.0.1:443/apis/coordination.k8s.io/v1/namespaces/default/leases/"
               "headlessd?timeout=301000ms");
    expect_url(PLATFORM_UPDATE, &lease,
               "https://10.96.0.1:443/apis/coordination.k8s.io/v1/namespaces/default/leases/"
               "headlessd?timeout=301000ms");
    expect_url(PLATFORM_CREATE, &lease,
               "https://10.96.0.1:443/apis/coordination.k8s.io/v1/namespaces/default/leases"
               "?timeout=301000ms");
    expect_url(PLATFORM_CREATE, &event,
               "https://10.96.0.1:443/api/v1/namespaces/other/events?timeout=301000ms");
    expect_url(PLATFORM_PATCH, &status,
               "https://10.96.0.1:443/api/v1/namespaces/default/pods/pod-0/status"
               "?timeout=301000ms");
    expect_url(PLATFORM_LIST, &slices,
               "https://10.96.0.1:443/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
               "?labelSelector=kubernetes.io%2Fservice-name%3Da%2Cb%21%3Dc%20d&timeout=301000ms");
    expect_url(PLATFORM_WATCH, &lease,
               "https://10.96.0.1:443/apis/coordination.k8s.io/v1/namespaces/default/leases"
               "?fieldSelector=metadata.name%3Dheadlessd&watch=true&allowWatchBookmarks=true"
               "&resourceVersion=12&timeoutSeconds=301");
}

Test(platform_parts, urls_that_would_name_another_object_are_refused)
{
    static const char *const names[] = {"", ".", ".."};
    struct platform_object object = lease;
    struct url_parts parts = {.base = "https://10.96.0.1:443",
                              .space = "default",
                              .verb = PLATFORM_GET,
                              .object = &object};
    char url[URL_MAX], name[URL_MAX + 1] = "";

    object.name = NULL;
    cr_expect_eq(url_build(&parts, url), -EINVAL, "get without a name");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        object.name = names[i];
        cr_expect_eq(url_build(&parts, url), -ENAMETOOLONG, "\"%s\"", names[i]);
    }
    object.name = "a/../b?c#d%2e";
    cr_assert_eq(url_build(&parts, url), 0);
    cr_expect(strstr(url, "/leases/a%2F..%2Fb%3Fc%23d%252e?"), "%s", url);
    memset(name, 'n', URL_MAX);
    object.name = name;
    cr_expect_eq(url_build(&parts, url), -ENAMETOOLONG);
}

/* ---- the token ---- */

static struct token token;
static char token_path[128];

static void write_token(const char *text, size_t length)
{
    FILE *file = fopen(token_path, "w");

    cr_assert(file);
    cr_assert_eq(fwrite(text, 1, length, file), length);
    cr_assert_eq(fclose(file), 0);
}

static void begin_token(void)
{
    (void)snprintf(token_path, sizeof(token_path), "/tmp/test_platform_token.%d", (int)getpid());
    token.path = token_path;
}

static void end_token(void)
{
    (void)unlink(token_path);
    (void)rmdir(token_path);
}

Test(platform_parts, white_space_around_a_token_does_not_count, .init = begin_token,
     .fini = end_token)
{
    static const char text[] = " \r\nabc.def-_\t\n";

    write_token(text, sizeof(text) - 1);
    cr_assert_eq(token_refresh(&token, 1, false), 0);
    cr_expect_str_eq(token.header, "Authorization: Bearer abc.def-_");
    token_wipe(&token);
    for (size_t i = 0; i < sizeof(token.header); i++)
        cr_assert_eq(token.header[i], 0);
}

Test(platform_parts, a_file_that_is_no_token_is_told, .init = begin_token, .fini = end_token)
{
    static char large[TOKEN_MAX];
    static const struct {
        const char *text;
        size_t length;
        int error;
    } cases[] = {{"", 0, -ENODATA},
                 {" \n", 2, -ENODATA},
                 {"a b", 3, -EBADMSG},
                 {"a\r\nHost: b", 10, -EBADMSG},
                 {"a\0b", 3, -EBADMSG},
                 {"\xc3\xa9", 2, -EBADMSG},
                 {large, sizeof(large), -EMSGSIZE}};

    memset(large, 'a', sizeof(large));
    cr_expect_eq(token_refresh(&token, 1, false), -ENOENT);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        write_token(cases[i].text, cases[i].length);
        cr_expect_eq(token_refresh(&token, 1, false), cases[i].error, "case %zu", i);
        cr_expect_eq(token.header[0], '\0');
    }
    end_token();
    cr_assert_eq(mkdir(token_path, 0700), 0);
    cr_expect_eq(token_refresh(&token, 1, false), -EISDIR);
    end_token();
    cr_assert_eq(mkfifo(token_path, 0600), 0);
    cr_expect_eq(token_refresh(&token, 1, false), -EINVAL, "a pipe does not block");
}

Test(platform_parts, a_token_is_read_again_when_it_changes_and_each_minute, .init = begin_token,
     .fini = end_token)
{
    struct stat before;

    write_token("one", 3);
    cr_assert_eq(token_refresh(&token, 1, false), 0);
    write_token("three", 5);
    cr_assert_eq(token_refresh(&token, 2, false), 0);
    cr_expect_str_eq(token.header, "Authorization: Bearer three", "its size has changed");

    /* The same size and time: only a minute or a 401 tells. */
    cr_assert_eq(stat(token_path, &before), 0);
    write_token("seven", 5);
    cr_assert_eq(
        utimensat(AT_FDCWD, token_path, (struct timespec[]){before.st_atim, before.st_mtim}, 0), 0);
    cr_assert_eq(token_refresh(&token, 3, false), 0);
    cr_expect_str_eq(token.header, "Authorization: Bearer three");
    cr_assert_eq(token_refresh(&token, 2 + 60 * NS_PER_SEC, false), 0);
    cr_expect_str_eq(token.header, "Authorization: Bearer seven");

    /* Its file vanishes for a moment. */
    end_token();
    cr_assert_eq(token_refresh(&token, 3 + 60 * NS_PER_SEC, true), 0);
    cr_expect_str_eq(token.header, "Authorization: Bearer seven", "the previous one is kept");
}

/* ---- outcomes ---- */

Test(platform_parts, each_status_has_its_outcome)
{
    static const struct {
        unsigned status;
        bool has_document;
        enum platform_outcome outcome;
    } cases[] = {
        {200, true, PLATFORM_OK},
        {201, true, PLATFORM_OK},
        {200, false, PLATFORM_BAD},
        {204, false, PLATFORM_BAD},
        {302, false, PLATFORM_INVALID},
        {400, true, PLATFORM_INVALID},
        {401, true, PLATFORM_UNAUTHORIZED},
        {403, false, PLATFORM_FORBIDDEN},
        {404, true, PLATFORM_NOT_FOUND},
        {409, true, PLATFORM_CONFLICT},
        {410, true, PLATFORM_GONE},
        {422, true, PLATFORM_INVALID},
        {429, true, PLATFORM_THROTTLED},
        {500, true, PLATFORM_SERVER_ERROR},
        {503, false, PLATFORM_SERVER_ERROR},
        {504, true, PLATFORM_SERVER_ERROR},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(outcome_of_status(cases[i].status, cases[i].has_document), cases[i].outcome,
                     "%u", cases[i].status);
    cr_expect_eq(outcome_of_curl(CURLE_OPERATION_TIMEDOUT, true), PLATFORM_UNKNOWN);
    cr_expect_eq(outcome_of_curl(CURLE_OPERATION_TIMEDOUT, false), PLATFORM_UNSENT);
    cr_expect_eq(outcome_of_curl(CURLE_PEER_FAILED_VERIFICATION, false), PLATFORM_UNSENT);
    cr_expect(platform_is_undecided(PLATFORM_SERVER_ERROR));
    cr_expect(platform_is_undecided(PLATFORM_UNKNOWN));
    cr_expect(platform_is_undecided(PLATFORM_BAD));
    cr_expect_not(platform_is_undecided(PLATFORM_UNSENT));
    cr_expect_not(platform_is_undecided(PLATFORM_THROTTLED));
}

Test(platform_parts, every_failure_fits_a_word)
{
    const struct trouble trouble = {.outcome = PLATFORM_OUTCOME_COUNT - 1,
                                    .status = 999,
                                    .kind = TROUBLE_IN_WATCH,
                                    .value = CURL_LAST,
                                    .error = 133};
    struct trouble again = trouble_unpack(trouble_pack(&trouble));

    cr_expect_eq(again.outcome, trouble.outcome);
    cr_expect_eq(again.status, trouble.status);
    cr_expect_eq(again.kind, trouble.kind);
    cr_expect_eq(again.value, trouble.value);
    cr_expect_eq(again.error, trouble.error);
}

static const char *describe(CURLcode code)
{
    return code == CURLE_GOT_NOTHING ? "nothing" : "?";
}

static void expect_words(struct trouble trouble, enum platform_verb verb,
                         const struct platform_object *object, const char *expected)
{
    const struct trouble_names names = {.api = "https://10.96.0.1:443",
                                        .token = "/run/token",
                                        .ca = "/run/ca.crt",
                                        .space = "default",
                                        .describe = describe};
    char text[PLATFORM_WHY_MAX];

    trouble_describe(&trouble, verb, object, &names, text);
    cr_expect_str_eq(text, expected);
}

Test(platform_parts, words_name_verb_object_and_the_missing_rule)
{
    static const struct platform_object status = {
        .group = "", .version = "v1", .resource = "pods", .name = "pod-0", .part = "status"};

    expect_words((struct trouble){.outcome = PLATFORM_FORBIDDEN, .status = 403}, PLATFORM_PATCH,
                 &status,
                 "cannot patch pods/status \"pod-0\" in namespace \"default\": 403: the service "
                 "account lacks an RBAC rule: {apiGroups: [\"\"], resources: [pods/status], "
                 "resourceNames: [pod-0], verbs: [patch]}");
    expect_words((struct trouble){.outcome = PLATFORM_FORBIDDEN, .status = 403}, PLATFORM_UPDATE,
                 &lease,
                 "cannot update leases \"headlessd\" in namespace \"default\": 403: the service "
                 "account lacks an RBAC rule: {apiGroups: [\"coordination.k8s.io\"], resources: "
                 "[leases], resourceNames: [headlessd], verbs: [update]}");
    expect_words((struct trouble){.outcome = PLATFORM_FORBIDDEN, .status = 403}, PLATFORM_CREATE,
                 &lease,
                 "cannot create leases \"headlessd\" in namespace \"default\": 403: the service "
                 "account lacks an RBAC rule: {apiGroups: [\"coordination.k8s.io\"], resources: "
                 "[leases], verbs: [create]}");
    expect_words(
        (struct trouble){.outcome = PLATFORM_UNSENT, .kind = TROUBLE_TOKEN, .error = ENOENT},
        PLATFORM_LIST, &slices,
        "cannot list endpointslices in namespace \"default\": no token: /run/token "
        "(platform.token): No such file or directory");
    expect_words((struct trouble){.outcome = PLATFORM_UNKNOWN,
                                  .kind = TROUBLE_CURL,
                                  .value = CURLE_GOT_NOTHING},
                 PLATFORM_GET, &lease,
                 "cannot get leases \"headlessd\" in namespace \"default\": the connection to "
                 "https://10.96.0.1:443 failed: nothing");
}

Test(platform_parts, words_are_cut_where_there_is_no_room)
{
    char name[PLATFORM_WHY_MAX + 1] = "", text[PLATFORM_WHY_MAX];
    const struct trouble_names names = {.api = "", .token = "", .ca = "", .space = "s"};
    const struct trouble trouble = {.outcome = PLATFORM_FORBIDDEN, .status = 403};
    struct platform_object object = lease;

    memset(name, 'n', PLATFORM_WHY_MAX);
    object.name = name;
    trouble_describe(&trouble, PLATFORM_GET, &object, &names, text);
    cr_expect_eq(strlen(text), PLATFORM_WHY_MAX - 1);
}

Test(platform_parts, every_status_is_counted_once)
{
    cr_expect_str_eq(platform_code_name(outcome_code(200)), "200");
    cr_expect_str_eq(platform_code_name(outcome_code(504)), "504");
    cr_expect_str_eq(platform_code_name(outcome_code(418)), "other");
    cr_expect_str_eq(platform_code_name(outcome_code(0)), "none");
}

/* ---- pauses ---- */

Test(platform_parts, pauses_grow_from_200_ms_to_5_s)
{
    for (unsigned failures = 0; failures < 100; failures++) {
        uint64_t least_ns = backoff_ns(failures, 0), most_ns = backoff_ns(failures, UINT32_MAX);

        cr_expect_eq(least_ns, 200 * NS_PER_MS, "%u", failures);
        cr_expect_leq(most_ns, 5 * NS_PER_SEC, "%u", failures);
        cr_expect_geq(most_ns, failures < 4 ? (399 * NS_PER_MS) << failures : 4999 * NS_PER_MS,
                      "%u: %llu", failures, (unsigned long long)most_ns);
    }
}
