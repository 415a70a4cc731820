#include "headless/config/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "headless/base/fnv.h"
#include "loader.h"

#define CHUNK 4096

/* FNV-1a suffices: an attacker who can write the file needs no collision. */
static uint64_t digest_end(uint64_t digest)
{
    return digest ? digest : 1;
}

uint64_t config_digest(const char *text, size_t length)
{
    return digest_end(fnv_more(FNV_BASIS, text, length));
}

/* A file above the limit is refused anyway: its rest does not count. */
static uint64_t digest_descriptor(int fd)
{
    uint64_t digest = FNV_BASIS;
    size_t length = 0;
    char chunk[CHUNK];
    ssize_t n;

    do {
        n = read(fd, chunk, sizeof(chunk));
        if (n > 0) {
            digest = fnv_more(digest, chunk, (size_t)n);
            length += (size_t)n;
        }
    } while ((n > 0 && length <= CONFIG_FILE_BYTES_MAX) || (n < 0 && errno == EINTR));
    return n < 0 ? 0 : digest_end(digest);
}

uint64_t config_digest_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    uint64_t digest = 0;

    if (fd < 0)
        return 0;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        digest = digest_descriptor(fd);
    (void)close(fd);
    return digest;
}

void config_watch_init(struct config_watch *watch, const char *path, uint64_t digest)
{
    struct stat status;
    bool is_other = path && stat(path, &status) == 0 && !S_ISREG(status.st_mode);

    *watch = (struct config_watch){
        .path = is_other ? NULL : path, .judged = digest, .seen = digest, .next_ns = 0};
}

bool config_watch_is_due(struct config_watch *watch, uint64_t now_ns)
{
    if (!watch->path || now_ns < watch->next_ns)
        return false;
    watch->next_ns = now_ns + CONFIG_WATCH_NS;
    return true;
}

bool config_watch_see(struct config_watch *watch, uint64_t digest)
{
    uint64_t before = watch->seen;

    watch->seen = digest;
    return watch->seen == before && watch->seen != watch->judged;
}

void config_watch_judge(struct config_watch *watch, uint64_t digest)
{
    watch->judged = digest;
}
