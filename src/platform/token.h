/*
 * token: the service account's token, from a file that is replaced while the process runs. Private to platform/.
 *
 * A projected volume replaces files by swapping a symbolic link, so the path is opened each time. The token is a
 * secret: it is never logged, and wiped from our memory when it changes and at the end.
 *
 * Threads: the platform thread; token_age_s: any. Blocking: a volume may block without end.
 */
#ifndef PLATFORM_TOKEN_H
#define PLATFORM_TOKEN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#define TOKEN_MAX 16384 /* bytes; those of Kubernetes have about 1,000 */

struct token {
    const char *path;            /* "": none, and requests have no token */
    char header[TOKEN_MAX + 32]; /* "Authorization: Bearer ..."; "": none was read */
    struct stat seen;            /* of the file that it was read from */
    uint64_t read_ns;
    _Atomic uint64_t changed_s; /* the file's time of change, since 1970; 0: none was read */
};

/*
 * Read the file if it has changed, a minute has passed, or is_forced. Returns 0; or why there is no token: a negative
 * errno of the file, or -ENODATA: it is empty, -EMSGSIZE: too long, -EBADMSG: it has spaces or control characters. A
 * token that was read before stays in use, and 0 is returned then.
 */
int token_refresh(struct token *token, uint64_t now_ns, bool is_forced)
    __attribute__((warn_unused_result));

void token_wipe(struct token *token);

/* Seconds since the file was written; 0: no token. */
uint64_t token_age_s(const struct token *token);

/*
 * The whole content of a small file, without white space around it, and with NUL. Returns 0 or a negative errno as
 * above. ret_stat may be NULL.
 */
int token_read_file(const char *path, char *text, size_t room, struct stat *ret_stat)
    __attribute__((warn_unused_result));

/* Words for such an errno. */
const char *token_reason(int error);

#endif
