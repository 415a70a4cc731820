#include "platform/token.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "headless/base/clock.h"
#include "headless/base/log.h"

#define TOKEN_READ_NS (60 * NS_PER_SEC)

static const char token_prefix[] = "Authorization: Bearer ";

/* ---- a small file ---- */

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* It becomes a line of a header, or a part of a URL. */
static int token_trim(char *text, size_t length)
{
    size_t start = 0;

    while (length > 0 && is_space(text[length - 1]))
        length--;
    while (start < length && is_space(text[start]))
        start++;
    memmove(text, text + start, length - start);
    length -= start;
    text[length] = '\0';
    for (size_t i = 0; i < length; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return -EBADMSG;
    return length ? 0 : -ENODATA;
}

/* Returns 0 with all of it and its length, or a negative errno. */
static int read_all(int fd, char *text, size_t room, size_t *ret_length)
{
    size_t length = 0;

    while (length < room) {
        ssize_t n = read(fd, text + length, room - length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0) {
            *ret_length = length;
            return 0;
        }
        length += (size_t)n;
    }
    return -EMSGSIZE;
}

/* A pipe, which would block, or a device is no file of a volume. */
static int token_stat(int fd, struct stat *ret_stat)
{
    if (fstat(fd, ret_stat) < 0)
        return -errno;
    if (S_ISDIR(ret_stat->st_mode))
        return -EISDIR;
    return S_ISREG(ret_stat->st_mode) ? 0 : -EINVAL;
}

int token_read_file(const char *path, char *text, size_t room, struct stat *ret_stat)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    struct stat seen;
    size_t length = 0;
    int rc;

    if (fd < 0)
        return -errno;
    rc = token_stat(fd, &seen);
    if (!rc)
        rc = read_all(fd, text, room, &length);
    (void)close(fd);
    if (!rc)
        rc = token_trim(text, length);
    if (!rc && ret_stat)
        *ret_stat = seen;
    return rc;
}

const char *token_reason(int error)
{
    switch (error) {
    case -ENODATA:
        return "it is empty";
    case -EMSGSIZE:
        return "it is too long";
    case -EBADMSG:
        return "it has spaces or characters that are not printable";
    case -EINVAL:
        return "it is not a regular file";
    default:
        return strerror(-error);
    }
}

/* ---- the token ---- */

static bool is_changed(const struct stat *a, const struct stat *b)
{
    return a->st_dev != b->st_dev || a->st_ino != b->st_ino || a->st_size != b->st_size ||
           a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

static bool must_read(const struct token *token, uint64_t now_ns)
{
    struct stat seen;

    if (!token->header[0] || now_ns >= token->read_ns + TOKEN_READ_NS)
        return true;
    return stat(token->path, &seen) < 0 || is_changed(&seen, &token->seen);
}

int token_refresh(struct token *token, uint64_t now_ns, bool is_forced)
{
    const size_t prefix = strlen(token_prefix);
    char text[TOKEN_MAX];
    struct stat seen;
    int rc;

    if (!token->path[0] || !(is_forced || must_read(token, now_ns)))
        return 0;
    rc = token_read_file(token->path, text, sizeof(text), &seen);
    if (rc && token->header[0]) {
        log_warn_minutely("platform_token_kept", now_ns,
                          "cannot read platform.token %s: %s; keeping the previous token",
                          token->path, token_reason(rc));
        rc = 0;
    } else if (!rc) {
        explicit_bzero(token->header, sizeof(token->header));
        memcpy(token->header, token_prefix, prefix);
        memcpy(token->header + prefix, text, strlen(text) + 1);
        token->seen = seen;
        token->read_ns = now_ns;
        atomic_store_explicit(&token->changed_s, (uint64_t)seen.st_mtim.tv_sec,
                              memory_order_relaxed);
    }
    explicit_bzero(text, sizeof(text));
    return rc;
}

void token_wipe(struct token *token)
{
    explicit_bzero(token->header, sizeof(token->header));
}

uint64_t token_age_s(const struct token *token)
{
    uint64_t changed_s = atomic_load_explicit(&token->changed_s, memory_order_relaxed);
    uint64_t now_s = clock_real_s();

    return changed_s && now_s > changed_s ? now_s - changed_s : 0;
}
