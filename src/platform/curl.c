#include "platform/curl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "headless/base/log.h"

#define CURL_LIBRARY "libcurl.so.4" /* the package libcurl4 on Debian */

static const struct curl_call {
    const char *name;
    size_t offset; /* in struct curl_calls */
} curl_call_table[] = {
#define CURL_ROW(name) {"curl_" #name, offsetof(struct curl_calls, name)},
    CURL_CALLS(CURL_ROW)
#undef CURL_ROW
};

/* The last ones are of 7.68. */
static int find_calls(void *library, struct curl_calls *calls)
{
    for (size_t i = 0; i < sizeof(curl_call_table) / sizeof(curl_call_table[0]); i++) {
        void *function = dlsym(library, curl_call_table[i].name);

        if (!function) {
            log_error("libcurl_unusable", "%s has no %s: version 7.68 or later is needed",
                      CURL_LIBRARY, curl_call_table[i].name);
            return -ELIBACC;
        }
        memcpy((char *)calls + curl_call_table[i].offset, &function, sizeof(function));
    }
    return 0;
}

int curl_load(struct curl_calls *ret_calls)
{
    void *library = dlopen(CURL_LIBRARY, RTLD_NOW | RTLD_NODELETE); /* never closed */
    struct curl_calls calls;
    const curl_version_info_data *version;

    if (!library) {
        log_error("libcurl_missing",
                  "%s: discovery.kubernetes and election lease need libcurl (on Debian the package "
                  "libcurl4)",
                  dlerror());
        return -ELIBACC;
    }
    if (find_calls(library, &calls))
        return -ELIBACC;
    if (calls.global_init(CURL_GLOBAL_ALL) != CURLE_OK)
        return -ENOMEM;
    version = calls.version_info(CURLVERSION_NOW);
    if (!(version->features & CURL_VERSION_SSL)) {
        log_error("libcurl_unusable", "%s %s has no TLS", CURL_LIBRARY, version->version);
        calls.global_cleanup();
        return -ELIBACC;
    }
    log_debug("libcurl_loaded", "libcurl %s, %s", version->version, version->ssl_version);
    *ret_calls = calls;
    return 0;
}
