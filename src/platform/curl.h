/*
 * curl: libcurl, loaded at run time. Private to platform/.
 *
 * Only processes that need the API server load it, so that the image and the memory of others stay as they
 * are. It maps code, which the seccomp filter forbids: before confine_start (secure/confine.h).
 *
 * Threads: curl_load by the main thread; the calls as libcurl documents them.
 */
#ifndef PLATFORM_CURL_H
#define PLATFORM_CURL_H

#define CURL_DISABLE_TYPECHECK /* its macros call the functions by name */
#include <curl/curl.h>

#define CURL_CALLS(X)      \
    X(global_init)         \
    X(global_cleanup)      \
    X(version_info)        \
    X(easy_init)           \
    X(easy_cleanup)        \
    X(easy_reset)          \
    X(easy_setopt)         \
    X(easy_getinfo)        \
    X(easy_strerror)       \
    X(multi_init)          \
    X(multi_cleanup)       \
    X(multi_setopt)        \
    X(multi_add_handle)    \
    X(multi_remove_handle) \
    X(multi_perform)       \
    X(multi_info_read)     \
    X(multi_poll)          \
    X(multi_wakeup)

struct curl_calls {
#define CURL_MEMBER(name) __typeof__(curl_##name) *(name);
    CURL_CALLS(CURL_MEMBER)
#undef CURL_MEMBER
};

/* Load and initialize libcurl. Returns 0; -ELIBACC: it is missing, too old or without TLS; logged. */
int curl_load(struct curl_calls *ret_calls) __attribute__((warn_unused_result));

#endif
